import { concat, equal } from "../../../bytes/bytes.js";
import { bytes, type Codec, decode, encode, opaque, struct, vector } from "../../../bytes/codec.js";
import { DecodeError } from "../../../bytes/reader.js";
import type { CryptoProvider, Entropy, Instant } from "../../../contract/index.js";
import { Failure, Secret } from "../../../contract/index.js";
import { ticketKeysMax, ticketLifetimeMaxS, ticketsPerKeyMax } from "./limits.js";
import { instant } from "./session.js";

/** A key that seals tickets. A fleet that shares keys resumes each other's sessions. */
export interface TicketKey {
  /** 16 bytes, in the clear at the front of each ticket: which key it was. */
  readonly name: Uint8Array;
  /** 32 bytes, for AES-256-GCM. */
  readonly key: Secret;
  /** New tickets are sealed under the youngest key whose time this is. */
  readonly sealFrom: Instant;
  readonly sealUntil: Instant;
  /** After this its tickets are void, and the key is wiped: forward secrecy of all it sealed begins here. */
  readonly openUntil: Instant;
}

const nameSize = 16;
const keySize = 32;
const nonceSize = 12;
const tagSize = 16;

export interface TicketKeyRingOptions {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** How long one key seals; default 12 hours. */
  readonly sealForMs?: number;
  /** How long it opens after that; default 7 days, a ticket's longest life. */
  readonly openForMs?: number;
  /** False if keys come by `import` alone, as in a fleet; without a key there are no tickets. Default true. */
  readonly makesKeys?: boolean;
}

/**
 * Seals sessions into tickets and opens them (RFC 5077 §4's shape, with an AEAD: key name, nonce, sealed state). Keys
 * follow one another; an old one goes on opening until its tickets have run out.
 */
export class TicketKeyRing {
  readonly #crypto: CryptoProvider;
  readonly #entropy: Entropy;
  readonly #sealForMs: number;
  readonly #openForMs: number;
  readonly #makesKeys: boolean;
  /** Youngest first. */
  #keys: TicketKey[] = [];
  #sealedWithYoungest = 0;

  constructor(options: TicketKeyRingOptions) {
    this.#crypto = options.crypto;
    this.#entropy = options.entropy;
    this.#sealForMs = options.sealForMs ?? 12 * 3_600_000;
    this.#openForMs = options.openForMs ?? ticketLifetimeMaxS * 1000;
    this.#makesKeys = options.makesKeys ?? true;
  }

  /** A ticket, or undefined if there is no key that may seal now. */
  seal(state: Uint8Array, now: Instant): Uint8Array | undefined {
    const key = this.#sealingKey(now);
    if (key === undefined) return undefined;
    this.#sealedWithYoungest++;
    const nonce = this.#entropy.fill(new Uint8Array(nonceSize));
    const ticket = concat(key.name, nonce, state, new Uint8Array(tagSize));
    const sealer = this.#crypto.aead("AES-256-GCM").sealer(key.key.expose());
    sealer.seal(ticket, nameSize + nonceSize, state.length, nonce, key.name);
    sealer.destroy();
    return ticket;
  }

  /** The state, or undefined: not ours, altered, or of a key that has run out. The ticket itself is left as it is. */
  open(ticket: Uint8Array, now: Instant): Uint8Array | undefined {
    const size = ticket.length - nameSize - nonceSize;
    if (size < tagSize) return undefined;
    this.#expire(now);
    const name = ticket.subarray(0, nameSize);
    const key = this.#keys.find((each) => equal(each.name, name));
    if (key === undefined) return undefined;
    const sealed = ticket.slice(nameSize + nonceSize);
    const opener = this.#crypto.aead("AES-256-GCM").opener(key.key.expose());
    const opened = opener.open(sealed, 0, size, ticket.subarray(nameSize, nameSize + nonceSize), name);
    opener.destroy();
    return opened ? sealed.subarray(0, size - tagSize) : undefined;
  }

  /** Begins a new key now, whatever the age of the last. */
  rotate(now: Instant): void {
    this.#add({
      name: this.#entropy.fill(new Uint8Array(nameSize)),
      key: new Secret(this.#entropy.fill(new Uint8Array(keySize))),
      sealFrom: now,
      sealUntil: now + this.#sealForMs,
      openUntil: now + this.#sealForMs + this.#openForMs,
    });
  }

  /** All keys, for the other members of a fleet. Who has them reads every ticket: send them over a sealed way. */
  export(): Secret {
    return new Secret(encode(keyList, this.#keys.map(toStored)));
  }

  /** Adds keys that another ring exported; those that are here stay. Throws `misuse` if these are not exported keys. */
  import(exported: Secret): void {
    try {
      for (const key of decode(keyList, exported.expose())) {
        if (!this.#keys.some((mine) => equal(mine.name, key.name))) this.#add({ ...key, key: Secret.copy(key.key) });
      }
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      throw new Failure({
        fault: "misuse",
        reason: "ticket-keys",
        protocol: "TLS",
        message: "these are not exported ticket keys",
        hint: "give to import what export answered, whole",
        cause,
      });
    }
  }

  /** Wipes all keys: every ticket is void. */
  wipe(): void {
    for (const { key } of this.#keys) key.wipe();
    this.#keys = [];
  }

  #sealingKey(now: Instant): TicketKey | undefined {
    this.#expire(now);
    const fits = (key: TicketKey): boolean => key.sealFrom <= now && now < key.sealUntil;
    const key = this.#keys.find(fits);
    if (key !== undefined && (key !== this.#keys[0] || this.#sealedWithYoungest < ticketsPerKeyMax)) return key;
    if (!this.#makesKeys) return undefined;
    this.rotate(now);
    return this.#keys[0];
  }

  #add(key: TicketKey): void {
    const youngest = this.#keys[0];
    this.#keys = [...this.#keys, key].sort((a, b) => b.sealFrom - a.sealFrom);
    if (this.#keys[0] !== youngest) this.#sealedWithYoungest = 0;
    while (this.#keys.length > ticketKeysMax) this.#keys.pop()!.key.wipe();
  }

  #expire(now: Instant): void {
    for (const { openUntil, key } of this.#keys) if (openUntil <= now) key.wipe();
    this.#keys = this.#keys.filter(({ key }) => !key.wiped);
  }
}

interface StoredKey {
  readonly name: Uint8Array;
  readonly key: Uint8Array;
  readonly sealFrom: Instant;
  readonly sealUntil: Instant;
  readonly openUntil: Instant;
}

const keyList: Codec<readonly StoredKey[]> = vector(
  2,
  struct({
    name: opaque(nameSize),
    key: bytes(1, { min: keySize, max: keySize }),
    sealFrom: instant,
    sealUntil: instant,
    openUntil: instant,
  }),
);

const toStored = (key: TicketKey): StoredKey => ({ ...key, key: key.key.expose() });
