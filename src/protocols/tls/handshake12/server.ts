import { concat, decode, encode, utf8 } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import type { ServerConfig } from "../config.js";
import { refuse } from "../failure.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { checkApplicationExtensions } from "../handshake/negotiation.js";
import { recall, remember } from "../handshake/proof.js";
import type { PeerVerdict } from "../handshake/questions.js";
import { pskPremaster, type Randoms } from "../keys12.js";
import { limits } from "../limits.js";
import { certificateTypes, certificateVerify } from "../messages/authentication.js";
import { type Extension, ext, extension } from "../messages/extensions.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import { type ClientHello, downgrade12, writeServerHello } from "../messages/hello.js";
import type { CertificateType, TlsIdentity, TlsOutcome } from "../options.js";
import type { Scheme } from "../parameters/schemes.js";
import type { Suite12 } from "../parameters/suites12.js";
import { refuseIdentities } from "../psk.js";
import type { ResumableSession } from "../store/session.js";
import {
  candidates,
  chooseCertificateType,
  chooseGroup,
  chooseProtocol,
  chooseSuite,
  type Request12,
  readRequest,
  resumableSuite,
} from "./choice.js";
import { concludeExchange, type OpenExchange, openExchange } from "./exchange.js";
import {
  certificate12,
  certificateRequest12,
  certificateStatus,
  clientKeyExchange,
  exchangeParts,
  newSessionTicket12,
  rawPublicKey12,
  serverKeyExchange,
  serverShare,
} from "./messages.js";
import { Connected12, Session12 } from "./session.js";
import { checkSignature, clientCertificateTypes, keyTypesFor, writeCertificates } from "./signing.js";

type Cx = Context<ServerConfig>;
type Next = State<ServerConfig>;
type Peer = TlsOutcome["peer"];

/** Goes on in 1.2 with a ClientHello for which 1.2 is the version. The drawing of the flow is in client.ts. */
export function continueServer12(hello: ClientHello, message: Message, cx: Cx): Next {
  cx.transcript.add(message.bytes);
  const request = readRequest(hello, cx.config);
  const extensions = cx.heard(checkApplicationExtensions(cx.config, hello.extensions));
  const { sessionCache, tickets } = cx.config.options;
  const ticket = tickets === undefined ? undefined : request.ticket;
  const sessionId = sessionCache === undefined ? none : hello.sessionId.slice();
  if (!ticket?.length && sessionId.length === 0) return choose(request, extensions, cx);
  const ask = { ticket: ticket ?? none, sessionId, at: cx.now };
  return cx.ask("find-session", ask, "initial", (session) => {
    const suite = resumableSuite(session, request, cx.config, cx.now);
    return session === undefined || suite === undefined
      ? choose(request, extensions, cx)
      : resume(request, extensions, session, suite, cx);
  });
}

/** Which suite, and as whom? */
function choose(request: Request12, extensions: TlsOutcome["extensions"], cx: Cx): Next {
  const { config } = cx;
  const suites = candidates(request, config);
  const [first] = suites;
  if (first === undefined) refuse("no-common-suite", "ClientHello", "no suite, group and scheme suit both sides");
  if (first.authentication === "PSK") return greet(request, extensions, { suite: first, signing: undefined }, cx);
  const type = chooseCertificateType(
    request.hello.extensions.get(ext.serverCertificateType),
    config.options.certificateTypes,
  );
  const ask = {
    role: "server",
    version: "1.2",
    serverName: request.serverName,
    schemes: request.schemes.map(({ name }) => name),
    certificateSchemes: request.certificateSchemes.map(({ name }) => name),
    authorities: [],
    alpn: request.alpn,
    certificateType: type,
    keyTypes: [...new Set(suites.flatMap(({ authentication }) => keyTypesFor[authentication]))],
  } as const;
  return cx.ask("select-identity", ask, "initial", (identity) => {
    const chosen = chooseSuite(suites, identity, request);
    if (chosen === undefined)
      refuse("no-identity", "ClientHello", "there is no identity for what the client can check");
    const { suite, scheme } = chosen;
    return greet(request, extensions, { suite, signing: identity && scheme && { identity, scheme, type } }, cx);
  });
}

interface Signing {
  readonly identity: TlsIdentity;
  readonly scheme: Scheme;
  readonly type: CertificateType;
}

interface Choice {
  readonly suite: Suite12;
  /** Undefined with pre-shared keys. */
  readonly signing: Signing | undefined;
}

/** What goes through the rest of a handshake. */
interface Agreed {
  readonly request: Request12;
  readonly suite: Suite12;
  readonly randoms: Randoms;
  readonly sessionId: Uint8Array;
  readonly willTicket: boolean;
  readonly alpn: string | undefined;
  readonly identity: TlsIdentity | undefined;
  readonly extensions: TlsOutcome["extensions"];
}

/** Our whole flight, when the key exchange is signed. */
function greet(request: Request12, extensions: TlsOutcome["extensions"], { suite, signing }: Choice, cx: Cx): Next {
  const { config } = cx;
  const { agreement } = exchangeParts[suite.keyExchange];
  const group = agreement && chooseGroup(agreement, request.hello, config);
  const open = group && openExchange(config.crypto, config.entropy, group);
  const remembers = request.extendedMainSecret;
  const willTicket = remembers && config.options.tickets !== undefined && request.ticket !== undefined;
  const agreed: Agreed = {
    request,
    suite,
    randoms: { client: request.hello.random.slice(), server: serverRandom(cx) },
    sessionId: remembers && !willTicket && config.options.sessionCache !== undefined ? cx.random(32) : none,
    willTicket,
    alpn: chooseProtocol(request, config),
    identity: signing?.identity,
    extensions,
  };
  if (signing === undefined || open === undefined) return sendFlight(agreed, open, undefined, cx);
  const { identity, scheme } = signing;
  const message = concat(
    agreed.randoms.client,
    agreed.randoms.server,
    encode(serverShare(open.share.kind), open.share),
  );
  const ask = { identity, scheme: scheme.name, algorithm: scheme.algorithm12, message };
  return cx.ask("sign", ask, "initial", (signature) => {
    if (signature === undefined) refuse("signer-refused", "ServerKeyExchange", "the identity's key gave no signature");
    return sendFlight(agreed, open, { ...signing, signature }, cx);
  });
}

function sendFlight(
  agreed: Agreed,
  open: OpenExchange | undefined,
  signed: (Signing & { readonly signature: Uint8Array }) | undefined,
  cx: Cx,
): Next {
  const { config } = cx;
  const { request, suite } = agreed;
  const asksClient = signed !== undefined && (config.options.clientAuthentication ?? "none") !== "none";
  const clientType = asksClient
    ? chooseCertificateType(
        request.hello.extensions.get(ext.clientCertificateType),
        config.options.peerCertificateTypes,
      )
    : "x509";
  const staples = request.hello.extensions.has(ext.statusRequest) && signed?.type === "x509";
  const ocspResponse = staples ? signed.identity.ocspResponse : undefined;
  cx.transcript.start(config.crypto.hash(suite.hash), asksClient, config.dialect.sequencedTranscript12);
  const items = helloExtensions(agreed, signed, asksClient ? clientType : undefined, cx);
  sendServerHello(agreed, agreed.sessionId, items, cx);
  if (signed !== undefined) {
    cx.send("initial", handshakeType.certificate, writeCertificates(signed.identity, signed.type));
    if (ocspResponse) cx.send("initial", handshakeType.certificateStatus, encode(certificateStatus, ocspResponse));
  }
  if (open !== undefined) {
    const signature = signed && { scheme: signed.scheme.id, bytes: signed.signature };
    const body = encode(serverKeyExchange(suite.keyExchange), { identityHint: none, share: open.share, signature });
    cx.send("initial", handshakeType.serverKeyExchange, body);
  }
  if (asksClient) {
    const request12 = {
      certificateTypes: Object.values(clientCertificateTypes),
      signatureSchemes: config.schemes.map(({ id }) => id),
      certificateAuthorities: config.options.certificateAuthorities ?? [],
    };
    cx.send("initial", handshakeType.certificateRequest, encode(certificateRequest12, request12));
  }
  cx.send("initial", handshakeType.serverHelloDone, none);
  return asksClient ? new ExpectCertificate(agreed, open, clientType) : new ExpectClientKeyExchange(agreed, open);
}

/** RFC 5246 §7.4.6: an empty chain is an answer too. */
class ExpectCertificate implements State<ServerConfig> {
  readonly name = "Certificate";
  readonly epoch = "initial";
  readonly #agreed: Agreed;
  readonly #open: OpenExchange | undefined;
  readonly #type: CertificateType;
  constructor(agreed: Agreed, open: OpenExchange | undefined, type: CertificateType) {
    this.#agreed = agreed;
    this.#open = open;
    this.#type = type;
  }

  handle(message: Message, cx: Cx): Next {
    const body = expect(message, handshakeType.certificate);
    cx.transcript.add(message.bytes);
    const { config } = cx;
    const isRaw = this.#type === "raw-public-key" && body.length > 3;
    const certificates = isRaw ? [] : decode(certificate12, body);
    if (certificates.length === 0 && !isRaw) {
      if (config.options.clientAuthentication === "require") {
        refuse("no-client-certificate", this.name, "the client has no certificate to show");
      }
      cx.transcript.stopKeeping();
      return new ExpectClientKeyExchange(this.#agreed, this.#open);
    }
    const ask = {
      role: "server",
      version: "1.2",
      certificates,
      rawPublicKey: isRaw ? decode(rawPublicKey12, body) : undefined,
      serverName: undefined,
      ocspResponse: undefined,
      signedCertificateTimestamps: undefined,
      schemes: (config.certificateSchemes ?? config.schemes).map(({ name }) => name),
      at: cx.now,
    } as const;
    return cx.ask("verify-peer", ask, "initial", (verdict) => {
      if (verdict === undefined) refuse("certificate-unknown", this.name, "nobody could say whether to trust the peer");
      if (!verdict.trusted) throw verdict.failure;
      return new ExpectClientKeyExchange(this.#agreed, this.#open, verdict);
    });
  }
}

type Proven = PeerVerdict & { readonly trusted: true };

class ExpectClientKeyExchange implements State<ServerConfig> {
  readonly name = "ClientKeyExchange";
  readonly epoch = "initial";
  readonly #agreed: Agreed;
  readonly #open: OpenExchange | undefined;
  readonly #client: Proven | undefined;
  constructor(agreed: Agreed, open: OpenExchange | undefined, client?: Proven) {
    this.#agreed = agreed;
    this.#open = open;
    this.#client = client;
  }

  handle(message: Message, cx: Cx): Next {
    const body = expect(message, handshakeType.clientKeyExchange);
    cx.transcript.add(message.bytes);
    const { crypto } = cx.config;
    const { suite, request } = this.#agreed;
    const theirs = decode(clientKeyExchange(suite.keyExchange), body);
    const agreed = this.#open && concludeExchange(crypto, this.#open, theirs.share);
    this.#open?.privateKey.wipe();
    if (!exchangeParts[suite.keyExchange].psk) return this.#secure(agreed!, this.#client?.peer, cx);
    const identity = theirs.identity.slice();
    const ask = { identities: [identity], serverName: request.serverName, at: cx.now };
    return cx.ask("find-psk", ask, "initial", (found) => {
      if (found?.kind !== "external") refuseIdentities([identity], this.name);
      const premaster = pskPremaster(found.psk.key, agreed);
      agreed?.wipe();
      return this.#secure(premaster, { kind: "pre-shared-key", identity }, cx);
    });
  }

  #secure(premaster: Secret, peer: Peer, cx: Cx): Next {
    const { suite, randoms, request, identity } = this.#agreed;
    const sessionHash = request.extendedMainSecret ? cx.transcript.digest() : undefined; // RFC 7627 §4
    const session = Session12.agree(cx.config.crypto, suite, randoms, premaster, sessionHash);
    session.serverIs(identity?.certificates[0]);
    session.logKeys(cx);
    cx.exporter = session;
    const ending: Ending = { agreed: this.#agreed, session, peer, group: this.#open?.group.name, mode: modeOf(suite) };
    if (this.#client !== undefined) return new ExpectCertificateVerify(ending, this.#client);
    session.install(cx, "read");
    return new ExpectFinished(ending, undefined);
  }
}

interface Ending {
  readonly agreed: Agreed;
  readonly session: Session12;
  readonly peer: Peer;
  readonly group: TlsOutcome["group"];
  readonly mode: TlsOutcome["mode"];
}

const modeOf = (suite: Suite12): "full" | "psk" => (exchangeParts[suite.keyExchange].psk ? "psk" : "full");

class ExpectCertificateVerify implements State<ServerConfig> {
  readonly name = "CertificateVerify";
  readonly epoch = "initial";
  readonly #ending: Ending;
  readonly #client: Proven;
  constructor(ending: Ending, client: Proven) {
    this.#ending = ending;
    this.#client = client;
  }

  handle(message: Message, cx: Cx): Next {
    const { scheme: id, signature } = decode(certificateVerify, expect(message, handshakeType.certificateVerify));
    const signed = cx.transcript.messages();
    const scheme = checkSignature(cx.config, undefined, this.#client.publicKey, id, signed, signature, this.name);
    cx.transcript.add(message.bytes);
    cx.transcript.stopKeeping();
    this.#ending.session.install(cx, "read");
    return new ExpectFinished(this.#ending, scheme);
  }
}

class ExpectFinished implements State<ServerConfig> {
  readonly name = "Finished";
  readonly epoch = "application";
  readonly #ending: Ending;
  readonly #scheme: Scheme | undefined;
  constructor(ending: Ending, scheme: Scheme | undefined) {
    this.#ending = ending;
    this.#scheme = scheme;
  }

  handle(message: Message, cx: Cx): Next {
    const { agreed, session, mode } = this.#ending;
    session.checkFinished(message, cx);
    if (mode === "resumed") return this.#confirm(cx);
    if (!agreed.willTicket) return this.#finish(cx);
    const ask = { session: this.#resumable(cx), at: cx.now };
    return cx.ask("issue-ticket", ask, "application", (ticket) => {
      const lifetimeHintS = ticket === undefined ? 0 : lifetimeOf(cx);
      const body = encode(newSessionTicket12, { lifetimeHintS, ticket: ticket ?? none });
      cx.send("initial", handshakeType.newSessionTicket, body);
      return this.#finish(cx);
    });
  }

  #finish(cx: Cx): Next {
    const { agreed, session } = this.#ending;
    session.install(cx, "write");
    session.sendFinished(cx);
    if (agreed.sessionId.length > 0) {
      cx.askAside("keep-session", { id: agreed.sessionId, session: this.#resumable(cx) });
    }
    return this.#confirm(cx);
  }

  #confirm(cx: Cx): Next {
    const { agreed, peer, group, mode } = this.#ending;
    cx.confirmed({
      version: "1.2",
      suite: agreed.suite.name,
      group,
      peer,
      peerScheme: this.#scheme?.name,
      identity: agreed.identity,
      alpn: agreed.alpn,
      serverName: agreed.request.serverName,
      mode,
      roundTrips: mode === "resumed" ? 1 : 2,
      retried: false,
      earlyData: "not-offered",
      extensions: agreed.extensions,
      ocspResponse: undefined,
      signedCertificateTimestamps: undefined,
      encryptedClientHello: "not-offered",
      at: cx.now,
    });
    return new Connected12();
  }

  #resumable(cx: Cx): ResumableSession {
    const { agreed, session, peer } = this.#ending;
    return {
      version: 0x0303,
      suite: agreed.suite.id,
      secret: session.secret(),
      issuedAt: cx.now,
      lifetimeS: lifetimeOf(cx),
      ageAdd: 0,
      extendedMasterSecret: session.extendedMainSecret,
      earlyDataMax: 0,
      serverName: agreed.request.serverName ?? "",
      alpn: utf8(agreed.alpn ?? ""),
      peer: remember(peer),
      applicationData: none,
    };
  }
}

/** The short handshake: RFC 5246 §7.3, figure 2. The session keeps its ticket, and its time. */
function resume(
  request: Request12,
  extensions: TlsOutcome["extensions"],
  old: ResumableSession,
  suite: Suite12,
  cx: Cx,
): Next {
  const { crypto } = cx.config;
  const agreed: Agreed = {
    request,
    suite,
    randoms: { client: request.hello.random.slice(), server: serverRandom(cx) },
    sessionId: none,
    willTicket: false,
    alpn: chooseProtocol(request, cx.config),
    identity: undefined,
    extensions,
  };
  cx.transcript.start(crypto.hash(suite.hash), false, cx.config.dialect.sequencedTranscript12);
  sendServerHello(agreed, request.hello.sessionId, helloExtensions(agreed, undefined, undefined, cx), cx);
  const session = new Session12(crypto, suite, agreed.randoms, Secret.copy(old.secret), true);
  session.logKeys(cx);
  cx.exporter = session;
  session.install(cx, "write");
  session.sendFinished(cx);
  session.install(cx, "read");
  const peer = recall(old.peer, (spki) => crypto.publicKey(spki));
  return new ExpectFinished({ agreed, session, peer, group: undefined, mode: "resumed" }, undefined);
}

function sendServerHello({ suite, randoms }: Agreed, sessionId: Uint8Array, items: Extension[], cx: Cx): void {
  const hello = {
    legacyVersion: cx.config.dialect.version12,
    random: randoms.server,
    sessionIdEcho: sessionId,
    suite: suite.id,
    compressionMethod: 0,
  };
  cx.send("initial", handshakeType.serverHello, writeServerHello(hello, items));
}

/** Answers to what the client offered, and nothing else (RFC 5246 §7.4.1.4). */
function helloExtensions(
  agreed: Agreed,
  signed: Signing | undefined,
  clientType: CertificateType | undefined,
  cx: Cx,
): Extension[] {
  const { request, suite, alpn } = agreed;
  const { options } = cx.config;
  const offered = request.hello.extensions;
  const items: Extension[] = [];
  const add = (when: boolean | undefined, make: () => Extension): void => {
    if (when === true) items.push(make());
  };
  const typed = (wanted: typeof ext.serverCertificateType | typeof ext.clientCertificateType, type: CertificateType) =>
    extension("SH12", wanted, certificateTypes[type]);
  const timestamps = signed?.type === "x509" ? signed.identity.signedCertificateTimestamps : undefined;
  add(request.secureRenegotiation, () => extension("SH12", ext.renegotiationInfo, none));
  add(request.extendedMainSecret, () => extension("SH12", ext.extendedMainSecret, true));
  add(suite.protection.kind === "cbc", () => extension("SH12", ext.encryptThenMac, true));
  add(signed !== undefined && request.serverName !== undefined, () => extension("SH12", ext.serverName, true));
  add(exchangeParts[suite.keyExchange].agreement === "ECDHE" && offered.has(ext.ecPointFormats), () =>
    extension("SH12", ext.ecPointFormats, [0]),
  );
  add(agreed.willTicket, () => extension("SH12", ext.sessionTicket, true));
  add(alpn !== undefined, () => extension("SH12", ext.alpn, [utf8(alpn!)]));
  add(signed?.type === "x509" && signed.identity.ocspResponse && offered.has(ext.statusRequest), () =>
    extension("SH12", ext.statusRequest, true),
  );
  add(timestamps && offered.has(ext.signedCertificateTimestamp), () =>
    extension("SH12", ext.signedCertificateTimestamp, timestamps!),
  );
  add(signed && offered.has(ext.serverCertificateType), () => typed(ext.serverCertificateType, signed!.type));
  add(clientType !== undefined && offered.has(ext.clientCertificateType), () =>
    typed(ext.clientCertificateType, clientType!),
  );
  items.push(...recordExtensions(request, cx));
  for (const { type, data } of options.extensions ?? []) {
    const theirs = agreed.extensions.get(type);
    const answer = theirs && (typeof data === "function" ? data(theirs) : data);
    if (answer !== undefined) items.push({ type, data: answer });
  }
  return items;
}

/** RFC 8449 §4 comes before RFC 6066 §4. */
function recordExtensions(request: Request12, cx: Cx): Extension[] {
  const limit = request.hello.extensions.get(ext.recordSizeLimit);
  const fragment = request.hello.extensions.get(ext.maxFragmentLength);
  if (limit !== undefined) {
    if (limit < 64) refuse("illegal-parameter", "ClientHello", `a record_size_limit of ${limit} is below 64`);
    const receive = Math.min(cx.config.options.recordSizeLimit ?? limits.recordSizeMax, limits.recordSizeMax);
    cx.out.push({ kind: "record-limits", send: Math.min(limit, limits.recordSizeMax), receive });
    return [extension("SH12", ext.recordSizeLimit, receive)];
  }
  if (fragment === undefined) return [];
  if (fragment < 1 || fragment > 4) refuse("illegal-parameter", "ClientHello", `max_fragment_length ${fragment}`);
  const size = 2 ** (8 + fragment);
  cx.out.push({ kind: "record-limits", send: size, receive: size });
  return [extension("SH12", ext.maxFragmentLength, fragment)];
}

/** A server that could have chosen 1.3 says so: RFC 9846 §4.2.3. */
function serverRandom(cx: Cx): Uint8Array {
  const random = cx.random(32);
  if (cx.config.versions.includes("1.3")) random.set(downgrade12, 24);
  return random;
}

const lifetimeOf = (cx: Cx): number => cx.config.options.ticketLifetimeS ?? 7200;

const none = new Uint8Array(0);
