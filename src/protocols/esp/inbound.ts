import { ReplayWindow } from "../../mechanisms/replay-window.js";
import type { DropReason } from "./failure.js";
import { replayWindowSize } from "./limits.js";
import { headerSize, trailerSize, u32 } from "./packet.js";
import type { Opening } from "./protection.js";
import { wholeSequence } from "./sequence.js";

/** What was inside a packet: where it lies, without padding and trailer. */
export interface Payload {
  at: number;
  size: number;
  nextHeader: number;
  /** Was its number the greatest so far? Only then does its source say where the peer is. */
  isNewest: boolean;
}

/** The association that receives: keys and what has been seen. Only what is authentic moves the window. */
export class Inbound {
  readonly spi: number;
  readonly #protection: Opening;
  readonly #isExtended: boolean;
  readonly #window = new ReplayWindow(replayWindowSize);
  packets = 0;
  /** Of inner packets. */
  bytes = 0;

  constructor(spi: number, protection: Opening, isExtended: boolean) {
    this.spi = spi;
    this.#protection = protection;
    this.#isExtended = isExtended;
  }

  /** Opens the packet of `size` bytes at `at` in place, and sets `payload`; or says why not. */
  open(bytes: Uint8Array, at: number, size: number, payload: Payload): DropReason | undefined {
    const { head, tail } = this.#protection;
    const sealed = size - head - tail;
    if (sealed < trailerSize) return "malformed";
    const window = this.#window;
    const low = u32(bytes, at + headerSize - 4);
    const sequence = this.#isExtended ? wholeSequence(low, window.greatest, window.size) : low;
    // The first is 1 (RFC 4303 §3.3.3); and what the window knows is not worth the work (§3.4.3).
    if (sequence < 1 || !window.mayAccept(sequence)) return "replayed";
    if (!this.#protection.open(bytes, at, sealed, sequence)) return "bad-tag";
    payload.isNewest = sequence > window.greatest;
    window.accept(sequence);
    const start = at + head;
    const padding = bytes[start + sealed - trailerSize]!;
    payload.at = start;
    payload.size = sealed - trailerSize - padding;
    payload.nextHeader = bytes[start + sealed - 1]!;
    if (payload.size < 0) return "bad-padding";
    // §2.4: who receives should look at it. It is authentic, so this tells nobody anything.
    const first = start + payload.size - 1;
    for (let i = 1; i <= padding; i++) if (bytes[first + i] !== i) return "bad-padding";
    this.packets++;
    this.bytes += payload.size;
    return undefined;
  }

  destroy(): void {
    this.#protection.destroy();
  }
}
