import { parseAddress, utf8 } from "../../bytes/index.js";
import type { Aead, CryptoProvider, Entropy, Instant, Opener, Sealer, Secret } from "../../contract/index.js";
import { BoundedStore } from "../../mechanisms/bounded-store.js";

/** A Retry is answered at once or not at all. */
export const retryTokenLifetimeMs = 10_000;
/** Tokens of NEW_TOKEN frames. */
export const newTokenLifetimeMs = 86_400_000;
/** Tokens of NEW_TOKEN frames that are remembered as used; each is good for one connection (RFC 9000 §8.1.4). */
export const usedTokensMax = 16_384;

/** What a good token says. */
export type AddressProof =
  | { readonly kind: "retry"; readonly originalDcid: Uint8Array; readonly retryScid: Uint8Array }
  /** The version of the connection in which it was given. */
  | { readonly kind: "new"; readonly issuedAt: Instant; readonly version: number };

const label = utf8("quic address token");
const retryKind = 0;
const newKind = 1;
const nonceSize = 12;
const headSize = 1 + nonceSize;

/**
 * Tokens that prove an address (RFC 9000 §8.1): in Retry packets, and in NEW_TOKEN frames for the next connection. Sealed
 * under a key that a fleet can share, bound to the address (a Retry's to the port too), with an end; nothing is kept for
 * one that is out.
 *
 * kind (1) · nonce (12) · sealed: time (8), then of a Retry two connection ids behind their lengths, else a version (4)
 */
export class AddressTokens {
  readonly #aead: Aead;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #entropy: Entropy;
  readonly #used = new BoundedStore<string, true>({ entriesMax: usedTokensMax, lifetimeMs: newTokenLifetimeMs });

  constructor(crypto: CryptoProvider, secret: Secret, entropy: Entropy) {
    this.#aead = crypto.aead("AES-128-GCM");
    const mac = crypto.hash("SHA-256").hmac(secret.expose());
    const key = mac.compute(label).subarray(0, this.#aead.keySize);
    mac.destroy();
    this.#sealer = this.#aead.sealer(key);
    this.#opener = this.#aead.opener(key);
    this.#entropy = entropy;
  }

  /** A token to put into a Retry packet. `retryScid` is that packet's source connection id. */
  retry(to: {
    readonly address: string;
    readonly port: number;
    readonly originalDcid: Uint8Array;
    readonly retryScid: Uint8Array;
    readonly now: Instant;
  }): Uint8Array {
    const { originalDcid, retryScid } = to;
    const body = new Uint8Array(8 + 2 + originalDcid.length + retryScid.length);
    body[8] = originalDcid.length;
    body.set(originalDcid, 9);
    body[9 + originalDcid.length] = retryScid.length;
    body.set(retryScid, 10 + originalDcid.length);
    return this.#seal(retryKind, body, to.now, bound(retryKind, to.address, to.port));
  }

  /** A token to put into a NEW_TOKEN frame. */
  newToken(to: { readonly address: string; readonly version: number; readonly now: Instant }): Uint8Array {
    const body = new Uint8Array(8 + 4);
    new DataView(body.buffer).setUint32(8, to.version);
    return this.#seal(newKind, body, to.now, bound(newKind, to.address, 0));
  }

  /** Undefined if it is not ours, or for another address, or too old, or was used. A good one is used up by asking. */
  open(
    token: Uint8Array,
    from: { readonly address: string; readonly port: number; readonly now: Instant },
  ): AddressProof | undefined {
    const kind = token[0]!;
    const size = token.length - headSize;
    if (kind > newKind || size < 8 + this.#aead.tagSize) return undefined;
    const nonce = token.slice(1, headSize);
    const body = token.slice(headSize);
    if (!this.#opener.open(body, 0, size, nonce, bound(kind, from.address, from.port))) return undefined;
    const view = new DataView(body.buffer, 0, size - this.#aead.tagSize);
    const issuedAt = view.getFloat64(0);
    const lifetimeMs = kind === retryKind ? retryTokenLifetimeMs : newTokenLifetimeMs;
    // A fleet's clocks differ a little.
    if (Math.abs(from.now - issuedAt) > lifetimeMs) return undefined;
    if (kind === newKind) {
      const id = String.fromCharCode(...nonce);
      if (this.#used.get(id, from.now)) return undefined;
      this.#used.set(id, true, from.now);
      return { kind: "new", issuedAt, version: view.getUint32(8) };
    }
    const dcidSize = body[8]!;
    const retryAt = 10 + dcidSize;
    return {
      kind: "retry",
      originalDcid: body.slice(9, 9 + dcidSize),
      retryScid: body.slice(retryAt, retryAt + body[9 + dcidSize]!),
    };
  }

  destroy(): void {
    this.#sealer.destroy();
    this.#opener.destroy();
    this.#used.clear();
  }

  #seal(kind: number, body: Uint8Array, now: Instant, associated: Uint8Array): Uint8Array {
    new DataView(body.buffer).setFloat64(0, now);
    const token = new Uint8Array(headSize + body.length + this.#aead.tagSize);
    token[0] = kind;
    const nonce = this.#entropy.fill(token.subarray(1, headSize));
    token.set(body, headSize);
    this.#sealer.seal(token, headSize, body.length, nonce, associated);
    return token;
  }
}

/** Does it say that it comes from a Retry? One that does and is not good ends the attempt with INVALID_TOKEN (§8.1.3). */
export const claimsRetry = (token: Uint8Array): boolean => token[0] === retryKind;

/** What a token is bound to: its kind, the address, and a Retry's port. */
function bound(kind: number, address: string, port: number): Uint8Array {
  const bytes = parseAddress(address) ?? utf8(address);
  const all = new Uint8Array(3 + bytes.length);
  all[0] = kind;
  if (kind === retryKind) {
    all[1] = port >> 8;
    all[2] = port;
  }
  all.set(bytes, 3);
  return all;
}
