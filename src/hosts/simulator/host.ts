import {
  type Alarm,
  type CryptoProvider,
  type Failure,
  type Host,
  type Instant,
  type KeyLog,
  type NetworkInterface,
  type NetworkReason,
  networkFailure,
  type ServiceRecord,
  type SocketAddress,
  type Trace,
  type TraceEvent,
} from "../../contract/index.js";
import { zlib } from "../zlib.js";
import type { LinkEnd } from "./link.js";
import { SimulatedNetwork } from "./network.js";
import { type Node, route } from "./node.js";
import { type Packet, showAddress, wildcards } from "./packet.js";
import type { Random, Ratio } from "./random.js";
import type { Moment, Timeline } from "./timeline.js";

export interface InterfaceOptions {
  /** Default `ethernet`. */
  readonly type?: NetworkInterface["type"];
  /** IPv4 and IPv6, in canonical text. */
  readonly addresses: readonly string[];
}

/** How byte streams reach this host's sinks. */
export interface StreamModel {
  /** Bytes of the largest piece that a sink is handed; each piece is 1 … pieceMax bytes. Default: as segments came. */
  readonly pieceMax?: number;
  /** Arriving bytes that are held back for `stallMs` (default 3000), and all behind them. */
  readonly stall?: Ratio;
  readonly stallMs?: number;
  /** Arriving segments at which something on the way resets the connection, both ways. */
  readonly reset?: Ratio;
}

export interface SimulatedHostOptions {
  /** Short for one interface, `eth0`. */
  readonly addresses?: readonly string[];
  readonly interfaces?: Readonly<Record<string, InterfaceOptions>>;
  readonly streams?: StreamModel;
  /** Trusted roots in DER. Default none. */
  readonly roots?: readonly Uint8Array[];
  /** Milliseconds that this host's clock is ahead of virtual time; negative, behind. Default 0. */
  readonly clockAheadMs?: number;
}

/** What a host needs of its world. */
export interface Surroundings {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly crypto: CryptoProvider | undefined;
  readonly keyLog: KeyLog;
  readonly trace: (event: TraceEvent) => void;
  resolve(name: string, family: 4 | 6 | undefined): Promise<readonly string[]>;
  services(name: string): readonly ServiceRecord[] | undefined;
}

interface SimulatedAlarm {
  readonly at: Instant;
  readonly call: () => void;
  moment: Moment | undefined;
}

const loopback = ["127.0.0.1", "::1"] as const;

/** A host in virtual time. It is a Host to the code under test, and a Node to the links plugged into it. */
export class SimulatedHost implements Host, Node {
  readonly name: string;
  readonly ends: LinkEnd[] = [];
  readonly entropy: Random;
  readonly network: SimulatedNetwork;
  readonly keyLog: KeyLog;
  readonly trace: Trace;
  readonly zlib = zlib;
  readonly streams: StreamModel;
  readonly surroundings: Surroundings;
  readonly #interfaces = new Map<string, InterfaceOptions>();
  readonly #roots: readonly Uint8Array[];
  readonly #alarms = new Set<SimulatedAlarm>();
  #aheadMs: number;

  constructor(name: string, options: SimulatedHostOptions, surroundings: Surroundings) {
    this.name = name;
    this.surroundings = surroundings;
    this.entropy = surroundings.random.fork(`${name} entropy`);
    this.keyLog = surroundings.keyLog;
    this.trace = surroundings.trace;
    this.streams = options.streams ?? {};
    this.#roots = options.roots ?? [];
    this.#aheadMs = options.clockAheadMs ?? 0;
    this.#interfaces.set("lo", { type: "loopback", addresses: loopback });
    if (options.addresses) this.#interfaces.set("eth0", { addresses: options.addresses });
    for (const [each, is] of Object.entries(options.interfaces ?? {})) this.#interfaces.set(each, is);
    this.network = new SimulatedNetwork(this, surroundings.random.fork(`${name} network`));
  }

  get crypto(): CryptoProvider {
    if (this.surroundings.crypto === undefined) throw new TypeError("this world was made without crypto");
    return this.surroundings.crypto;
  }

  now(): Instant {
    return this.surroundings.timeline.now() + this.#aheadMs;
  }

  wakeAt(at: Instant, call: () => void): Alarm {
    const alarm: SimulatedAlarm = { at, call, moment: undefined };
    this.#alarms.add(alarm);
    this.#set(alarm);
    const cancel = (): void => {
      this.#alarms.delete(alarm);
      this.surroundings.timeline.cancel(alarm.moment);
    };
    return { cancel, ref: () => {}, unref: () => {} };
  }

  /** The clock jumps forward, as after a sleep or when it is set: what was due by then is due now. It never goes back. */
  advanceClock(ms: number): void {
    this.#aheadMs += Math.max(0, ms);
    for (const alarm of this.#alarms) {
      this.surroundings.timeline.cancel(alarm.moment);
      this.#set(alarm);
    }
  }

  soon(call: () => void): void {
    this.surroundings.timeline.soon(call);
  }

  roots(): readonly Uint8Array[] {
    return this.#roots;
  }

  /** Where a link is plugged into one of several interfaces. */
  interface(on: string): { readonly node: SimulatedHost; readonly on: string } {
    if (!this.#interfaces.has(on)) throw new TypeError(`${this.name} has no interface ${on}`);
    return { node: this, on };
  }

  /** Moves an interface to other addresses; none takes it off the network. What is bound to an old one hears no more. */
  setAddresses(on: string, addresses: readonly string[]): void {
    this.#interfaces.set(on, { ...this.#interfaces.get(on), addresses });
  }

  interfaces(): readonly NetworkInterface[] {
    return [...this.#interfaces].map(([name, { type = "ethernet", addresses }]) => ({
      name,
      type,
      addresses: addresses.map((address) => ({
        address,
        prefixLength: address.includes(":") ? 64 : 24,
        temporary: false,
      })),
    }));
  }

  addressOn(on: string, family: 4 | 6): string | undefined {
    return this.#interfaces.get(on)?.addresses.find((each) => each.includes(":") === (family === 6));
  }

  owns(address: string): boolean {
    for (const { addresses } of this.#interfaces.values()) if (addresses.includes(address)) return true;
    return false;
  }

  onward(): readonly LinkEnd[] {
    return [];
  }

  receive(packet: Packet): void {
    if (this.owns(packet.to.address)) this.network.arrived(packet);
  }

  /** The address that packets from `bound` to `to` carry; a failure if there is none. */
  source(bound: string, to: string): string | Failure<NetworkReason> {
    if (!wildcards.has(bound)) {
      return this.owns(bound) ? bound : networkFailure("no-route", `${this.name} has the address ${bound} no more`);
    }
    if (this.owns(to)) return to;
    const end = this.#way(to);
    const found = end && this.addressOn(end.on, to.includes(":") ? 6 : 4);
    return found ?? networkFailure("no-route", `${this.name} has no way to ${to}`);
  }

  /** Puts a packet on its way; its `from` is one of ours. To ourselves it takes no time, but a turn. */
  send(packet: Packet): void {
    if (this.owns(packet.to.address)) {
      const copy = { ...packet, bytes: packet.bytes.slice() };
      const { timeline } = this.surroundings;
      timeline.at(timeline.now(), () => this.receive(copy));
      return;
    }
    const end = this.#way(packet.to.address, packet.from.address);
    if (end === undefined) {
      packet.bounce(networkFailure("no-route", `${this.name} has no way to ${showAddress(packet.to)}`), packet);
    } else end.link.carry(packet, end);
  }

  #set(alarm: SimulatedAlarm): void {
    alarm.moment = this.surroundings.timeline.at(alarm.at - this.#aheadMs, () => {
      this.#alarms.delete(alarm);
      alarm.call();
    });
  }

  /** Through which end an address is reached: the one that leads there, else any of the family, where packets get lost. */
  #way(to: string, source?: string): LinkEnd | undefined {
    const family = to.includes(":") ? 6 : 4;
    const usable = this.ends.filter(({ on }) =>
      source === undefined
        ? this.addressOn(on, family) !== undefined
        : this.#interfaces.get(on)?.addresses.includes(source),
    );
    return route(usable, to) ?? usable[0];
  }
}

/** An address and port that cannot be a peer's. */
export const nowhere: SocketAddress = { address: "::", port: 0 };
