import type { CryptoProvider, Entropy, Instant } from "../../../contract/index.js";
import { Secret } from "../../../contract/index.js";
import { Boxes } from "../../../crypto/index.js";
import { limits, puzzleLifetimeMs } from "../limits.js";
import { keySize, puzzleSize, readU32, readU64, writeU32, writeU64 } from "./packet.js";
import { puzzleNonceSize, solutionSize } from "./rpc.js";

/** In the 148 bytes of a packet's puzzle: q or r, H(r), w, n', then eight zeros. A solution has zeros for H and w. */
const hashAt: number = solutionSize;
const hashSize = 32;
const bitsAt: number = hashAt + hashSize;
const nonceAt: number = bitsAt + 4;
const zerosAt: number = nonceAt + puzzleNonceSize;

export interface Puzzle {
  /** r with its w rightmost bits at zero. */
  readonly q: Uint8Array;
  readonly H: Uint8Array;
  readonly w: number;
  readonly n: Uint8Array;
}

export interface Solution {
  readonly r: Uint8Array;
  readonly n: Uint8Array;
}

export function writePuzzle(into: Uint8Array, at: number, { q, H, w, n }: Puzzle): void {
  into.set(q, at);
  into.set(H, at + hashAt);
  writeU32(into, at + bitsAt, w);
  into.set(n, at + nonceAt);
  into.fill(0, at + zerosAt, at + puzzleSize);
}

export function writeSolution(into: Uint8Array, at: number, { r, n }: Solution): void {
  into.fill(0, at, at + puzzleSize);
  into.set(r, at);
  into.set(n, at + nonceAt);
}

/** Undefined unless the bytes behind are zeros. */
export function readPuzzle(bytes: Uint8Array, at: number): Puzzle | undefined {
  if (!isZero(bytes, at + zerosAt, at + puzzleSize)) return undefined;
  return {
    q: bytes.slice(at, at + hashAt),
    H: bytes.slice(at + hashAt, at + bitsAt),
    w: readU32(bytes, at + bitsAt),
    n: bytes.slice(at + nonceAt, at + zerosAt),
  };
}

export function readSolution(bytes: Uint8Array, at: number): Solution | undefined {
  if (!isZero(bytes, at + zerosAt, at + puzzleSize) || !isZero(bytes, at + hashAt, at + nonceAt)) return undefined;
  return { r: bytes.slice(at, at + hashAt), n: bytes.slice(at + nonceAt, at + zerosAt) };
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Poses puzzles and judges solutions by a secret of its own; it keeps nothing of either (§5.7). */
export class PuzzleMaker {
  readonly #boxes: Boxes;
  readonly #entropy: Entropy;
  readonly #key: Secret;

  constructor(crypto: CryptoProvider, entropy: Entropy) {
    this.#boxes = new Boxes(crypto);
    this.#entropy = entropy;
    this.#key = new Secret(entropy.fill(new Uint8Array(keySize)));
  }

  /** A puzzle of w bits for who would begin a tunnel from C' to S'. */
  pose(clientKey: Uint8Array, serverKey: Uint8Array, w: number, now: Instant): Puzzle {
    const n = this.#entropy.fill(new Uint8Array(puzzleNonceSize));
    // When it was posed: eight bytes of the nonce, so that nothing has to be remembered.
    writeU64(n, 0, Math.floor(now));
    const r = this.#boxes.seal(this.#key, n, both(clientKey, serverKey));
    const q = r.slice();
    zeroBits(q, w);
    return { q, H: this.#boxes.crypto.hash("SHA-256").digest(r), w, n };
  }

  /** Is r ours, for these keys, and posed lately? */
  accepts({ r, n }: Solution, clientKey: Uint8Array, serverKey: Uint8Array, now: Instant): boolean {
    const age = now - readU64(n, 0);
    if (!(age >= 0 && age <= puzzleLifetimeMs)) return false;
    const plain = this.#boxes.open(this.#key, n, r, 0, r.length);
    return plain !== undefined && new Secret(plain).equals(both(clientKey, serverKey));
  }

  wipe(): void {
    this.#key.wipe();
  }
}

function both(clientKey: Uint8Array, serverKey: Uint8Array): Uint8Array {
  const keys = new Uint8Array(2 * keySize);
  keys.set(clientKey);
  keys.set(serverKey, keySize);
  return keys;
}

function zeroBits(bytes: Uint8Array, count: number): void {
  let left = count;
  for (let i = bytes.length - 1; left > 0; i--, left -= 8) bytes[i] = left >= 8 ? 0 : (bytes[i]! >>> left) << left;
}

/** A puzzle that is being solved, some candidates a step: nobody waits for a client that works. */
export class Solving {
  readonly #crypto: CryptoProvider;
  readonly #puzzle: Puzzle;
  readonly #candidate: Uint8Array;
  #next = 0;

  constructor(crypto: CryptoProvider, puzzle: Puzzle) {
    this.#crypto = crypto;
    this.#puzzle = puzzle;
    this.#candidate = puzzle.q.slice();
  }

  /** Undefined: not yet. `hopeless`: no value of the bits is the one. */
  step(): Solution | "hopeless" | undefined {
    const { q, H, w, n } = this.#puzzle;
    const candidate = this.#candidate;
    const hash = this.#crypto.hash("SHA-256");
    const all = 2 ** Math.min(w, limits.puzzleBitsMax);
    const until = Math.min(all, this.#next + limits.hashesPerStep);
    const lastAt = q.length - 4;
    const base = readU32(q, lastAt);
    for (; this.#next < until; this.#next++) {
      // The bits are the last of the last four bytes: w is never above 24.
      writeU32(candidate, lastAt, (base | this.#next) >>> 0);
      const digest = hash.digest(candidate);
      let isIt = true;
      for (let i = 0; i < hashSize && isIt; i++) isIt = digest[i] === H[i];
      if (isIt) return { r: candidate.slice(), n };
    }
    return this.#next === all ? "hopeless" : undefined;
  }
}
