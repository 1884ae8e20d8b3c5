import { encode, utf8 } from "../../../bytes/index.js";
import { equalInConstantTime } from "../../../contract/index.js";
import type { HpkeSender } from "../../../crypto/hpke.js";
import { hpke } from "../../../crypto/hpke.js";
import type { Offer } from "../client/offer.js";
import type { ClientConfig } from "../config.js";
import { refuse } from "../failure.js";
import type { Context } from "../handshake/context.js";
import { Transcript } from "../handshake/transcript.js";
import { Labels } from "../keys13.js";
import { type Extension, ExtensionBlock, ext, extension } from "../messages/extensions.js";
import { frame, handshakeType, type Message } from "../messages/handshake.js";
import { type ClientHello, clientHello, type ServerHello } from "../messages/hello.js";
import type { Suite13 } from "../parameters/suites13.js";
import {
  chooseConfig,
  type EchOuter,
  echInfo,
  echInner,
  ourSuites,
  outerExtensions,
  outerExtensionsType,
  type UsableConfig,
  writeEchOuter,
  x25519Kem,
} from "./config.js";
import { confirmation, confirmationAt, confirmationSize, withoutConfirmation } from "./confirmation.js";

/*
 * Encrypted Client Hello (draft-ietf-tls-esni), the client's half:
 *
 *   inner ClientHello ─ shared extensions out, padding in ─► encoded inner ─ HPKE ─┐ payload
 *   outer ClientHello (public name) ──────────────────────── with zeros: AAD ──────┴──► on the wire
 *
 * Two transcripts go on until the server's answer tells which of the two it read.
 */

type Cx = Context<ClientConfig>;

/** What hides an offer. */
export interface EchOffer {
  readonly usable: UsableConfig;
  readonly sender: HpkeSender;
  /** Empty in a second ClientHello. */
  readonly enc: Uint8Array;
  /** What everyone sees, and what counts if the server cannot read the rest. */
  readonly outer: Offer;
  readonly outerTranscript: Transcript;
  /** Types of the extensions that both have. */
  readonly shared: readonly number[];
  /** A HelloRetryRequest has confirmed it already. */
  readonly confirmed: boolean;
}

/** Hides an offer behind the public name of a configuration; as it is if there is no configuration that we can use. */
export function hideOffer(cx: Cx, plain: Offer): Offer {
  const list = cx.config.options.encryptedClientHello;
  if (list === undefined || !cx.config.versions.includes("1.3")) return plain;
  if (list === "grease") return withGrease(cx, plain);
  const usable = chooseConfig(cx.config.crypto, list);
  const sealing = usable?.hpke.sender(usable.config.publicKey, echInfo(usable.config), cx.config.entropy);
  if (usable === undefined || sealing === undefined) return plain;
  const { items } = plain.hello.extensions;
  const application = (cx.config.options.extensions ?? []).map(({ type }) => type);
  const secretTypes = [...sensitive, ...application];
  const shared = items.filter(({ type }) => mayShare.has(type)).map(({ type }) => type);
  const versions = extension("CH", ext.supportedVersions, [cx.config.dialect.version13]);
  const own = items.filter(({ type }) => secretTypes.includes(type) && type !== ext.supportedVersions.type);
  const inner: ClientHello = {
    ...plain.hello,
    random: cx.random(32),
    suites: cx.config.suites.filter(({ version }) => version === "1.3").map(({ id }) => id),
    extensions: block([
      { type: ext.encryptedClientHello.type, data: echInner },
      ...own,
      versions,
      ...items.filter(({ type }) => shared.includes(type)),
    ]),
  };
  const publicName = extension("CH", ext.serverName, [{ type: 0, name: utf8(usable.publicName) }]);
  const outerItems = [publicName, ...items.filter(({ type }) => keptOutside(type, secretTypes))];
  const outer: Offer = {
    ...plain,
    hello: { ...plain.hello, extensions: block(outerItems) },
    offered: new Set([...outerItems.map(({ type }) => type), ext.encryptedClientHello.type, ext.preSharedKey.type]),
    psks: [],
    session12: undefined,
    earlyData: false,
    serverName: usable.publicName,
    encryptedClientHello: "rejected",
  };
  return {
    ...plain,
    hello: inner,
    offered: new Set([
      ...inner.extensions.items.map(({ type }) => type).filter((type) => type !== ext.encryptedClientHello.type),
      ...(plain.psks.length > 0 ? [ext.preSharedKey.type] : []),
    ]),
    session12: undefined,
    earlyData: false,
    encryptedClientHello: "accepted",
    ech: {
      usable,
      sender: sealing.context,
      enc: sealing.enc,
      outer,
      outerTranscript: new Transcript(),
      shared,
      confirmed: false,
    },
  };
}

/** Sends a hidden offer whose inner body is ready; answers it with what the outer ClientHello became. */
export function sendHidden(cx: Cx, offer: Offer, ech: EchOffer, innerBody: Uint8Array, inner: ClientHello): Offer {
  const { usable, sender, outer, shared } = ech;
  const codec = clientHello(cx.config.dialect.cookieField);
  const encoded = padded(encode(codec, encodeInner(inner, shared)), offer, usable);
  const payload = new Uint8Array(encoded.length + usable.hpke.tagSize);
  const value: EchOuter = { suite: usable.suite, configId: usable.config.configId, enc: ech.enc, payload };
  const visible = outer.hello.extensions.items.filter(({ type }) => type !== ext.encryptedClientHello.type);
  const shares = inner.extensions.raw(ext.keyShare.type)!;
  const current = visible.map((item) => (item.type === ext.keyShare.type ? { ...item, data: shares } : item));
  const decoy = offer.psks.length > 0 ? [greasePsks(cx, offer)] : [];
  const hello = (data: Uint8Array): ClientHello => ({
    ...outer.hello,
    extensions: block([...current, { type: ext.encryptedClientHello.type, data }, ...decoy]),
  });
  const associated = encode(codec, hello(writeEchOuter(value)));
  const body = associated.slice();
  const at = body.length - payload.length - decoy.reduce((size, { data }) => size + 4 + data.length, 0);
  body.set(sender.seal(encoded, associated), at);
  cx.transcript.add(frame(handshakeType.clientHello, innerBody), "ours");
  const bytes = frame(handshakeType.clientHello, body);
  ech.outerTranscript.add(bytes, "ours");
  cx.put("initial", handshakeType.clientHello, bytes);
  const sent = { ...value, payload: body.slice(at, at + payload.length) };
  return { ...offer, ech: { ...ech, outer: { ...outer, hello: hello(writeEchOuter(sent)) } } };
}

/** Which of the two did the server read? §6.1.4. From here on there is one handshake. */
export function settleServerHello(cx: Cx, offer: Offer, message: Message, suite: Suite13): Offer {
  const { ech } = offer;
  if (ech === undefined) return offer;
  const labels = Labels.of(cx.config.crypto, suite.hash, cx.config.dialect.labelPrefix);
  const blank = withoutConfirmation(message.bytes, confirmationAt);
  const hash = cx.transcript.digestWith(labels.hash, blank);
  const wanted = confirmation(labels, offer.hello.random, "ServerHello", hash);
  const found = message.bytes.subarray(confirmationAt, confirmationAt + confirmationSize);
  if (equalInConstantTime(wanted, found)) return { ...offer, ech: undefined };
  if (ech.confirmed) refuse("illegal-parameter", "ServerHello", "ECH was accepted before and is not now");
  return useOuter(cx, offer, ech);
}

/** The same for a HelloRetryRequest, whose extension says it. */
export function settleRetry(cx: Cx, offer: Offer, hello: ServerHello<"HRR">, message: Message, suite: Suite13): Offer {
  const found = hello.extensions.get(ext.encryptedClientHello);
  if (found !== undefined && found.length !== confirmationSize) {
    refuse("malformed-message", "HelloRetryRequest", "its encrypted_client_hello has not 8 bytes");
  }
  const { ech } = offer;
  if (ech === undefined) return offer;
  if (found === undefined) return useOuter(cx, offer, ech);
  const labels = Labels.of(cx.config.crypto, suite.hash, cx.config.dialect.labelPrefix);
  const transcript = cx.transcript.clone();
  transcript.fold(labels.hash);
  const blank = withoutConfirmation(message.bytes, found.byteOffset - message.bytes.byteOffset);
  const hash = transcript.digestWith(labels.hash, blank);
  if (!equalInConstantTime(confirmation(labels, offer.hello.random, "HelloRetryRequest", hash), found)) {
    return useOuter(cx, offer, ech);
  }
  ech.outerTranscript.fold(labels.hash);
  ech.outerTranscript.add(message.bytes);
  return { ...offer, ech: { ...ech, confirmed: true, enc: new Uint8Array(0) } };
}

/** An older version, or no confirmation: the server has read the outer ClientHello. */
export function useOuter(cx: Cx, offer: Offer, ech: EchOffer): Offer {
  ech.sender.destroy();
  cx.transcript = ech.outerTranscript;
  cx.clientRandom = ech.outer.hello.random;
  return { ...ech.outer, shares: offer.shares, retry: offer.retry };
}

/** Extensions that say where the client goes, or what the inner hello alone may offer. */
const sensitive: readonly number[] = [ext.serverName.type, ext.alpn.type, ext.supportedVersions.type];

/** Extensions of 1.3 that are the same inside and outside: §5.1 lets them stand once. */
const mayShare: ReadonlySet<number> = new Set(
  [
    ext.supportedGroups,
    ext.signatureAlgorithms,
    ext.signatureAlgorithmsCert,
    ext.keyShare,
    ext.statusRequest,
    ext.signedCertificateTimestamp,
    ext.pskKeyExchangeModes,
    ext.compressCertificate,
    ext.delegatedCredential,
    ext.clientCertificateType,
    ext.serverCertificateType,
    ext.certificateAuthorities,
    ext.recordSizeLimit,
    ext.maxFragmentLength,
    ext.postHandshakeAuth,
    ext.ticketRequest,
  ].map(({ type }) => type),
);

/** supported_versions stays, since servers that know no ECH may know no 1.3 either. */
const keptOutside = (type: number, secretTypes: readonly number[]): boolean =>
  type === ext.supportedVersions.type || (!secretTypes.includes(type) && type !== ext.earlyData.type);

const block = (items: readonly Extension[]): ExtensionBlock<"CH"> => new ExtensionBlock("CH", items);

/** Without the session ID, and with one extension for all that are shared, which stand together: §5.1. */
function encodeInner(inner: ClientHello, shared: readonly number[]): ClientHello {
  const items = inner.extensions.items.flatMap((item) => {
    if (!shared.includes(item.type)) return [item];
    if (item.type !== shared[0]) return [];
    return [{ type: outerExtensionsType, data: encode(outerExtensions, shared) }];
  });
  return { ...inner, sessionId: new Uint8Array(0), extensions: block(items) };
}

/** §6.1.3: names look as long as the longest, and all to a multiple of 32. */
function padded(encoded: Uint8Array, { hello }: Offer, { config }: UsableConfig): Uint8Array {
  const name = hello.extensions.get(ext.serverName)?.[0]?.name;
  const short = name === undefined ? config.maximumNameLength + 9 : Math.max(0, config.maximumNameLength - name.length);
  const size = encoded.length + short;
  const whole = new Uint8Array(size + 31 - ((size - 1) % 32));
  whole.set(encoded);
  return whole;
}

/** Random keys in the place of those inside, §6.1.2. */
function greasePsks(cx: Cx, { psks }: Offer): Extension {
  const age = (): number => new DataView(cx.random(4).buffer).getUint32(0);
  return extension("CH", ext.preSharedKey, {
    identities: psks.map(({ identity }) => ({ identity: cx.random(identity.length), obfuscatedTicketAge: age() })),
    binders: psks.map(({ early }) => cx.random(early.labels.hash.size)),
  });
}

/** Looks like ECH and is none, §6.2.1. */
function withGrease(cx: Cx, plain: Offer): Offer {
  const { crypto, entropy } = cx.config;
  const [suite] = ourSuites;
  const scheme = hpke(crypto, x25519Kem, suite.kdf, suite.aead);
  if (scheme === undefined) return plain;
  const { publicKey: enc, privateKey } = scheme.generate(entropy);
  privateKey.wipe();
  const value = { suite, configId: cx.random(1)[0]!, enc, payload: cx.random(greasePayloadSize + scheme.tagSize) };
  const item = { type: ext.encryptedClientHello.type, data: writeEchOuter(value) };
  return {
    ...plain,
    hello: { ...plain.hello, extensions: block([...plain.hello.extensions.items, item]) },
    offered: new Set([...plain.offered, item.type]),
  };
}

/** Bytes of an inner ClientHello of ours, padded, without what is shared. */
const greasePayloadSize = 224;
