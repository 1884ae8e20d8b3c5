import type { Instant, SocketAddress, Transmit } from "../../contract/index.js";
import { destinationAt, innerLength } from "../../mechanisms/ip-packet.js";
import { type PacketSource, Staged } from "../../mechanisms/packets/staged.js";
import { ForwardRing } from "./data/forward-ring.js";
import { framings, type Span } from "./data/framing.js";
import { sealAt } from "./data/outbound.js";
import { pingPayload } from "./data/payloads.js";
import type { DropReason } from "./failure.js";
import type { Guest } from "./guest.js";
import type { Guests } from "./guests.js";
import { batchPacketsMax, batchSizeMax, stagedPacketsMax } from "./limits.js";

/** Where P_DATA_V2 of an AEAD has its payload. */
const pullAt = 4 + 4 + 16;
/** Most bytes around a payload: P_DATA_V2 with SHA-512, an IV, packet ID, padding and framing. */
const aroundMax = 4 + 64 + 16 + 4 + 16 + 2;

/** A server's packets on their way to its clients: routed, sealed where they go, batched side by side for one client. */
export class GuestPackets {
  readonly #guests: Guests;
  readonly #staged: Staged;
  readonly #forwarded: ForwardRing;
  readonly #mtu: number;
  readonly #packetsMax: number;
  readonly #drop: (reason: DropReason) => void;
  /** After a packet: keys that are worn out are renewed. */
  readonly #sent: (guest: Guest, now: Instant) => void;
  readonly #span: Span = { at: 0, size: 0 };
  readonly #out: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  /** A sealed packet that did not fit the last batch. */
  readonly #carry: Uint8Array;
  #carrySize = 0;
  #carryTo: SocketAddress | undefined;
  /** Bytes of the packet that was sealed last. */
  #sealed = 0;

  constructor(
    guests: Guests,
    source: PacketSource | undefined,
    mtu: number,
    packetsMax: number | undefined,
    drop: (reason: DropReason) => void,
    sent: (guest: Guest, now: Instant) => void,
  ) {
    this.#guests = guests;
    this.#staged = new Staged(source, stagedPacketsMax);
    this.#forwarded = new ForwardRing(mtu);
    this.#mtu = mtu;
    this.#packetsMax = packetsMax ?? batchPacketsMax;
    this.#drop = drop;
    this.#sent = sent;
    this.#carry = new Uint8Array(mtu + aroundMax);
  }

  /** One packet from the application, held until it is transmitted. */
  push(packet: Uint8Array): void {
    if (packet.length > this.#mtu) this.#drop("too-big");
    else if (!this.#staged.push(packet)) this.#drop("queue-full");
  }

  /** A packet of one client's for another; it is copied. */
  forward(bytes: Uint8Array, at: number, size: number): void {
    if (size > this.#mtu) this.#drop("too-big");
    else if (!this.#forwarded.push(bytes, at, size)) this.#drop("queue-full");
  }

  /** A ping to a client. Answers its size; zero if it has no keys. */
  ping(guest: Guest, into: Uint8Array, now: Instant): number {
    const keys = guest.session.sendKeys(now);
    if (keys === undefined) return 0;
    const framing = framings[guest.framing];
    into.set(pingPayload, keys.head + framing.head);
    return sealAt(keys, framing, into, 0, pingPayload.length, this.#span);
  }

  /** Seals packets of one client and one size side by side, for as long as there are such. */
  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
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
    for (let count = at > 0 ? 1 : 0; count < this.#packetsMax && at <= most; count++) {
      const guest = this.#next(into, at, now);
      if (guest === undefined) break;
      const size = this.#sealed;
      if (segment === 0) {
        segment = size;
        to = guest.address;
      } else if (size > segment || guest.address !== to) {
        this.#carry.set(into.subarray(at, at + size));
        this.#carrySize = size;
        this.#carryTo = guest.address;
        break;
      }
      at += size;
      if (size < segment) break;
    }
    if (to === undefined) return undefined;
    const out = this.#out;
    out.size = at;
    out.segmentSize = segment;
    out.to = to;
    return out;
  }

  /** Seals the next packet that can go at `at`, and answers its client. Where its payload begins is the client's affair. */
  #next(into: Uint8Array, at: number, now: Instant): Guest | undefined {
    if (this.#guests.size === 0) return undefined;
    const start = at + pullAt;
    for (let size = this.#pull(into, start, now); size > 0; size = this.#pull(into, start, now)) {
      const length = innerLength(into, start, size);
      const guest = length === 0 ? undefined : this.#guests.routed(into, destinationAt(into, start), start);
      const keys = guest?.isUp ? guest.session.sendKeys(now) : undefined;
      if (guest === undefined || keys === undefined) {
        this.#drop(length === 0 ? "not-ip" : guest === undefined ? "no-route" : "no-keys");
        continue;
      }
      const framing = framings[guest.framing];
      const payload = at + keys.head + framing.head;
      if (payload !== start) into.copyWithin(payload, start, start + size);
      this.#sealed = sealAt(keys, framing, into, at, size, this.#span);
      guest.packetsSent++;
      guest.bytesSent += size;
      guest.sentAt = now;
      this.#sent(guest, now);
      return guest;
    }
    return undefined;
  }

  #pull(into: Uint8Array, at: number, now: Instant): number {
    return this.#forwarded.pull(into, at) || this.#staged.pull(into, at, now);
  }
}
