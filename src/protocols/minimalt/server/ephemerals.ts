import { toHex } from "../../../bytes/index.js";
import type { Entropy, Instant, SocketAddress } from "../../../contract/index.js";
import type { Boxes, KeyPair } from "../../../crypto/index.js";
import type { HostIdentity, Suite } from "../keys.js";
import { firstPacketMin, limits } from "../limits.js";
import { makeEphemeralCertificate, type ServiceRecord } from "../wire/record.js";

/** One S', and the keys C' that have begun a tunnel with it. */
export interface Generation {
  readonly pair: KeyPair;
  readonly spent: Set<string>;
  /** As the record says it; then it is wiped. */
  readonly notAfter: Instant;
}

/**
 * A server's ephemeral keys: the one that is told, and the one before as long as a record may still tell of it (§5.5, §7.4). With
 * its wiping what was said under it can be read by nobody any more.
 */
export class Ephemerals {
  readonly #boxes: Boxes;
  readonly #entropy: Entropy;
  readonly #lifetimeMs: number;
  #current: Generation;
  #previous: Generation | undefined;
  #renewAt: Instant;

  constructor(boxes: Boxes, entropy: Entropy, lifetimeMs: number, now: Instant) {
    this.#boxes = boxes;
    this.#entropy = entropy;
    this.#lifetimeMs = lifetimeMs;
    this.#current = this.#make(now);
    this.#renewAt = now + lifetimeMs;
  }

  get current(): Generation {
    return this.#current;
  }

  /** Those with which a tunnel may begin, the newest first. */
  get all(): readonly Generation[] {
    return this.#previous === undefined ? [this.#current] : [this.#current, this.#previous];
  }

  get deadline(): Instant {
    return this.#previous === undefined ? this.#renewAt : Math.min(this.#renewAt, this.#previous.notAfter);
  }

  /** Makes a new key if it is time to, and forgets the one before if that is; answers whether there is a new one. */
  expire(now: Instant): boolean {
    if (this.#previous !== undefined && now >= this.#previous.notAfter) this.#forget();
    const isFull = this.#current.spent.size >= limits.spentMax;
    if (now < this.#renewAt && !isFull) return false;
    this.#forget();
    this.#previous = this.#current;
    this.#current = this.#make(now);
    this.#renewAt = now + this.#lifetimeMs;
    return true;
  }

  isSpent(clientKey: Uint8Array): boolean {
    const name = toHex(clientKey);
    return this.#current.spent.has(name) || (this.#previous?.spent.has(name) ?? false);
  }

  /** False if it had been. Both remember it: it is not known of a key under which S' it will be said next. */
  spend(clientKey: Uint8Array): boolean {
    if (this.isSpent(clientKey)) return false;
    const name = toHex(clientKey);
    this.#current.spent.add(name);
    this.#previous?.spent.add(name);
    return true;
  }

  record(host: HostIdentity, certS: Uint8Array, suite: Suite, at: SocketAddress): ServiceRecord {
    const { pair, notAfter } = this.#current;
    const ecertS = makeEphemeralCertificate(host, {
      suite,
      at,
      firstPacketMin,
      ephemeralKey: pair.publicKey,
      notAfter,
      lifetimeMs: this.#lifetimeMs,
    });
    return { certS, ecertS };
  }

  wipe(): void {
    this.#forget();
    this.#current.pair.privateKey.wipe();
  }

  #make(now: Instant): Generation {
    const pair = this.#boxes.newKeyPair(this.#entropy);
    return { pair, spent: new Set(), notAfter: now + 2 * this.#lifetimeMs };
  }

  #forget(): void {
    this.#previous?.pair.privateKey.wipe();
    this.#previous = undefined;
  }
}
