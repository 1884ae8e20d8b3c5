import { BoundedStore } from "../../mechanisms/bounded-store.js";
import { hopsMax, natMappingsMax } from "./limits.js";
import type { LinkEnd } from "./link.js";
import type { Packet } from "./packet.js";
import type { Timeline } from "./timeline.js";

/** Something that links are plugged into. */
export interface Node {
  readonly name: string;
  readonly ends: LinkEnd[];
  owns(address: string): boolean;
  /** The ends through which a packet that came in at `from` may leave again; none, for nodes that do not forward. */
  onward(from: LinkEnd): readonly LinkEnd[];
  receive(packet: Packet, at: LinkEnd): void;
}

/** The end of `from`, out of `ends`, that leads to whoever owns the address by the fewest links. */
export function route(from: readonly LinkEnd[], address: string): LinkEnd | undefined {
  const seen = new Set<Node>();
  let edge = from.map((first) => ({ first, at: first }));
  while (edge.length > 0) {
    const next: typeof edge = [];
    for (const { first, at } of edge) {
      const far = at.link.far(at);
      if (far.node.owns(address)) return first;
      if (seen.has(far.node)) continue;
      seen.add(far.node);
      for (const onward of far.node.onward(far)) if (onward !== far) next.push({ first, at: onward });
    }
    edge = next;
  }
  return undefined;
}

/** Joins links and forwards between them. What it knows no way for it drops. */
export class Router implements Node {
  readonly name: string;
  readonly ends: LinkEnd[] = [];

  constructor(name: string) {
    this.name = name;
  }

  owns(): boolean {
    return false;
  }

  onward(): readonly LinkEnd[] {
    return this.ends;
  }

  receive(packet: Packet, at: LinkEnd): void {
    if (packet.hops > hopsMax) return;
    const out = route(
      this.ends.filter((end) => end !== at),
      packet.to.address,
    );
    out?.link.carry(packet, out);
  }
}

export interface NatOptions {
  /** Addresses outside; the first is used until `rebind` asks for the next. */
  readonly addresses: readonly string[];
  /** A mapping that sends nothing for so long is forgotten. Default two minutes (RFC 4787 §4.3). */
  readonly idleMs?: number;
  /** Who may answer (RFC 4787 §5). Default `address-and-port`. */
  readonly filtering?: "endpoint-independent" | "address" | "address-and-port";
}

interface Mapping {
  readonly protocol: Packet["protocol"];
  readonly inside: Packet["from"];
  readonly outside: Packet["from"];
  readonly peers: Set<string>;
}

/** A network address and port translator with endpoint-independent mapping (RFC 4787 §4.1). */
export class Nat implements Node {
  readonly name: string;
  readonly ends: LinkEnd[] = [];
  /** Where to plug links in. */
  readonly inside: { readonly node: Nat; readonly on: "inside" };
  readonly outside: { readonly node: Nat; readonly on: "outside" };
  readonly #options: NatOptions;
  readonly #timeline: Timeline;
  readonly #byInside: BoundedStore<string, Mapping>;
  readonly #byOutside = new Map<string, Mapping>();
  #address = 0;
  #port = 40_000;

  constructor(name: string, options: NatOptions, timeline: Timeline) {
    this.name = name;
    this.#options = options;
    this.#timeline = timeline;
    this.inside = { node: this, on: "inside" };
    this.outside = { node: this, on: "outside" };
    this.#byInside = new BoundedStore({
      entriesMax: natMappingsMax,
      lifetimeMs: options.idleMs ?? 120_000,
      left: (mapping) => void this.#byOutside.delete(keyOf(mapping.protocol, mapping.outside)),
    });
  }

  get mappings(): number {
    return this.#byInside.size;
  }

  /** Forgets every mapping, as after a restart: what goes out next comes from other ports, or from the next address. */
  rebind(options: { readonly newAddress?: boolean } = {}): void {
    this.#byInside.clear();
    if (options.newAddress) this.#address = (this.#address + 1) % this.#options.addresses.length;
  }

  owns(address: string): boolean {
    return this.#options.addresses.includes(address);
  }

  onward(from: LinkEnd): readonly LinkEnd[] {
    return from.on === "inside" ? this.#side("outside") : [];
  }

  receive(packet: Packet, at: LinkEnd): void {
    if (at.on === "inside") this.#outward(packet);
    else this.#inward(packet);
  }

  #outward(packet: Packet): void {
    const now = this.#timeline.now();
    const key = keyOf(packet.protocol, packet.from);
    const mapping = this.#byInside.get(key, now) ?? {
      protocol: packet.protocol,
      inside: packet.from,
      outside: { address: this.#options.addresses[this.#address]!, port: this.#freePort(packet.protocol) },
      peers: new Set<string>(),
    };
    // Only what goes out keeps a mapping alive (RFC 4787 §4.3).
    this.#byInside.set(key, mapping, now);
    this.#byOutside.set(keyOf(packet.protocol, mapping.outside), mapping);
    mapping.peers.add(packet.to.address).add(keyOf(packet.protocol, packet.to));
    const out = route(this.#side("outside"), packet.to.address);
    out?.link.carry({ ...packet, from: mapping.outside }, out);
  }

  #inward(packet: Packet): void {
    const mapping = this.#byOutside.get(keyOf(packet.protocol, packet.to));
    if (mapping === undefined) return;
    const { filtering = "address-and-port" } = this.#options;
    this.#byInside.expire(this.#timeline.now());
    if (!this.#byOutside.has(keyOf(packet.protocol, packet.to))) return;
    if (filtering === "address" && !mapping.peers.has(packet.from.address)) return;
    if (filtering === "address-and-port" && !mapping.peers.has(keyOf(packet.protocol, packet.from))) return;
    const out = route(this.#side("inside"), mapping.inside.address);
    out?.link.carry({ ...packet, to: mapping.inside }, out);
  }

  #side(on: "inside" | "outside"): readonly LinkEnd[] {
    return this.ends.filter((end) => end.on === on);
  }

  #freePort(protocol: Packet["protocol"]): number {
    const address = this.#options.addresses[this.#address]!;
    do this.#port = this.#port >= 65_535 ? 1024 : this.#port + 1;
    while (this.#byOutside.has(keyOf(protocol, { address, port: this.#port })));
    return this.#port;
  }
}

const keyOf = (protocol: string, { address, port }: Packet["from"]): string => `${protocol} ${address} ${port}`;
