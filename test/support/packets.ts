import { finish, pseudoHeaderSum, sum } from "../../src/bytes/checksum.js";
import { parseAddress } from "../../src/bytes/index.js";
import { putU16, putU32, writeHeader } from "../../src/stack/ip/header.js";

/** A TCP segment as an attacker writes it, with right checksums. Addresses are text of one family. */
export interface ForgedSegment {
  readonly from: string;
  readonly to: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment?: number;
  readonly flags: number;
  readonly window?: number;
  readonly urgent?: number;
  /** Whole options; padded here. */
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

export function forge(segment: ForgedSegment): Uint8Array {
  const [source, destination] = [parseAddress(segment.from)!, parseAddress(segment.to)!];
  const { options = new Uint8Array(0), payload = new Uint8Array(0) } = segment;
  const headerSize = source.length === 4 ? 20 : 40;
  const tcpHeader = 20 + ((options.length + 3) & ~3);
  const size = tcpHeader + payload.length;
  const packet = new Uint8Array(headerSize + size);
  writeHeader(packet, 0, source, destination, 6, size, 0, 0, 0);
  putU16(packet, headerSize, segment.sourcePort);
  putU16(packet, headerSize + 2, segment.destinationPort);
  putU32(packet, headerSize + 4, segment.sequence >>> 0);
  putU32(packet, headerSize + 8, (segment.acknowledgment ?? 0) >>> 0);
  packet[headerSize + 12] = (tcpHeader / 4) << 4;
  packet[headerSize + 13] = segment.flags;
  putU16(packet, headerSize + 14, segment.window ?? 0xffff);
  putU16(packet, headerSize + 18, segment.urgent ?? 0);
  packet.set(options, headerSize + 20);
  packet.set(payload, headerSize + tcpHeader);
  const pseudo = pseudoHeaderSum(source, destination, 6, size);
  putU16(packet, headerSize + 16, finish(pseudo + sum(packet, headerSize, size)));
  return packet;
}

/** A segment in an IPv4 packet, to be changed and forged again. */
export function readSegment(
  packet: Uint8Array,
): ForgedSegment & { readonly options: Uint8Array; readonly payload: Uint8Array } {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const at = (packet[0]! & 15) * 4;
  const data = at + (packet[at + 12]! >> 4) * 4;
  return {
    from: packet.subarray(12, 16).join("."),
    to: packet.subarray(16, 20).join("."),
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
    sequence: view.getUint32(at + 4),
    acknowledgment: view.getUint32(at + 8),
    flags: packet[at + 13]!,
    window: view.getUint16(at + 14),
    options: packet.slice(at + 20, data),
    payload: packet.slice(data, view.getUint16(2)),
  };
}

/** Options without those of a kind, which padding takes the place of: what a middlebox does to what it does not know. */
export function withoutOption(options: Uint8Array, kind: number): Uint8Array {
  const left = options.slice();
  for (let at = 0; at < left.length && left[at] !== 0; ) {
    const size = left[at] === 1 ? 1 : left[at + 1]!;
    if (left[at] === kind) left.fill(1, at, at + size);
    at += size;
  }
  return left;
}

export const Fin = 1;
export const Syn = 2;
export const Rst = 4;
export const Psh = 8;
export const Ack = 16;
export const Urg = 32;
