import type { CipherName, CryptoProvider, KeyedCipher, Opener, Sealer } from "../../../contract/index.js";
import { ReplayWindow } from "../../../mechanisms/replay-window.js";
import type { TrafficKeys13 } from "../../tls/handshake/vocabulary.js";
import { Labels, trafficKey } from "../../tls/keys13.js";
import { limits } from "../limits.js";
import type { Opened, RecordOpener, RecordSealer } from "./protection.js";
import { type UnifiedHeader, unifiedFlags } from "./unified.js";

/** Ciphertext that the mask of the number is made of (RFC 9147 §4.2.3); a record has at least so much. */
const sampleSize = 16;
const none = new Uint8Array(0);

/** What one direction of one epoch is protected with: key and IV, and the key for numbers (RFC 9147 §4.2.3, §5.9). */
class Keys {
  readonly tagSize: number;
  readonly nonce: Uint8Array;
  readonly sealer: Sealer | undefined;
  readonly opener: Opener | undefined;
  readonly #iv: Uint8Array;
  readonly #numbers: KeyedCipher;
  /** AES takes the sample as a block; ChaCha20 as counter and nonce, and hides zeros with it. */
  readonly #isChaCha: boolean;
  readonly #mask = new Uint8Array(sampleSize);
  readonly #sample = new Uint8Array(sampleSize);

  constructor(crypto: CryptoProvider, { suite, secret }: TrafficKeys13, labelPrefix: string, way: "seal" | "open") {
    const aead = crypto.aead(suite.aead);
    const labels = Labels.of(crypto, suite.hash, labelPrefix);
    const { key, iv } = trafficKey(labels, secret, aead.keySize, aead.nonceSize);
    const numberKey = labels.expand(secret, "sn", none, aead.keySize);
    const cipher = numberCipher(suite.aead);
    this.#isChaCha = cipher === "ChaCha20";
    this.#numbers = crypto.cipher(cipher).encryptor(numberKey.expose());
    if (way === "seal") this.sealer = aead.sealer(key.expose());
    else this.opener = aead.opener(key.expose());
    this.tagSize = aead.tagSize;
    this.#iv = iv.expose().slice();
    this.nonce = this.#iv.slice();
    for (const each of [key, iv, numberKey, secret]) each.wipe();
  }

  /** The IV with the sequence number on its last eight bytes. */
  count(sequence: number): void {
    const { nonce } = this;
    const iv = this.#iv;
    let low = sequence % 0x1_0000_0000;
    let high = (sequence - low) / 0x1_0000_0000;
    for (let i = nonce.length - 1, j = i - 4; i >= nonce.length - 4; i--, j--) {
      nonce[i] = iv[i]! ^ (low & 255);
      nonce[j] = iv[j]! ^ (high & 255);
      low >>>= 8;
      high >>>= 8;
    }
  }

  /** Hides or shows the number of a record whose ciphertext is at `contentAt`. */
  mask(bytes: Uint8Array, numberAt: number, numberSize: number, contentAt: number): void {
    const mask = this.#mask;
    if (this.#isChaCha) {
      const sample = this.#sample;
      for (let i = 0; i < sampleSize; i++) sample[i] = bytes[contentAt + i]!;
      mask.fill(0);
      this.#numbers.apply(mask, 0, 2, sample);
    } else {
      for (let i = 0; i < sampleSize; i++) mask[i] = bytes[contentAt + i]!;
      this.#numbers.apply(mask, 0, sampleSize, none);
    }
    for (let i = 0; i < numberSize; i++) bytes[numberAt + i] = bytes[numberAt + i]! ^ mask[i]!;
  }

  destroy(): void {
    this.sealer?.destroy();
    this.opener?.destroy();
    this.#numbers.destroy();
    this.#iv.fill(0);
    this.nonce.fill(0);
  }
}

const numberCipher = (aead: string): CipherName =>
  aead.startsWith("ChaCha20") ? "ChaCha20" : aead.startsWith("AES-128") ? "AES-128-ECB" : "AES-256-ECB";

/** Seals records of DTLS 1.3: content, type, padding, tag, under the unified header. */
export class Sealer13 implements RecordSealer {
  readonly epoch: number;
  readonly headroom: number;
  readonly tailroom: number;
  readonly countMax: number;
  sequence = 0;
  readonly #keys: Keys;
  readonly #header: Uint8Array;
  readonly #numberAt: number;
  /** Least inner plaintext, so that there is a whole sample. */
  readonly #innerMin: number;

  constructor(
    crypto: CryptoProvider,
    keys: TrafficKeys13,
    epoch: number,
    labelPrefix: string,
    connectionId: Uint8Array,
    of?: Sealer13,
  ) {
    this.epoch = epoch;
    this.#keys = of === undefined ? new Keys(crypto, keys, labelPrefix, "seal") : of.#keys;
    this.sequence = of?.sequence ?? 0;
    this.countMax = keys.suite.recordsMax;
    this.#numberAt = 1 + connectionId.length;
    this.headroom = this.#numberAt + 4;
    this.#innerMin = sampleSize - this.#keys.tagSize;
    this.tailroom = 1 + this.#innerMin + this.#keys.tagSize;
    this.#header = new Uint8Array(this.headroom);
    this.#header[0] = unifiedFlags(epoch, connectionId.length > 0);
    this.#header.set(connectionId, 1);
    this.renamed = (name) => new Sealer13(crypto, keys, epoch, labelPrefix, name, this);
  }

  readonly renamed: (connectionId: Uint8Array) => Sealer13;

  seal(bytes: Uint8Array, at: number, size: number, type: number): number {
    const keys = this.#keys;
    const header = this.#header;
    const { headroom } = this;
    const numberAt = this.#numberAt;
    const contentAt = at + headroom;
    const sequence = this.sequence++;
    bytes[contentAt + size] = type;
    let inner = size + 1;
    while (inner < this.#innerMin) bytes[contentAt + inner++] = 0;
    const length = inner + keys.tagSize;
    header[numberAt] = (sequence >>> 8) & 255;
    header[numberAt + 1] = sequence & 255;
    header[numberAt + 2] = length >> 8;
    header[numberAt + 3] = length & 255;
    for (let i = 0; i < headroom; i++) bytes[at + i] = header[i]!;
    keys.count(sequence);
    keys.sealer!.seal(bytes, contentAt, inner, keys.nonce, header);
    keys.mask(bytes, at + numberAt, 2, contentAt);
    return headroom + length;
  }

  destroy(): void {
    this.#keys.destroy();
  }
}

/** Opens records of DTLS 1.3. */
export class Opener13 implements RecordOpener {
  readonly epoch: number;
  readonly window = new ReplayWindow(limits.replayWindowBits);
  readonly forgedMax: number;
  forged = 0;
  type = 0;
  contentAt = 0;
  contentSize = 0;
  sequence = 0;
  readonly #keys: Keys;
  /** The header as it is authenticated: one array for each of its sizes. */
  readonly #headers: Uint8Array[] = [];

  constructor(crypto: CryptoProvider, keys: TrafficKeys13, epoch: number, labelPrefix: string) {
    this.epoch = epoch;
    this.#keys = new Keys(crypto, keys, labelPrefix, "open");
    // RFC 9147 §4.5.3: 2^36 for GCM and ChaCha20-Poly1305, 2^23.5 for CCM; CCM_8 has no bound there, so it gets a low one.
    this.forgedMax = keys.suite.aead.endsWith("CCM-8") ? 2 ** 7 : keys.suite.aead.endsWith("CCM") ? 2 ** 23 : 2 ** 36;
  }

  open(bytes: Uint8Array, at: number, head: UnifiedHeader): Opened {
    const { contentAt, contentSize, sequenceAt, sequenceSize } = head;
    if (contentSize < sampleSize) return "malformed-record";
    const keys = this.#keys;
    keys.mask(bytes, sequenceAt, sequenceSize, contentAt);
    const sequence = this.#restore(bytes, sequenceAt, sequenceSize);
    if (!this.window.mayAccept(sequence)) return "replayed";
    const header = this.#header(contentAt - at);
    for (let i = 0; i < header.length; i++) header[i] = bytes[at + i]!;
    keys.count(sequence);
    if (!keys.opener!.open(bytes, contentAt, contentSize, keys.nonce, header)) {
      this.forged++;
      return "bad-record";
    }
    this.window.accept(sequence);
    let end = contentAt + contentSize - keys.tagSize - 1;
    while (end >= contentAt && bytes[end] === 0) end--;
    if (end < contentAt) return "malformed-record"; // padding alone has no type
    this.type = bytes[end]!;
    this.contentAt = contentAt;
    this.contentSize = end - contentAt;
    this.sequence = sequence;
    return "opened";
  }

  destroy(): void {
    this.#keys.destroy();
  }

  /** The number nearest to the one that is due (RFC 9147 §4.2.2). */
  #restore(bytes: Uint8Array, at: number, size: number): number {
    const low = size === 2 ? (bytes[at]! << 8) | bytes[at + 1]! : bytes[at]!;
    const span = size === 2 ? 0x1_0000 : 0x100;
    const due = this.window.greatest + 1;
    const candidate = due - (due % span) + low;
    if (candidate > due + span / 2 && candidate >= span) return candidate - span;
    if (candidate < due - span / 2) return candidate + span;
    return candidate;
  }

  #header(size: number): Uint8Array {
    let header = this.#headers[size];
    if (header === undefined) {
      header = new Uint8Array(size);
      this.#headers[size] = header;
    }
    return header;
  }
}
