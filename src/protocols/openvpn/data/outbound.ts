import type { Instant, SocketAddress, Transmit } from "../../../contract/index.js";
import type { PacketSource } from "../../../mechanisms/packets/staged.js";
import { batchPacketsMax, batchSizeMax } from "../limits.js";
import type { Framing, Span } from "./framing.js";
import type { DataKeys } from "./keys.js";

/** Seals a payload that lies at `at + keys.head + framing.head`. Answers the packet's size. */
export function sealAt(
  keys: DataKeys,
  framing: Framing,
  bytes: Uint8Array,
  at: number,
  size: number,
  span: Span,
): number {
  span.at = at + keys.head + framing.head;
  span.size = size;
  framing.wrap(bytes, span);
  return keys.seal(bytes, at, span.size);
}

/** Seals packets of one size side by side, for as long as a source gives such; the first of another size waits for the next. */
export class Batch {
  readonly #mtu: number;
  readonly #span: Span = { at: 0, size: 0 };
  readonly #out: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  /** One packet in a batch, for ports that carry a stream. */
  readonly #packetsMax: number;
  #carry: Uint8Array | undefined;
  #carrySize = 0;

  constructor(mtu: number, packetsMax = batchPacketsMax) {
    this.#mtu = mtu;
    this.#packetsMax = packetsMax;
  }

  clear(): void {
    this.#carrySize = 0;
  }

  /** Pulls, seals and tells `sealed` the bytes of each inner packet. */
  transmit(
    source: PacketSource,
    keys: DataKeys,
    framing: Framing,
    into: Uint8Array,
    to: SocketAddress | undefined,
    now: Instant,
    sealed: (bytes: number) => void,
  ): Transmit | undefined {
    let at = 0;
    let segment = 0;
    if (this.#carrySize > 0) {
      into.set(this.#carry!.subarray(0, this.#carrySize));
      at = segment = this.#carrySize;
      this.#carrySize = 0;
    }
    const head = keys.head + framing.head;
    const room = head + this.#mtu + framing.tail + keys.tail;
    const most = Math.min(into.length, batchSizeMax) - room;
    for (let count = at > 0 ? 1 : 0; count < this.#packetsMax && at <= most; count++) {
      const size = source.pull(into, at + head, now);
      if (size === 0) break;
      const whole = sealAt(keys, framing, into, at, size, this.#span);
      sealed(size);
      if (segment === 0) segment = whole;
      else if (whole > segment) {
        if (this.#carry === undefined || this.#carry.length < room) this.#carry = new Uint8Array(room);
        this.#carry.set(into.subarray(at, at + whole));
        this.#carrySize = whole;
        break;
      }
      at += whole;
      if (whole < segment) break;
    }
    if (at === 0) return undefined;
    const out = this.#out;
    out.size = at;
    out.segmentSize = segment;
    if (to === undefined) delete out.to;
    else out.to = to;
    return out;
  }
}
