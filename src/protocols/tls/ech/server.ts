import { DecodeError, decode, encode, Reader } from "../../../bytes/index.js";
import { type HpkeReceiver, hpke } from "../../../crypto/hpke.js";
import type { ServerConfig } from "../config.js";
import { refuse } from "../failure.js";
import type { Context } from "../handshake/context.js";
import { Labels } from "../keys13.js";
import { type Extension, ExtensionBlock, ext } from "../messages/extensions.js";
import { frame, handshakeType, headerSize } from "../messages/handshake.js";
import { type ClientHello, clientHello } from "../messages/hello.js";
import type { Suite13 } from "../parameters/suites13.js";
import {
  type EchOuter,
  echInfo,
  outerExtensions,
  outerExtensionsType,
  readEchConfigs,
  readEchExtension,
  writeEchConfigs,
} from "./config.js";
import { confirmation, confirmationAt, withoutConfirmation } from "./confirmation.js";

type Cx = Context<ServerConfig>;

/** What became of a client's encrypted_client_hello. */
export type ServerEch =
  | {
      readonly status: "accepted";
      readonly receiver: HpkeReceiver;
      readonly opened: EchOuter;
      readonly random: Uint8Array;
    }
  /** Not for a key of ours, or nothing but grease: the client is told our keys. */
  | { readonly status: "rejected" };

/** The ClientHello that counts, and what it was hidden in. */
export interface Received {
  readonly hello: ClientHello;
  /** The message for the transcript. */
  readonly bytes: Uint8Array;
  readonly ech: ServerEch | undefined;
}

/** Opens a ClientHello if it is encrypted for one of our keys: §7.1; a second one with the context of the first: §7.1.1. */
export function receiveHello(
  cx: Cx,
  hello: ClientHello,
  bytes: Uint8Array,
  first: ServerEch | undefined | "none",
): Received {
  const keys = cx.config.options.echKeys;
  const raw = hello.extensions.get(ext.encryptedClientHello);
  if (first !== "none") {
    if (first?.status !== "accepted") return { hello, bytes, ech: first };
    if (raw === undefined) refuse("missing-extension", at, "the second ClientHello is not encrypted");
    return reopen(cx, hello, bytes, raw, first);
  }
  const outer = raw === undefined || keys === undefined ? "inner" : readEchExtension(raw);
  if (outer === "inner") return { hello, bytes, ech: undefined };
  for (const { config: own, privateKey } of keys ?? []) {
    const [config] = readEchConfigs(writeEchConfigs([own]));
    const { suite, configId, enc, payload } = outer;
    if (config === undefined || config.configId !== configId) continue;
    if (!config.suites.some(({ kdf, aead }) => kdf === suite.kdf && aead === suite.aead)) continue;
    const scheme = hpke(cx.config.crypto, config.kem, suite.kdf, suite.aead);
    const receiver = scheme?.receiver(enc, { publicKey: config.publicKey, privateKey }, echInfo(config));
    const encoded = receiver?.open(payload, associated(bytes, payload));
    if (receiver === undefined || encoded === undefined) continue;
    return unfold(cx, hello, encoded, { status: "accepted", receiver, opened: outer, random: none });
  }
  return { hello, bytes, ech: { status: "rejected" } };
}

function reopen(
  cx: Cx,
  hello: ClientHello,
  bytes: Uint8Array,
  raw: Uint8Array,
  first: ServerEch & { readonly status: "accepted" },
): Received {
  const outer = readEchExtension(raw);
  const same =
    outer !== "inner" &&
    outer.configId === first.opened.configId &&
    outer.suite.kdf === first.opened.suite.kdf &&
    outer.suite.aead === first.opened.suite.aead &&
    outer.enc.length === 0;
  if (!same) refuse("illegal-parameter", at, "the second ClientHello is encrypted in another way than the first");
  const encoded = first.receiver.open(outer.payload, associated(bytes, outer.payload));
  if (encoded === undefined) refuse("bad-encrypted-hello", at, "the second ClientHello does not open");
  return unfold(cx, hello, encoded, first);
}

/** ClientHelloOuterAAD, §5.2: the body with zeros for the payload, which is a view of it. */
function associated(bytes: Uint8Array, payload: Uint8Array): Uint8Array {
  const body = bytes.slice(headerSize);
  const start = payload.byteOffset - bytes.byteOffset - headerSize;
  body.fill(0, start, start + payload.length);
  return body;
}

/** The inner ClientHello as the client hashes it, out of what was encrypted and what was not: §5.1. */
function unfold(
  cx: Cx,
  outer: ClientHello,
  encoded: Uint8Array,
  ech: ServerEch & { readonly status: "accepted" },
): Received {
  const codec = clientHello(cx.config.dialect.cookieField);
  const reader = new Reader(encoded);
  const folded = codec.read(reader);
  if (reader.rest().some((byte) => byte !== 0)) refuse("illegal-parameter", at, "padding that is not zero");
  const items = folded.extensions.items.flatMap((item) =>
    item.type === outerExtensionsType ? sharedItems(outer, decode(outerExtensions, item.data)) : [item],
  );
  const hello: ClientHello = { ...folded, sessionId: outer.sessionId, extensions: new ExtensionBlock("CH", items) };
  const mark = hello.extensions.get(ext.encryptedClientHello);
  if (mark === undefined || readMark(mark) !== "inner") {
    refuse("illegal-parameter", at, "the inner ClientHello does not say that it is one");
  }
  const versions = hello.extensions.get(ext.supportedVersions);
  if (!versions?.every((version) => version === cx.config.dialect.version13 || isGrease(version))) {
    refuse("illegal-parameter", at, "the inner ClientHello offers less than 1.3");
  }
  const bytes = frame(handshakeType.clientHello, encode(codec, hello));
  // Read again: nothing that stands twice gets through by standing half inside and half outside.
  const whole = decode(codec, bytes.subarray(headerSize));
  return { hello: whole, bytes, ech: { ...ech, random: whole.random } };
}

function readMark(data: Uint8Array): EchOuter | "inner" | undefined {
  try {
    return readEchExtension(data);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** In one pass over the outer ClientHello, so that each stands there, once and in this order. */
function sharedItems(outer: ClientHello, types: readonly number[]): Extension[] {
  const { items } = outer.extensions;
  let at = 0;
  return types.map((type) => {
    while (at < items.length && items[at]!.type !== type) at++;
    const item = items[at++];
    if (item === undefined || type === ext.encryptedClientHello.type) {
      refuse("illegal-parameter", "ech_outer_extensions", `extension ${type} is not there, or not in this order`);
    }
    return item;
  });
}

const isGrease = (value: number): boolean => (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);

/** Puts the confirmation into a ServerHello's body, before anybody hashes it. */
export function confirmServerHello(
  cx: Cx,
  suite: Suite13,
  { random }: { readonly random: Uint8Array },
  body: Uint8Array,
): void {
  const labels = Labels.of(cx.config.crypto, suite.hash, cx.config.dialect.labelPrefix);
  const blank = withoutConfirmation(frame(handshakeType.serverHello, body), confirmationAt);
  const value = confirmation(labels, random, "ServerHello", cx.transcript.digest(blank));
  body.set(value, confirmationAt - headerSize);
}

/** The same for a HelloRetryRequest's body, whose last extension is encrypted_client_hello. */
export function confirmRetry(
  cx: Cx,
  suite: Suite13,
  { random }: { readonly random: Uint8Array },
  body: Uint8Array,
): void {
  const labels = Labels.of(cx.config.crypto, suite.hash, cx.config.dialect.labelPrefix);
  const hash = cx.transcript.digestWith(labels.hash, frame(handshakeType.serverHello, body));
  const value = confirmation(labels, random, "HelloRetryRequest", hash);
  body.set(value, body.length - value.length);
}

/** retry_configs, for a client whose encryption we could not open. */
export function retryConfigs({ options }: ServerConfig): Uint8Array | undefined {
  const configs = (options.echKeys ?? []).filter(({ advertised }) => advertised !== false).map(({ config }) => config);
  return configs.length === 0 ? undefined : writeEchConfigs(configs);
}

const at = "encrypted_client_hello";
const none = new Uint8Array(0);
