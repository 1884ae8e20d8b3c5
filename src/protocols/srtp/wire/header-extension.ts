import { csrcSize, extensionHeaderSize, rtpLayout, u16 } from "./layout.js";

/**
 * XORs a keystream onto the elements of a header extension whose identifiers are in the set (RFC 6904 §3): their data
 * alone, never identifiers, lengths or padding. The keystream's first byte, at `keystreamAt`, is for the first of the
 * extension's data. Doing it twice undoes it.
 */
export function maskElements(
  bytes: Uint8Array,
  at: number,
  header: number,
  keystream: Uint8Array,
  keystreamAt: number,
  identifiers: ReadonlySet<number>,
): void {
  const field = at + rtpLayout.fixedSize + csrcSize(bytes, at);
  const start = field + extensionHeaderSize;
  const end = at + header;
  const profile = u16(bytes, field);
  const oneByte = profile === 0xbede;
  if (!oneByte && (profile & 0xfff0) !== 0x1000) return;
  for (let element = start; element < end; ) {
    const first = bytes[element]!;
    if (first === 0) {
      element++; // padding (RFC 8285 §4.1.2)
      continue;
    }
    const identifier = oneByte ? first >> 4 : first;
    if (oneByte && identifier === 15) return; // RFC 8285 §4.2: nothing behind it is read
    if (!oneByte && element + 1 >= end) return;
    const data = element + (oneByte ? 1 : 2);
    const next = data + (oneByte ? (first & 0x0f) + 1 : bytes[element + 1]!);
    if (next > end) return;
    if (identifiers.has(identifier)) for (let i = data; i < next; i++) bytes[i]! ^= keystream[keystreamAt + i - start]!;
    element = next;
  }
}
