import { type Entropy, type Instant, Secret } from "../../../contract/index.js";
import { type Boxes, compressedNonce, keySize, longNonce } from "../keys.js";
import { limits, minuteKeyMs } from "../limits.js";
import { cookieSize } from "../messages/packets.js";

const nonceSize = 16;
const prefix = "minute-k";

interface MinuteKey {
  readonly key: Secret;
  /** Short-term keys C' whose connections have been under it: their cookies are worth nothing any more. */
  readonly spent: Set<string>;
}

/**
 * The secret keys that cookies are made with: the server's memory of all clients that it has not taken yet. Each serves for a
 * minute and is kept for one more; while nobody comes there is none, and nothing to wake up for.
 */
export class MinuteKeys {
  readonly #boxes: Boxes;
  readonly #entropy: Entropy;
  #current: MinuteKey | undefined;
  #previous: MinuteKey | undefined;
  #replaceAt: Instant | undefined;

  constructor(boxes: Boxes, entropy: Entropy) {
    this.#boxes = boxes;
    this.#entropy = entropy;
  }

  /** A cookie: a nonce, and a box of C' and s' that only these keys open. */
  seal(clientKey: Uint8Array, privateKey: Secret, now: Instant): Uint8Array {
    const { key } = this.#now(now);
    const nonce = compressedNonce(this.#entropy);
    const plain = new Uint8Array(2 * keySize);
    plain.set(clientKey);
    plain.set(privateKey.expose(), keySize);
    const cookie = new Uint8Array(cookieSize);
    cookie.set(nonce);
    cookie.set(this.#boxes.seal(key, longNonce(prefix, nonce), plain), nonceSize);
    plain.fill(0);
    return cookie;
  }

  /** C' and s' out of a cookie, 64 bytes that the caller wipes; undefined if neither key made it. */
  open(bytes: Uint8Array, at: number, now: Instant): Uint8Array | undefined {
    this.expire(now);
    const nonce = longNonce(prefix, bytes.subarray(at, at + nonceSize));
    for (const minute of [this.#current, this.#previous]) {
      if (minute === undefined) continue;
      const plain = this.#boxes.open(minute.key, nonce, bytes, at + nonceSize, cookieSize - nonceSize);
      if (plain !== undefined) return plain;
    }
    return undefined;
  }

  /** A connection has been under this short-term key: its cookie would begin it again, and its counters with it. */
  spend(name: string, now: Instant): void {
    this.expire(now);
    // With no key there is no cookie that could come back.
    if (this.#current === undefined && this.#previous === undefined) return;
    if (this.#now(now).spent.size >= limits.spentMax) this.#retire();
    this.#now(now).spent.add(name);
  }

  isSpent(name: string): boolean {
    return (this.#current?.spent.has(name) ?? false) || (this.#previous?.spent.has(name) ?? false);
  }

  get deadline(): Instant | undefined {
    return this.#replaceAt;
  }

  /** Replaces keys whose minute is over. The next is made when it is needed. */
  expire(now: Instant): void {
    while (this.#replaceAt !== undefined && this.#replaceAt <= now) {
      const at = this.#replaceAt;
      this.#retire();
      this.#replaceAt = this.#previous === undefined ? undefined : at + minuteKeyMs;
    }
  }

  wipe(): void {
    this.#retire();
    this.#retire();
    this.#replaceAt = undefined;
  }

  #retire(): void {
    this.#previous?.key.wipe();
    this.#previous = this.#current;
    this.#current = undefined;
  }

  /** The key of this minute, made when it is first needed; the minutes go on as they began. */
  #now(now: Instant): MinuteKey {
    this.expire(now);
    this.#current ??= { key: new Secret(this.#entropy.fill(new Uint8Array(keySize))), spent: new Set() };
    this.#replaceAt ??= now + minuteKeyMs;
    return this.#current;
  }
}
