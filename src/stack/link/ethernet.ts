import { equal, prefixHolds } from "../../bytes/index.js";
import {
  type Entropy,
  earliest,
  type Instant,
  type Machine,
  type Transmit,
  type Wake,
  wake,
} from "../../contract/index.js";
import { writeIcmp } from "../icmp/icmp.js";
import type { StackEvent } from "../interfaces.js";
import { u16 } from "../ip/header.js";
import { linkFramesMax } from "../limits.js";
import type { Stack } from "../stack.js";
import { type AddressEvent, Claims } from "./claims.js";
import {
  broadcast,
  discoveryOf,
  EtherType,
  ethernetHeaderSize,
  multicastHardware,
  type NeighbourMessage,
  readArp,
  readDiscovery,
  writeArp,
  writeDiscovery,
  writeEthernet,
} from "./messages.js";
import { type Neighbour, Neighbours } from "./neighbours.js";

export interface EthernetConfig {
  /** Our hardware address, six bytes. */
  readonly address: Uint8Array;
  /** Next hops for what is on no network of ours: one of each family at the most. Without one such packets are dropped. */
  readonly gateways?: readonly Uint8Array[];
  /**
   * From this moment on each address is tested, and used once it is known that nobody else on the link has it: after two seconds for
   * IPv6 (RFC 4862 §5.4), six for IPv4 (RFC 5227). Without it addresses are taken for ours, as where a server has given them.
   */
  readonly test?: { readonly entropy: Entropy; readonly from: Instant };
}

export type LinkEvent = StackEvent | AddressEvent;

/** Frames as the layer below tells them: frame `i` is `bytes[ranges[2i] … ranges[2i+1])`. Lent. */
export interface Frames {
  readonly kind: "frames";
  readonly bytes: Uint8Array;
  readonly ranges: Uint32Array;
  readonly count: number;
}

export const linkDrops = ["malformed", "not-ours", "no-route", "unreachable", "not-tested", "queue-full"] as const;
export type LinkDrop = (typeof linkDrops)[number];

/**
 * A stack on a layer that carries Ethernet frames (`ethernet-frame`) instead of IP packets: it finds neighbours by ARP
 * (RFC 826) and Neighbour Discovery (RFC 4861), answers those who look for us, and frames packets where they lie.
 */
export class EthernetLink implements Machine<Frames, LinkEvent> {
  readonly stack: Stack;
  readonly address: Uint8Array;
  readonly drops = Object.fromEntries(linkDrops.map((reason) => [reason, 0])) as Record<LinkDrop, number>;
  readonly #gateways: readonly Uint8Array[];
  readonly #neighbours = new Neighbours();
  /** Until all addresses are ours, what passes is looked at. */
  readonly #claims: Claims | undefined;
  readonly #frames: Uint8Array[] = [];
  readonly #range = new Uint32Array(2);
  readonly #transmitted: { size: number } = { size: 0 };

  constructor(stack: Stack, config: EthernetConfig) {
    this.stack = stack;
    this.address = config.address;
    this.#gateways = config.gateways ?? [];
    const { test } = config;
    const addresses = stack.addresses.map(({ address }) => address);
    this.#claims = test && new Claims(addresses, test.entropy, test.from);
  }

  handle(input: Frames | Wake, now: Instant): void {
    if (input.kind === "frames") {
      const { bytes, ranges, count } = input;
      for (let i = 0; i < count; i++) this.#frame(bytes, ranges[2 * i]!, ranges[2 * i + 1]!, now);
      return;
    }
    if (this.#claims !== undefined) this.#test(this.#claims, now);
    const { ask, gone } = this.#neighbours.due(now);
    for (const neighbour of ask) this.#ask(neighbour);
    for (const { waiting } of gone) this.#giveBack(waiting, now);
    if ((this.stack.deadline() ?? Number.POSITIVE_INFINITY) <= now) this.stack.handle(wake, now);
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    this.#transmitted.size = this.pull(into, 0, now);
    return this.#transmitted.size > 0 ? this.#transmitted : undefined;
  }

  /** Writes the next frame at `at` and answers its size; zero if there is none. */
  pull(into: Uint8Array, at: number, now: Instant): number {
    const packetAt = at + ethernetHeaderSize;
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        into.set(frame, at);
        return frame.length;
      }
      const size = this.stack.pull(into, packetAt, now);
      if (size === 0) return 0;
      if (this.#claims?.areOurs === false && !this.#mayLeave(this.#claims, into, packetAt, size, now)) continue;
      const hardware = this.#hardwareFor(into, packetAt, size, now);
      if (hardware === undefined) continue;
      writeEthernet(into, at, hardware, this.address, typeOf(into, packetAt));
      return ethernetHeaderSize + size;
    }
  }

  event(): LinkEvent | undefined {
    return this.#claims?.event() ?? this.stack.event();
  }

  deadline(): Instant | undefined {
    return earliest(earliest(this.stack.deadline(), this.#neighbours.deadline()), this.#claims?.deadline());
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #frame(bytes: Uint8Array, at: number, end: number, now: Instant): void {
    if (end - at < ethernetHeaderSize) {
      this.#drop("malformed");
      return;
    }
    // Groups are heard all; which of them are ours is for the layers above to know.
    if ((bytes[at]! & 1) === 0 && !equal(bytes.subarray(at, at + 6), this.address)) {
      this.#drop("not-ours");
      return;
    }
    const type = u16(bytes, at + 12);
    const start = at + ethernetHeaderSize;
    const discovery = type === EtherType.ipv6 ? discoveryOf(bytes, start, end) : undefined;
    const from = bytes.subarray(at + 6, at + 12);
    if (type === EtherType.arp) this.#neighbour(readArp(bytes, start, end), from, now);
    else if (discovery === "neighbour") this.#neighbour(readDiscovery(bytes, start, end), from, now);
    // We are no router, and ask none.
    else if (discovery === "router") this.#drop("not-ours");
    else if (type === EtherType.ipv4 || type === EtherType.ipv6) {
      if (this.#claims?.areOurs === false && !this.#mayArrive(this.#claims, bytes, start, end)) return;
      this.#range[0] = start;
      this.#range[1] = end;
      this.stack.handle({ kind: "packets", bytes, ranges: this.#range, count: 1 }, now);
    } else this.#drop("malformed");
  }

  #neighbour(message: NeighbourMessage | undefined, from: Uint8Array, now: Instant): void {
    if (message === undefined) {
      this.#drop("malformed");
      return;
    }
    // What we have said comes back to us from some links.
    if (equal(from, this.address)) return;
    const disputed = this.#claims?.heard(message, from, now);
    if (disputed !== undefined) this.#announce(disputed);
    const { kind, sender, hardware, target } = message;
    const asksUs =
      kind === "ask" &&
      this.stack.addresses.some(({ address }) => equal(address, target)) &&
      (this.#claims?.stateOf(target) ?? "ours") === "ours";
    // Who is on no network of ours is no neighbour.
    if (sender !== undefined && hardware !== undefined && this.#isOnLink(sender)) {
      const known = this.#neighbours.learned(sender, hardware, asksUs, now);
      for (const packet of known?.waiting.splice(0) ?? []) this.#queueFramed(packet, hardware);
    }
    if (!asksUs) return;
    if (target.length === 4) this.#queue(writeArp(this.address, target, sender ?? target, hardware!));
    else {
      const to = sender && hardware && { address: sender, hardware };
      this.#queue(writeDiscovery("tell", this.address, target, target, to));
    }
  }

  // ── whose addresses are they ───────────────────────────────────────────────────────────────────────────────────

  #test(claims: Claims, now: Instant): void {
    const { say, free } = claims.due(now);
    for (const { kind, address } of say) {
      if (kind === "announcement") this.#announce(address);
      else if (address.length === 4) this.#queue(writeArp(this.address, new Uint8Array(4), address, undefined));
      else this.#queue(writeDiscovery("ask", this.address, new Uint8Array(16), address, undefined));
    }
    for (const packet of free) {
      if (!this.#mayLeave(claims, packet, 0, packet.length, now)) continue;
      const hardware = this.#hardwareFor(packet, 0, packet.length, now);
      if (hardware !== undefined) this.#queueFramed(packet, hardware);
    }
  }

  /** RFC 5227 §2.3; RFC 4861 §7.2.6. */
  #announce(address: Uint8Array): void {
    if (address.length === 4) this.#queue(writeArp(this.address, address, address, undefined));
    else this.#queue(writeDiscovery("tell", this.address, address, address, undefined));
  }

  /** What is from an address that is tested waits; from another's it goes nowhere. */
  #mayLeave(claims: Claims, bytes: Uint8Array, at: number, size: number, now: Instant): boolean {
    const source = bytes[at]! >> 4 === 4 ? bytes.subarray(at + 12, at + 16) : bytes.subarray(at + 8, at + 24);
    const state = claims.stateOf(source);
    if (state === "tentative") claims.hold(source, bytes.slice(at, at + size));
    else if (state === "duplicate") this.#giveBack([bytes.slice(at, at + size)], now);
    return state !== "tentative" && state !== "duplicate";
  }

  /** RFC 4862 §5.4: what is for an address that is not ours yet is not for us. */
  #mayArrive(claims: Claims, bytes: Uint8Array, at: number, end: number): boolean {
    const v4 = bytes[at]! >> 4 === 4;
    const to = v4 ? bytes.subarray(at + 16, at + 20) : bytes.subarray(at + 24, at + 40);
    const state = end - at < (v4 ? 20 : 40) ? undefined : claims.stateOf(to);
    if (state === undefined || state === "ours") return true;
    this.#drop("not-tested");
    return false;
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Where the packet goes; undefined if it waits or is dropped. */
  #hardwareFor(bytes: Uint8Array, at: number, size: number, now: Instant): Uint8Array | undefined {
    const v4 = bytes[at]! >> 4 === 4;
    const destination = v4 ? bytes.subarray(at + 16, at + 20) : bytes.subarray(at + 24, at + 40);
    if (v4 ? destination[0]! >> 4 === 14 : destination[0] === 0xff) return multicastHardware(destination);
    if (v4 && destination.every((byte) => byte === 0xff)) return broadcast;
    const hop = this.#nextHop(destination);
    if (hop === undefined) {
      this.#drop("no-route");
      return undefined;
    }
    const neighbour = this.#neighbours.reach(hop);
    if (this.#neighbours.wantsAsking(neighbour, now)) this.#ask(neighbour);
    if (neighbour.hardware === undefined) this.#neighbours.hold(neighbour, bytes.slice(at, at + size));
    return neighbour.hardware;
  }

  #nextHop(destination: Uint8Array): Uint8Array | undefined {
    if (this.#isOnLink(destination)) return destination;
    return this.#gateways.find(({ length }) => length === destination.length);
  }

  #isOnLink(address: Uint8Array): boolean {
    // fe80::/10 is on every link.
    if (address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80) return true;
    return this.stack.addresses.some(
      (prefix) => prefix.address.length === address.length && prefixHolds(prefix, address),
    );
  }

  #ask({ address: target, hardware }: Neighbour): void {
    const ours = this.stack.sourceFor(target);
    if (ours === undefined || (this.#claims?.stateOf(ours) ?? "ours") !== "ours") return;
    if (target.length === 4) this.#queue(writeArp(this.address, ours, target, undefined));
    else this.#queue(writeDiscovery("ask", this.address, ours, target, hardware && { address: target, hardware }));
  }

  /** RFC 4861 §7.2.2: those who wait are told, as by a router. */
  #giveBack(waiting: readonly Uint8Array[], now: Instant): void {
    for (const packet of waiting) {
      this.#drop("unreachable");
      const from = packet[0]! >> 4 === 4 ? 12 : 8;
      const source = packet.slice(from, from + (from === 12 ? 4 : 16));
      const error = writeIcmp("host-unreachable", 0, packet, source, source);
      this.#range[0] = 0;
      this.#range[1] = error.length;
      this.stack.handle({ kind: "packets", bytes: error, ranges: this.#range, count: 1 }, now);
    }
  }

  #queueFramed(packet: Uint8Array, hardware: Uint8Array): void {
    const frame = new Uint8Array(ethernetHeaderSize + packet.length);
    writeEthernet(frame, 0, hardware, this.address, typeOf(packet, 0));
    frame.set(packet, ethernetHeaderSize);
    this.#queue(frame);
  }

  #queue(frame: Uint8Array): void {
    if (this.#frames.length >= linkFramesMax) this.#drop("queue-full");
    else this.#frames.push(frame);
  }

  #drop(reason: LinkDrop): void {
    this.drops[reason]++;
  }
}

const typeOf = (packet: Uint8Array, at: number): number => (packet[at]! >> 4 === 4 ? EtherType.ipv4 : EtherType.ipv6);
