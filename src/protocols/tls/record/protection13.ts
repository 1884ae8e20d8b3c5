import type { CryptoProvider, Opener, Sealer } from "../../../contract/index.js";
import { Nonce } from "../../../mechanisms/nonce.js";
import type { TrafficKeys13 } from "../handshake/vocabulary.js";
import { Labels, trafficKey } from "../keys13.js";
import { limits } from "../limits.js";
import { contentType, recordHeaderSize } from "./content-type.js";
import { writeHeader } from "./plain.js";
import type { RecordOpener, RecordSealer } from "./protection.js";

/** Seals records of TLS 1.3: content, type, padding, tag (RFC 9846 §5.2). */
export class Sealer13 implements RecordSealer {
  readonly headroom = recordHeaderSize;
  readonly tailroom: number;
  readonly countMax: number;
  count = 0;
  readonly #sealer: Sealer;
  readonly #nonce: Nonce;
  readonly #tagSize: number;
  readonly #associated = new Uint8Array(recordHeaderSize);

  constructor(crypto: CryptoProvider, keys: TrafficKeys13, labelPrefix: string) {
    const aead = crypto.aead(keys.suite.aead);
    const { key, iv } = trafficKey(
      Labels.of(crypto, keys.suite.hash, labelPrefix),
      keys.secret,
      aead.keySize,
      aead.nonceSize,
    );
    this.#sealer = aead.sealer(key.expose());
    this.#nonce = new Nonce(iv.expose().slice());
    this.#tagSize = aead.tagSize;
    this.tailroom = 1 + aead.tagSize;
    this.countMax = keys.suite.recordsMax;
    key.wipe();
    iv.wipe();
    keys.secret.wipe();
  }

  seal(bytes: Uint8Array, at: number, size: number, type: number, paddedSize: number): number {
    const content = at + recordHeaderSize;
    bytes[content + size] = type;
    if (paddedSize > size) bytes.fill(0, content + size + 1, content + paddedSize + 1);
    const inner = paddedSize + 1;
    writeHeader(bytes, at, contentType.applicationData, 0x0303, inner + this.#tagSize);
    const associated = this.#associated;
    for (let i = 0; i < recordHeaderSize; i++) associated[i] = bytes[at + i]!;
    this.#nonce.set(this.count++);
    this.#sealer.seal(bytes, content, inner, this.#nonce.bytes, associated);
    return recordHeaderSize + inner + this.#tagSize;
  }

  destroy(): void {
    this.#sealer.destroy();
    this.#nonce.wipe();
  }
}

/** Opens records of TLS 1.3. */
export class Opener13 implements RecordOpener {
  readonly hidesType = true;
  readonly fragmentMax = limits.recordSizeMax + limits.recordExpansionMax;
  type = 0;
  contentAt = 0;
  contentSize = 0;
  count = 0;
  readonly #opener: Opener;
  readonly #nonce: Nonce;
  readonly #tagSize: number;
  readonly #associated = new Uint8Array(recordHeaderSize);

  constructor(crypto: CryptoProvider, keys: TrafficKeys13, labelPrefix: string) {
    const aead = crypto.aead(keys.suite.aead);
    const { key, iv } = trafficKey(
      Labels.of(crypto, keys.suite.hash, labelPrefix),
      keys.secret,
      aead.keySize,
      aead.nonceSize,
    );
    this.#opener = aead.opener(key.expose());
    this.#nonce = new Nonce(iv.expose().slice());
    this.#tagSize = aead.tagSize;
    key.wipe();
    iv.wipe();
    keys.secret.wipe();
  }

  /** A type of 0 says that there was nothing but padding (RFC 9846 §5.4). */
  open(bytes: Uint8Array, at: number, size: number): boolean {
    const content = at + recordHeaderSize;
    const associated = this.#associated;
    for (let i = 0; i < recordHeaderSize; i++) associated[i] = bytes[at + i]!;
    this.#nonce.set(this.count);
    if (!this.#opener.open(bytes, content, size - recordHeaderSize, this.#nonce.bytes, associated)) return false;
    this.count++;
    let end = at + size - this.#tagSize - 1;
    while (end >= content && bytes[end] === 0) end--;
    this.type = end < content ? 0 : bytes[end]!;
    this.contentAt = content;
    this.contentSize = Math.max(0, end - content);
    return true;
  }

  destroy(): void {
    this.#opener.destroy();
    this.#nonce.wipe();
  }
}
