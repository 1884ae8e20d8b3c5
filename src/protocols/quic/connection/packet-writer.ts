import type { Instant } from "../../../contract/index.js";
import { Sent } from "../../../mechanisms/recovery/index.js";
import { packetNumberSize } from "../protection/packet-number.js";
import { type Protection, protectHeader, tagSize, writePacketNumber } from "../protection/protection.js";
import { PacketType } from "../protection/versions.js";
import { longHeaderSize, patchLength, putLongHeader } from "../wire/header.js";
import type { Core } from "./core.js";
import type { Space } from "./space.js";

/** How many packets may be left out at most between two that skip a number: optimistic ACKs are found out (§21.4). */
const skipEvery = 1_024;
const none = new Uint8Array(0);

/**
 * Writes one packet at a time: header, then whatever the caller puts between `at` and `end`, then the seal. What the packet
 * holds is noted with recovery as it is written.
 */
export class PacketWriter {
  /** Where the next frame goes, and where frames must end. */
  at = 0;
  end = 0;
  isAckEliciting = false;
  /** Padded packets are in flight, though nobody acknowledges them (RFC 9002 §2). */
  isPadded = false;
  into: Uint8Array = none;
  #core: Core;
  #space!: Space;
  #type: PacketType = PacketType.oneRtt;
  #start = 0;
  #numberAt = 0;
  #numberSize = 2;
  #payload = 0;
  #number = 0;
  #skipAt: number;
  #keys: Protection | undefined;

  constructor(core: Core) {
    this.#core = core;
    this.#skipAt = this.#nextSkip(0);
  }

  /** Begins a packet at `at` that ends at `limit` at the latest. False: there is no room for anything in it. */
  begin(into: Uint8Array, at: number, limit: number, space: Space, type: PacketType, dcid: Uint8Array): boolean {
    const core = this.#core;
    this.into = into;
    this.#space = space;
    this.#type = type;
    this.#start = at;
    this.#number = space.next;
    this.#numberSize = packetNumberSize(space.next, core.recovery.largestAcked(space.id));
    this.isAckEliciting = this.isPadded = false;
    const { version } = core;
    if (type === PacketType.oneRtt) {
      this.#keys = undefined;
      if (at + 1 + dcid.length + 4 + tagSize + 4 > limit) return false;
      into[at] = this.#fixedBit | (core.oneRtt.phase << 2) | (this.#numberSize - 1);
      into.set(dcid, at + 1);
      this.#numberAt = at + 1 + dcid.length;
    } else {
      this.#keys = space.write;
      const level = type as 0 | 1 | 2;
      const token = type === PacketType.initial ? core.token : none;
      const own = core.beginning.ownCid;
      if (at + longHeaderSize(level, dcid, own, token) + 4 + tagSize + 4 > limit) return false;
      // RFC 9369 §4.1: 0-RTT packets keep the version with which they began.
      const written = type === PacketType.zeroRtt ? core.originalVersion : version;
      this.#numberAt = putLongHeader(
        into,
        at,
        written,
        level,
        dcid,
        own,
        token,
        this.#numberSize,
        this.#fixedBit !== 0,
      );
    }
    this.#payload = this.at = this.#numberAt + this.#numberSize;
    this.end = limit - tagSize;
    return true;
  }

  get isEmpty(): boolean {
    return this.at === this.#payload;
  }

  /** Nothing was to be said after all. */
  abandon(): void {
    this.#core.recovery.abandonHeld();
  }

  /** PADDING up to here. */
  pad(to: number): void {
    const until = Math.min(to, this.end);
    if (until <= this.at) return;
    this.into.fill(0, this.at, until);
    this.at = until;
    this.isPadded = true;
  }

  /** Seals the packet and answers where it ends. */
  seal(now: Instant, moreFlags: number): number {
    const core = this.#core;
    const { into } = this;
    // RFC 9001 §5.4.2: enough behind the packet number for the sample.
    const least = this.#numberAt + 4;
    while (this.at < least) into[this.at++] = 0;
    const { at } = this;
    const end = at + tagSize;
    writePacketNumber(into, this.#numberAt, this.#numberSize, this.#number);
    core.tracer?.sent(this.#type, this.#number, into, this.#payload, at, end - this.#start, now);
    if (this.#type === PacketType.oneRtt) {
      core.oneRtt.seal(into, this.#start, this.#payload, at, this.#number);
      protectHeader(core.oneRtt.writeHeader!, into, this.#start, this.#numberAt, this.#numberSize);
    } else {
      patchLength(into, this.#numberAt, end);
      this.#keys!.packet.seal(into, this.#start, this.#payload, at, this.#number);
      protectHeader(this.#keys!.header, into, this.#start, this.#numberAt, this.#numberSize);
    }
    const eliciting = this.isAckEliciting ? Sent.ackEliciting | Sent.inFlight : 0;
    const flags = eliciting | (this.isPadded ? Sent.inFlight : 0) | moreFlags;
    core.recovery.sent(this.#space.id, this.#number, end - this.#start, flags, now);
    if (this.isAckEliciting) core.idle.sent(now);
    if ((moreFlags & Sent.ect0) !== 0) core.ecn.sent();
    core.packetsSent++;
    this.#count();
    return end;
  }

  #count(): void {
    const space = this.#space;
    space.next = this.#number + 1;
    if (this.#type === PacketType.oneRtt && space.next >= this.#skipAt) {
      this.#skipAt = this.#nextSkip(space.next);
      space.next++;
    }
  }

  #nextSkip(from: number): number {
    const random = this.#core.ground.entropy.fill(new Uint8Array(2));
    return from + 16 + (((random[0]! << 8) | random[1]!) % skipEvery);
  }

  /** RFC 9287 §3.1: cleared at random, for a peer that lets us. */
  get #fixedBit(): 0 | 0x40 {
    const core = this.#core;
    if (core.peer?.greaseQuicBit !== true || !core.ground.settings.grease) return 0x40;
    return (this.#number * 0x9e37_79b1) & 0x8000 ? 0x40 : 0;
  }
}
