import { parseAddress, utf8 } from "../../../bytes/index.js";
import { type CryptoProvider, type Entropy, type Instant, Secret } from "../../../contract/index.js";
import { expand } from "../../../crypto/hkdf.js";
import { strikeWindowMs, tokenLifetimeMs } from "../limits.js";

const nonceSize = 12;
const tagSize = 16;
const addressSize = 16;
const timeSize = 8;
const randomSize = 20;

/**
 * What a server gives clients to bring back, sealed for itself alone: source-address tokens (STK), which prove an address, and
 * server nonces (SNO), which prove that a hello is fresh. And the tokens of stateless resets.
 */
export class Boxes {
  readonly #crypto: CryptoProvider;
  readonly #entropy: Entropy;
  readonly #tokens: Secret;
  readonly #nonces: Secret;
  readonly #resets: Secret;

  constructor(crypto: CryptoProvider, secret: Secret, entropy: Entropy) {
    this.#crypto = crypto;
    this.#entropy = entropy;
    const hash = crypto.hash("SHA-256");
    const key = (label: string, size: number): Secret =>
      new Secret(expand(hash, secret.expose(), utf8(`gquic ${label}`), size));
    this.#tokens = key("source-address token", 16);
    this.#nonces = key("server nonce", 16);
    this.#resets = key("stateless reset", 32);
  }

  token(address: string, now: Instant): Uint8Array {
    const plain = new Uint8Array(addressSize + timeSize);
    plain.set(addressBytes(address));
    putTime(plain, addressSize, now);
    return this.#seal(this.#tokens, plain);
  }

  /** A token of ours for this address, and not too old. Ports may differ: clients' change. */
  isTokenFor(token: Uint8Array, address: string, now: Instant): boolean {
    const plain = this.#open(this.#tokens, token, addressSize + timeSize);
    if (plain === undefined) return false;
    const wanted = addressBytes(address);
    for (let i = 0; i < addressSize; i++) if (plain[i] !== wanted[i]) return false;
    return isWithin(timeAt(plain, addressSize), now, tokenLifetimeMs);
  }

  serverNonce(now: Instant): Uint8Array {
    const plain = new Uint8Array(timeSize + randomSize);
    putTime(plain, 0, now);
    this.#entropy.fill(plain.subarray(timeSize));
    return this.#seal(this.#nonces, plain);
  }

  /** A nonce of ours that is young enough; whether it was used is for the strike register to say. */
  isServerNonce(nonce: Uint8Array, now: Instant): boolean {
    const plain = this.#open(this.#nonces, nonce, timeSize + randomSize);
    return plain !== undefined && isWithin(timeAt(plain, 0), now, strikeWindowMs);
  }

  /** What ends a packet that says: the connection with this id is not known here. */
  resetToken(cid: Uint8Array): Uint8Array {
    return expand(this.#crypto.hash("SHA-256"), this.#resets.expose(), cid, 16);
  }

  #seal(key: Secret, plain: Uint8Array): Uint8Array {
    const box = new Uint8Array(nonceSize + plain.length + tagSize);
    const nonce = this.#entropy.fill(box.subarray(0, nonceSize)).slice();
    box.set(plain, nonceSize);
    const sealer = this.#crypto.aead("AES-128-GCM").sealer(key.expose());
    sealer.seal(box, nonceSize, plain.length, nonce, nothing);
    sealer.destroy();
    return box;
  }

  #open(key: Secret, box: Uint8Array, size: number): Uint8Array | undefined {
    if (box.length !== nonceSize + size + tagSize) return undefined;
    const copy = box.slice();
    const opener = this.#crypto.aead("AES-128-GCM").opener(key.expose());
    const isOurs = opener.open(copy, nonceSize, size + tagSize, copy.slice(0, nonceSize), nothing);
    opener.destroy();
    return isOurs ? copy.subarray(nonceSize, nonceSize + size) : undefined;
  }
}

const nothing = new Uint8Array(0);

/** In the form of IPv6, of IPv4 the mapped one. */
function addressBytes(address: string): Uint8Array {
  const parsed = parseAddress(address) ?? nothing;
  const bytes = new Uint8Array(addressSize);
  if (parsed.length === 4) {
    bytes[10] = bytes[11] = 0xff;
    bytes.set(parsed, 12);
  } else bytes.set(parsed);
  return bytes;
}

function putTime(into: Uint8Array, at: number, now: Instant): void {
  new DataView(into.buffer, into.byteOffset).setFloat64(at, now);
}

const timeAt = (bytes: Uint8Array, at: number): Instant => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(at);

const isWithin = (time: Instant, now: Instant, ms: number): boolean => Math.abs(now - time) <= ms;
