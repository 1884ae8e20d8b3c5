import type { Datagrams, Instant, SocketAddress } from "../../contract/index.js";
import { innerLength } from "../../mechanisms/ip-packet.js";
import { Inbound as Gathered } from "../../mechanisms/packets/inbound.js";
import { encapsulated } from "./encapsulation.js";
import type { Payload } from "./inbound.js";
import type { EspEvent } from "./interfaces.js";
import { batchPacketsMax, ikeMessagesMax, rebuiltSize } from "./limits.js";
import { headerSize, NextHeader, u32 } from "./packet.js";
import type { Pair } from "./pair.js";
import type { Shared } from "./shared.js";
import { ipHeaderSize, putIpHeader } from "./transport.js";

/** Datagrams that come in: packets are opened where they lie, checked against what their pair is for, and told together. */
export class Incoming {
  readonly #shared: Shared;
  readonly #gathered = new Gathered(batchPacketsMax);
  readonly #payload: Payload = { at: 0, size: 0, nextHeader: 0, isNewest: false };
  /** Packets of transport mode with the headers that they came without. */
  #rebuilt: Uint8Array | undefined;
  #rebuiltEnd = 0;
  #isRebuiltTold = true;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** What came of one peer or several, for this port. */
  datagrams({ bytes, from, to, segmentSize }: Datagrams, now: Instant): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    this.#startRebuilding();
    let ikeMessages = 0;
    for (let at = 0; at < bytes.length; at += step) {
      const size = Math.min(step, bytes.length - at);
      switch (encapsulated(bytes, at, size)) {
        case "esp":
          this.#packet(bytes, at, size, from, now);
          break;
        case "ike":
          if (++ikeMessages > ikeMessagesMax) this.#shared.drop("queue-full", now);
          else this.#shared.events.push({ kind: "ike", bytes: bytes.subarray(at, at + size), from, to });
          break;
        case "keepalive":
          break;
        case "malformed":
          this.#shared.drop("malformed", now);
          break;
      }
    }
  }

  /** The event has been taken. */
  taken(event: EspEvent | undefined): void {
    this.#gathered.taken(event);
    if (event?.kind === "packets" && event.bytes === this.#rebuilt) this.#isRebuiltTold = true;
  }

  #packet(bytes: Uint8Array, at: number, size: number, from: SocketAddress, now: Instant): void {
    const shared = this.#shared;
    if (size < headerSize) {
      shared.drop("malformed", now);
      return;
    }
    const pair = shared.flows.pair(u32(bytes, at));
    if (pair === undefined) {
      shared.drop("unknown-spi", now);
      return;
    }
    const payload = this.#payload;
    const refused = pair.inbound.open(bytes, at, size, payload);
    if (refused !== undefined) {
      shared.drop(refused, now);
      return;
    }
    this.#heard(pair, from, now);
    if (payload.nextHeader === NextHeader.none) shared.drop("dummy", now);
    else if (pair.ends === undefined) this.#tunnelled(pair, bytes, now);
    else this.#carried(pair, pair.ends.remote, pair.ends.local, bytes, now);
    if (pair.lingersUntil === undefined) shared.wear(pair, now);
  }

  /** What every authentic packet says beside its payload: the peer has these keys, and this is where it is. */
  #heard(pair: Pair, from: SocketAddress, now: Instant): void {
    const { events } = this.#shared;
    pair.receivedAt = now;
    if (pair.isPending) {
      this.#shared.begin(pair, now);
      events.push({ kind: "began", spiIn: pair.spiIn });
    }
    const before = pair.heardFrom;
    if (!this.#payload.isNewest || (before.port === from.port && before.address === from.address)) return;
    pair.heardFrom = { ...from };
    if (pair.follows) pair.peer = pair.heardFrom;
    events.push({ kind: "moved", spiIn: pair.spiIn, from: before, to: pair.heardFrom });
    this.#shared.trace("moved", { spi: pair.spiIn, from: before, to: pair.heardFrom, follows: pair.follows }, now);
  }

  /** Tunnel mode: a whole packet, and behind it perhaps padding that hides its size (RFC 4303 §2.7). */
  #tunnelled(pair: Pair, bytes: Uint8Array, now: Instant): void {
    const { at, size, nextHeader } = this.#payload;
    const version = nextHeader === NextHeader.ipv4 ? 4 : nextHeader === NextHeader.ipv6 ? 6 : 0;
    const length = version !== 0 && bytes[at]! >> 4 === version ? innerLength(bytes, at, size) : 0;
    if (length === 0) this.#shared.drop("not-ip", now);
    else this.#deliver(pair, bytes, at, length, now);
  }

  /** Transport mode: what came gets its header back. */
  #carried(pair: Pair, source: Uint8Array, destination: Uint8Array, bytes: Uint8Array, now: Instant): void {
    const { at, size, nextHeader } = this.#payload;
    const header = ipHeaderSize(source.length);
    this.#rebuilt ??= new Uint8Array(rebuiltSize);
    const into = this.#rebuilt;
    const start = this.#rebuiltEnd;
    if (start + header + size > into.length || header + size > 65_535) {
      this.#shared.drop("queue-full", now);
      return;
    }
    into.set(bytes.subarray(at, at + size), start + header);
    putIpHeader(into, start, size, nextHeader, source, destination, pair.isEncapsulated);
    this.#rebuiltEnd = (start + header + size + 3) & ~3;
    this.#isRebuiltTold = false;
    this.#deliver(pair, into, start, header + size, now);
  }

  #deliver(pair: Pair, bytes: Uint8Array, at: number, length: number, now: Instant): void {
    if (!pair.selectors.inbound(bytes, at, length)) {
      this.#shared.drop("selector-mismatch", now);
      return;
    }
    const event = this.#gathered.add(bytes, at, length);
    if (event !== undefined) this.#shared.events.push(event);
  }

  /** Memory that an event still tells of is left to it. */
  #startRebuilding(): void {
    if (!this.#isRebuiltTold) this.#rebuilt = undefined;
    this.#isRebuiltTold = true;
    this.#rebuiltEnd = 0;
  }
}
