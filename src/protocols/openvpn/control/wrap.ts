import {
  type CryptoProvider,
  equalInConstantTime,
  type HashName,
  type Instant,
  type KeyedCipher,
  type Mac,
  type Secret,
} from "../../../contract/index.js";
import { ReplayWindow } from "../../../mechanisms/replay-window.js";
import type { DropReason } from "../failure.js";
import { controlReplayWindow } from "../limits.js";
import { putU32, u32 } from "../wire/control.js";
import { controlHeaderSize } from "../wire/opcodes.js";
import { cipherKeyAt, hmacKeyAt } from "./static-key.js";

/** What protects the control channel before TLS does (PSKI). */
export type ControlKey =
  | { readonly kind: "none" }
  | {
      readonly kind: "tls-auth";
      readonly key: Secret;
      /** Which pair we send with; absent, both directions share the first. */
      readonly direction: 0 | 1 | undefined;
      readonly hash: HashName;
    }
  | { readonly kind: "tls-crypt"; readonly key: Secret }
  | { readonly kind: "tls-crypt-v2"; readonly key: Secret; readonly wrapped: Uint8Array };

export type Role = "client" | "server";

/** One way of wrapping control packets, with the counters and the replay window of one session. */
export interface ControlWrap {
  /** Bytes that it adds. */
  readonly overhead: number;
  /** `header` is opcode, key ID and session ID. Answers the whole packet. */
  seal(header: Uint8Array, body: Uint8Array, now: Instant): Uint8Array;
  /** The body, or why not. The window is moved only by what is authentic. */
  open(packet: Uint8Array): Uint8Array | DropReason;
  destroy(): void;
}

/** `firstId`: packet IDs up to this one have been used already. */
export function controlWrap(crypto: CryptoProvider, key: ControlKey, role: Role, firstId = 0): ControlWrap {
  switch (key.kind) {
    case "none":
      return bare;
    case "tls-auth":
      return new TlsAuth(crypto, key, firstId);
    case "tls-crypt":
      return new TlsCrypt(crypto, key.key, role, firstId);
    case "tls-crypt-v2":
      return new TlsCrypt(crypto, key.key, role, earlyNegotiation);
  }
}

/** Packet ID of the first tls-crypt-v2 packet: the client knows early negotiation (wire document §6.2.2.8). */
export const earlyNegotiation = 0x0f00_0000;

const bare: ControlWrap = {
  overhead: 0,
  seal: (header, body) => {
    const packet = new Uint8Array(header.length + body.length);
    packet.set(header);
    packet.set(body, header.length);
    return packet;
  },
  open: (packet) => (packet.length < controlHeaderSize ? "malformed" : packet.subarray(controlHeaderSize)),
  destroy: () => {},
};

/** The long packet ID: a counter, then the time of its first use, which is the more significant (§5.2). */
class LongPacketId {
  #time = 0;
  #count: number;
  #seenTime = 0;
  #window = new ReplayWindow(controlReplayWindow);

  constructor(first: number) {
    this.#count = first;
  }

  put(bytes: Uint8Array, at: number, now: Instant): void {
    if (this.#time === 0) this.#time = Math.floor(now / 1_000) >>> 0;
    putU32(bytes, at, ++this.#count);
    putU32(bytes, at + 4, this.#time);
  }

  mayAccept(bytes: Uint8Array, at: number): boolean {
    const time = u32(bytes, at + 4);
    return time > this.#seenTime || (time === this.#seenTime && this.#window.mayAccept(u32(bytes, at)));
  }

  accept(bytes: Uint8Array, at: number): void {
    const time = u32(bytes, at + 4);
    if (time > this.#seenTime) {
      this.#seenTime = time;
      this.#window = new ReplayWindow(controlReplayWindow);
    }
    this.#window.accept(u32(bytes, at));
  }
}

const longIdSize = 8;

/** §5.3: an HMAC over the packet, with the packet ID moved to its front. */
class TlsAuth implements ControlWrap {
  readonly overhead: number;
  readonly #send: Mac;
  readonly #receive: Mac;
  readonly #ids: LongPacketId;

  constructor(
    crypto: CryptoProvider,
    { key, direction, hash }: Extract<ControlKey, { kind: "tls-auth" }>,
    firstId: number,
  ) {
    this.#ids = new LongPacketId(firstId);
    const digest = crypto.hash(hash);
    const bytes = key.expose();
    const mac = (index: 0 | 1) => digest.hmac(bytes.subarray(hmacKeyAt(index), hmacKeyAt(index) + digest.size));
    this.#send = mac(direction ?? 0);
    this.#receive = mac(direction === undefined ? 0 : direction === 0 ? 1 : 0);
    this.overhead = digest.size + longIdSize;
  }

  seal(header: Uint8Array, body: Uint8Array, now: Instant): Uint8Array {
    const tagSize = this.#send.size;
    const packet = new Uint8Array(header.length + this.overhead + body.length);
    const idAt = header.length + tagSize;
    packet.set(header);
    this.#ids.put(packet, idAt, now);
    packet.set(body, idAt + longIdSize);
    packet.set(this.#send.compute(packet.subarray(idAt, idAt + longIdSize), header, body), header.length);
    return packet;
  }

  open(packet: Uint8Array): Uint8Array | DropReason {
    const idAt = controlHeaderSize + this.#receive.size;
    if (packet.length < idAt + longIdSize) return "malformed";
    if (!this.#ids.mayAccept(packet, idAt)) return "replayed-control";
    const body = packet.subarray(idAt + longIdSize);
    const id = packet.subarray(idAt, idAt + longIdSize);
    const tag = this.#receive.compute(id, packet.subarray(0, controlHeaderSize), body);
    if (!equalInConstantTime(tag, packet.subarray(controlHeaderSize, idAt))) return "bad-control-tag";
    this.#ids.accept(packet, idAt);
    return body;
  }

  destroy(): void {
    this.#send.destroy();
    this.#receive.destroy();
  }
}

export const tlsCryptTagSize = 32;
const tlsCryptAt = controlHeaderSize + longIdSize;

/** §5.4: AES-256-CTR under an IV that is the head of an HMAC-SHA256 over the clear packet (a SIV). */
export class TlsCrypt implements ControlWrap {
  readonly overhead = longIdSize + tlsCryptTagSize;
  readonly #encrypt: KeyedCipher;
  readonly #decrypt: KeyedCipher;
  readonly #send: Mac;
  readonly #receive: Mac;
  readonly #ids: LongPacketId;

  constructor(crypto: CryptoProvider, key: Secret, role: Role, firstId = 0) {
    // The server sends with the first pair, the client with the second.
    const own = role === "server" ? 0 : 1;
    const other = role === "server" ? 1 : 0;
    const bytes = key.expose();
    const ke = (index: 0 | 1) => bytes.subarray(cipherKeyAt(index), cipherKeyAt(index) + 32);
    const ka = (index: 0 | 1) => bytes.subarray(hmacKeyAt(index), hmacKeyAt(index) + 32);
    const cipher = crypto.cipher("AES-256-CTR");
    const hash = crypto.hash("SHA-256");
    this.#encrypt = cipher.encryptor(ke(own));
    this.#decrypt = cipher.decryptor(ke(other));
    this.#send = hash.hmac(ka(own));
    this.#receive = hash.hmac(ka(other));
    this.#ids = new LongPacketId(firstId);
  }

  seal(header: Uint8Array, body: Uint8Array, now: Instant): Uint8Array {
    const packet = new Uint8Array(tlsCryptAt + tlsCryptTagSize + body.length);
    packet.set(header);
    this.#ids.put(packet, controlHeaderSize, now);
    const tag = this.#send.compute(packet.subarray(0, tlsCryptAt), body);
    packet.set(tag, tlsCryptAt);
    packet.set(body, tlsCryptAt + tlsCryptTagSize);
    this.#encrypt.apply(packet, tlsCryptAt + tlsCryptTagSize, body.length, tag.subarray(0, 16));
    return packet;
  }

  open(packet: Uint8Array): Uint8Array | DropReason {
    if (packet.length < tlsCryptAt + tlsCryptTagSize + 1) return "malformed";
    if (!this.#ids.mayAccept(packet, controlHeaderSize)) return "replayed-control";
    const tag = packet.subarray(tlsCryptAt, tlsCryptAt + tlsCryptTagSize);
    const body = packet.slice(tlsCryptAt + tlsCryptTagSize);
    this.#decrypt.apply(body, 0, body.length, tag.subarray(0, 16));
    if (!equalInConstantTime(this.#receive.compute(packet.subarray(0, tlsCryptAt), body), tag)) {
      return "bad-control-tag";
    }
    this.#ids.accept(packet, controlHeaderSize);
    return body;
  }

  destroy(): void {
    this.#encrypt.destroy();
    this.#decrypt.destroy();
    this.#send.destroy();
    this.#receive.destroy();
  }
}
