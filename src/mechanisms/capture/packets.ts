import { parseAddress } from "../../bytes/index.js";
import type { Ecn, SocketAddress } from "../../contract/index.js";

/** A UDP datagram in an IPv4 or IPv6 packet, as it would lie on a wire, with its checksums. */
export function udpPacket(from: SocketAddress, to: SocketAddress, payload: Uint8Array, ecn: Ecn = 0): Uint8Array {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  view.setUint16(4, 8 + payload.length);
  return ipPacket(17, from, to, header, 6, payload, ecn);
}

export interface SegmentHeader {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: { readonly syn?: boolean; readonly ack?: boolean; readonly fin?: boolean; readonly rst?: boolean };
}

/** A TCP segment (RFC 9293 §3.1) in an IP packet. The window is always open. */
export function tcpPacket(
  from: SocketAddress,
  to: SocketAddress,
  { sequence, acknowledgment, flags }: SegmentHeader,
  payload: Uint8Array,
): Uint8Array {
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  view.setUint32(4, sequence);
  view.setUint32(8, flags.ack ? acknowledgment : 0);
  header[12] = 5 << 4;
  header[13] =
    (flags.fin ? 1 : 0) |
    (flags.syn ? 2 : 0) |
    (flags.rst ? 4 : 0) |
    (payload.length > 0 ? 8 : 0) |
    (flags.ack ? 16 : 0);
  view.setUint16(14, 0xffff);
  return ipPacket(6, from, to, header, 16, payload, 0);
}

function ipPacket(
  protocol: number,
  from: SocketAddress,
  to: SocketAddress,
  header: Uint8Array,
  checksumAt: number,
  payload: Uint8Array,
  ecn: Ecn,
): Uint8Array {
  const [source, destination] = families(from.address, to.address);
  const size = header.length + payload.length;
  const ipSize = source.length === 4 ? 20 : 40;
  const packet = new Uint8Array(ipSize + size);
  const view = new DataView(packet.buffer);
  if (ipSize === 20) {
    packet[0] = 0x45;
    packet[1] = ecn;
    view.setUint16(2, packet.length);
    packet[6] = 0x40; // don't fragment
    packet[8] = 64;
    packet[9] = protocol;
    packet.set(source, 12);
    packet.set(destination, 16);
    view.setUint16(10, onesComplement(sum(packet, 0, 20)));
  } else {
    packet[0] = 0x60;
    packet[1] = ecn << 4;
    view.setUint16(4, size);
    packet[6] = protocol;
    packet[7] = 64;
    packet.set(source, 8);
    packet.set(destination, 24);
  }
  packet.set(header, ipSize);
  packet.set(payload, ipSize + header.length);
  // Both address families sum the same pseudo-header: addresses, length, protocol (RFC 8200 §8.1).
  const addressesAt = ipSize === 20 ? 12 : 8;
  const checksum = onesComplement(sum(packet, addressesAt, packet.length) + size + protocol);
  view.setUint16(ipSize + checksumAt, checksum === 0 ? 0xffff : checksum);
  return packet;
}

/** Both addresses in one family: an unspecified one takes the other's, what is neither becomes zeros. */
function families(from: string, to: string): readonly [Uint8Array, Uint8Array] {
  const a = parseAddress(from) ?? new Uint8Array(16);
  const b = parseAddress(to) ?? new Uint8Array(16);
  if (a.length === b.length) return [a, b];
  const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
  if (isZero(a)) return [new Uint8Array(b.length), b];
  if (isZero(b)) return [a, new Uint8Array(a.length)];
  return [mapped(a), mapped(b)];
}

/** RFC 4291 §2.5.5.2. */
function mapped(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const bytes = new Uint8Array(16);
  bytes[10] = bytes[11] = 0xff;
  bytes.set(address, 12);
  return bytes;
}

/** RFC 1071. */
function sum(bytes: Uint8Array, start: number, end: number): number {
  let total = 0;
  for (let i = start; i < end; i += 2) total += (bytes[i]! << 8) | (i + 1 < end ? bytes[i + 1]! : 0);
  return total;
}

function onesComplement(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 65_536);
  return ~folded & 0xffff;
}
