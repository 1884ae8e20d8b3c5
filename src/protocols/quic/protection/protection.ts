import type { CryptoProvider, Opener, Sealer, Secret } from "../../../contract/index.js";
import type { Suite13 } from "../../tls/index.js";
import { associated } from "./associated.js";
import { HeaderMask, sampleSize } from "./header-protection.js";
import { decodePacketNumber, setNonce } from "./packet-number.js";
import { initialSecrets, initialSuite, type PacketKeys, protectionKeys } from "./secrets.js";
import type { Version } from "./versions.js";

/** Every AEAD that QUIC takes has a tag of this many bytes (RFC 9001 §5.3). */
export const tagSize = 16;

/** Of the packet in hand: every AEAD that QUIC takes has twelve bytes (RFC 9001 §5.3). */
const nonce = new Uint8Array(12);

/** One key for packets of one direction. */
export class PacketKey {
  readonly #sealer: Sealer | undefined;
  readonly #opener: Opener | undefined;
  readonly #iv: Uint8Array;

  constructor(crypto: CryptoProvider, suite: Suite13, { key, iv }: PacketKeys, direction: "read" | "write") {
    const aead = crypto.aead(suite.aead);
    if (direction === "write") this.#sealer = aead.sealer(key.expose());
    else this.#opener = aead.opener(key.expose());
    this.#iv = iv.expose().slice();
    key.wipe();
    iv.wipe();
  }

  /** Seals the payload behind the header `bytes[at … payload)`; the tag goes behind `end`. */
  seal(bytes: Uint8Array, at: number, payload: number, end: number, number: number): void {
    setNonce(nonce, this.#iv, number);
    this.#sealer!.seal(bytes, payload, end - payload, nonce, associated(bytes, at, payload - at));
  }

  open(bytes: Uint8Array, at: number, payload: number, end: number, number: number): boolean {
    setNonce(nonce, this.#iv, number);
    return this.#opener!.open(bytes, payload, end - payload, nonce, associated(bytes, at, payload - at));
  }

  destroy(): void {
    this.#sealer?.destroy();
    this.#opener?.destroy();
    this.#iv.fill(0);
  }
}

/** Header and packet protection of one direction at one level: Initial, 0-RTT, Handshake. */
export class Protection {
  readonly header: HeaderMask;
  readonly packet: PacketKey;

  constructor(crypto: CryptoProvider, version: Version, suite: Suite13, secret: Secret, direction: "read" | "write") {
    const keys = protectionKeys(crypto, version, suite, secret);
    this.header = new HeaderMask(crypto, suite.aead, keys.headerKey);
    this.packet = new PacketKey(crypto, suite, keys, direction);
    keys.headerKey.wipe();
  }

  destroy(): void {
    this.header.destroy();
    this.packet.destroy();
  }
}

/** Both directions of the Initial level, RFC 9001 §5.2. */
export function initialProtection(
  crypto: CryptoProvider,
  version: Version,
  dcid: Uint8Array,
  role: "client" | "server",
): { readonly read: Protection; readonly write: Protection } {
  const { client, server } = initialSecrets(crypto, version, dcid);
  const [ours, theirs] = role === "client" ? [client, server] : [server, client];
  const write = new Protection(crypto, version, initialSuite, ours, "write");
  const read = new Protection(crypto, version, initialSuite, theirs, "read");
  client.wipe();
  server.wipe();
  return { read, write };
}

/**
 * Hides a sealed packet's first byte and number: RFC 9001 §5.4.1. `numberAt` is where the number of `numberSize` bytes
 * begins.
 */
export function protectHeader(
  header: HeaderMask,
  bytes: Uint8Array,
  at: number,
  numberAt: number,
  numberSize: number,
): void {
  const mask = header.compute(bytes, numberAt + 4);
  bytes[at]! ^= mask[0]! & (bytes[at]! >= 0x80 ? 0x0f : 0x1f);
  for (let i = 0; i < numberSize; i++) bytes[numberAt + i]! ^= mask[1 + i]!;
}

/**
 * Shows a header again, in place, and answers the size of the packet number; 0 if the packet ends before the sample does
 * (RFC 9001 §5.4.2).
 */
export function unprotectHeader(
  header: HeaderMask,
  bytes: Uint8Array,
  at: number,
  numberAt: number,
  end: number,
): number {
  if (numberAt + 4 + sampleSize > end) return 0;
  const mask = header.compute(bytes, numberAt + 4);
  bytes[at]! ^= mask[0]! & (bytes[at]! >= 0x80 ? 0x0f : 0x1f);
  const size = 1 + (bytes[at]! & 3);
  for (let i = 0; i < size; i++) bytes[numberAt + i]! ^= mask[1 + i]!;
  return size;
}

/** The packet number that stands, unprotected, at `at`. */
export function readPacketNumber(bytes: Uint8Array, at: number, size: number, expected: number): number {
  let truncated = 0;
  for (let i = 0; i < size; i++) truncated = truncated * 256 + bytes[at + i]!;
  return decodePacketNumber(truncated, size, expected);
}

export function writePacketNumber(bytes: Uint8Array, at: number, size: number, number: number): void {
  let low = number % 0x1_0000_0000;
  for (let i = size - 1; i >= 0; i--) {
    bytes[at + i] = low & 255;
    low >>>= 8;
  }
}
