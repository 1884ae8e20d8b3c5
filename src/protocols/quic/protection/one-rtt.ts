import type { AeadName, CryptoProvider, Instant, Secret } from "../../../contract/index.js";
import type { Suite13 } from "../../tls/index.js";
import { HeaderMask } from "./header-protection.js";
import { PacketKey } from "./protection.js";
import { nextSecret, packetKeys, protectionKeys } from "./secrets.js";
import type { Version } from "./versions.js";

/** Packets that one key may seal, and that may fail to open under all keys of a connection: RFC 9001 §6.6. */
const aeadLimits: Partial<Record<AeadName, { readonly confidentiality: number; readonly integrity: number }>> = {
  "AES-128-GCM": { confidentiality: 2 ** 23, integrity: 2 ** 52 },
  "AES-256-GCM": { confidentiality: 2 ** 23, integrity: 2 ** 52 },
  // Packet numbers end before confidentiality does.
  "ChaCha20-Poly1305": { confidentiality: Number.MAX_SAFE_INTEGER, integrity: 2 ** 36 },
  "AES-128-CCM": { confidentiality: Math.floor(2 ** 21.5), integrity: Math.floor(2 ** 21.5) },
};

/** Part of the limit at which an update begins by itself, and at which its end is told if none could begin. */
const updateAt = 0.75;

/** Packet keys of one direction: its secret makes the keys, and the next secret. */
class Generations {
  readonly header: HeaderMask;
  current: PacketKey;
  readonly #make: (secret: Secret) => PacketKey;
  readonly #next: (secret: Secret) => Secret;
  #secret: Secret;

  constructor(crypto: CryptoProvider, version: Version, suite: Suite13, secret: Secret, direction: "read" | "write") {
    this.#secret = secret;
    this.#make = (each) => new PacketKey(crypto, suite, packetKeys(crypto, version, suite, each), direction);
    this.#next = (each) => nextSecret(crypto, version, suite, each);
    const keys = protectionKeys(crypto, version, suite, secret);
    this.header = new HeaderMask(crypto, suite.aead, keys.headerKey);
    this.current = new PacketKey(crypto, suite, keys, direction);
    keys.headerKey.wipe();
  }

  /** The key behind the current one; the secret moves on, so that it can be made once. */
  following(): PacketKey {
    const next = this.#next(this.#secret);
    this.#secret.wipe();
    this.#secret = next;
    return this.#make(next);
  }

  destroy(): void {
    this.header.destroy();
    this.current.destroy();
    this.#secret.wipe();
  }
}

/**
 * Protection of 1-RTT packets through all key updates (RFC 9001 §6). Both directions have one generation; the phase bit is
 * its lowest bit.
 *
 *     read   previous ── current ── next      write   current
 *            kept 3 PTO            made ahead: when a packet needs it, timing tells nothing (§6.3)
 */
export class OneRttProtection {
  /** Key updates so far. */
  generation = 0;
  /** Packets sealed under the current key. */
  sealed = 0;
  /** Packets that did not open, under any key. */
  failed = 0;
  /** The last packet that was opened is of the generation before. */
  #openedOld = false;
  /** The last packet that was opened made us update: the peer has begun it. */
  followed = false;
  readonly #crypto: CryptoProvider;
  readonly #version: Version;
  readonly #packetsPerKeyMax: number;
  #limits = { confidentiality: 0, integrity: 0 };
  #read: Generations | undefined;
  #write: Generations | undefined;
  #next: PacketKey | undefined;
  #previous: PacketKey | undefined;
  #previousUntil: Instant = Number.POSITIVE_INFINITY;
  /** Lowest packet number received, and sent, in the current generation. */
  #firstReceived = Number.POSITIVE_INFINITY;
  #firstSent = 0;
  /** A packet of the current generation has been acknowledged: before, no update of ours may begin (§6.1). */
  #isAcknowledged = false;

  constructor(crypto: CryptoProvider, version: Version, packetsPerKeyMax: number) {
    this.#crypto = crypto;
    this.#version = version;
    this.#packetsPerKeyMax = packetsPerKeyMax;
  }

  setRead(suite: Suite13, secret: Secret): void {
    this.#limits = aeadLimits[suite.aead] ?? this.#limits;
    this.#read = new Generations(this.#crypto, this.#version, suite, secret, "read");
    this.#next = this.#read.following();
  }

  setWrite(suite: Suite13, secret: Secret): void {
    this.#limits = aeadLimits[suite.aead] ?? this.#limits;
    this.#write = new Generations(this.#crypto, this.#version, suite, secret, "write");
  }

  get readHeader(): HeaderMask | undefined {
    return this.#read?.header;
  }

  get writeHeader(): HeaderMask | undefined {
    return this.#write?.header;
  }

  /** The key phase bit of what we send. */
  get phase(): 0 | 1 {
    return (this.generation & 1) as 0 | 1;
  }

  /** Opens in place. False: it is dropped, and counted. */
  open(
    bytes: Uint8Array,
    at: number,
    payload: number,
    end: number,
    number: number,
    now: Instant,
    ptoMs: number,
  ): boolean {
    this.followed = false;
    if (this.#previous !== undefined && now >= this.#previousUntil) this.#forgetPrevious();
    const phase = (bytes[at]! >> 2) & 1;
    const isCurrent = phase === this.phase;
    // A packet from before the first of this generation can only be of the one before (§6.5).
    const isOld = !isCurrent && number < this.#firstReceived;
    const key = isCurrent ? this.#read!.current : isOld ? this.#previous : this.#next;
    if (key === undefined || !key.open(bytes, at, payload, end, number)) {
      this.failed++;
      return false;
    }
    this.#openedOld = isOld;
    if (isOld) return true;
    if (!isCurrent) {
      this.followed = true;
      this.#advance();
    }
    if (number < this.#firstReceived) {
      if (this.#firstReceived === Number.POSITIVE_INFINITY) this.#previousUntil = now + 3 * ptoMs;
      this.#firstReceived = number;
    }
    return true;
  }

  seal(bytes: Uint8Array, at: number, payload: number, end: number, number: number): void {
    if (this.sealed++ === 0) this.#firstSent = number;
    this.#write!.current.seal(bytes, at, payload, end, number);
  }

  /** Tells of the greatest packet number that the peer has acknowledged. */
  acknowledged(number: number): void {
    if (this.sealed > 0 && number >= this.#firstSent) this.#isAcknowledged = true;
  }

  /** A packet under old keys cannot acknowledge what was sealed with new ones: its sender did not follow (§6.2). */
  contradicts(largestAcknowledged: number): boolean {
    return this.#openedOld && this.sealed > 0 && largestAcknowledged >= this.#firstSent;
  }

  /** May we begin an update? Not while the last one is unanswered or its old keys are still there (§6.1, §6.5). */
  get mayUpdate(): boolean {
    return (
      this.#read !== undefined && this.#write !== undefined && this.#isAcknowledged && this.#previous === undefined
    );
  }

  /** Is it time to, by the count of packets? */
  get wantsUpdate(): boolean {
    return this.sealed >= Math.min(this.#packetsPerKeyMax, updateAt * this.#limits.confidentiality);
  }

  /** Nothing more may be sealed, or has failed to open too often: the connection is over (§6.6). */
  get isExhausted(): boolean {
    return this.sealed >= this.#limits.confidentiality || this.failed >= this.#limits.integrity;
  }

  /** Begins an update; the caller has asked `mayUpdate`. */
  update(): void {
    this.#advance();
  }

  /** When the previous keys are to be wiped. */
  deadline(): Instant | undefined {
    return this.#previous === undefined || this.#previousUntil === Number.POSITIVE_INFINITY
      ? undefined
      : this.#previousUntil;
  }

  wake(now: Instant): void {
    if (now >= this.#previousUntil) this.#forgetPrevious();
  }

  destroy(): void {
    this.#forgetPrevious();
    this.#next?.destroy();
    this.#read?.destroy();
    this.#write?.destroy();
    this.#read = this.#write = this.#next = undefined;
  }

  #advance(): void {
    const read = this.#read!;
    this.#previous?.destroy();
    this.#previous = read.current;
    read.current = this.#next!;
    this.#next = read.following();
    const write = this.#write;
    if (write !== undefined) {
      write.current.destroy();
      write.current = write.following();
    }
    this.generation++;
    this.sealed = 0;
    this.#isAcknowledged = false;
    this.#firstReceived = Number.POSITIVE_INFINITY;
    this.#previousUntil = Number.POSITIVE_INFINITY;
  }

  #forgetPrevious(): void {
    this.#previous?.destroy();
    this.#previous = undefined;
    this.#previousUntil = Number.POSITIVE_INFINITY;
  }
}
