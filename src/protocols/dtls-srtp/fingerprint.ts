import type { CryptoProvider, HashName } from "../../contract/index.js";
import { PkiFailure, parseCertificate } from "../../pki/index.js";
import { tlsFailure, type VerifyPeer } from "../tls/index.js";
import { failure } from "./failure.js";

/** A hash over a certificate, as `a=fingerprint` of SDP carries it (RFC 8122 §5). */
export interface Fingerprint {
  readonly hash: FingerprintHash;
  /** Of the certificate's DER. */
  readonly digest: Uint8Array;
}

/** The hash functions of RFC 8122 §5 that are still safe, by their names there. The strongest is last. */
const hashes = {
  "sha-224": "SHA-224",
  "sha-256": "SHA-256",
  "sha-384": "SHA-384",
  "sha-512": "SHA-512",
} as const satisfies Readonly<Record<string, HashName>>;

export type FingerprintHash = keyof typeof hashes;

const strength = Object.keys(hashes) as FingerprintHash[];

/** The fingerprint of a certificate, by SHA-256 unless another hash is named. */
export const fingerprintOf = (
  crypto: CryptoProvider,
  certificate: Uint8Array,
  hash: FingerprintHash = "sha-256",
): Fingerprint => ({ hash, digest: crypto.hash(hashes[hash]).digest(certificate) });

/** `sha-256 AB:CD:…`, what stands behind `a=fingerprint:`. */
export const formatFingerprint = ({ hash, digest }: Fingerprint): string =>
  `${hash} ${[...digest].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":")}`;

/** Reads what `formatFingerprint` writes; undefined for another hash function. Throws `bad-fingerprint` for anything else. */
export function parseFingerprint(text: string): Fingerprint | undefined {
  const match = /^([\w-]{1,32}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){0,127})$/.exec(text);
  if (match === null)
    throw failure("bad-fingerprint", "a hash and bytes with colons between are wanted", { at: "fingerprint" });
  const hash = match[1]!.toLowerCase();
  if (!Object.hasOwn(hashes, hash)) return undefined;
  const digest = Uint8Array.from(match[2]!.split(":"), (byte) => Number.parseInt(byte, 16));
  const size = Number(hash.slice("sha-".length)) / 8;
  if (digest.length !== size) throw failure("bad-fingerprint", `${hash} has ${size} bytes`, { at: "fingerprint" });
  return { hash: hash as FingerprintHash, digest };
}

/**
 * IV by fingerprint (RFC 5763 §5, RFC 8122 §5.1): the peer's certificate is the one that signalling promised. Of the hash
 * functions that it used the strongest counts, and one of its fingerprints must fit.
 */
export function verifyFingerprint(crypto: CryptoProvider, promised: readonly Fingerprint[]): VerifyPeer {
  const hash = strength.findLast((each) => promised.some((one) => one.hash === each));
  if (hash === undefined) {
    throw failure("bad-fingerprint", "no fingerprint of the peer's certificate is known", {
      hint: "give `fingerprints`",
    });
  }
  const wanted = promised.filter((one) => one.hash === hash);
  return ({ certificates: [first, ...rest] }) => {
    const no = (message: string) =>
      ({ trusted: false, failure: tlsFailure("bad-certificate", "Certificate", message) }) as const;
    if (first === undefined) return no("the peer showed no certificate");
    const shown = crypto.hash(hashes[hash]).digest(first);
    if (!wanted.some(({ digest }) => same(digest, shown))) {
      return no("the peer's certificate is not the one that signalling promised (RFC 5763 §5)");
    }
    const certificate = parseCertificate(first);
    const publicKey = certificate instanceof PkiFailure ? undefined : crypto.publicKey(certificate.spki);
    if (publicKey === undefined) return no("the peer's certificate holds no key that we know");
    return { trusted: true, publicKey, peer: { kind: "certificate", chain: [first, ...rest], publicKey } };
  };
}

/** Neither is secret. */
const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
