import type { SasType } from "./algorithms.js";
import { evenWords, oddWords } from "./words.js";

/** The short authentication string, which both users read to each other (RFC 6189 §7). Not a secret. */
export interface Sas {
  readonly type: SasType;
  /** Four characters of B32, or two words of B256 with a colon between. */
  readonly text: string;
  /** The words of B256, the characters of B32. */
  readonly parts: readonly string[];
  /** The whole sashash, 32 bytes, of which the text shows the first 20 or 16 bits: for signatures (§7.2). */
  readonly hash: Uint8Array;
}

const base32 = "ybndrfg8ejkmcpqxot1uwisza345h769";

/** How each type is rendered (§5.1.6). */
const renderings: Readonly<Record<SasType, { parts(value: number): string[]; readonly between: string }>> = {
  B32: {
    parts: (value) => [27, 22, 17, 12].map((shift) => base32[(value >>> shift) & 31]!),
    between: "",
  },
  B256: {
    parts: (value) => [evenWords[value >>> 24]!, oddWords[(value >>> 16) & 0xff]!],
    between: ":",
  },
};

/** Renders a sashash; its first 32 bits are the sasvalue (§4.5.2). */
export function renderSas(type: SasType, hash: Uint8Array): Sas {
  const value = ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0;
  const { parts, between } = renderings[type];
  const shown = parts(value);
  return { type, text: shown.join(between), parts: shown, hash };
}
