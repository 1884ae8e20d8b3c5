import { copyOf, equal } from "../bytes/index.js";
import type { CryptoProvider, PublicKey } from "../contract/index.js";
import { type Certificate, parseCertificate } from "./certificate.js";
import type { PkiFailure } from "./failure.js";
import { limits } from "./limits.js";

/**
 * What a verifier knows of the certificates of the last valid paths: what stands in them, their keys imported, and who was found
 * to have signed them. Whoever connects to the same peers again has all that done already.
 *
 * Nothing is known here but what follows from the bytes alone and never changes: a certificate is found again only by all of
 * its bytes, a signature by the certificate and the very key that verified it. Whether a certificate is valid now, for this name and this
 * purpose, allowed by the profile, within its issuers' constraints and not revoked, is judged anew every time. Only
 * certificates of a path that led to an anchor are kept, so that strangers cannot displace them with junk.
 */
export class KnownCertificates {
  readonly #provider: CryptoProvider;
  /** By their last bytes, which are the signature's; found there, all bytes are compared. */
  readonly #kept = new Map<string, Certificate>();
  readonly #facts = new WeakMap<Certificate, Facts>();

  constructor(provider: CryptoProvider) {
    this.#provider = provider;
  }

  parse(der: Uint8Array): Certificate | PkiFailure {
    const known = this.#kept.get(tail(der));
    return known !== undefined && equal(known.raw, der) ? known : parseCertificate(der);
  }

  /** Undefined if the provider does not support it. */
  keyOf(certificate: Certificate): PublicKey | undefined {
    const facts = this.#of(certificate);
    if (facts.key === unasked) facts.key = this.#provider.publicKey(certificate.spki);
    return facts.key;
  }

  isSignedBy(child: Certificate, key: PublicKey): boolean {
    const facts = this.#of(child);
    if (facts.signer === key) return true;
    const isSigned = key.verify(child.signatureName!, child.tbs, child.signature);
    if (isSigned) facts.signer = key;
    return isSigned;
  }

  /** The path is valid: what is known of its certificates serves the next time. */
  keep(path: readonly Certificate[]): void {
    for (const certificate of path) {
      const { raw } = certificate;
      if (raw.length > limits.knownBytesMax) continue;
      const at = tail(raw);
      if (this.#kept.get(at) === certificate) continue;
      // Read anew, from memory that no message shares.
      const copy = parseCertificate(copyOf(raw));
      if (!("raw" in copy)) continue;
      this.#facts.set(copy, this.#of(certificate));
      this.#kept.delete(at);
      if (this.#kept.size >= limits.knownCertificatesMax) this.#kept.delete(this.#kept.keys().next().value!);
      this.#kept.set(at, copy);
    }
  }

  #of(certificate: Certificate): Facts {
    let facts = this.#facts.get(certificate);
    if (facts === undefined) {
      facts = { key: unasked, signer: undefined };
      this.#facts.set(certificate, facts);
    }
    return facts;
  }
}

interface Facts {
  key: PublicKey | undefined | typeof unasked;
  /** Whose signature it bears, if that has been verified. */
  signer: PublicKey | undefined;
}

const unasked = Symbol("unasked");

const tailSize = 16;
const tail = (der: Uint8Array): string => String.fromCharCode(...der.subarray(-tailSize));
