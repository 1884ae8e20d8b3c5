import type { Ecn, Instant } from "../../contract/index.js";
import { linkQueueBytes } from "./limits.js";
import type { Node } from "./node.js";
import { type Packet, tooBig, wireSize } from "./packet.js";
import type { Random, Ratio } from "./random.js";
import type { Recorder } from "./recorder.js";
import type { Timeline } from "./timeline.js";

export interface LinkOptions {
  /** One way, in milliseconds. Default 10. */
  readonly delayMs?: number;
  /** Up to so many milliseconds more, drawn for each packet; order is kept. Default 0. */
  readonly jitterMs?: number;
  /** Default: no limit, and then no queue. */
  readonly bitsPerSecond?: number;
  /** Bytes that wait for a link with a rate; what comes beyond is dropped. Default 256 KiB. */
  readonly queueBytes?: number;
  /** Bytes waiting from which ECN-capable packets are marked CE (RFC 3168). Default: never. */
  readonly ecnMarkBytes?: number;
  /** Bytes of the largest IP packet. Default 1500. Larger datagrams are dropped and told of, segments always fit. */
  readonly mtu?: number;
  /** Too large datagrams vanish untold: a path MTU black hole. */
  readonly isBlackHole?: boolean;
  readonly loss?: Ratio;
  readonly duplication?: Ratio;
  /** Such packets come `reorderMs` (default 3/2 of the delay) later than they would, and others overtake them. */
  readonly reordering?: Ratio;
  readonly reorderMs?: number;
  /** One bit of a datagram is flipped. Segments are protected by their checksum: to them it is loss. */
  readonly corruption?: Ratio;
}

/** What a scripted link does to one packet: undefined leaves it to chance. */
export type Fate = "drop" | "deliver" | "duplicate" | "corrupt" | { readonly delayMs: number } | undefined;

/** A wire between two nodes. Its options, and its script, may change at any time. */
export class Link {
  readonly name: string;
  readonly counters = {
    sent: 0,
    delivered: 0,
    lost: 0,
    overflowed: 0,
    tooBig: 0,
    corrupted: 0,
    duplicated: 0,
    marked: 0,
  };
  readonly #ends: readonly [LinkEnd, LinkEnd];
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #recorder: Recorder;
  readonly #lanes: readonly [Lane, Lane] = [
    { busyUntil: 0, lastArrival: 0 },
    { busyUntil: 0, lastArrival: 0 },
  ];
  #options: LinkOptions;
  #isDown = false;
  #script: ((packet: Packet, from: Node) => Fate) | undefined;

  /** Plugs itself in at both nodes. */
  constructor(
    one: Omit<LinkEnd, "link">,
    other: Omit<LinkEnd, "link">,
    options: LinkOptions,
    timeline: Timeline,
    random: Random,
    recorder: Recorder,
  ) {
    this.name = `${one.node.name}–${other.node.name}`;
    this.#ends = [
      { ...one, link: this },
      { ...other, link: this },
    ];
    for (const end of this.#ends) end.node.ends.push(end);
    this.#options = options;
    this.#timeline = timeline;
    this.#random = random;
    this.#recorder = recorder;
  }

  set(options: LinkOptions): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Nothing passes, and nobody is told. */
  down(): void {
    this.#isDown = true;
  }

  up(): void {
    this.#isDown = false;
  }

  /** Asked for each packet; undefined takes the script away. */
  script(decide: ((packet: Packet, from: Node) => Fate) | undefined): void {
    this.#script = decide;
  }

  far(end: LinkEnd): LinkEnd {
    return end === this.#ends[0] ? this.#ends[1] : this.#ends[0];
  }

  carry(packet: Packet, end: LinkEnd): void {
    const { counters } = this;
    counters.sent++;
    const { mtu = 1500, isBlackHole = false } = this.#options;
    const size = wireSize(packet);
    const fate = this.#script?.(packet, end.node);
    if (packet.protocol === "udp" && size > mtu) {
      counters.tooBig++;
      this.#recorder.record(packet, this.name, "too big");
      if (!isBlackHole) packet.bounce(tooBig(packet.to, mtu), packet);
      return;
    }
    const lane = this.#lanes[end === this.#ends[0] ? 0 : 1];
    const now = this.#timeline.now();
    const { bitsPerSecond = Number.POSITIVE_INFINITY, queueBytes = linkQueueBytes } = this.#options;
    const hasQueue = Number.isFinite(bitsPerSecond);
    const waiting = hasQueue ? (Math.max(0, lane.busyUntil - now) * bitsPerSecond) / 8000 : 0;
    if (hasQueue && waiting + size > queueBytes) {
      counters.overflowed++;
      this.#recorder.record(packet, this.name, "queue overflowed");
      return;
    }
    lane.busyUntil = Math.max(now, lane.busyUntil) + (size * 8000) / bitsPerSecond;
    if (this.#isDown || fate === "drop" || (fate === undefined && this.#random.chance(this.#options.loss))) {
      counters.lost++;
      this.#recorder.record(packet, this.name, "lost");
      return;
    }
    const marks = waiting >= (this.#options.ecnMarkBytes ?? Number.POSITIVE_INFINITY) && packet.ecn !== 0;
    if (marks) counters.marked++;
    const marked = marks ? { ...packet, ecn: 3 as Ecn } : packet;
    const isCorrupt = fate === "corrupt" || (fate === undefined && this.#random.chance(this.#options.corruption));
    if (isCorrupt) counters.corrupted++;
    if (isCorrupt && packet.protocol === "tcp") {
      this.#recorder.record(packet, this.name, "corrupted, so lost");
      return;
    }
    const whole = isCorrupt ? this.#flip(marked) : marked;
    const arrival = this.#deliver(whole, end, lane, fate);
    this.#recorder.record(whole, this.name, isCorrupt ? "corrupted" : marks ? "marked" : undefined, arrival);
    if (fate === "duplicate" || (fate === undefined && this.#random.chance(this.#options.duplication))) {
      counters.duplicated++;
      this.#recorder.record(whole, this.name, "duplicated", this.#deliver(whole, end, lane, undefined));
    }
  }

  /** Answers when it arrives. */
  #deliver(packet: Packet, end: LinkEnd, lane: Lane, fate: Fate): Instant {
    const { delayMs = 10, jitterMs = 0, reordering } = this.#options;
    let arrival = Math.max(this.#timeline.now(), lane.busyUntil) + delayMs;
    if (jitterMs > 0) arrival += this.#random.below(jitterMs + 1);
    if (typeof fate === "object") arrival += fate.delayMs;
    else if (fate === undefined && this.#random.chance(reordering)) arrival += this.#options.reorderMs ?? delayMs * 1.5;
    else {
      arrival = Math.max(arrival, lane.lastArrival);
      lane.lastArrival = arrival;
    }
    const { node } = this.far(end);
    this.#timeline.at(arrival, () => {
      this.counters.delivered++;
      // Receivers work in place: each copy is its own.
      node.receive({ ...packet, bytes: packet.bytes.slice(), hops: packet.hops + 1 }, this.far(end));
    });
    return arrival;
  }

  #flip(packet: Packet): Packet {
    if (packet.bytes.length === 0) return packet;
    const bytes = packet.bytes.slice();
    const bit = this.#random.below(bytes.length * 8);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    return { ...packet, bytes };
  }
}

/** Where a link is plugged in. */
export interface LinkEnd {
  readonly node: Node;
  /** The interface's name; at a NAT "inside" or "outside". */
  readonly on: string;
  readonly link: Link;
}

interface Lane {
  busyUntil: number;
  lastArrival: number;
}
