import { Writer } from "../../bytes/index.js";
import {
  type CryptoProvider,
  type Entropy,
  equalInConstantTime,
  type KeyedCipher,
  type Mac,
  type Opener,
  type Sealer,
} from "../../contract/index.js";
import { aeadTagSize } from "../esp/algorithms.js";
import type { EspSuite } from "../esp/index.js";
import { type IkeAlgorithms, ikeSuite } from "./algorithms.js";
import type { DirectionKeys } from "./keys.js";
import { fragmentsMax } from "./limits.js";
import { type Header, headerSize, writeHeader } from "./wire/header.js";
import { PayloadType } from "./wire/numbers.js";

/** Which fragment of how many (RFC 7383 §2.5). */
export interface Fragment {
  readonly number: number;
  readonly total: number;
}

const genericSize = 4;
const fragmentHeadSize = 4;

/** Encrypted payloads of one direction of an IKE SA (RFC 7296 §3.14, RFC 5282). */
export class Protection {
  readonly #suite: EspSuite;
  readonly #entropy: Entropy;
  readonly #aead: { readonly sealer: Sealer; readonly opener: Opener; readonly nonce: Uint8Array } | undefined;
  readonly #cbc: { readonly encrypt: KeyedCipher; readonly decrypt: KeyedCipher; readonly mac: Mac } | undefined;
  #sealed = 0;

  constructor(crypto: CryptoProvider, entropy: Entropy, algorithms: IkeAlgorithms, keys: DirectionKeys) {
    this.#entropy = entropy;
    const suite = ikeSuite(algorithms)!;
    this.#suite = suite;
    const { how, keySize, saltSize, ivSize } = suite.encryption;
    const bytes = keys.encryption.expose();
    const key = bytes.subarray(0, keySize);
    if (typeof how === "object" && "aead" in how) {
      const aead = crypto.aead(how.aead);
      const nonce = new Uint8Array(saltSize + ivSize);
      nonce.set(bytes.subarray(keySize));
      this.#aead = { sealer: aead.sealer(key), opener: aead.opener(key), nonce };
    } else if (typeof how === "object") {
      const cipher = crypto.cipher(how.cipher);
      const mac = crypto.hash(suite.integrity!.hash).hmac(keys.integrity.expose());
      this.#cbc = { encrypt: cipher.encryptor(key), decrypt: cipher.decryptor(key), mac };
    }
  }

  /** Bytes around the payloads in a message: header, IV, least padding and its length, tag. */
  overhead(isFragment: boolean): number {
    const { ivSize, blockSize } = this.#suite.encryption;
    return headerSize + genericSize + (isFragment ? fragmentHeadSize : 0) + ivSize + blockSize + this.#icvSize;
  }

  /**
   * A whole message: the header, whose `nextPayload` is filled in here, and an Encrypted payload around `inner`, whose first payload is
   * of type `first`.
   */
  seal(header: Header, first: number, inner: Uint8Array, fragment?: Fragment): Uint8Array {
    const { ivSize, blockSize } = this.#suite.encryption;
    const icvSize = this.#icvSize;
    const padding = blockSize === 1 ? 0 : blockSize - 1 - (inner.length % blockSize);
    const head = headerSize + genericSize + (fragment === undefined ? 0 : fragmentHeadSize);
    const size = head + ivSize + inner.length + padding + 1 + icvSize;
    const to = new Writer(size);
    const nextPayload = fragment === undefined ? PayloadType.SK : PayloadType.SKF;
    writeHeader(to, { ...header, nextPayload }, size);
    // RFC 7383 §2.5: only the first fragment says what the first payload is.
    to.u8(fragment === undefined || fragment.number === 1 ? first : 0)
      .u8(0)
      .u16(size - headerSize);
    if (fragment !== undefined) to.u16(fragment.number).u16(fragment.total);
    const message = to.take();
    const sealed = new Uint8Array(size);
    sealed.set(message);
    const iv = sealed.subarray(head, head + ivSize);
    const at = head + ivSize;
    sealed.set(inner, at);
    sealed[size - icvSize - 1] = padding;
    const plain = inner.length + padding + 1;
    if (this.#aead !== undefined) {
      const { sealer, nonce } = this.#aead;
      // RFC 5282 §3.1: an IV never comes twice, and need not be unpredictable.
      new DataView(iv.buffer, iv.byteOffset).setBigUint64(0, BigInt(this.#sealed++));
      nonce.set(iv, nonce.length - ivSize);
      sealer.seal(sealed, at, plain, nonce, sealed.slice(0, head));
    } else {
      const { encrypt, mac } = this.#cbc!;
      this.#entropy.fill(iv);
      encrypt.apply(sealed, at, plain, iv.slice());
      sealed.set(mac.compute(sealed.subarray(0, size - icvSize)).subarray(0, icvSize), size - icvSize);
    }
    return sealed;
  }

  /**
   * What is inside the Encrypted payload that begins at `at`, in memory of its own; undefined if it is not authentic. The padding may be
   * anything that ends where it says (RFC 7296 §3.14).
   */
  open(
    message: Uint8Array,
    at: number,
    isFragment: boolean,
  ): { readonly inner: Uint8Array; readonly fragment?: Fragment } | undefined {
    const { ivSize, blockSize } = this.#suite.encryption;
    const icvSize = this.#icvSize;
    const head = at + genericSize + (isFragment ? fragmentHeadSize : 0);
    const size = message.length - head - ivSize - icvSize;
    if (size < 1 || size % blockSize !== 0) return undefined;
    const fragment = isFragment
      ? {
          number: (message[head - 4]! << 8) | message[head - 3]!,
          total: (message[head - 2]! << 8) | message[head - 1]!,
        }
      : undefined;
    const bytes = message.slice();
    const iv = bytes.slice(head, head + ivSize);
    const from = head + ivSize;
    if (this.#aead !== undefined) {
      const { opener, nonce } = this.#aead;
      nonce.set(iv, nonce.length - ivSize);
      if (!opener.open(bytes, from, size + icvSize, nonce, bytes.slice(0, head))) return undefined;
    } else {
      const { decrypt, mac } = this.#cbc!;
      const tag = mac.compute(bytes.subarray(0, from + size)).subarray(0, icvSize);
      if (!equalInConstantTime(tag, bytes.subarray(from + size))) return undefined;
      decrypt.apply(bytes, from, size, iv);
    }
    const inner = size - 1 - bytes[from + size - 1]!;
    if (inner < 0) return undefined;
    if (fragment !== undefined && !isPlausible(fragment)) return undefined;
    return { inner: bytes.slice(from, from + inner), ...(fragment && { fragment }) };
  }

  destroy(): void {
    this.#aead?.sealer.destroy();
    this.#aead?.opener.destroy();
    this.#cbc?.encrypt.destroy();
    this.#cbc?.decrypt.destroy();
    this.#cbc?.mac.destroy();
  }

  get #icvSize(): number {
    return this.#suite.integrity?.icvSize ?? aeadTagSize;
  }
}

const isPlausible = ({ number, total }: Fragment): boolean => number >= 1 && number <= total && total <= fragmentsMax;
