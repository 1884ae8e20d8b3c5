import { concat } from "../../src/bytes/index.js";
import type { Entropy, Instant, SocketAddress } from "../../src/contract/index.js";
import { Secret } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import type { AssociationPair } from "../../src/protocols/esp/index.js";
import {
  Ike,
  type IkeConfig,
  type IkeConnection,
  type IkeEvent,
  type IkeInput,
  ikeId,
  selector,
} from "../../src/protocols/ikev2/index.js";
import { provider as crypto } from "./provider.js";

export type Side = "initiator" | "responder";

export const addresses: Readonly<Record<Side, SocketAddress>> = {
  initiator: { address: "192.0.2.1", port: 4_500 },
  responder: { address: "198.51.100.1", port: 4_500 },
};

/** A datagram on its way; who meddles may change it. */
export interface Flying {
  readonly from: Side;
  readonly bytes: Uint8Array;
  readonly source: SocketAddress;
  readonly to: SocketAddress;
}

export type IkeQuestion = IkeEvent & { kind: "question" };

const psk = { kind: "psk", secret: Secret.copy(new TextEncoder().encode("a secret of both")) } as const;

/** A connection by a pre-shared key, with one child between two private networks. */
export const connectionOf = (side: Side, more: Partial<IkeConnection> = {}): IkeConnection => {
  const own = side === "initiator";
  const [here, there] = own ? ["10.1.0.0/24", "10.2.0.0/24"] : ["10.2.0.0/24", "10.1.0.0/24"];
  return {
    name: "net",
    ...(own && { remote: addresses.responder }),
    localId: ikeId(own ? "client.test" : "server.test"),
    remoteId: ikeId(own ? "server.test" : "client.test"),
    local: psk,
    remoteAuthentication: psk,
    children: [{ name: "lan", local: [selector(here!)], remote: [selector(there!)] }],
    ...more,
  };
};

export interface PairOptions {
  readonly seed?: number | string;
  readonly initiator?: Partial<IkeConnection>;
  readonly responder?: Partial<IkeConnection>;
  readonly config?: Partial<Record<Side, Partial<IkeConfig>>>;
  readonly entropy?: Partial<Record<Side, Entropy>>;
  /** Questions are answered by this; default no. */
  readonly decide?: (question: IkeQuestion, side: Side) => unknown;
}

/** Two ends of IKEv2 with nothing between them but the test, and time as the test has it. */
export class IkePair {
  now: Instant = 1_700_000_000_000;
  readonly initiator: Ike;
  readonly responder: Ike;
  readonly events: Readonly<Record<Side, IkeEvent[]>> = { initiator: [], responder: [] };
  readonly sent: Flying[] = [];
  /** What happens to a datagram; an empty list loses it. */
  meddle: (packet: Flying) => readonly Flying[] = (packet) => [packet];
  /** Where each side is now. */
  readonly at: Record<Side, SocketAddress> = { ...addresses };
  readonly #decide: (question: IkeQuestion, side: Side) => unknown;
  readonly #buffer = new Uint8Array(65_536);
  #inbox: Flying[] = [];

  constructor({
    seed = 1,
    initiator,
    responder,
    config = {},
    entropy = {},
    decide = () => undefined,
  }: PairOptions = {}) {
    this.#decide = decide;
    const make = (side: Side, more: Partial<IkeConnection> | undefined): Ike =>
      new Ike({
        crypto,
        entropy: entropy[side] ?? seededEntropy(`${side} ${seed}`),
        connections: [connectionOf(side, more)],
        ...config[side],
      });
    this.initiator = make("initiator", initiator);
    this.responder = make("responder", responder);
  }

  give(side: Side, input: IkeInput): this {
    this[side].handle(input, this.now);
    this.drain(side);
    return this;
  }

  connect(): this {
    return this.give("initiator", { kind: "connect", connection: "net" });
  }

  /** Hands a datagram to a side, as if it had come from there. */
  deliver(to: Side, bytes: Uint8Array, from: SocketAddress = this.at[other(to)], local = this.at[to]): this {
    const arrived = {
      kind: "datagrams",
      bytes: bytes.slice(),
      from,
      to: local,
      ecn: 0,
      segmentSize: bytes.length,
    } as const;
    this[to].handle(arrived, this.now);
    this.drain(to);
    return this;
  }

  drain(side: Side): void {
    const machine = this[side];
    for (;;) {
      const transmit = machine.transmit(this.#buffer);
      if (transmit !== undefined) {
        const source = transmit.from ?? this.at[side];
        const packet: Flying = { from: side, bytes: this.#buffer.slice(0, transmit.size), source, to: transmit.to! };
        this.sent.push(packet);
        this.#inbox.push(...this.meddle(packet));
        continue;
      }
      const event = machine.event();
      if (event === undefined) return;
      this.events[side].push(event);
      if (event.kind === "question") {
        machine.handle({ kind: "answer", id: event.id, answer: this.#decide(event, side) }, this.now);
      }
    }
  }

  /** Lets datagrams arrive, a millisecond after another, and time pass where nothing else happens, for so many milliseconds. */
  run(forMs = 2_000): this {
    const until = this.now + forMs;
    for (;;) {
      const flying = this.#inbox.shift();
      if (flying !== undefined) {
        this.now += 1;
        const to = other(flying.from);
        // What goes to where nobody is any more is lost.
        if (flying.to.address === this.at[to].address) this.deliver(to, flying.bytes, flying.source, flying.to);
        continue;
      }
      const due = Math.min(this.initiator.deadline() ?? Infinity, this.responder.deadline() ?? Infinity);
      if (due > until) {
        this.now = until;
        return this;
      }
      this.now = Math.max(this.now, due);
      for (const side of ["initiator", "responder"] as const) {
        if ((this[side].deadline() ?? Infinity) > this.now) continue;
        this[side].handle({ kind: "wake" }, this.now);
        this.drain(side);
      }
    }
  }

  of<K extends IkeEvent["kind"]>(side: Side, kind: K): Extract<IkeEvent, { kind: K }>[] {
    return this.events[side].filter((event): event is Extract<IkeEvent, { kind: K }> => event.kind === kind);
  }

  pairs(side: Side): readonly AssociationPair[] {
    return this.of(side, "child").map(({ pair }) => pair);
  }
}

export const other = (side: Side): Side => (side === "initiator" ? "responder" : "initiator");

/** Keys of both ends that must be the same: what one sends under, the other receives under. */
export const meet = (a: AssociationPair, b: AssociationPair): boolean =>
  a.spiOut === b.spiIn &&
  a.spiIn === b.spiOut &&
  a.keysOut.encryption.equals(b.keysIn.encryption) &&
  a.keysIn.encryption.equals(b.keysOut.encryption) &&
  (a.keysIn.integrity === undefined
    ? b.keysOut.integrity === undefined
    : a.keysIn.integrity.equals(b.keysOut.integrity!) && a.keysOut.integrity!.equals(b.keysIn.integrity!));

export const marked = (message: Uint8Array): Uint8Array => concat(new Uint8Array(4), message);
