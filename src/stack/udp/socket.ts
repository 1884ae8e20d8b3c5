import { finish, fold, pseudoHeaderSum, sum } from "../../bytes/checksum.js";
import { putU16, u16, writeHeader } from "../ip/header.js";
import { Protocol } from "../ip/protocols.js";

/** A bound UDP socket: an address of ours, or any, and a port. What arrives is told as events of the stack. */
export interface UdpSocket {
  /** Undefined hears all our addresses. */
  readonly address: Uint8Array | undefined;
  readonly port: number;
  /** If set, only this peer is heard, and ICMP errors about it are told. */
  readonly remote: { readonly address: Uint8Array; readonly port: number } | undefined;
}

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** Reads a datagram (RFC 768); undefined if it is malformed. A missing checksum is allowed on IPv4 alone (RFC 8200 §8.1). */
export function readUdp(
  bytes: Uint8Array,
  at: number,
  end: number,
  source: Uint8Array,
  destination: Uint8Array,
): UdpDatagram | undefined {
  if (end - at < 8) return undefined;
  const length = u16(bytes, at + 4);
  if (length < 8 || at + length > end) return undefined;
  const unchecked = u16(bytes, at + 6) === 0;
  if (unchecked && source.length === 16) return undefined;
  if (!unchecked) {
    const pseudo = pseudoHeaderSum(source, destination, Protocol.udp, length);
    if (fold(pseudo + sum(bytes, at, length)) !== 0xffff) return undefined;
  }
  return {
    sourcePort: u16(bytes, at),
    destinationPort: u16(bytes, at + 2),
    payload: bytes.subarray(at + 8, at + length),
  };
}

/** Makes a whole packet. */
export function writeUdp(
  source: Uint8Array,
  sourcePort: number,
  destination: Uint8Array,
  destinationPort: number,
  payload: Uint8Array,
  ecn: number,
  dscp: number,
): Uint8Array {
  const headerSize = source.length === 4 ? 20 : 40;
  const size = 8 + payload.length;
  const packet = new Uint8Array(headerSize + size);
  writeHeader(packet, 0, source, destination, Protocol.udp, size, ecn, dscp, 0);
  putU16(packet, headerSize, sourcePort);
  putU16(packet, headerSize + 2, destinationPort);
  putU16(packet, headerSize + 4, size);
  packet.set(payload, headerSize + 8);
  const checksum = finish(pseudoHeaderSum(source, destination, Protocol.udp, size) + sum(packet, headerSize, size));
  // Zero would mean that there is none.
  putU16(packet, headerSize + 6, checksum === 0 ? 0xffff : checksum);
  return packet;
}
