import { DecodeError, Reader, Writer } from "../../bytes/index.js";
import type { PublicKey, SignatureName } from "../../contract/index.js";
import { readAlgorithm, signatureName } from "../../pki/algorithm.js";
import { DerReader } from "../../pki/der/index.js";
import { signatureAlgorithm } from "../../pki/index.js";
import { SignatureHash } from "./wire/numbers.js";

/** What we announce and take: SHA-2 and Ed25519's and Ed448's own (RFC 7427 §4, RFC 8420). No SHA-1. */
export const signatureHashes: Uint8Array = hashList(Object.values(SignatureHash));

function hashList(numbers: readonly number[]): Uint8Array {
  const to = new Writer();
  for (const number of numbers) to.u16(number);
  return to.take();
}

export function readHashes(data: Uint8Array): ReadonlySet<number> {
  const from = new Reader(data);
  const hashes = new Set<number>();
  while (from.left >= 2) hashes.add(from.u16());
  return hashes;
}

/** Signature algorithms by the hash that must have been announced for them. Whatever else exists is not taken. */
const rows: readonly (readonly [SignatureName, number])[] = (["SHA-256", "SHA-384", "SHA-512"] as const).flatMap(
  (hash): (readonly [SignatureName, number])[] => [
    [`ECDSA-any-${hash}`, SignatureHash[hash]],
    [`RSA-PSS-${hash}`, SignatureHash[hash]],
    [`RSA-PKCS1-${hash}`, SignatureHash[hash]],
  ],
);
const hashOf = new Map<string, number>([
  ...rows,
  ["Ed25519", SignatureHash.identity],
  ["Ed448", SignatureHash.identity],
]);

/** How this key signs for a peer that takes these hashes; undefined if not at all. */
export function signatureFor(key: PublicKey, hashes: ReadonlySet<number>): SignatureName | undefined {
  return wishes(key).find((name) => hashes.has(hashOf.get(name) ?? -1));
}

function wishes(key: PublicKey): readonly SignatureName[] {
  switch (key.type) {
    case "RSA":
    case "RSA-PSS":
      // RFC 8247 §3.2 wants PSS.
      return ["RSA-PSS-SHA-256", "RSA-PSS-SHA-384", "RSA-PSS-SHA-512"];
    case "EC":
      if (key.curve === "P-521") return ["ECDSA-any-SHA-512"];
      if (key.curve === "P-384") return ["ECDSA-any-SHA-384", "ECDSA-any-SHA-512"];
      return ["ECDSA-any-SHA-256", "ECDSA-any-SHA-384", "ECDSA-any-SHA-512"];
    case "Ed25519":
    case "Ed448":
      return [key.type];
    default:
      return [];
  }
}

/** The data of an AUTH payload with method 14 (RFC 7427 §3): the algorithm, its length in front, and the signature. */
export function signatureData(name: SignatureName, signature: Uint8Array): Uint8Array {
  const algorithm = signatureAlgorithm(name);
  return new Writer().u8(algorithm.length).put(algorithm).put(signature).take();
}

export function readSignature(
  data: Uint8Array,
): { readonly name: SignatureName; readonly signature: Uint8Array } | undefined {
  try {
    const from = new Reader(data);
    const algorithm = new DerReader(from.take(from.u8()));
    const name = signatureName(readAlgorithm(algorithm));
    algorithm.end();
    return name !== undefined && hashOf.has(name) ? { name, signature: from.rest() } : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
