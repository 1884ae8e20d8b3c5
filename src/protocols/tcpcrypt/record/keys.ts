import type { CryptoProvider, Secret } from "../../../contract/index.js";
import { Nonce } from "../../../mechanisms/nonce.js";
import type { KeySchedule } from "../keys.js";
import type { SymCipher } from "../parameters.js";

/** What the keys of a direction are made with. */
export interface RecordKeys {
  readonly crypto: CryptoProvider;
  readonly schedule: KeySchedule;
  readonly cipher: SymCipher;
  /** Who encrypts in this direction, by the role in the original session (RFC 8548 §3.3). */
  readonly role: "A" | "B";
  /** mk[0]; this direction's own copy. */
  readonly master: Secret;
}

/** The master keys of one direction, generation by generation (RFC 8548 §3.8): the one before is wiped. */
export class Generations<Cipher extends { destroy(): void }> {
  readonly #keys: RecordKeys;
  readonly #make: (key: Uint8Array) => Cipher;
  #master: Secret;
  /** Generation number j. */
  number = 0;
  cipher: Cipher;
  nonce: Nonce;

  constructor(keys: RecordKeys, make: (key: Uint8Array) => Cipher) {
    this.#keys = keys;
    this.#make = make;
    this.#master = keys.master;
    [this.cipher, this.nonce] = this.#derive();
  }

  advance(): void {
    const next = this.#keys.schedule.nextMasterKey(this.#master);
    this.destroy();
    this.#master = next;
    this.number++;
    [this.cipher, this.nonce] = this.#derive();
  }

  destroy(): void {
    this.#master.wipe();
    this.cipher.destroy();
    this.nonce.wipe();
  }

  #derive(): [Cipher, Nonce] {
    const { schedule, role, cipher } = this.#keys;
    const { key, randomizer } = schedule.trafficKey(this.#master, role, cipher);
    const made = this.#make(key.expose());
    const nonce = new Nonce(randomizer.expose().slice());
    key.wipe();
    randomizer.wipe();
    return [made, nonce];
  }
}
