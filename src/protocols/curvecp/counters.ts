import { ReplayWindow } from "../../mechanisms/replay-window.js";
import { limits } from "./limits.js";
import { readU32 } from "./messages/packets.js";

/** Where the first counter stands in the window: those that it overtook still fit before it. */
const firstAt = 2 * limits.replayWindowBits;

/**
 * Which of the peer's counters have been seen. A window rather than the reference's "only larger": a network that reorders
 * would cost a packet each time, and a packet that comes twice is no more welcome.
 *
 * Counters have 64 bits, and peers begin anywhere (the reference server's second connection does, beyond what a number
 * holds), so they are told by their distance from the first.
 */
export class Counters {
  readonly #window = new ReplayWindow(limits.replayWindowBits);
  #isBegun = false;
  #high = 0;
  #low = 0;

  /** How far the newest is from the first; -1 if there is none. */
  get greatest(): number {
    return this.#window.greatest;
  }

  /** Is the counter at `at` new, as far as is remembered? */
  mayAccept(bytes: Uint8Array, at: number): boolean {
    const place = this.#place(bytes, at);
    return place >= 0 && place <= Number.MAX_SAFE_INTEGER && this.#window.mayAccept(place);
  }

  /** Marks the counter of an authentic packet, which `mayAccept` has let through. */
  accept(bytes: Uint8Array, at: number): void {
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.#low = readU32(bytes, at);
      this.#high = readU32(bytes, at + 4);
    }
    this.#window.accept(this.#place(bytes, at));
  }

  #place(bytes: Uint8Array, at: number): number {
    if (!this.#isBegun) return firstAt;
    const high = readU32(bytes, at + 4) - this.#high;
    return firstAt + high * 0x1_0000_0000 + (readU32(bytes, at) - this.#low);
  }
}
