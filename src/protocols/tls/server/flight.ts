import { encode, utf8 } from "../../../bytes/index.js";
import type { Secret } from "../../../contract/index.js";
import type { ServerConfig } from "../config.js";
import { delegatedScheme } from "../delegated.js";
import { confirmServerHello, retryConfigs } from "../ech/server.js";
import { refuse } from "../failure.js";
import { writeCertificate } from "../handshake/certificate.js";
import type { Context, State } from "../handshake/context.js";
import { verifyContent } from "../handshake/proof.js";
import { EarlySecret, type HandshakeSecret, Labels } from "../keys13.js";
import { limits } from "../limits.js";
import {
  certificateRequest,
  certificateTypes,
  certificateVerify,
  compressedCertificate,
  compressionAlgorithms,
  encryptedExtensions,
} from "../messages/authentication.js";
import { type Extension, ExtensionBlock, ext, extension } from "../messages/extensions.js";
import { handshakeType } from "../messages/handshake.js";
import { writeServerHello } from "../messages/hello.js";
import type { CertificateType, TlsIdentity } from "../options.js";
import { fits, type Scheme } from "../parameters/schemes.js";
import { SessionKeys } from "../session-keys.js";
import { awaitClient } from "./finished.js";
import type { Choice } from "./negotiate.js";
import { type Request, schemeNames } from "./request.js";

type Cx = Context<ServerConfig>;

/** Whom the server shows, and how that one signs. */
interface Shown {
  readonly identity: TlsIdentity;
  readonly scheme: Scheme;
  /** By the key that the certificate delegates to (RFC 9345). */
  readonly delegated: boolean;
}

/** What the server's flight settled. */
export interface Answered extends Choice {
  /** Undefined with a pre-shared key. */
  readonly identity: TlsIdentity | undefined;
  readonly serverCertificateType: CertificateType;
  readonly clientCertificateType: CertificateType;
  readonly clientTraffic: Secret;
  readonly serverTraffic: Secret;
  readonly secret: HandshakeSecret;
  /** The client's Certificate and CertificateVerify were asked for. */
  readonly asked: boolean;
}

/** Chooses who to be, then sends ServerHello … Finished (RFC 9846 §2). */
export function answerHello(cx: Cx, choice: Choice): State<ServerConfig> {
  const { request, psk } = choice;
  const { options } = cx.config;
  if (psk !== undefined) return greet(cx, choice, undefined, "x509");
  const certificateType = chooseType(request, "server", options.certificateTypes);
  const ask = {
    role: "server",
    version: "1.3",
    serverName: request.serverName,
    schemes: schemeNames(request.schemes),
    certificateSchemes: schemeNames(request.certificateSchemes),
    authorities: request.hello.extensions.get(ext.certificateAuthorities) ?? [],
    alpn: request.alpn,
    certificateType,
    keyTypes: undefined,
  } as const;
  return cx.ask("select-identity", ask, "initial", (identity) => {
    if (identity === undefined) {
      refuse(
        request.serverName === undefined ? "no-identity" : "unrecognized-name",
        "ClientHello",
        `there is no identity for ${request.serverName ?? "a client without server_name"}`,
        "configure an identity whose key type the client can check, or one without names",
      );
    }
    const delegated = delegatedScheme(identity, request.hello.extensions.get(ext.delegatedCredential));
    const own = cx.config.schemes.find(
      (each) => request.schemes.includes(each.id) && fits(each, identity.publicKey, "1.3"),
    );
    const scheme = delegated ?? own;
    if (scheme === undefined) refuse("no-common-scheme", "ClientHello", "the client cannot check our key's signatures");
    return greet(cx, choice, { identity, scheme, delegated: delegated !== undefined }, certificateType);
  });
}

function greet(
  cx: Cx,
  choice: Choice,
  shown: Shown | undefined,
  serverCertificateType: CertificateType,
): State<ServerConfig> {
  const { config } = cx;
  const { request, suite, group, psk, earlyData } = choice;
  const hash = config.crypto.hash(suite.hash);
  const early = psk?.early ?? new EarlySecret(Labels.of(config.crypto, suite.hash, config.dialect.labelPrefix));
  const random = cx.random(32);
  const theirs = group && request.shares.get(group.id);
  const answer = group && config.crypto.agreement(group.agreement).respond(theirs!, config.entropy);
  if (group !== undefined && answer === undefined) {
    refuse("invalid-key-share", "ClientHello", `the share of ${group.name} is not valid`);
  }
  cx.transcript.start(hash);
  cx.transcript.add(request.bytes);
  if (earlyData === "accepted") openEarlyData(cx, choice, early);
  const body = writeServerHello(
    {
      legacyVersion: config.dialect.version12,
      random,
      sessionIdEcho: request.hello.sessionId,
      suite: suite.id,
      compressionMethod: 0,
    },
    [
      ...(psk ? [extension("SH", ext.preSharedKey, psk.index)] : []),
      ...(group && answer ? [extension("SH", ext.keyShare, { group: group.id, key: answer.share })] : []),
      extension("SH", ext.supportedVersions, config.dialect.version13),
      ...applicationAnswers(choice, config, true),
    ],
  );
  if (request.ech?.status === "accepted") confirmServerHello(cx, suite, request.ech, body);
  cx.send("initial", handshakeType.serverHello, body);
  if (config.dialect.middleboxCompatibility && request.hello.sessionId.length > 0 && !choice.retried) {
    cx.changeCipherSpec();
  }
  const secret = early.handshake(answer?.secret);
  answer?.secret.wipe();
  early.wipe();
  const helloHash = cx.transcript.digest();
  const serverTraffic = secret.serverTraffic(helloHash);
  const clientTraffic = secret.clientTraffic(helloHash);
  cx.logKey("CLIENT_HANDSHAKE_TRAFFIC_SECRET", clientTraffic);
  cx.logKey("SERVER_HANDSHAKE_TRAFFIC_SECRET", serverTraffic);
  cx.keys("handshake", "write", { version: "1.3", suite, secret: serverTraffic });
  // TLS reads with one key at a time: early data first, the client's flight after EndOfEarlyData.
  if (earlyData !== "accepted" || !config.dialect.endOfEarlyData) {
    cx.keys("handshake", "read", { version: "1.3", suite, secret: clientTraffic });
  }
  if (earlyData !== "not-offered" && request.earlyData) {
    const max = config.options.earlyDataMax ?? 0;
    const skip = Math.max(limits.earlyDataSkippedMax, 2 * max);
    cx.out.push({ kind: "early-data", status: earlyData, max: earlyData === "accepted" ? max : skip });
  }
  const asked = psk === undefined && (config.options.clientAuthentication ?? "none") !== "none";
  const clientCertificateType = asked ? chooseType(request, "client", config.options.peerCertificateTypes) : "x509";
  sendParameters(cx, choice, serverCertificateType, clientCertificateType, asked);
  const answered: Answered = {
    ...choice,
    identity: shown?.identity,
    serverCertificateType,
    clientCertificateType,
    clientTraffic,
    serverTraffic,
    secret,
    asked,
  };
  if (shown === undefined) return finish(cx, answered);
  const { identity, scheme, delegated } = shown;
  return sendCertificate(cx, answered, shown, () => {
    const message = verifyContent("server", cx.transcript.digest());
    const ask = { identity, scheme: scheme.name, algorithm: scheme.algorithm, message, delegated };
    return cx.ask("sign", ask, "handshake", (signature) => {
      if (signature === undefined) refuse("signer-refused", "CertificateVerify", "the identity did not sign");
      cx.send(
        "handshake",
        handshakeType.certificateVerify,
        encode(certificateVerify, { scheme: scheme.id, signature }),
      );
      return finish(cx, answered);
    });
  });
}

/** Keys for 0-RTT data follow from the PSK and the ClientHello alone. */
function openEarlyData(cx: Cx, { suite }: Choice, early: EarlySecret): void {
  const helloHash = cx.transcript.digest();
  const secret = early.clientTraffic(helloHash);
  const exporter = early.exporter(helloHash);
  const { labels } = early;
  cx.logKey("CLIENT_EARLY_TRAFFIC_SECRET", secret);
  cx.logKey("EARLY_EXPORTER_MASTER_SECRET", exporter);
  cx.earlyExporter = (label, context, length) => labels.export(exporter, label, context, length);
  cx.keys("early", "read", { version: "1.3", suite, secret });
}

/** EncryptedExtensions and CertificateRequest, §4.4. */
function sendParameters(
  cx: Cx,
  choice: Choice,
  serverType: CertificateType,
  clientType: CertificateType,
  asked: boolean,
): void {
  const { config } = cx;
  const { request, alpn, psk, earlyData } = choice;
  const { extensions: offered } = request.hello;
  const items: Extension[] = [];
  const add = (when: boolean, make: () => Extension): void => {
    if (when) items.push(make());
  };
  // What we would rather have had: clients may remember it for their next key shares (RFC 9846 §4.3.7).
  add(request.groups.length > 0, () =>
    extension(
      "EE",
      ext.supportedGroups,
      config.groups.map(({ id }) => id),
    ),
  );
  for (const limit of recordExtensions(cx, request)) items.push(limit);
  add(request.serverName !== undefined, () => extension("EE", ext.serverName, true));
  add(alpn !== undefined, () => extension("EE", ext.alpn, [utf8(alpn!)]));
  add(offered.has(ext.serverCertificateType) && psk === undefined, () =>
    extension("EE", ext.serverCertificateType, certificateTypes[serverType]),
  );
  add(offered.has(ext.clientCertificateType) && asked, () =>
    extension("EE", ext.clientCertificateType, certificateTypes[clientType]),
  );
  add(earlyData === "accepted", () => extension("EE", ext.earlyData, true));
  add(offered.has(ext.ticketRequest) && config.options.tickets !== undefined, () =>
    extension("EE", ext.ticketRequest, ticketCount(config, request, psk !== undefined)),
  );
  const retry = request.ech?.status === "rejected" ? retryConfigs(config) : undefined;
  add(retry !== undefined, () => extension("EE", ext.encryptedClientHello, retry!));
  items.push(...applicationAnswers(choice, config, false));
  cx.send("handshake", handshakeType.encryptedExtensions, encode(encryptedExtensions, new ExtensionBlock("EE", items)));
  if (asked) cx.send("handshake", handshakeType.certificateRequest, requestBody(config, new Uint8Array(0)));
}

/** Answers to the application's extensions, in the message that they belong to. */
function applicationAnswers(choice: Choice, { options }: ServerConfig, inServerHello: boolean): Extension[] {
  const items: Extension[] = [];
  for (const { type, data, inServerHello: wanted = false } of options.extensions ?? []) {
    const theirs = choice.extensions.get(type);
    if (theirs === undefined || wanted !== inServerHello) continue;
    const value = typeof data === "function" ? data(theirs) : data;
    if (value !== undefined) items.push({ type, data: value });
  }
  return items;
}

/** record_size_limit is answered with our own (RFC 8449 §4); max_fragment_length with what was asked (RFC 6066 §4). */
function recordExtensions(cx: Cx, { hello }: Request): Extension[] {
  const theirs = hello.extensions.get(ext.recordSizeLimit);
  const fragment = hello.extensions.get(ext.maxFragmentLength);
  if (theirs !== undefined) {
    if (theirs < 64) refuse("illegal-parameter", "ClientHello", `a record_size_limit of ${theirs} is below 64`);
    const ours = cx.config.options.recordSizeLimit ?? limits.recordSizeMax + 1;
    const send = Math.min(theirs - 1, limits.recordSizeMax);
    cx.out.push({ kind: "record-limits", send, receive: Math.min(ours - 1, limits.recordSizeMax) });
    return [extension("EE", ext.recordSizeLimit, ours)];
  }
  if (fragment === undefined) return [];
  if (fragment < 1 || fragment > 4) refuse("illegal-parameter", "ClientHello", `max_fragment_length ${fragment}`);
  const size = 2 ** (8 + fragment);
  cx.out.push({ kind: "record-limits", send: size, receive: size });
  return [extension("EE", ext.maxFragmentLength, fragment)];
}

/** CertificateRequest, §4.4.2. */
export function requestBody(config: ServerConfig, context: Uint8Array): Uint8Array {
  const { certificateAuthorities = [], certificateCompression = [] } = config.options;
  const items = [
    extension(
      "CR",
      ext.signatureAlgorithms,
      config.schemes.map(({ id }) => id),
    ),
  ];
  if (config.certificateSchemes !== undefined) {
    const ids = config.certificateSchemes.map(({ id }) => id);
    items.push(extension("CR", ext.signatureAlgorithmsCert, ids));
  }
  if (certificateAuthorities.length > 0) {
    items.push(extension("CR", ext.certificateAuthorities, certificateAuthorities));
  }
  if (certificateCompression.length > 0) {
    const ids = certificateCompression.map(({ algorithm }) => compressionAlgorithms[algorithm]);
    items.push(extension("CR", ext.compressCertificate, ids));
  }
  if (config.delegatedSchemes.length > 0) {
    const ids = config.delegatedSchemes.map(({ id }) => id);
    items.push(extension("CR", ext.delegatedCredential, ids));
  }
  return encode(certificateRequest, { context, extensions: new ExtensionBlock("CR", items) });
}

/** Extensions with which a client may answer in its Certificate. */
export const requestedExtensions = (config: ServerConfig): ReadonlySet<number> =>
  new Set(config.delegatedSchemes.length > 0 ? [ext.delegatedCredential.type] : []);

/** Certificate, compressed if both sides can (RFC 8879). */
function sendCertificate(
  cx: Cx,
  { request, serverCertificateType }: Answered,
  { identity, delegated }: Shown,
  then: () => State<ServerConfig>,
): State<ServerConfig> {
  const { extensions: offered } = request.hello;
  const body = writeCertificate(identity, {
    context: new Uint8Array(0),
    status: offered.has(ext.statusRequest),
    timestamps: offered.has(ext.signedCertificateTimestamp),
    delegated,
    type: serverCertificateType,
  });
  const theirs = offered.get(ext.compressCertificate) ?? [];
  const compressor = cx.config.options.certificateCompression?.find(({ algorithm }) =>
    theirs.includes(compressionAlgorithms[algorithm]),
  );
  if (compressor === undefined) {
    cx.send("handshake", handshakeType.certificate, body);
    return then();
  }
  const { algorithm } = compressor;
  return cx.ask("compress-certificate", { algorithm, bytes: body }, "handshake", (compressed) => {
    if (compressed === undefined || compressed.length >= body.length) {
      cx.send("handshake", handshakeType.certificate, body);
    } else {
      const value = { algorithm: compressionAlgorithms[algorithm], size: body.length, compressed };
      cx.send("handshake", handshakeType.compressedCertificate, encode(compressedCertificate, value));
    }
    return then();
  });
}

function finish(cx: Cx, answered: Answered): State<ServerConfig> {
  const { secret, suite, serverTraffic } = answered;
  const { labels } = secret;
  cx.send("handshake", handshakeType.finished, labels.verifyData(serverTraffic, cx.transcript.digest()));
  serverTraffic.wipe();
  const main = secret.main();
  const finishedHash = cx.transcript.digest();
  const keys = new SessionKeys(cx.config.crypto, labels, suite, {
    client: main.clientTraffic(finishedHash),
    server: main.serverTraffic(finishedHash),
    exporter: main.exporter(finishedHash),
  });
  keys.log(cx);
  keys.serverCertificate = answered.identity?.certificates[0];
  cx.exporter = keys;
  cx.keys("application", "write", { version: "1.3", suite, secret: keys.server });
  return awaitClient(cx, answered, keys, main);
}

/** Tickets to send: ours, or as many as the client wants if that is fewer (RFC 9149 §3). */
export function ticketCount({ options }: ServerConfig, { hello }: Request, resumed: boolean): number {
  const wanted = hello.extensions.get(ext.ticketRequest);
  const ours = options.ticketCount ?? 2;
  return wanted === undefined ? ours : Math.min(resumed ? wanted.resumption : wanted.newSession, Math.max(ours, 8));
}

/** RFC 7250 §4.2: the first of ours that the client offers; X.509 if it says nothing. */
function chooseType(
  { hello }: Request,
  whose: "server" | "client",
  ours: readonly CertificateType[] = ["x509"],
): CertificateType {
  const offered = hello.extensions.get(whose === "server" ? ext.serverCertificateType : ext.clientCertificateType) ?? [
    0,
  ];
  const type = ours.find((each) => offered.includes(certificateTypes[each]));
  return type ?? refuse("no-common-certificate-type", "ClientHello", "no certificate type in common");
}
