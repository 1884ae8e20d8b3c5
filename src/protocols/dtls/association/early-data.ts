import { copyOf } from "../../../bytes/index.js";
import { limits } from "../limits.js";
import { contentType } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";

/** Messages before the handshake is over: a client's 0-RTT data on their way out, and what came too early to be believed. */
export class EarlyData {
  /** A server that has accepted them reads 0-RTT data. */
  isAccepted = false;
  readonly #outgoing: Uint8Array[] = [];
  readonly #waiting: Uint8Array[] = [];
  #left = 0;

  /** It waits for keys, which may wait for the look-up of a ticket. False if there is no room. */
  send(bytes: Uint8Array): boolean {
    if (this.#outgoing.length >= limits.recordsHeldMax) return false;
    this.#outgoing.push(copyOf(bytes));
    return true;
  }

  /** A ticket allows so many bytes. */
  allow(bytes: number): void {
    this.#left = bytes;
  }

  get isPending(): boolean {
    return this.#outgoing.length > 0;
  }

  /** Seals the next message; zero if it is too long, and dropped. */
  fill(into: Uint8Array, sealer: RecordSealer, mtu: number): number {
    const bytes = this.#outgoing.shift()!;
    if (bytes.length > Math.min(mtu - sealer.headroom - sealer.tailroom, this.#left)) return 0;
    this.#left -= bytes.length;
    into.set(bytes, sealer.headroom);
    return sealer.seal(into, 0, bytes.length, contentType.applicationData);
  }

  /** What has not gone does not go any more. Answers how many messages that were. */
  end(): number {
    return this.#outgoing.splice(0).length;
  }

  /** Application data that came before the peer's proof. False if there is no room. */
  hold(bytes: Uint8Array): boolean {
    if (this.#waiting.length >= limits.recordsHeldMax) return false;
    this.#waiting.push(bytes);
    return true;
  }

  /** They are believed now. */
  release(): readonly Uint8Array[] {
    return this.#waiting.splice(0);
  }
}
