/**
 * The Huffman code of RFC 7541 Appendix B, which QPACK uses (RFC 9204 §4.1.2). The code is canonical: among codes of one
 * length the symbols count upwards, so the lengths alone say everything.
 */
// biome-ignore format: sixteen symbols a line
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30, // EOS
] as const;

const eos = 256;
const longest = 30;
const codes = new Uint32Array(lengths.length);
/** By length: its first code, how many there are, and where their symbols begin in `symbols`. */
const firstCode = new Uint32Array(longest + 1);
const count = new Uint16Array(longest + 1);
const firstSymbol = new Uint16Array(longest + 1);
const symbols = new Uint16Array(lengths.length);

let code = 0;
let at = 0;
for (let length = 1; length <= longest; length++, code *= 2) {
  firstCode[length] = code;
  firstSymbol[length] = at;
  for (const [symbol, its] of lengths.entries()) {
    if (its !== length) continue;
    codes[symbol] = code++;
    symbols[at++] = symbol;
  }
  count[length] = at - firstSymbol[length]!;
}

/** Bytes that `text`, whose characters are bytes, takes in the code. */
export function huffmanSize(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i) & 0xff]!;
  return (bits + 7) >> 3;
}

/** Writes `text` in the code and answers where it ended. The last byte is filled with ones, the beginning of EOS. */
export function huffmanEncode(text: string, into: Uint8Array, from: number): number {
  let end = from;
  let held = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    // 30 bits of code and 7 held do not fit 32: what is held goes first.
    for (let left: number = lengths[symbol]!; left > 0; ) {
      const take = Math.min(left, 8 - bits);
      left -= take;
      held = (held << take) | ((codes[symbol]! >>> left) & ((1 << take) - 1));
      bits += take;
      if (bits === 8) {
        into[end++] = held;
        held = bits = 0;
      }
    }
  }
  if (bits > 0) into[end++] = (held << (8 - bits)) | (0xff >> bits);
  return end;
}

/**
 * What the bytes stand for, or undefined if they are no Huffman string: a symbol cut short, padding that is not ones or
 * is longer than 7 bits, EOS itself (RFC 7541 §5.2).
 */
export function huffmanDecode(bytes: Uint8Array): string | undefined {
  // The shortest code has 5 bits.
  const decoded = new Uint8Array(Math.floor((bytes.length * 8) / 5));
  let size = 0;
  let held = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      held = held * 2 + ((byte >> bit) & 1);
      length++;
      const rank = held - firstCode[length]!;
      if (rank >= count[length]!) continue;
      const symbol = symbols[firstSymbol[length]! + rank]!;
      if (symbol === eos) return undefined;
      decoded[size++] = symbol;
      held = length = 0;
    }
  }
  if (length > 7 || held !== (1 << length) - 1) return undefined;
  return Buffer.from(decoded.buffer, 0, size).toString("latin1");
}
