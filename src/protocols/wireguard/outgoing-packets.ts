import type { Instant, SocketAddress, Transmit } from "../../contract/index.js";
import { destinationAt, innerLength } from "../../mechanisms/ip-packet.js";
import type { Endpoint } from "./endpoint.js";
import type { Handshakes } from "./handshakes.js";
import type { PacketSource } from "./interfaces.js";
import { batchPacketsMax, batchSizeMax } from "./limits.js";
import { transportLayout } from "./messages/layout.js";
import { keepaliveOnly, type Peer } from "./peer.js";

/** Inner packets on their way out: staged until there is a session, sealed where they go, batched side by side. */
export class OutgoingPackets {
  readonly #endpoint: Endpoint;
  readonly #handshakes: Handshakes;
  readonly #source: PacketSource | undefined;
  readonly #mtu: number;
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  /** A sealed message that did not fit the last batch. */
  readonly #carry: Uint8Array;
  #carrySize = 0;
  #carryTo: SocketAddress | undefined;
  /** Bytes of the message that was sealed last. */
  #sealed = 0;

  constructor(endpoint: Endpoint, handshakes: Handshakes, source: PacketSource | undefined, mtu: number) {
    this.#endpoint = endpoint;
    this.#handshakes = handshakes;
    this.#source = source;
    this.#mtu = mtu;
    this.#carry = new Uint8Array(mtu + 15 + transportLayout.overhead);
  }

  /** One inner packet from the application; it may be held. */
  packet(bytes: Uint8Array, now: Instant): void {
    const length = innerLength(bytes, 0, bytes.length);
    const peer = length === 0 ? undefined : this.#endpoint.peers.route(bytes, 0, destinationAt(bytes, 0));
    if (length === 0) this.#endpoint.drop("not-ip");
    else if (peer === undefined) this.#endpoint.drop("no-route");
    else this.#stage(peer, bytes, now);
  }

  /** A packet without content, if nothing else waits to be sent. */
  keepalive(peer: Peer, now: Instant): void {
    if (peer.staged.length === 0) this.#stage(peer, keepaliveOnly, now);
  }

  /** Seals packets of one peer and one size side by side, for as long as there are such. */
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
    const room = this.#carry.length;
    const most = Math.min(into.length, batchSizeMax) - room;
    for (let count = at > 0 ? 1 : 0; count < batchPacketsMax && at <= most; count++) {
      const peer = this.#nextPacket(into, at, now);
      if (peer === undefined) break;
      const size = this.#sealed;
      const endpoint = peer.endpoint!;
      if (segment === 0) {
        segment = size;
        to = endpoint;
      } else if (size > segment || endpoint !== to) {
        this.#carry.set(into.subarray(at, at + size));
        this.#carrySize = size;
        this.#carryTo = endpoint;
        break;
      }
      at += size;
      if (size < segment) break;
    }
    if (to === undefined) return undefined;
    const out = this.#transmitted;
    out.size = at;
    out.segmentSize = segment;
    out.to = to;
    return out;
  }

  #stage(peer: Peer, packet: Uint8Array, now: Instant): void {
    if (!peer.stage(packet)) this.#endpoint.drop("queue-full");
    if (peer.current?.usable(now)) this.#endpoint.ready.add(peer);
    else {
      if (peer.initiation === undefined) peer.renewAttempts(now);
      this.#handshakes.initiate(peer, now);
    }
  }

  /** Seals the next packet at `at`; answers its peer. Packets that cannot go now are staged or dropped on the way. */
  #nextPacket(into: Uint8Array, at: number, now: Instant): Peer | undefined {
    for (const peer of this.#endpoint.ready) {
      const packet = peer.current?.usable(now) ? peer.staged.shift() : undefined;
      if (packet === undefined || peer.endpoint === undefined) {
        this.#endpoint.ready.delete(peer);
        continue;
      }
      if (peer.staged.length === 0) this.#endpoint.ready.delete(peer);
      if (packet.length > this.#mtu) {
        this.#endpoint.drop("malformed");
        continue;
      }
      into.set(packet, at + transportLayout.packet);
      this.#seal(peer, into, at, packet.length, now);
      return peer;
    }
    const source = this.#source;
    if (source === undefined) return undefined;
    const start = at + transportLayout.packet;
    for (let size = source.pull(into, start, now); size > 0; size = source.pull(into, start, now)) {
      const length = innerLength(into, start, size);
      const peer = length === 0 ? undefined : this.#endpoint.peers.route(into, start, destinationAt(into, start));
      if (peer === undefined) this.#endpoint.drop(length === 0 ? "not-ip" : "no-route");
      else if (peer.endpoint !== undefined && peer.current?.usable(now)) {
        this.#seal(peer, into, at, size, now);
        return peer;
      } else this.#stage(peer, into.slice(start, start + size), now);
    }
    return undefined;
  }

  #seal(peer: Peer, into: Uint8Array, at: number, size: number, now: Instant): void {
    const session = peer.current!;
    // §5.4.6: padded to a multiple of 16, but never beyond the MTU.
    const padded = Math.max(size, Math.min((size + 15) & ~15, this.#mtu));
    const packet = at + transportLayout.packet;
    into.fill(0, packet + size, packet + padded);
    this.#sealed = session.seal(into, at, padded);
    peer.packetsSent++;
    peer.bytesSent += this.#sealed;
    peer.sentAuthenticated(now);
    if (size > 0) peer.sentData(now);
    this.#endpoint.watch(peer);
    if (session.stale(now)) this.#handshakes.initiate(peer, now);
  }
}
