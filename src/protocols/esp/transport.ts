import { finish, sum } from "../../bytes/checksum.js";
import { NextHeader } from "./packet.js";

/** Bytes of an IP header without options or extensions. */
export const ipHeaderSize = (addressSize: number): number => (addressSize === 4 ? 20 : 40);

/**
 * What transport mode carries of a packet (RFC 4303 §3.1.1): where it begins, behind IPv4's header with its options, or behind
 * IPv6's. Zero for a fragment (§3.3.4).
 */
export function carriedAt(bytes: Uint8Array, at: number): number {
  if (bytes[at]! >> 4 === 6) return at + 40;
  const isFragment = (((bytes[at + 6]! & 0x3f) << 8) | bytes[at + 7]!) !== 0;
  return isFragment ? 0 : at + 4 * (bytes[at]! & 15);
}

/** Which protocol that is. */
export const carriedProtocol = (bytes: Uint8Array, at: number): number => bytes[at + (bytes[at]! >> 4 === 4 ? 9 : 6)]!;

const hopLimit = 64;

/**
 * Gives a payload of `size` bytes, which lies behind room for it, an IP header again, from `source` to `destination`. With
 * `anew`, a checksum that counts addresses is made for these: a NAT outside has changed what the sender counted (RFC 3948
 * §3.1.2; the payload is authentic, so nothing is lost).
 */
export function putIpHeader(
  bytes: Uint8Array,
  at: number,
  size: number,
  protocol: number,
  source: Uint8Array,
  destination: Uint8Array,
  anew: boolean,
): void {
  const isV4 = source.length === 4;
  const header = ipHeaderSize(source.length);
  bytes.fill(0, at, at + header);
  if (isV4) {
    const total = header + size;
    bytes[at] = 0x45;
    bytes[at + 2] = total >> 8;
    bytes[at + 3] = total;
    bytes[at + 6] = 0x40;
    bytes[at + 8] = hopLimit;
    bytes[at + 9] = protocol;
  } else {
    bytes[at] = 0x60;
    bytes[at + 4] = size >> 8;
    bytes[at + 5] = size;
    bytes[at + 6] = protocol;
    bytes[at + 7] = hopLimit;
  }
  const addresses = at + (isV4 ? 12 : 8);
  for (let i = 0; i < source.length; i++) {
    bytes[addresses + i] = source[i]!;
    bytes[addresses + source.length + i] = destination[i]!;
  }
  if (isV4) putChecksum(bytes, at + 10, finish(sum(bytes, at, header)));
  if (anew) putPayloadChecksum(bytes, at + header, size, protocol, addresses, 2 * source.length);
}

/** Where a protocol that counts addresses keeps its checksum (RFC 9293 §3.1, RFC 768, RFC 4443 §2.3). */
const checksumAt = (protocol: number): number =>
  protocol === NextHeader.tcp ? 16 : protocol === NextHeader.udp ? 6 : protocol === NextHeader.icmpv6 ? 2 : -1;

function putPayloadChecksum(
  bytes: Uint8Array,
  at: number,
  size: number,
  protocol: number,
  addresses: number,
  addressesSize: number,
): void {
  const offset = checksumAt(protocol);
  if (offset < 0 || size < offset + 2) return;
  const field = at + offset;
  // UDP over IPv4 that has none keeps none.
  if (protocol === NextHeader.udp && bytes[field] === 0 && bytes[field + 1] === 0) return;
  bytes[field] = bytes[field + 1] = 0;
  const value = finish(sum(bytes, addresses, addressesSize) + protocol + size + sum(bytes, at, size));
  putChecksum(bytes, field, value === 0 && protocol === NextHeader.udp ? 0xffff : value);
}

function putChecksum(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
