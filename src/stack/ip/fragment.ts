import { finish, sum } from "../../bytes/checksum.js";
import { putU16, putU32 } from "./header.js";
import { Protocol } from "./protocols.js";

/**
 * Cuts a whole packet of our own (no options, no extension headers) into fragments of at most `mtu` bytes (RFC 791 §3.2,
 * RFC 8200 §4.5). A packet that fits comes back as it is.
 */
export function fragment(packet: Uint8Array, mtu: number, identification: number): readonly Uint8Array[] {
  if (packet.length <= mtu) return [packet];
  const v4 = packet[0]! >> 4 === 4;
  const headerSize = v4 ? 20 : 40;
  const overhead = v4 ? 20 : 48;
  const step = (mtu - overhead) & ~7;
  const size = packet.length - headerSize;
  const fragments: Uint8Array[] = [];
  for (let offset = 0; offset < size; offset += step) {
    const part = packet.subarray(headerSize + offset, headerSize + Math.min(offset + step, size));
    const more = offset + step < size;
    const piece = new Uint8Array(overhead + part.length);
    piece.set(packet.subarray(0, headerSize));
    piece.set(part, overhead);
    if (v4) {
      putU16(piece, 2, piece.length);
      putU16(piece, 4, identification & 0xffff);
      putU16(piece, 6, (more ? 0x2000 : 0) | (offset >> 3));
      putU16(piece, 10, 0);
      putU16(piece, 10, finish(sum(piece, 0, 20)));
    } else {
      putU16(piece, 4, 8 + part.length);
      piece[40] = packet[6]!;
      piece[6] = Protocol.fragment;
      putU16(piece, 42, offset | (more ? 1 : 0));
      putU32(piece, 44, identification);
    }
    fragments.push(piece);
  }
  return fragments;
}
