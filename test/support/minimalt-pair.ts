import { concat } from "../../src/bytes/index.js";
import type { Entropy, Instant, SocketAddress } from "../../src/contract/index.js";
import { Boxes, seededEntropy } from "../../src/crypto/index.js";
import {
  hostIdentity,
  type MinimaltClientOptions,
  MinimaltEndpoint,
  type MinimaltEvent,
  type MinimaltServerOptions,
  readRecord,
  signingKey,
} from "../../src/protocols/minimalt/index.js";
import type { Approach } from "../../src/protocols/minimalt/tunnel/client.js";
import type { TunnelInput } from "../../src/protocols/minimalt/vocabulary.js";
import { provider as crypto } from "./provider.js";

export const boxes: Boxes = new Boxes(crypto);
export const serverIdentity = hostIdentity(crypto, seededEntropy("server's keys").fill(new Uint8Array(64)));
export const userIdentity = boxes.newKeyPair(seededEntropy("user's long-term key"));
export const authority = signingKey(crypto, seededEntropy("authority").fill(new Uint8Array(32)));
export const authorityKey: Uint8Array = authority.publicKey.spki.slice(-32);

export const clientAddress: SocketAddress = { address: "192.0.2.1", port: 5_000 };
export const serverAddress: SocketAddress = { address: "198.51.100.1", port: 4_433 };

export type Side = "client" | "server";
/** A packet on its way; who meddles may change it. */
export interface Flying {
  readonly from: Side;
  readonly bytes: Uint8Array;
  /** Where it comes from, and goes. */
  source: SocketAddress;
  readonly to: SocketAddress;
}

/** Questions are answered by this; default yes. */
export type Decide = (event: MinimaltEvent & { kind: "question" }) => unknown;

export interface PairOptions {
  readonly seed?: number | string;
  readonly server?: Partial<MinimaltServerOptions>;
  readonly client?: Partial<MinimaltClientOptions>;
  readonly entropy?: Partial<Record<Side, Entropy>>;
  readonly decide?: Decide;
}

/** An input but for its tunnel, which the pair knows. */
type Without<Input> = Input extends unknown ? Omit<Input, "tunnel"> : never;

/** A client and a server with nothing between them but the test, and time as the test has it. */
export class MinimaltPair {
  now: Instant = 1_700_000_000_000;
  readonly client: MinimaltEndpoint;
  readonly server: MinimaltEndpoint;
  readonly events: Readonly<Record<Side, MinimaltEvent[]>> = { client: [], server: [] };
  /** All packets that were sent, whatever became of them. */
  readonly sent: Flying[] = [];
  /** What happens to a packet; none loses it. Default: it arrives. */
  meddle: (packet: Flying) => readonly Flying[] = (packet) => [packet];
  source: SocketAddress = clientAddress;
  readonly #decide: Decide;
  readonly #options: PairOptions;
  readonly #buffer = new Uint8Array(65_536);
  #inbox: Flying[] = [];

  constructor(options: PairOptions = {}) {
    const { seed = 1, server, entropy = {}, decide = () => true } = options;
    this.#options = options;
    this.#decide = decide;
    this.client = new MinimaltEndpoint({ crypto, entropy: entropy.client ?? seededEntropy(`client ${seed}`) });
    this.server = new MinimaltEndpoint(
      { crypto, entropy: entropy.server ?? seededEntropy(`server ${seed}`) },
      { identity: serverIdentity, ...server },
    );
    for (const side of ["client", "server"] as const) this[side].handle({ kind: "opened" }, this.now);
    this.server.handle({ kind: "serve", at: serverAddress }, this.now);
  }

  /** What a client knows that has the server's record. */
  approach(options: Partial<MinimaltClientOptions> = this.#options.client ?? {}): Approach {
    return approachOf(this.server, options, this.now);
  }

  /** Tunnel 1 of the client, with connection 1. */
  connect(approach: Approach = this.approach()): this {
    this.client.handle({ kind: "connect", tunnel: 1, approach }, this.now);
    return this.say("client", { kind: "create", connection: 1, service: "echo", priority: 100 });
  }

  say(side: Side, input: Without<TunnelInput>, tunnel = side === "client" ? 1 : 2): this {
    this[side].handle({ ...input, tunnel } as TunnelInput, this.now);
    return this;
  }

  send(side: Side, bytes: Uint8Array, connection = 1): this {
    return this.say(side, { kind: "write", connection, bytes, released: undefined });
  }

  finish(side: Side, connection = 1): this {
    return this.say(side, { kind: "finish", connection });
  }

  /** Hands a datagram to a side, as if it had come from there. */
  deliver(to: Side, bytes: Uint8Array, from: SocketAddress = to === "server" ? this.source : serverAddress): this {
    const input = { kind: "datagrams" as const, bytes: bytes.slice(), from, to: serverAddress, ecn: 0 as const };
    this[to].handle({ ...input, segmentSize: bytes.length }, this.now);
    this.drain(to);
    return this;
  }

  drain(side: Side): void {
    const machine = this[side];
    for (;;) {
      const transmit = machine.transmit(this.#buffer, this.now);
      if (transmit !== undefined) {
        const step = transmit.segmentSize ?? transmit.size;
        for (let at = 0; at < transmit.size; at += step) {
          const bytes = this.#buffer.slice(at, Math.min(at + step, transmit.size));
          const source = side === "client" ? this.source : serverAddress;
          const packet: Flying = { from: side, bytes, source, to: transmit.to! };
          this.sent.push(packet);
          this.#inbox.push(...this.meddle(packet));
        }
        continue;
      }
      const event = machine.event();
      if (event === undefined) return;
      // Bytes in events are lent.
      this.events[side].push("bytes" in event ? { ...event, bytes: event.bytes.slice() } : event);
      if (event.kind === "released") event.released();
      if (event.kind === "question") {
        const answer = this.#decide(event);
        if (answer !== undefined) machine.handle({ kind: "answer", id: event.id, answer }, this.now);
      }
    }
  }

  /** Lets packets arrive, a millisecond after another, and time pass where nothing else happens, for so many milliseconds. */
  run(forMs = 2_000): this {
    const until = this.now + forMs;
    for (;;) {
      this.drain("client");
      this.drain("server");
      const [next] = this.#inbox.splice(0, 1);
      if (next !== undefined) {
        this.now += 0.05;
        this.deliver(next.from === "client" ? "server" : "client", next.bytes, next.source);
        continue;
      }
      const at = Math.min(
        this.client.deadline() ?? Number.POSITIVE_INFINITY,
        this.server.deadline() ?? Number.POSITIVE_INFINITY,
      );
      if (at > until) break;
      this.now = Math.max(this.now, at);
      for (const side of ["client", "server"] as const) this[side].handle({ kind: "wake" }, this.now);
    }
    this.now = Math.max(this.now, until);
    return this;
  }

  kinds(side: Side): string[] {
    return this.events[side].map(({ kind }) => kind);
  }

  /** All bytes that a side was told of a connection. */
  received(side: Side, connection = 1): Uint8Array {
    return concat(
      ...this.events[side].flatMap((event) =>
        event.kind === "data" && event.connection === connection ? [event.bytes] : [],
      ),
    );
  }
}

/** What a client knows that has a server's record. */
export function approachOf(server: MinimaltEndpoint, options: Partial<MinimaltClientOptions>, now: Instant): Approach {
  const record = readRecord(crypto, server.record!, { serverKey: serverIdentity.publicKey }, now);
  if (typeof record === "string") throw new Error(record);
  return {
    to: serverAddress,
    serverKey: record.ephemeralKey,
    boxKey: record.boxKey,
    suite: record.suite,
    firstPacketMin: record.firstPacketMin,
    outcome: {
      peer: { kind: "static-key", key: record.key },
      serverName: record.name,
      suite: record.suite.name,
      resumed: true,
      roundTrips: 0,
    },
    options: { serverKey: serverIdentity.publicKey, ...options },
  };
}

/** Bytes that differ from place to place. */
export function pattern(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, x = seed; i < size; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}
