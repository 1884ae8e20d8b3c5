import { decode, encode, utf8 } from "../../../bytes/index.js";
import type { AgreementKeys } from "../../../contract/index.js";
import type { ClientConfig } from "../config.js";
import { type EchOffer, sendHidden } from "../ech/client.js";
import type { Context } from "../handshake/context.js";
import { certificateTypes, compressionAlgorithms } from "../messages/authentication.js";
import { type Extension, ExtensionBlock, ext, extension } from "../messages/extensions.js";
import { frame, handshakeType, headerSize } from "../messages/handshake.js";
import { type ClientHello, clientHello } from "../messages/hello.js";
import { isAddress } from "../names.js";
import type { TlsOutcome } from "../options.js";
import { type Group, groupByName } from "../parameters/groups.js";
import { binder, type Psk } from "../psk.js";
import type { ClientSession } from "../store/session.js";

type Cx = Context<ClientConfig>;

/** What a ClientHello promised, and the keys to go through with it. */
export interface Offer {
  readonly hello: ClientHello;
  /** Types of the extensions in it: others may not be answered. */
  readonly offered: ReadonlySet<number>;
  readonly shares: ReadonlyMap<number, AgreementKeys>;
  /** Of 1.3, in the order of pre_shared_key. */
  readonly psks: readonly Psk[];
  /** Of 1.2: by ticket or session id. */
  readonly session12: ClientSession | undefined;
  /** Does 0-RTT data follow, under the first PSK? */
  readonly earlyData: boolean;
  /** They had to be given up for a HelloRetryRequest. */
  readonly earlyDataLost: boolean;
  readonly serverName: string | undefined;
  /** This is the second ClientHello, for this cookie and group. */
  readonly retry: { readonly suite: number; readonly group: number | undefined } | undefined;
  /** What encrypts this offer, until the server has shown whether it could read it. */
  readonly ech: EchOffer | undefined;
  /** What becomes of ECH if it is this offer that the server read. */
  readonly encryptedClientHello: TlsOutcome["encryptedClientHello"];
}

/** Builds the first ClientHello (RFC 9846 §4.2.2). */
export function makeOffer(cx: Cx, psks: readonly Psk[], session12: ClientSession | undefined): Offer {
  const { config } = cx;
  const { dialect, options } = config;
  const grease = options.grease !== false ? greaseValues(cx) : undefined;
  const in13 = config.versions.includes("1.3");
  const shares = new Map<number, AgreementKeys>();
  if (in13) for (const group of predictedGroups(config)) shares.set(group.id, share(cx, group));
  const earlyData = options.earlyData === true && earlyDataLimit(config, psks[0]) > 0;
  const items = [
    ...(grease ? [{ type: grease.extension, data: new Uint8Array(0) }] : []),
    ...helloExtensions(cx, shares, session12, grease),
    ...(earlyData ? [extension("CH", ext.earlyData, true)] : []),
    ...applicationExtensions(config),
    ...(grease ? [{ type: grease.lastExtension, data: new Uint8Array(1) }] : []),
  ];
  const hello: ClientHello = {
    legacyVersion: dialect.version12,
    random: cx.random(32),
    sessionId: legacySessionId(cx, session12),
    cookie: dialect.cookieField ? new Uint8Array(0) : undefined,
    suites: [...(grease ? [grease.suite] : []), ...config.suites.map(({ id }) => id)],
    compressionMethods: new Uint8Array(1),
    extensions: new ExtensionBlock("CH", padded(config, items)),
  };
  return {
    hello,
    offered: offeredTypes(items, grease, psks),
    shares,
    psks,
    session12,
    earlyData,
    earlyDataLost: false,
    serverName: options.serverName,
    retry: undefined,
    ech: undefined,
    encryptedClientHello: "not-offered",
  };
}

/** The ClientHello for a HelloRetryRequest: the same again, but for what §4.2.2 lists. */
export function retriedOffer(
  cx: Cx,
  first: Offer,
  suite: number,
  group: Group | undefined,
  cookie: Uint8Array | undefined,
  psks: readonly Psk[],
): Offer {
  const shares = group === undefined ? first.shares : new Map([[group.id, share(cx, group)]]);
  const items = first.hello.extensions.items
    .filter(({ type }) => type !== ext.earlyData.type && type !== ext.preSharedKey.type)
    .map((item) =>
      item.type === ext.keyShare.type && group !== undefined
        ? extension("CH", ext.keyShare, [{ group: group.id, key: shares.get(group.id)!.share }])
        : item,
    );
  if (cookie !== undefined) items.push(extension("CH", ext.cookie, cookie));
  return {
    ...first,
    hello: { ...first.hello, extensions: new ExtensionBlock("CH", items) },
    shares,
    psks,
    earlyData: false,
    earlyDataLost: first.earlyData,
    retry: { suite, group: group?.id },
  };
}

/** Sends it, open or hidden, and answers what went out. */
export function sendOffer(cx: Cx, offer: Offer): Offer {
  const body = offer.psks.length === 0 ? encodeHello(cx, offer.hello) : boundHello(cx, offer);
  if (offer.ech !== undefined) return sendHidden(cx, offer, offer.ech, body, decode(helloCodec(cx), body));
  cx.send("initial", handshakeType.clientHello, body);
  return offer;
}

const helloCodec = (cx: Cx) => clientHello(cx.config.dialect.cookieField);
const encodeHello = (cx: Cx, hello: ClientHello): Uint8Array => encode(helloCodec(cx), hello);

/** The ClientHello's body with pre_shared_key at its end, whose binders cover all that is before them. */
function boundHello(cx: Cx, offer: Offer): Uint8Array {
  const psks = offer.psks.map((psk) => ({ identity: psk.identity, obfuscatedTicketAge: obfuscatedAge(psk, cx.now) }));
  const blanks = offer.psks.map((psk) => new Uint8Array(psk.early.labels.hash.size));
  const preSharedKey = extension("CH", ext.preSharedKey, { identities: psks, binders: blanks });
  const items = [...offer.hello.extensions.items, preSharedKey]; // the last one, §4.3.11
  const body = encodeHello(cx, { ...offer.hello, extensions: new ExtensionBlock("CH", items) });
  const bytes = frame(handshakeType.clientHello, body);
  const bindersSize = blanks.reduce((size, blank) => size + 1 + blank.length, 2);
  const truncated = bytes.subarray(0, bytes.length - bindersSize);
  let at = truncated.length + 2;
  const binders = offer.psks.map((psk) => binder(psk, cx.transcript.digestWith(psk.early.labels.hash, truncated)));
  for (const value of binders) {
    body.set(value, at + 1 - headerSize);
    at += 1 + value.length;
  }
  return body;
}

/** Bytes of early data that this PSK allows; 0 if none. */
export function earlyDataLimit(config: ClientConfig, psk: Psk | undefined): number {
  if (psk === undefined) return 0;
  if (psk.origin.kind === "session") {
    const { session } = psk.origin;
    const alpn = config.alpn.some((name) => name === new TextDecoder().decode(session.alpn));
    // The data are for the protocol of the old session (§4.3.10), so we must offer it still.
    return session.alpn.length === 0 || alpn ? session.earlyDataMax : 0;
  }
  return psk.origin.psk.earlyData?.max ?? 0;
}

function helloExtensions(
  cx: Cx,
  shares: ReadonlyMap<number, AgreementKeys>,
  session12: ClientSession | undefined,
  grease: Grease | undefined,
): Extension[] {
  const { config } = cx;
  const { options, dialect } = config;
  const in12 = config.versions.includes("1.2");
  const in13 = config.versions.includes("1.3");
  const items: Extension[] = [];
  const add = (when: boolean, make: () => Extension): void => {
    if (when) items.push(make());
  };
  const { serverName } = options;
  const first = grease ? [grease.group] : [];
  const schemes = config.schemes.map(({ id }) => id);
  const certificateSchemes = config.certificateSchemes?.map(({ id }) => id);
  const status = options.requestStatus !== false;
  const compressors = options.certificateCompression ?? [];
  const types = (list: readonly ("x509" | "raw-public-key")[]): number[] => list.map((type) => certificateTypes[type]);
  const isPlain = (list: readonly string[] | undefined): boolean =>
    list === undefined || (list.length === 1 && list[0] === "x509");

  add(serverName !== undefined && !isAddress(serverName), () =>
    extension("CH", ext.serverName, [{ type: 0, name: utf8(serverName!.replace(/\.$/, "")) }]),
  );
  add(in12, () => extension("CH", ext.extendedMainSecret, true));
  add(in12, () => extension("CH", ext.renegotiationInfo, new Uint8Array(0)));
  add(config.groups.length > 0, () =>
    extension("CH", ext.supportedGroups, [...first, ...config.groups.map(({ id }) => id)]),
  );
  add(in12, () => extension("CH", ext.ecPointFormats, [0]));
  add(in12 && options.sessions !== undefined, () => extension("CH", ext.sessionTicket, session12?.ticket ?? none));
  add(in12 && config.suites.some((suite) => suite.version === "1.2" && suite.protection.kind === "cbc"), () =>
    extension("CH", ext.encryptThenMac, true),
  );
  add(config.alpn.length > 0, () => extension("CH", ext.alpn, config.alpn.map(utf8)));
  add(status, () => extension("CH", ext.statusRequest, { type: 1, request: new Uint8Array(4) }));
  add(status, () => extension("CH", ext.signedCertificateTimestamp, true));
  add(in13, () =>
    extension("CH", ext.keyShare, [
      ...first.map((group) => ({ group, key: new Uint8Array(1) })),
      ...[...shares].map(([group, { share: key }]) => ({ group, key })),
    ]),
  );
  add(in13 || dialect.name !== "tls", () => {
    const codes = config.versions.map((version) => (version === "1.3" ? dialect.version13 : dialect.version12));
    return extension("CH", ext.supportedVersions, [...(grease ? [grease.version] : []), ...codes]);
  });
  add(true, () => extension("CH", ext.signatureAlgorithms, schemes));
  add(certificateSchemes !== undefined, () => extension("CH", ext.signatureAlgorithmsCert, certificateSchemes!));
  add(in13, () =>
    extension(
      "CH",
      ext.pskKeyExchangeModes,
      config.pskModes.map((mode) => (mode === "psk_ke" ? 0 : 1)),
    ),
  );
  add(config.delegatedSchemes.length > 0 && in13, () =>
    extension(
      "CH",
      ext.delegatedCredential,
      config.delegatedSchemes.map(({ id }) => id),
    ),
  );
  add(compressors.length > 0 && in13, () =>
    extension(
      "CH",
      ext.compressCertificate,
      compressors.map(({ algorithm }) => compressionAlgorithms[algorithm]),
    ),
  );
  add(!isPlain(options.certificateTypes), () =>
    extension("CH", ext.clientCertificateType, types(options.certificateTypes!)),
  );
  add(!isPlain(options.peerCertificateTypes), () =>
    extension("CH", ext.serverCertificateType, types(options.peerCertificateTypes!)),
  );
  add((options.certificateAuthorities ?? []).length > 0, () =>
    extension("CH", ext.certificateAuthorities, options.certificateAuthorities!),
  );
  add(options.maxFragmentLength !== undefined, () =>
    extension("CH", ext.maxFragmentLength, Math.log2(options.maxFragmentLength!) - 8),
  );
  add(options.recordSizeLimit !== undefined, () => extension("CH", ext.recordSizeLimit, options.recordSizeLimit!));
  add(options.postHandshakeAuthentication === true && in13 && dialect.postHandshakeAuthentication, () =>
    extension("CH", ext.postHandshakeAuth, true),
  );
  add(options.ticketRequest !== undefined && in13, () => extension("CH", ext.ticketRequest, options.ticketRequest!));
  return items;
}

function applicationExtensions(config: ClientConfig): Extension[] {
  return (config.options.extensions ?? []).flatMap(({ type, data }) => {
    const value = typeof data === "function" ? data(undefined) : data;
    return value === undefined ? [] : [{ type, data: value }];
  });
}

/** Key share prediction: the first group, and x25519 beside a hybrid, which not every server knows. */
function predictedGroups(config: ClientConfig): Group[] {
  const named = config.options.keyShares?.map((name) => groupByName.get(name));
  if (named !== undefined) return config.groups.filter((group) => named.includes(group));
  const [first, ...others] = config.groups;
  if (first === undefined) return [];
  const plain = first.in12 === undefined ? others.find(({ in12 }) => in12 !== undefined) : undefined;
  return plain === undefined ? [first] : [first, plain];
}

const share = (cx: Cx, group: Group): AgreementKeys =>
  cx.config.crypto.agreement(group.agreement).initiate(cx.config.entropy);

/** RFC 9846 §4.2.2: an old session's id, or in compatibility mode a value that nobody needs. */
function legacySessionId(cx: Cx, session12: ClientSession | undefined): Uint8Array {
  if (session12 !== undefined) return session12.sessionId.length > 0 ? session12.sessionId : cx.random(32);
  const compatible = cx.config.dialect.middleboxCompatibility && cx.config.options.middleboxCompatibility !== false;
  return compatible && cx.config.versions.includes("1.3") ? cx.random(32) : none;
}

/** obfuscated_ticket_age, §4.3.11.1; external keys have none. */
function obfuscatedAge(psk: Psk, now: number): number {
  if (psk.origin.kind === "external") return 0;
  const { issuedAt, ageAdd } = psk.origin.session;
  return (Math.max(0, Math.round(now - issuedAt)) + ageAdd) % 2 ** 32;
}

/** Fills up to a multiple of the wanted size (RFC 7685), as far as the rest of the hello is known here. */
function padded(config: ClientConfig, items: readonly Extension[]): readonly Extension[] {
  const multiple = config.options.helloPadding;
  if (multiple === undefined) return items;
  const size = items.reduce((sum, { data }) => sum + 4 + data.length, 4);
  return [...items, extension("CH", ext.padding, new Uint8Array((multiple - (size % multiple)) % multiple))];
}

function offeredTypes(items: readonly Extension[], grease: Grease | undefined, psks: readonly Psk[]): Set<number> {
  const offered = new Set(items.map(({ type }) => type));
  if (grease !== undefined) {
    offered.delete(grease.extension);
    offered.delete(grease.lastExtension);
  }
  if (psks.length > 0) offered.add(ext.preSharedKey.type);
  return offered;
}

/** Reserved values, RFC 8701: a server must ignore them, so none counts as offered. */
interface Grease {
  readonly suite: number;
  readonly group: number;
  readonly version: number;
  readonly extension: number;
  readonly lastExtension: number;
}

function greaseValues(cx: Cx): Grease {
  const random = cx.random(5);
  const value = (i: number): number => 0x0a0a + 0x1010 * (random[i]! & 15);
  const first = value(3);
  const last = value(4);
  return {
    suite: value(0),
    group: value(1),
    version: value(2),
    extension: first,
    lastExtension: first === last ? first ^ 0x1010 : last,
  };
}

const none = new Uint8Array(0);
