import type { CryptoProvider, Entropy } from "../../../contract/index.js";
import type { EpochKeys } from "../../tls/handshake/vocabulary.js";
import { limits } from "../limits.js";
import { PlainSealer, type RecordSealer } from "./protection.js";
import { Opener12, Sealer12 } from "./protection12.js";
import { Opener13, Sealer13 } from "./protection13.js";

/** Epochs of 1.3 (RFC 9147 §6.1); 1.2 has 0 and 1. Application keys begin with 3, and each KeyUpdate is one more. */
export const epochs = { initial: 0, early: 1, handshake: 2, application: 3 } as const;

/** What both directions of one association are protected with, epoch by epoch. */
export class Epochs {
  readonly #crypto: CryptoProvider;
  readonly #entropy: Entropy;
  readonly #labelPrefix: string;
  readonly #sealers: RecordSealer[];
  readonly #openers: (Opener12 | Opener13)[] = [];
  /** For application data; undefined before there are keys for them. */
  application: RecordSealer | undefined;
  /** For 0-RTT data. */
  early: RecordSealer | undefined;

  constructor(crypto: CryptoProvider, entropy: Entropy, labelPrefix: string, firstSequence: number) {
    this.#crypto = crypto;
    this.#entropy = entropy;
    this.#labelPrefix = labelPrefix;
    this.#sealers = [new PlainSealer(firstSequence)];
  }

  /** The newest epoch in which we can write, 0-RTT apart. */
  get newest(): RecordSealer {
    return this.#sealers[this.#sealers.length - 1]!;
  }

  sealer(epoch: number): RecordSealer | undefined {
    return this.#sealers.find((each) => each.epoch === epoch);
  }

  /** The newest epoch in which we can read; 0 before there are keys. */
  get newestRead(): number {
    return this.#openers.length === 0 ? 0 : this.#openers[this.#openers.length - 1]!.epoch;
  }

  opener12(): Opener12 | undefined {
    return this.#openers.find((each): each is Opener12 => each instanceof Opener12);
  }

  /** The newest epoch with these two low bits; RFC 9147 §4.2.2. */
  opener13(bits: number): Opener13 | undefined {
    for (let i = this.#openers.length - 1; i >= 0; i--) {
      const opener = this.#openers[i]!;
      if ((opener.epoch & 3) === bits && opener instanceof Opener13) return opener;
    }
    return undefined;
  }

  write(epoch: number, keys: EpochKeys, theirs: Uint8Array): void {
    const sealer =
      keys.version === "1.2"
        ? new Sealer12(this.#crypto, this.#entropy, keys, theirs)
        : new Sealer13(this.#crypto, keys, epoch, this.#labelPrefix, theirs);
    if (keys.version === "1.3" && epoch === epochs.early) {
      this.early = sealer;
      return;
    }
    this.#sealers.push(sealer);
    if (keys.version === "1.2" || epoch >= epochs.application) this.application = sealer;
    // Epochs 0 and 2 are still there for flights that go again.
    if (this.#sealers.length > limits.writeEpochsMax) this.#sealers.splice(-3, 1)[0]!.destroy();
  }

  read(epoch: number, keys: EpochKeys, ours: Uint8Array): void {
    this.#openers.push(
      keys.version === "1.2"
        ? new Opener12(this.#crypto, keys, ours)
        : new Opener13(this.#crypto, keys, epoch, this.#labelPrefix),
    );
    if (this.#openers.length > limits.readEpochsMax) this.#openers.shift()!.destroy();
  }

  /** The 0-RTT keys are of no use any more. */
  endEarly(): void {
    this.early?.destroy();
    this.early = undefined;
  }

  /** The peer is to be named otherwise in all records from here on. */
  rename(theirs: Uint8Array): void {
    for (const [i, sealer] of this.#sealers.entries()) {
      const renamed = sealer.renamed(theirs);
      if (renamed === undefined) continue;
      this.#sealers[i] = renamed;
      if (this.application === sealer) this.application = renamed;
    }
  }

  destroy(): void {
    for (const each of [...this.#sealers, ...this.#openers]) each.destroy();
    this.endEarly();
    this.#openers.length = 0;
    this.application = undefined;
  }
}
