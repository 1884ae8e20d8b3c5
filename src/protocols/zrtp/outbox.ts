import type { SocketAddress, Transmit } from "../../contract/index.js";
import { queuedMessagesMax } from "./limits.js";
import { putPacket } from "./messages/packet.js";

/** Messages on their way out, each of which becomes a packet of its own (RFC 6189 §5). */
export class Outbox {
  readonly #ssrc: number;
  readonly #queue: { readonly message: Uint8Array; readonly to: SocketAddress | undefined }[] = [];
  #sequence: number;

  constructor(ssrc: number, firstSequence: number) {
    this.#ssrc = ssrc;
    this.#sequence = firstSequence;
  }

  /** False if it is full: what matters comes again by its timer. */
  add(message: Uint8Array, to: SocketAddress | undefined): boolean {
    if (this.#queue.length >= queuedMessagesMax) return false;
    this.#queue.push({ message, to: to && { ...to } });
    return true;
  }

  transmit(into: Uint8Array): Transmit | undefined {
    const next = this.#queue.shift();
    if (next === undefined) return undefined;
    const { message, to } = next;
    const size = putPacket(into, this.#sequence, this.#ssrc, message);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    return to === undefined ? { size } : { size, to };
  }
}
