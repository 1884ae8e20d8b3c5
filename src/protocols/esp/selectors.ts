import type { TrafficSelector } from "./association.js";
import { extensionHeadersMax } from "./limits.js";
import { NextHeader } from "./packet.js";

/** Ports that a packet does not show: a fragment's but the first, and those of what has none (RFC 4301 §4.4.1.1, OPAQUE). */
const unseen = -1;

/** What selectors are compared with, read where the packet lies; one object for all packets. */
export class Selected {
  sourceAt = 0;
  destinationAt = 0;
  /** Bytes of an address. */
  addressSize = 4;
  protocol = 0;
  sourcePort = unseen;
  destinationPort = unseen;

  /** Of a packet that is known to be whole (`innerLength`); `deep` looks at what it carries, too. */
  read(bytes: Uint8Array, at: number, length: number, deep: boolean): void {
    const isV4 = bytes[at]! >> 4 === 4;
    this.addressSize = isV4 ? 4 : 16;
    this.sourceAt = at + (isV4 ? 12 : 8);
    this.destinationAt = at + (isV4 ? 16 : 24);
    this.sourcePort = this.destinationPort = unseen;
    if (!deep) return;
    if (isV4) {
      this.protocol = bytes[at + 9]!;
      const isFirst = (((bytes[at + 6]! & 0x1f) << 8) | bytes[at + 7]!) === 0;
      if (isFirst) this.#ports(bytes, at + 4 * (bytes[at]! & 15), at + length);
    } else this.#extensions(bytes, at + 40, at + length, bytes[at + 6]!);
  }

  #extensions(bytes: Uint8Array, first: number, end: number, nextHeader: number): void {
    let at = first;
    this.protocol = nextHeader;
    for (let i = 0; i < extensionHeadersMax && at + 8 <= end; i++) {
      const { protocol } = this;
      if (protocol === NextHeader.fragment) {
        this.protocol = bytes[at]!;
        if (((bytes[at + 2]! << 8) | (bytes[at + 3]! & 0xf8)) !== 0) return;
        at += 8;
      } else if (
        protocol === NextHeader.hopByHop ||
        protocol === NextHeader.routing ||
        protocol === NextHeader.destinationOptions
      ) {
        this.protocol = bytes[at]!;
        at += 8 * (bytes[at + 1]! + 1);
      } else if (protocol === NextHeader.authentication) {
        this.protocol = bytes[at]!;
        at += 4 * (bytes[at + 1]! + 2);
      } else break;
    }
    this.#ports(bytes, at, end);
  }

  /** Ports; of ICMP, type and code, and of Mobile IPv6 the type, in place of both (RFC 7296 §3.13.1). */
  #ports(bytes: Uint8Array, at: number, end: number): void {
    if (at + 4 > end) return;
    const word = (from: number): number => (bytes[from]! << 8) | bytes[from + 1]!;
    switch (this.protocol) {
      case NextHeader.tcp:
      case NextHeader.udp:
      case NextHeader.udpLite:
      case NextHeader.sctp:
      case NextHeader.dccp:
        this.sourcePort = word(at);
        this.destinationPort = word(at + 2);
        break;
      case NextHeader.icmp:
      case NextHeader.icmpv6:
        this.sourcePort = this.destinationPort = word(at);
        break;
      case NextHeader.mobility:
        this.sourcePort = this.destinationPort = bytes[at + 2]! << 8;
        break;
    }
  }
}

/** One side's selectors, ready to be compared. */
class Side {
  readonly #all: readonly TrafficSelector[];
  /** Does any of them look beyond addresses? */
  readonly isDeep: boolean;

  constructor(all: readonly TrafficSelector[]) {
    this.#all = all;
    this.isDeep = all.some(
      ({ protocol, startPort, endPort }) => protocol !== 0 || startPort !== 0 || endPort !== 65_535,
    );
  }

  matches(bytes: Uint8Array, addressAt: number, packet: Selected, port: number): boolean {
    for (let i = 0; i < this.#all.length; i++) {
      const each = this.#all[i]!;
      if (each.start.length !== packet.addressSize) continue;
      if (compare(bytes, addressAt, each.start) < 0 || compare(bytes, addressAt, each.end) > 0) continue;
      if (!this.isDeep) return true;
      if (each.protocol !== 0 && each.protocol !== packet.protocol) continue;
      if (portFits(each, port)) return true;
    }
    return false;
  }
}

function portFits({ startPort, endPort }: TrafficSelector, port: number): boolean {
  if (startPort === 0 && endPort === 65_535) return true;
  // OPAQUE is written the wrong way round.
  return port === unseen ? startPort > endPort : port >= startPort && port <= endPort;
}

function compare(bytes: Uint8Array, at: number, other: Uint8Array): number {
  for (let i = 0; i < other.length; i++) {
    const difference = bytes[at + i]! - other[i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The selectors of a pair of associations: what is from here to there, and what is from there to here. */
export class Selectors {
  readonly #local: Side;
  readonly #remote: Side;
  readonly isDeep: boolean;
  readonly #packet = new Selected();

  constructor(local: readonly TrafficSelector[], remote: readonly TrafficSelector[]) {
    this.#local = new Side(local);
    this.#remote = new Side(remote);
    this.isDeep = this.#local.isDeep || this.#remote.isDeep;
  }

  /** Is the packet one that goes out by this pair? */
  outbound(bytes: Uint8Array, at: number, length: number): boolean {
    const packet = this.#packet;
    packet.read(bytes, at, length, this.isDeep);
    return (
      this.#remote.matches(bytes, packet.destinationAt, packet, packet.destinationPort) &&
      this.#local.matches(bytes, packet.sourceAt, packet, packet.sourcePort)
    );
  }

  /** Is it one that comes in by it? */
  inbound(bytes: Uint8Array, at: number, length: number): boolean {
    const packet = this.#packet;
    packet.read(bytes, at, length, this.isDeep);
    return (
      this.#remote.matches(bytes, packet.sourceAt, packet, packet.sourcePort) &&
      this.#local.matches(bytes, packet.destinationAt, packet, packet.destinationPort)
    );
  }
}

/** A selector of all traffic of a prefix, or of a part of it. */
export function selectorOf(
  prefix: { readonly address: Uint8Array; readonly length: number },
  {
    protocol = 0,
    startPort = 0,
    endPort = 65_535,
  }: Partial<Pick<TrafficSelector, "protocol" | "startPort" | "endPort">> = {},
): TrafficSelector {
  const masked = (fill: 0 | 255): Uint8Array =>
    prefix.address.map((byte, i) => {
      const mask = (0xff00 >> Math.min(8, Math.max(0, prefix.length - 8 * i))) & 0xff;
      return (byte & mask) | (fill & ~mask);
    });
  return { protocol, start: masked(0), end: masked(255), startPort, endPort };
}
