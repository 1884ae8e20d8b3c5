import { utf8 } from "../../../bytes/index.js";
import {
  type CryptoProvider,
  type Entropy,
  equalInConstantTime,
  type Instant,
  type Mac,
  Secret,
  type SocketAddress,
} from "../../../contract/index.js";
import type { DropReason } from "../failure.js";
import { acksAloneMax, controlPacketReadMax, wrappedKeyMax } from "../limits.js";
import { decodeBody, encodeBody, putU32, u32 } from "../wire/control.js";
import { controlHeaderSize, firstByte, keyIdOf, Opcode, opcodeOf, sessionIdSize } from "../wire/opcodes.js";
import { staticKeySize } from "./static-key.js";
import { type ControlKey, controlWrap, earlyNegotiation } from "./wrap.js";

/** What protects a server's control channel: a key that all clients have, or one that opens the key of each. */
export type ServerControlKey =
  | Exclude<ControlKey, { readonly kind: "tls-crypt-v2" }>
  | {
      readonly kind: "tls-crypt-v2";
      /** The server's 128 bytes: a cipher key and an HMAC key. */
      readonly serverKey: Secret;
      /** Judges what was wrapped together with a client's key, before TLS. Default: every key of ours is good. */
      readonly acceptKey?: (metadata: KeyMetadata) => boolean;
    };

/** First byte of the metadata, and what follows it: free for `user`, a time for `timestamp`. */
export interface KeyMetadata {
  readonly kind: "user" | "timestamp" | "other";
  readonly bytes: Uint8Array;
  /** When the key was made, of a `timestamp`. */
  readonly at: Instant | undefined;
}

/** A client that has proved that it hears at its address. */
export interface Validated {
  readonly sessionId: Uint8Array;
  readonly remoteSessionId: Uint8Array;
  /** As the session takes it. */
  readonly control: ControlKey;
  /** The packet without a wrapped key behind it. */
  readonly packet: Uint8Array;
}

/**
 * A server's first two packets, without keeping anything (SAV): its session ID is a keyed hash of the time, the address and
 * the client's session ID, and the third packet must acknowledge packet 0 of that session.
 */
export class Threshold {
  readonly #crypto: CryptoProvider;
  readonly #key: ServerControlKey;
  readonly #mac: Mac;
  readonly #slotMs: number;

  constructor(crypto: CryptoProvider, entropy: Entropy, key: ServerControlKey, handshakeWindowMs: number) {
    this.#crypto = crypto;
    this.#key = key;
    this.#mac = crypto.hash("SHA-256").hmac(entropy.fill(new Uint8Array(32)));
    this.#slotMs = handshakeWindowMs / 2;
  }

  /** The answer to a hard reset, or why there is none. */
  answer(packet: Uint8Array, from: SocketAddress, now: Instant): Uint8Array | DropReason {
    const isV2 = this.#key.kind === "tls-crypt-v2";
    if (opcodeOf(packet[0]!) !== (isV2 ? Opcode.hardResetClientV3 : Opcode.hardResetClientV2)) return "unknown-session";
    const opened = this.#unwrap(packet);
    if (typeof opened === "string") return opened;
    const { control, bare } = opened;
    if (bare.length < controlHeaderSize || keyIdOf(bare[0]!) !== 0) return "malformed";
    // A client that does not say that it can send its wrapped key again would have to be remembered.
    if (isV2 && (u32(bare, controlHeaderSize) & 0xff00_0000) >>> 0 !== earlyNegotiation) return "bad-client-key";
    const wrap = controlWrap(this.#crypto, control, "server");
    try {
      const body = wrap.open(bare);
      if (typeof body === "string") return body;
      const read = decodeBody(body, true, acksAloneMax);
      if (read === undefined || read.packetId !== 0 || read.acks.length > 0) return "malformed";
      const remoteSessionId = bare.slice(1, controlHeaderSize);
      const header = new Uint8Array(controlHeaderSize);
      header[0] = firstByte(Opcode.hardResetServerV2, 0);
      header.set(this.#cookie(Math.floor(now / this.#slotMs), from, remoteSessionId), 1);
      const payload = isV2 ? resendWrappedKey : new Uint8Array(0);
      return wrap.seal(header, encodeBody({ acks: [0], remoteSessionId, packetId: 0, payload }), now);
    } finally {
      wrap.destroy();
    }
  }

  /** The third packet: who sent it heard the answer. */
  admit(packet: Uint8Array, from: SocketAddress, now: Instant): Validated | DropReason {
    const opcode = opcodeOf(packet[0]!);
    const isV2 = this.#key.kind === "tls-crypt-v2";
    const isThird = isV2 ? opcode === Opcode.controlWkcV1 : opcode === Opcode.controlV1 || opcode === Opcode.ackV1;
    if (!isThird || keyIdOf(packet[0]!) !== 0) return "unknown-session";
    const opened = this.#unwrap(packet);
    if (typeof opened === "string") return opened;
    const { control, bare } = opened;
    if (bare.length < controlHeaderSize) return "malformed";
    const wrap = controlWrap(this.#crypto, control, "server");
    const body = wrap.open(bare);
    wrap.destroy();
    if (typeof body === "string") return body;
    const read = decodeBody(body, opcode !== Opcode.ackV1, acksAloneMax);
    if (read === undefined) return "malformed";
    const remoteSessionId = bare.slice(1, controlHeaderSize);
    const slot = Math.floor(now / this.#slotMs);
    const { remoteSessionId: ours } = read;
    if (ours === undefined || !read.acks.includes(0)) return "bad-cookie";
    const sessionId = [slot, slot - 1, slot + 1]
      .map((each) => this.#cookie(each, from, remoteSessionId))
      .find((cookie) => equalInConstantTime(cookie, ours));
    return sessionId === undefined ? "bad-cookie" : { sessionId, remoteSessionId, control, packet: bare };
  }

  /** A packet of an existing client's, without the wrapped key that it may carry. */
  strip(packet: Uint8Array): Uint8Array {
    if (opcodeOf(packet[0]!) !== Opcode.controlWkcV1) return packet;
    return packet.subarray(0, Math.max(0, packet.length - wrappedSize(packet)));
  }

  #cookie(slot: number, { address, port }: SocketAddress, remoteSessionId: Uint8Array): Uint8Array {
    const about = utf8(`${slot} ${address} ${port} `);
    return this.#mac.compute(about, remoteSessionId).slice(0, sessionIdSize);
  }

  #unwrap(packet: Uint8Array): { readonly control: ControlKey; readonly bare: Uint8Array } | DropReason {
    if (packet.length > controlPacketReadMax) return "malformed";
    const key = this.#key;
    if (key.kind !== "tls-crypt-v2") return { control: key, bare: packet };
    const size = wrappedSize(packet);
    if (size < 34 + staticKeySize || size > wrappedKeyMax || size > packet.length - controlHeaderSize) {
      return "bad-client-key";
    }
    const at = packet.length - size;
    const opened = openWrappedKey(this.#crypto, key.serverKey, packet.subarray(at));
    if (opened === undefined) return "bad-client-key";
    if (key.acceptKey !== undefined && !key.acceptKey(opened.metadata)) return "bad-client-key";
    return { control: { kind: "tls-crypt", key: opened.key }, bare: packet.subarray(0, at) };
  }

  destroy(): void {
    this.#mac.destroy();
  }
}

/** Type 1, two bytes, bit 1: the client is to send its wrapped key again. */
const resendWrappedKey = Uint8Array.of(0, 1, 0, 2, 0, 1);

const wrappedSize = (packet: Uint8Array): number =>
  packet.length < 2 ? 0 : (packet[packet.length - 2]! << 8) | packet[packet.length - 1]!;

const tagSize = 32;

/** Kc and its metadata out of WKc (wire document §5.4.3); undefined if it was not wrapped with this key. */
export function openWrappedKey(
  crypto: CryptoProvider,
  serverKey: Secret,
  wrapped: Uint8Array,
): { readonly key: Secret; readonly metadata: KeyMetadata } | undefined {
  const size = wrapped.length;
  if (size < tagSize + staticKeySize + 2) return undefined;
  const tag = wrapped.subarray(0, tagSize);
  const body = wrapped.slice(tagSize, size - 2);
  const keys = serverKey.expose();
  const cipher = crypto.cipher("AES-256-CTR").decryptor(keys.subarray(0, 32));
  cipher.apply(body, 0, body.length, tag.subarray(0, 16));
  cipher.destroy();
  const mac = crypto.hash("SHA-256").hmac(keys.subarray(64, 96));
  const right = equalInConstantTime(mac.compute(wrapped.subarray(size - 2), body), tag);
  mac.destroy();
  if (!right) return undefined;
  const metadata = body.subarray(staticKeySize);
  return { key: new Secret(body.slice(0, staticKeySize)), metadata: readMetadata(metadata) };
}

/** Wraps a client's key, as `--genkey tls-crypt-v2-client` does. The metadata's first byte is its type. */
export function wrapClientKey(
  crypto: CryptoProvider,
  serverKey: Secret,
  key: Secret,
  metadata: Uint8Array,
): Uint8Array {
  const size = tagSize + staticKeySize + metadata.length + 2;
  if (size > wrappedKeyMax) throw new RangeError("so much metadata fits no wrapped key");
  const wrapped = new Uint8Array(size);
  const keys = serverKey.expose();
  wrapped.set(key.expose(), tagSize);
  wrapped.set(metadata, tagSize + staticKeySize);
  wrapped[size - 2] = size >> 8;
  wrapped[size - 1] = size;
  const mac = crypto.hash("SHA-256").hmac(keys.subarray(64, 96));
  wrapped.set(mac.compute(wrapped.subarray(size - 2), wrapped.subarray(tagSize, size - 2)));
  mac.destroy();
  const cipher = crypto.cipher("AES-256-CTR").encryptor(keys.subarray(0, 32));
  cipher.apply(wrapped, tagSize, size - 2 - tagSize, wrapped.slice(0, 16));
  cipher.destroy();
  return wrapped;
}

/** Metadata that says when a key was made. */
export function timestampMetadata(at: Instant): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = 1;
  const seconds = Math.floor(at / 1_000);
  putU32(bytes, 1, Math.floor(seconds / 2 ** 32));
  putU32(bytes, 5, seconds % 2 ** 32);
  return bytes;
}

function readMetadata(metadata: Uint8Array): KeyMetadata {
  const bytes = metadata.slice(1);
  if (metadata[0] === 0) return { kind: "user", bytes, at: undefined };
  if (metadata[0] !== 1 || bytes.length !== 8) return { kind: "other", bytes, at: undefined };
  return { kind: "timestamp", bytes, at: 1_000 * (u32(bytes, 0) * 2 ** 32 + u32(bytes, 4)) };
}
