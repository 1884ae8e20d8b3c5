import type { Opener, Sealer } from "../../../contract/index.js";
import { tagSize } from "../parameters.js";
import { Generations, type RecordKeys } from "./keys.js";

/** control and clen (RFC 8548 §4.2): they are the associated data too. */
export const frameHeaderSize = 3;
const rekeyBit = 1;
const [finpBit, urgpBit] = [1, 2];

/** Bytes of a frame beside its data: header, flags, urgent, tag. */
export const frameOverheadMax = frameHeaderSize + 1 + 2 + tagSize;

/** Seals frames where they stand, each under the offset at which it begins in the stream (§3.6, §4.2.3). */
export class FrameSealer {
  readonly #keys: Generations<Sealer>;
  readonly #associated = new Uint8Array(frameHeaderSize);
  /** Bytes of frames so far: the offset of the next. */
  offset = 0;
  frames = 0;
  /** Frames under the present key. */
  framesOfKey = 0;

  constructor(keys: RecordKeys) {
    const aead = keys.crypto.aead(keys.cipher.aead);
    this.#keys = new Generations(keys, (key) => aead.sealer(key));
  }

  get generation(): number {
    return this.#keys.number;
  }

  /** Where data go in a frame at `at`. */
  dataAt(at: number, urgent: number | undefined): number {
    return at + frameHeaderSize + (urgent === undefined ? 1 : 3);
  }

  /**
   * Seals a frame around data that stand at `dataAt` already, and answers its size.
   * @param urgent - offset of the last urgent byte, from the frame's first (§3.7)
   * @param rekey - under the next generation's key, which is said so
   */
  seal(bytes: Uint8Array, at: number, size: number, finp: boolean, urgent: number | undefined, rekey: boolean): number {
    if (rekey) {
      this.#keys.advance();
      this.framesOfKey = 0;
    }
    const plain = at + frameHeaderSize;
    bytes[plain] = (finp ? finpBit : 0) | (urgent === undefined ? 0 : urgpBit);
    if (urgent !== undefined) {
      bytes[plain + 1] = urgent >> 8;
      bytes[plain + 2] = urgent;
    }
    const plainSize = size + (urgent === undefined ? 1 : 3);
    const cipherSize = plainSize + tagSize;
    const associated = this.#associated;
    bytes[at] = associated[0] = rekey ? rekeyBit : 0;
    bytes[at + 1] = associated[1] = cipherSize >> 8;
    bytes[at + 2] = associated[2] = cipherSize & 0xff;
    const { nonce, cipher } = this.#keys;
    nonce.set(this.offset);
    cipher.seal(bytes, plain, plainSize, nonce.bytes, associated);
    const total = frameHeaderSize + cipherSize;
    this.offset += total;
    this.frames++;
    this.framesOfKey++;
    return total;
  }

  destroy(): void {
    this.#keys.destroy();
  }
}

/** Opens frames where they stand; what a frame said is read from the fields after `open`. */
export class FrameOpener {
  readonly #keys: Generations<Opener>;
  readonly #associated = new Uint8Array(frameHeaderSize);
  offset = 0;
  frames = 0;
  dataAt = 0;
  dataSize = 0;
  isLast = false;
  /** Offset of the last urgent byte from the frame's first, if there is one. */
  urgent: number | undefined;
  hasRekeyed = false;

  constructor(keys: RecordKeys) {
    const aead = keys.crypto.aead(keys.cipher.aead);
    this.#keys = new Generations(keys, (key) => aead.opener(key));
  }

  get generation(): number {
    return this.#keys.number;
  }

  /** Size of the frame that begins with this header. */
  static sizeOf(bytes: Uint8Array, at: number): number {
    return frameHeaderSize + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
  }

  /** `malformed` is for what no sender seals, and comes only of a peer who has the keys or of too few bytes. */
  open(bytes: Uint8Array, at: number, size: number): "opened" | "forged" | "malformed" {
    const plain = at + frameHeaderSize;
    const plainSize = size - frameHeaderSize - tagSize;
    if (plainSize < 1) return "malformed";
    // §4.2: the reserved bits are ignored, though authenticated.
    this.hasRekeyed = (bytes[at]! & rekeyBit) !== 0;
    if (this.hasRekeyed) this.#keys.advance();
    const associated = this.#associated;
    for (let i = 0; i < frameHeaderSize; i++) associated[i] = bytes[at + i]!;
    const { nonce, cipher } = this.#keys;
    nonce.set(this.offset);
    if (!cipher.open(bytes, plain, size - frameHeaderSize, nonce.bytes, associated)) return "forged";
    this.offset += size;
    this.frames++;
    const flags = bytes[plain]!;
    const isUrgent = (flags & urgpBit) !== 0;
    const fieldsSize = isUrgent ? 3 : 1;
    if (plainSize < fieldsSize) return "malformed";
    this.isLast = (flags & finpBit) !== 0;
    this.urgent = isUrgent ? (bytes[plain + 1]! << 8) | bytes[plain + 2]! : undefined;
    this.dataAt = plain + fieldsSize;
    this.dataSize = plainSize - fieldsSize;
    return "opened";
  }

  destroy(): void {
    this.#keys.destroy();
  }
}
