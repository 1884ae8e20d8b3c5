import type { Instant, SocketAddress, Transmit } from "../../contract/index.js";
import { innerLength } from "../../mechanisms/ip-packet.js";
import { Staged } from "../../mechanisms/packets/staged.js";
import { keepaliveByte } from "./encapsulation.js";
import { batchPacketsMax, batchSizeMax, mtuDefault, stagedPacketsMax } from "./limits.js";
import { NextHeader } from "./packet.js";
import type { Pair } from "./pair.js";
import type { Shared } from "./shared.js";
import { carriedAt, carriedProtocol } from "./transport.js";

/** The most of any suite: header and IV in front; padding, trailer and a whole tag behind. */
const headMax = 8 + 16;
const tailMax = 15 + 2 + 64;

/** Inner packets on their way out: pulled where they go, sealed there, batched side by side. */
export class Outgoing {
  readonly mtu: number;
  readonly #shared: Shared;
  readonly #source: Staged;
  readonly #out: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  /** A sealed packet that did not fit the last batch. */
  readonly #carry: Uint8Array;
  #carrySize = 0;
  #carryTo: SocketAddress | undefined;
  /** Where the last packet's payload began: where the next one's probably will. */
  #head = headMax;
  /** Bytes of the packet that was sealed last. */
  #sealed = 0;

  constructor(shared: Shared) {
    const { mtu = mtuDefault, source } = shared.config;
    this.mtu = mtu;
    this.#shared = shared;
    this.#source = new Staged(source, stagedPacketsMax);
    this.#carry = new Uint8Array(headMax + mtu + tailMax);
  }

  /** One inner packet from the application; it waits until it is transmitted. */
  packet(bytes: Uint8Array, now: Instant): void {
    if (innerLength(bytes, 0, bytes.length) !== bytes.length) this.#shared.drop("not-ip", now);
    else if (bytes.length > this.mtu) this.#shared.drop("too-large", now);
    else if (!this.#source.push(bytes)) this.#shared.drop("queue-full", now);
  }

  clear(): void {
    this.#source.clear();
    this.#carryTo = undefined;
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    return this.#keepalive(into) ?? this.#packets(into, now);
  }

  #keepalive(into: Uint8Array): Transmit | undefined {
    const pair = this.#shared.silent.shift();
    if (pair === undefined) return undefined;
    into[0] = keepaliveByte;
    return this.#transmitted(1, 1, pair.peer);
  }

  /** Seals packets to one peer and of one size side by side, for as long as there are such. */
  #packets(into: Uint8Array, now: Instant): Transmit | undefined {
    let at = 0;
    let segment = 0;
    let to: SocketAddress | undefined;
    if (this.#carryTo !== undefined) {
      into.set(this.#carry.subarray(0, this.#carrySize));
      at = segment = this.#carrySize;
      to = this.#carryTo;
      this.#carryTo = undefined;
    }
    const most = Math.min(into.length, batchSizeMax) - this.#carry.length;
    for (let count = at > 0 ? 1 : 0; count < batchPacketsMax && at <= most; count++) {
      const pair = this.#next(into, at, now);
      if (pair === undefined) break;
      const size = this.#sealed;
      if (segment === 0) {
        segment = size;
        to = pair.peer;
      } else if (size > segment || pair.peer !== to) {
        this.#carry.set(into.subarray(at, at + size));
        this.#carrySize = size;
        this.#carryTo = pair.peer;
        break;
      }
      at += size;
      if (size < segment) break;
    }
    return to === undefined ? undefined : this.#transmitted(at, segment, to);
  }

  /** Seals the next packet at `at`; answers its pair. What no pair is for is dropped on the way. */
  #next(into: Uint8Array, at: number, now: Instant): Pair | undefined {
    const { flows } = this.#shared;
    if (!flows.canSend()) return undefined;
    for (;;) {
      const start = at + this.#head;
      const size = this.#source.pull(into, start, now);
      if (size === 0) return undefined;
      const length = innerLength(into, start, size);
      const pair = length === 0 ? undefined : flows.route(into, start, length);
      if (pair === undefined) this.#shared.drop(length === 0 ? "not-ip" : "no-association", now);
      else if (this.#seal(pair, into, at, start, length, now)) return pair;
    }
  }

  #seal(pair: Pair, into: Uint8Array, at: number, start: number, length: number, now: Instant): boolean {
    const { outbound } = pair;
    const isTunnel = pair.ends === undefined;
    const from = isTunnel ? start : carriedAt(into, start);
    if (from === 0) {
      this.#shared.drop("fragment", now);
      return false;
    }
    const isV4 = into[start]! >> 4 === 4;
    const nextHeader = isTunnel ? (isV4 ? NextHeader.ipv4 : NextHeader.ipv6) : carriedProtocol(into, start);
    const end = start + length;
    if (from !== at + outbound.head) into.copyWithin(at + outbound.head, from, end);
    this.#head = outbound.head;
    this.#sealed = outbound.seal(into, at, end - from, nextHeader);
    pair.sentAt = now;
    this.#shared.wear(pair, now);
    return true;
  }

  #transmitted(size: number, segmentSize: number, to: SocketAddress): Transmit {
    const out = this.#out;
    out.size = size;
    out.segmentSize = segmentSize;
    out.to = to;
    return out;
  }
}
