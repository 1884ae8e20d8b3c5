import { createCipheriv } from "node:crypto";
import { expandLabel as expand, nonceOf, opened } from "../../stage/witness.js";

/** A 1-RTT packet as a witness with one side's secret sees it. */
export interface WitnessedPacket {
  /** Of the keys that opened it: 0 before the first key update. */
  readonly generation: number;
  /** True if the keys of the generation before open it too; then nothing really changed. */
  readonly opensUnderOldKeys: boolean;
  readonly payload: Uint8Array;
}

interface Keys {
  readonly secret: Uint8Array;
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

/**
 * Opens the 1-RTT packets of one direction of QUIC version 1 under TLS_AES_128_GCM_SHA256, from the datagrams on the
 * wire and the secret in the key log.
 */
export function witness(
  datagrams: readonly Uint8Array[],
  secret: Uint8Array,
  idSize: number,
): readonly WitnessedPacket[] {
  // RFC 9001 §6.1: header protection keeps its key through updates.
  const hp = expandLabel(secret, "quic hp", 16);
  const seen: WitnessedPacket[] = [];
  let current = keysOf(secret);
  let old: Keys | undefined;
  let generation = 0;
  let largest = -1;
  for (const datagram of datagrams) {
    const packet = unprotected(shortPacketOf(datagram), hp, idSize, largest);
    if (packet === undefined) continue;
    let payload = open(current, packet);
    if (payload === undefined) {
      const newer = keysOf(expandLabel(current.secret, "quic ku", current.secret.length));
      payload = open(newer, packet);
      if (payload === undefined) continue;
      old = current;
      current = newer;
      generation++;
    }
    largest = Math.max(largest, packet.number);
    seen.push({ generation, payload, opensUnderOldKeys: old !== undefined && open(old, packet) !== undefined });
  }
  return seen;
}

/** Types of the long-header packets of version 1 in a datagram's first packet; undefined for a short header. */
export function firstLongType(datagram: Uint8Array): "initial" | "0-rtt" | "handshake" | "retry" | undefined {
  const first = datagram[0] ?? 0;
  return (first & 0x80) === 0 ? undefined : (["initial", "0-rtt", "handshake", "retry"] as const)[(first >> 4) & 3];
}

interface Packet {
  readonly number: number;
  readonly header: Uint8Array;
  readonly sealed: Uint8Array;
}

/** Behind coalesced long-header packets, whose lengths are in their headers (RFC 9000 §17.2). */
function shortPacketOf(datagram: Uint8Array): Uint8Array | undefined {
  let at = 0;
  while (at < datagram.length && (datagram[at]! & 0x80) !== 0) {
    const type = (datagram[at]! >> 4) & 3;
    if (type === 3) return undefined;
    at += 5;
    at += 1 + datagram[at]!;
    at += 1 + datagram[at]!;
    if (type === 0) {
      const token = varint(datagram, at);
      at = token.next + token.value;
    }
    const length = varint(datagram, at);
    at = length.next + length.value;
  }
  return at < datagram.length && (datagram[at]! & 0x40) !== 0 ? datagram.subarray(at) : undefined;
}

function varint(bytes: Uint8Array, at: number): { value: number; next: number } {
  const size = 1 << (bytes[at]! >> 6);
  let value = bytes[at]! & 0x3f;
  for (let i = 1; i < size; i++) value = value * 256 + bytes[at + i]!;
  return { value, next: at + size };
}

/** RFC 9001 §5.4 and RFC 9000 appendix A.3. */
function unprotected(
  packet: Uint8Array | undefined,
  hp: Uint8Array,
  idSize: number,
  largest: number,
): Packet | undefined {
  const at = 1 + idSize;
  if (packet === undefined || packet.length < at + 4 + 16) return undefined;
  const cipher = createCipheriv("aes-128-ecb", hp, null).setAutoPadding(false);
  const mask = cipher.update(packet.subarray(at + 4, at + 20));
  const first = packet[0]! ^ (mask[0]! & 0x1f);
  const size = (first & 3) + 1;
  const header = packet.slice(0, at + size);
  header[0] = first;
  let truncated = 0;
  for (let i = 0; i < size; i++) {
    header[at + i]! ^= mask[1 + i]!;
    truncated = truncated * 256 + header[at + i]!;
  }
  const window = 2 ** (8 * size);
  const expected = largest + 1;
  let number = expected - (expected % window) + truncated;
  if (number <= expected - window / 2) number += window;
  else if (number > expected + window / 2 && number >= window) number -= window;
  return { number, header, sealed: packet.subarray(at + size) };
}

const open = ({ key, iv }: Keys, { number, header, sealed }: Packet): Uint8Array | undefined =>
  opened("aes-128-gcm", key, nonceOf(iv, number), header, sealed);

const keysOf = (secret: Uint8Array): Keys => ({
  secret,
  key: expandLabel(secret, "quic key", 16),
  iv: expandLabel(secret, "quic iv", 12),
});

const expandLabel = (secret: Uint8Array, label: string, size: number): Uint8Array =>
  expand("sha256", secret, `tls13 ${label}`, size);

/** Bytes of the id that the sender of a long-header packet chose for itself (RFC 9000 §17.2). */
export const sourceIdSize = (datagram: Uint8Array): number => datagram[6 + datagram[5]!]!;
