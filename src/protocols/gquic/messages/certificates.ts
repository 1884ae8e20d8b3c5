import { concat } from "../../../bytes/index.js";
import type { Zlib } from "../../../contract/index.js";
import { gquicFailure } from "../failure.js";
import { limits } from "../limits.js";
import { fnv64 } from "../protection/fnv.js";
import { commonSubstrings } from "./dictionary.js";
import { le, u32Le } from "./message.js";

/** How a certificate stands in a CERT value. Common sets are not known here, so no peer refers to one. */
const Entry = { end: 0, compressed: 1, cached: 2, common: 3 } as const;
const hashSize = 8;

/**
 * A chain as a CERT value. Certificates whose hash the client has named are referred to; the others are compressed together, with the
 * former and the common substrings as what they may refer to.
 * @param known - CCRT: hashes of eight bytes
 */
export function compressChain(chain: readonly Uint8Array[], known: Uint8Array, zlib: Zlib): Uint8Array {
  const parts: Uint8Array[] = [];
  const cached: Uint8Array[] = [];
  const whole: Uint8Array[] = [];
  for (const certificate of chain) {
    const hash = fnv64(certificate);
    if (includes(known, hash)) {
      parts.push(Uint8Array.of(Entry.cached), hash);
      cached.push(certificate);
    } else {
      parts.push(Uint8Array.of(Entry.compressed));
      whole.push(le(certificate.length, 4), certificate);
    }
  }
  parts.push(Uint8Array.of(Entry.end));
  if (whole.length > 0) {
    const plain = concat(...whole);
    parts.push(le(plain.length, 4), zlib.deflate(plain, dictionaryOf(cached)));
  }
  return concat(...parts);
}

/**
 * The chain in a CERT value. Throws `proof-invalid` for what does not parse, is larger than `chainMax`, or refers to what is not known.
 * @param known - certificates that we have of this server, in DER
 */
export function decompressChain(bytes: Uint8Array, known: readonly Uint8Array[], zlib: Zlib): Uint8Array[] {
  const chain: (Uint8Array | undefined)[] = [];
  const cached: Uint8Array[] = [];
  let at = 0;
  for (; ; at++) {
    const type = bytes[at];
    if (type === Entry.end) break;
    if (chain.length === limits.certificatesMax) broken("it has too many certificates");
    if (type === Entry.compressed) chain.push(undefined);
    else if (type === Entry.cached && at + hashSize < bytes.length) {
      const hash = bytes.subarray(at + 1, at + 1 + hashSize);
      const certificate = known.find((each) => fnv64(each).every((byte, i) => byte === hash[i]));
      if (certificate === undefined) return broken("it refers to a certificate that we do not have");
      chain.push(certificate);
      cached.push(certificate);
      at += hashSize;
    } else broken("an entry is of no known type");
  }
  at++;
  if (!chain.includes(undefined)) {
    if (at !== bytes.length) broken("bytes follow the end");
    return chain as Uint8Array[];
  }
  if (at + 4 > bytes.length) broken("it is cut");
  const size = u32Le(bytes, at);
  if (size > limits.chainMax) broken(`a chain of ${size} bytes`);
  const plain = zlib.inflate(bytes.subarray(at + 4), dictionaryOf(cached), size);
  if (plain === undefined) return broken("it does not decompress");
  let from = 0;
  const whole = chain.map((certificate) => {
    if (certificate !== undefined) return certificate;
    const length = from + 4 <= plain.length ? u32Le(plain, from) : Number.POSITIVE_INFINITY;
    if (from + 4 + length > plain.length) return broken("a certificate is cut");
    from += 4 + length;
    return plain.slice(from - length, from);
  });
  if (from !== plain.length) broken("bytes follow the last certificate");
  return whole;
}

/** The nearest come last, where zlib refers to them in the fewest bits. */
const dictionaryOf = (cached: readonly Uint8Array[]): Uint8Array => concat(...[...cached].reverse(), commonSubstrings);

function includes(hashes: Uint8Array, hash: Uint8Array): boolean {
  for (let at = 0; at + hashSize <= hashes.length; at += hashSize) {
    if (hash.every((byte, i) => hashes[at + i] === byte)) return true;
  }
  return false;
}

function broken(why: string): never {
  throw gquicFailure("proof-invalid", "CERT", `the server's certificates: ${why}`, { fault: "decode" });
}
