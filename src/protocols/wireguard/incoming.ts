import type { Datagrams, Instant, SocketAddress } from "../../contract/index.js";
import { innerLength, sourceAt } from "../../mechanisms/ip-packet.js";
import type { Endpoint } from "./endpoint.js";
import type { Handshakes } from "./handshakes.js";
import type { WireGuardEvent } from "./interfaces.js";
import { batchPacketsMax, keepaliveTimeoutMs, rejectAfterMs, rekeyTimeoutMs } from "./limits.js";
import { MessageType, messageType, transportLayout, u32le } from "./messages/layout.js";
import type { Peer } from "./peer.js";
import type { Session } from "./session.js";

/** Datagrams that come in: those of a session are opened in place, and told together. */
export class Incoming {
  readonly #endpoint: Endpoint;
  readonly #handshakes: Handshakes;
  /** Made once and used again, unless inputs come faster than events are taken. */
  #inbound: { kind: "packets"; bytes: Uint8Array; ranges: Uint32Array; count: number } = {
    kind: "packets",
    bytes: new Uint8Array(0),
    ranges: new Uint32Array(2 * batchPacketsMax),
    count: 0,
  };
  #inboundTold = true;

  constructor(endpoint: Endpoint, handshakes: Handshakes) {
    this.#endpoint = endpoint;
    this.#handshakes = handshakes;
  }

  /** What came of one peer or several, for this endpoint. */
  datagrams({ bytes, from, segmentSize }: Datagrams, now: Instant): void {
    if (!this.#inboundTold) this.#inbound = { ...this.#inbound, ranges: new Uint32Array(2 * batchPacketsMax) };
    const inbound = this.#inbound;
    inbound.bytes = bytes;
    inbound.count = 0;
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      const size = Math.min(step, bytes.length - at);
      const type = messageType(bytes, at, size);
      if (type === MessageType.transport) this.#transport(bytes, at, size, from, now);
      else if (type === 0) this.#endpoint.drop("malformed");
      else this.#handshakes.received(type, bytes.subarray(at, at + size), from, now);
    }
    this.#inboundTold = inbound.count === 0;
    if (inbound.count > 0) this.#endpoint.events.push(inbound);
  }

  /** The event has been taken. */
  told(event: WireGuardEvent | undefined): void {
    if (event === this.#inbound) this.#inboundTold = true;
  }

  #transport(bytes: Uint8Array, at: number, size: number, from: SocketAddress, now: Instant): void {
    const { peers } = this.#endpoint;
    const owner = peers.owner(u32le(bytes, at + transportLayout.receiver));
    const session = owner?.session;
    if (owner === undefined || session === undefined) {
      this.#endpoint.drop("unknown-index");
      return;
    }
    const padded = session.open(bytes, at, size, now);
    if (typeof padded !== "number") {
      this.#endpoint.drop(padded);
      return;
    }
    const { peer } = owner;
    peer.receivedAuthenticated(now);
    peer.packetsReceived++;
    peer.bytesReceived += size;
    this.#endpoint.learn(peer, from);
    if (session === peer.next) this.#handshakes.confirm(peer, now);
    this.#keepFresh(peer, session, now);
    if (padded > 0) peer.receivedData(now);
    this.#endpoint.watch(peer);
    if (padded === 0) return; // a keepalive
    const packet = at + transportLayout.packet;
    const length = innerLength(bytes, packet, padded);
    if (length === 0) this.#endpoint.drop("not-ip");
    else if (peers.route(bytes, packet, sourceAt(bytes, packet)) !== peer) this.#endpoint.drop("source-not-allowed");
    else this.#deliver(packet, packet + length);
  }

  /** §6.2: an initiator that only receives renews the keys in time, too. */
  #keepFresh(peer: Peer, session: Session, now: Instant): void {
    if (session !== peer.current || !session.initiator) return;
    const latest = session.bornAt + rejectAfterMs - keepaliveTimeoutMs - rekeyTimeoutMs;
    if (now >= latest) this.#handshakes.initiate(peer, now);
  }

  #deliver(start: number, end: number): void {
    const inbound = this.#inbound;
    const at = 2 * inbound.count++;
    if (at >= inbound.ranges.length) {
      const larger = new Uint32Array(2 * inbound.ranges.length);
      larger.set(inbound.ranges);
      inbound.ranges = larger;
    }
    inbound.ranges[at] = start;
    inbound.ranges[at + 1] = end;
  }
}
