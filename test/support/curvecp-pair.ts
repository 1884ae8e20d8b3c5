import type { Entropy, Instant, SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  Boxes,
  type CurveCpClientOptions,
  CurveCpEndpoint,
  type CurveCpEvent,
  type CurveCpServerOptions,
} from "../../src/protocols/curvecp/index.js";
import { provider as crypto } from "./provider.js";

export const boxes = new Boxes(crypto);
export const serverIdentity = boxes.newKeyPair(seededEntropy("server's long-term key"));
export const clientIdentity = boxes.newKeyPair(seededEntropy("client's long-term key"));

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
export type Decide = (event: CurveCpEvent & { kind: "question" }) => unknown;

export interface PairOptions {
  readonly seed?: number | string;
  readonly server?: Partial<CurveCpServerOptions>;
  readonly client?: Partial<CurveCpClientOptions>;
  readonly entropy?: Partial<Record<Side, Entropy>>;
  readonly decide?: Decide;
}

/** A client and a server with nothing between them but the test, and time as the test has it. */
export class CurveCpPair {
  now: Instant = 1_700_000_000_000;
  readonly client: CurveCpEndpoint;
  readonly server: CurveCpEndpoint;
  readonly events: Readonly<Record<Side, CurveCpEvent[]>> = { client: [], server: [] };
  /** All packets that were sent, whatever became of them. */
  readonly sent: Flying[] = [];
  /** What happens to a packet; undefined loses it. Default: it arrives. */
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
    this.client = new CurveCpEndpoint({ crypto, entropy: entropy.client ?? seededEntropy(`client ${seed}`) });
    this.server = new CurveCpEndpoint(
      { crypto, entropy: entropy.server ?? seededEntropy(`server ${seed}`) },
      { identity: serverIdentity, ...server },
    );
    for (const side of ["client", "server"] as const) this[side].handle({ kind: "opened" }, this.now);
  }

  /** Connection 1 of the client. */
  connect(): this {
    const options = { serverKey: serverIdentity.publicKey, ...this.#options.client };
    this.client.handle({ kind: "connect", connection: 1, remote: serverAddress, options }, this.now);
    return this;
  }

  send(side: Side, bytes: Uint8Array, connection = side === "client" ? 1 : 2): this {
    this[side].handle({ kind: "send", connection, bytes }, this.now);
    return this;
  }

  finish(side: Side, connection = side === "client" ? 1 : 2): this {
    this[side].handle({ kind: "finish", connection }, this.now);
    return this;
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
      this.events[side].push(event);
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

  /** All bytes that a side was told. */
  received(side: Side): Uint8Array {
    const parts = this.events[side].flatMap((event) => (event.kind === "data" ? [event.bytes] : []));
    const whole = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
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
