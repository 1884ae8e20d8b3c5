import type { Instant } from "../../contract/index.js";

/** Gives inner packets where they are wanted, so that they are sealed in place. */
export interface PacketSource {
  /** Writes one packet at `at` in `into`, `mtu` bytes at the most, and answers its size; zero if there is none. */
  pull(into: Uint8Array, at: number, now: Instant): number;
}

/** Packets that were given one by one, before those that a source gives. */
export class Staged implements PacketSource {
  readonly #source: PacketSource | undefined;
  readonly #packets: Uint8Array[] = [];
  readonly #most: number;

  /** @param most packets that wait; more drive out the oldest */
  constructor(source: PacketSource | undefined, most: number) {
    this.#source = source;
    this.#most = most;
  }

  /** Keeps a packet until it is pulled. False if the oldest had to go for it. */
  push(packet: Uint8Array): boolean {
    this.#packets.push(packet);
    if (this.#packets.length <= this.#most) return true;
    this.#packets.shift();
    return false;
  }

  pull(into: Uint8Array, at: number, now: Instant): number {
    const packet = this.#packets.shift();
    if (packet === undefined) return this.#source?.pull(into, at, now) ?? 0;
    into.set(packet, at);
    return packet.length;
  }

  clear(): void {
    this.#packets.length = 0;
  }
}
