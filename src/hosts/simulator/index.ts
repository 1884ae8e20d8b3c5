import {
  type CryptoProvider,
  type Instant,
  networkFailure,
  type ServiceRecord,
  type TraceEvent,
} from "../../contract/index.js";
import { SimulatedHost, type SimulatedHostOptions } from "./host.js";
import { Link, type LinkOptions } from "./link.js";
import { Nat, type NatOptions, type Node, Router } from "./node.js";
import { Random } from "./random.js";
import { Recorder, type SeenPacket } from "./recorder.js";
import { Timeline } from "./timeline.js";

export type { InterfaceOptions, SimulatedHost, SimulatedHostOptions, StreamModel } from "./host.js";
export type { Fate, Link, LinkOptions } from "./link.js";
export type { Nat, NatOptions, Router } from "./node.js";
export type { Packet, Segment } from "./packet.js";
export { Random, type Ratio } from "./random.js";
export type { SeenPacket } from "./recorder.js";

export interface SimulationOptions {
  readonly seed: number | string;
  /** For hosts that run protocols. */
  readonly crypto?: CryptoProvider;
  /** Default 2026-01-01, so that certificates made for tests are valid. */
  readonly start?: Instant;
  /** Keep every packet for `capture`. Default false. */
  readonly isCapturing?: boolean;
  /** Told of every packet as it is put on a link, and of what becomes of it. */
  readonly seen?: (packet: SeenPacket) => void;
  /** Told of every trace event, and whose it is. */
  readonly traced?: (host: string, event: TraceEvent) => void;
}

/**
 * A world in virtual time: hosts, routers and NATs joined by links that delay, lose, repeat, reorder and corrupt. The
 * seed decides everything that chance decides, so a run can be had again.
 *
 *     const world = simulate({ seed: 7, crypto });
 *     const client = world.host("client", { addresses: ["192.0.2.1"] });
 *     const server = world.host("server", { addresses: ["192.0.2.2"] });
 *     world.link(client, server, { delayMs: 20, loss: { in: 1, of: 100 } });
 *     …
 *     await world.until(() => done);
 */
export function simulate(options: SimulationOptions): World {
  return new World(options);
}

/** A host, a router, one interface of a host, one side of a NAT. */
export type Socket = SimulatedHost | Router | { readonly node: SimulatedHost | Nat; readonly on: string };

export class World {
  readonly seed: number | string;
  readonly random: Random;
  /** Lines of all hosts' key logs, and trace events, in order. */
  readonly keyLog: string[] = [];
  readonly traces: TraceEvent[] = [];
  readonly #start: Instant;
  readonly #timeline: Timeline;
  readonly #recorder: Recorder;
  readonly #traced: SimulationOptions["traced"];
  readonly #crypto: CryptoProvider | undefined;
  readonly #names = new Map<string, Name>();

  constructor({ seed, crypto, start = Date.UTC(2026, 0, 1), isCapturing = false, seen, traced }: SimulationOptions) {
    this.seed = seed;
    this.random = new Random(seed);
    this.#crypto = crypto;
    this.#start = start;
    this.#timeline = new Timeline(start);
    this.#recorder = new Recorder(this.#timeline, isCapturing, seen);
    this.#traced = traced;
  }

  host(name: string, options: SimulatedHostOptions = {}): SimulatedHost {
    return new SimulatedHost(name, options, {
      timeline: this.#timeline,
      random: this.random,
      crypto: this.#crypto,
      keyLog: (line) => {
        this.keyLog.push(line);
        this.#recorder.secrets(line);
      },
      trace: (event) => {
        this.traces.push(event);
        this.#traced?.(name, event);
      },
      resolve: (asked, family) => this.#resolve(asked, family),
      services: (asked) => this.#names.get(asked)?.services,
    });
  }

  router(name: string): Router {
    return new Router(name);
  }

  nat(name: string, options: NatOptions): Nat {
    return new Nat(name, options, this.#timeline);
  }

  link(a: Socket, b: Socket, options: LinkOptions = {}): Link {
    const [one, other] = [plug(a), plug(b)];
    const random = this.random.fork(`link ${one.node.name} ${one.on} ${other.node.name} ${other.on}`);
    return new Link(one, other, options, this.#timeline, random, this.#recorder);
  }

  /** What a host name resolves to, everywhere. Without addresses it is a name that no server answers for. */
  name(name: string, is: Name): void {
    this.#names.set(name, is);
  }

  now(): Instant {
    return this.#timeline.now();
  }

  /** Milliseconds of virtual time since the start. */
  get elapsed(): number {
    return this.#timeline.now() - this.#start;
  }

  /** Lets so many milliseconds pass. */
  run(ms: number): Promise<void> {
    return this.#timeline.run(ms);
  }

  /** Runs until it is so; throws if that is not within `withinMs` (default ten minutes) of virtual time. */
  until(isSo: () => boolean, withinMs?: number): Promise<void> {
    return this.#timeline.until(isSo, withinMs);
  }

  /** Runs until the promise has settled, and answers it. */
  async finish<T>(promise: Promise<T>, withinMs?: number): Promise<T> {
    let isSettled = false;
    const watched = promise.finally(() => {
      isSettled = true;
    });
    watched.catch(() => {});
    await this.until(() => isSettled, withinMs);
    return await promise;
  }

  /** Virtual time waits for something real: a worker's answer, a file. */
  hold<T>(promise: Promise<T>): Promise<T> {
    return this.#timeline.hold(promise);
  }

  /** SHA-256, in hex, of everything put on any link so far. */
  digest(): string {
    return this.#recorder.digest();
  }

  /** All packets so far as a pcapng file; empty unless the world was made with `isCapturing`. */
  capture(): Uint8Array {
    return this.#recorder.capture();
  }

  async #resolve(name: string, family: 4 | 6 | undefined): Promise<readonly string[]> {
    const isAddress = /^[0-9.]+$|:/.test(name);
    const known = isAddress ? { addresses: [name] } : this.#names.get(name);
    const delayMs =
      (family === 6 ? known?.delay6Ms : family === 4 ? known?.delay4Ms : undefined) ?? known?.delayMs ?? 0;
    await new Promise<void>((resolve) => void this.#timeline.at(this.#timeline.now() + delayMs, resolve));
    if (known !== undefined && known.addresses === undefined) {
      throw networkFailure("name-server-failed", `no server answers for ${name}`, { at: name });
    }
    const found = known?.addresses?.filter((each) => family === undefined || each.includes(":") === (family === 6));
    if (found === undefined || found.length === 0) {
      throw networkFailure("name-not-found", `${name} has no address`, { at: name });
    }
    return found;
  }
}

export interface Name {
  /** SRV records, of names like `_imaps._tcp.server.test`. */
  readonly services?: readonly ServiceRecord[];
  readonly addresses?: readonly string[];
  /** How long a resolver takes, in milliseconds, at all and for one family. Default 0. */
  readonly delayMs?: number;
  readonly delay4Ms?: number;
  readonly delay6Ms?: number;
}

function plug(socket: Socket): { readonly node: Node; readonly on: string } {
  if ("on" in socket) return socket;
  return { node: socket, on: socket instanceof SimulatedHost ? (firstOutward(socket) ?? "eth0") : "port" };
}

const firstOutward = (host: SimulatedHost): string | undefined =>
  host.interfaces().find(({ type }) => type !== "loopback")?.name;
