import { createHash, type Hash } from "node:crypto";

const blockSize = 65_536;

/** A long stream that is nowhere twice the same, made and checked piece by piece. */
export class BulkSource {
  readonly #hash: Hash = createHash("sha256");
  readonly #block: Buffer;
  #left: number;
  #made = 0;

  constructor(size: number, name: string) {
    this.#left = size;
    // Printable, and a line every 1,024 bytes: programs that echo line by line must cope.
    const seed = createHash("sha512").update(name).digest("base64url");
    this.#block = Buffer.alloc(blockSize, seed);
    for (let at = 1023; at < blockSize; at += 1024) this.#block[at] = 0x0a;
  }

  /** The next piece, or undefined at the end. The caller may keep it. */
  next(): Buffer | undefined {
    if (this.#left === 0) return undefined;
    const piece = Buffer.from(this.#block.subarray(0, Math.min(blockSize, this.#left)));
    piece.write(`${this.#made.toString(16).padStart(12, "0")}`, 0, "latin1");
    this.#made += piece.length;
    this.#left -= piece.length;
    this.#hash.update(piece);
    return piece;
  }

  /** SHA-256 of all that was made, once everything was. */
  digest(): string {
    return this.#hash.digest("hex");
  }
}

/** Takes a long stream in and says when it is whole. */
export class BulkSink {
  readonly #hash: Hash = createHash("sha256");
  readonly #size: number;
  #received = 0;
  readonly #whole: Promise<string>;
  #resolve: (digest: string) => void = () => {};

  constructor(size: number) {
    this.#size = size;
    this.#whole = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  take(bytes: Uint8Array): void {
    const wanted = bytes.subarray(0, this.#size - this.#received);
    this.#hash.update(wanted);
    this.#received += bytes.length;
    if (this.#received >= this.#size && wanted.length > 0) this.#resolve(this.#hash.digest("hex"));
  }

  get received(): number {
    return this.#received;
  }

  /** SHA-256 of the stream, when all of it has come. */
  get digest(): Promise<string> {
    return this.#whole;
  }
}
