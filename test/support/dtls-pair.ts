import type { AskOf, Instant, SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import type { DtlsFailure } from "../../src/protocols/dtls/failure.js";
import { DtlsEndpoint } from "../../src/protocols/dtls/machine.js";
import type { DtlsClientOptions, DtlsOutcome, DtlsServerOptions } from "../../src/protocols/dtls/options.js";
import type { DtlsEvent, DtlsInput } from "../../src/protocols/dtls/vocabulary.js";
import { answerQuestion, scopeOf } from "../../src/protocols/tls/answers.js";
import { dialects, type TlsIdentity } from "../../src/protocols/tls/index.js";
import { provider } from "./provider.js";
import { identityFor, startOfTime, trusting } from "./tls-pair.js";

export type DtlsSide = "client" | "server";

/** A datagram on its way, as the filter sees it. */
export interface Passing {
  /** Who sent it, and the how many-eth of that side's it is, from 0. */
  readonly by: DtlsSide;
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly at: Instant;
}

export interface DtlsPairOptions {
  readonly client?: DtlsClientOptions;
  readonly server?: DtlsServerOptions;
  readonly seed?: number | string;
  /** One way, in milliseconds. Default 10. */
  readonly delayMs?: number;
  /** What arrives in place of a datagram, and how much later: nothing, itself, several. */
  readonly way?: (passing: Passing) => readonly { readonly bytes: Uint8Array; readonly lateMs?: number }[];
  readonly trace?: boolean;
}

export const clientAddress: SocketAddress = { address: "10.0.0.1", port: 5000 };
export const serverAddress: SocketAddress = { address: "10.0.0.2", port: 4433 };

/** One end: its endpoint, and what its one association told. */
export class DtlsEnd {
  readonly side: DtlsSide;
  readonly endpoint: DtlsEndpoint;
  readonly told: string[] = [];
  readonly received: string[] = [];
  readonly early: string[] = [];
  readonly events: DtlsEvent[] = [];
  association = 1;
  outcome: DtlsOutcome | undefined;
  confirmedAt: Instant | undefined;
  failure: DtlsFailure | undefined;
  /** Datagrams sent. */
  sent = 0;
  bytesSent = 0;

  constructor(side: DtlsSide, endpoint: DtlsEndpoint) {
    this.side = side;
    this.endpoint = endpoint;
  }

  get live() {
    const association = this.endpoint.association(this.association);
    if (association === undefined) throw new Error(`${this.side} has no association`);
    return association;
  }
}

let made: TlsIdentity | undefined;

/** A client and a server in virtual time, with a way between them that loses, repeats and delays as it is told. */
export class DtlsPair {
  readonly client: DtlsEnd;
  readonly server: DtlsEnd;
  now: Instant = startOfTime;
  /** Where the client's datagrams seem to come from. */
  clientAt: SocketAddress = clientAddress;
  readonly #options: DtlsPairOptions;
  readonly #answering: { readonly client: DtlsClientOptions; readonly server: DtlsServerOptions };
  readonly #buffer = new Uint8Array(1 << 17);
  #flying: { readonly to: DtlsEnd; readonly from: SocketAddress; readonly at: Instant; readonly bytes: Uint8Array }[] =
    [];

  constructor(options: DtlsPairOptions = {}) {
    const { seed = 1 } = options;
    this.#options = options;
    made ??= identityFor("P-256");
    const client: DtlsClientOptions = { verify: trusting, serverName: "server.test", ...options.client };
    const server: DtlsServerOptions = { verify: trusting, identity: made, ...options.server };
    this.#answering = { client, server };
    const ground = (side: string) => ({ crypto: provider, entropy: seededEntropy(`${side} ${seed}`) });
    const size = client.connectionIdSize;
    this.client = new DtlsEnd(
      "client",
      new DtlsEndpoint(ground("client"), size === undefined ? {} : { connectionIdSize: size }),
    );
    this.server = new DtlsEnd("server", new DtlsEndpoint(ground("server"), { server, foreign: true }));
  }

  /** Lets the client begin, and runs until both are silent or the time has come. */
  async open(forMs = 60_000): Promise<this> {
    const { client: options } = this.#answering;
    this.server.endpoint.handle({ kind: "opened" }, this.now);
    this.client.endpoint.handle({ kind: "opened" }, this.now);
    return this.give("client", { kind: "connect", association: 1, remote: serverAddress, options }, forMs);
  }

  async give(side: DtlsSide, input: DtlsInput, forMs = 1_000): Promise<this> {
    this[side].endpoint.handle(input, this.now);
    return this.run(forMs);
  }

  /** Sends text, and lets it arrive. */
  async say(side: DtlsSide, ...texts: readonly string[]): Promise<this> {
    return this.give(side, { kind: "send", association: this[side].association, batch: batchOf(texts) }, 200);
  }

  /** Runs for so long, or until nothing is on its way and no deadline is before the end. */
  async run(forMs: number): Promise<this> {
    const end = this.now + forMs;
    for (;;) {
      await this.#drain();
      const next = Math.min(
        ...this.#flying.map(({ at }) => at),
        this.client.endpoint.deadline() ?? Number.POSITIVE_INFINITY,
        this.server.endpoint.deadline() ?? Number.POSITIVE_INFINITY,
      );
      if (next > end) break;
      this.now = Math.max(this.now, next);
      for (const each of [this.client, this.server]) {
        const deadline = each.endpoint.deadline();
        if (deadline !== undefined && deadline <= this.now) each.endpoint.handle({ kind: "wake" }, this.now);
      }
      const arriving = this.#flying.filter(({ at }) => at <= this.now);
      this.#flying = this.#flying.filter(({ at }) => at > this.now);
      for (const { to, from, bytes } of arriving) {
        this.deliver(to.side, bytes, from);
        await this.#drain();
      }
    }
    if (Number.isFinite(end)) this.now = end;
    return this;
  }

  /** A datagram out of nowhere. */
  deliver(to: DtlsSide, bytes: Uint8Array, from: SocketAddress): void {
    const local = to === "server" ? serverAddress : clientAddress;
    const segmentSize = bytes.length;
    this[to].endpoint.handle(
      { kind: "datagrams", bytes: bytes.slice(), from, to: local, segmentSize, ecn: 0 },
      this.now,
    );
  }

  async settle(): Promise<void> {
    await this.#drain();
  }

  async #drain(): Promise<void> {
    for (let moved = true; moved; ) {
      moved = false;
      for (const end of [this.client, this.server]) {
        // Bytes of an event live as long as the input's: events first.
        for (let event = end.endpoint.event(); event !== undefined; event = end.endpoint.event()) {
          moved = true;
          await this.#event(end, event);
        }
        for (;;) {
          const transmit = end.endpoint.transmit(this.#buffer, this.now);
          if (transmit === undefined) break;
          moved = true;
          const step = transmit.segmentSize ?? transmit.size;
          for (let at = 0; at < transmit.size; at += step) {
            this.#send(end, this.#buffer.slice(at, Math.min(at + step, transmit.size)), transmit.to!);
          }
        }
      }
    }
  }

  #send(end: DtlsEnd, bytes: Uint8Array, to: SocketAddress): void {
    const { delayMs = 10, way, trace } = this.#options;
    const passing: Passing = { by: end.side, index: end.sent++, bytes, at: this.now };
    end.bytesSent += bytes.length;
    const arrivals = way === undefined ? [{ bytes }] : way(passing);
    if (trace === true) {
      const hex = Array.from(bytes.subarray(0, 14), (byte) => byte.toString(16).padStart(2, "0")).join("");
      console.log(this.now - startOfTime, end.side, passing.index, bytes.length, hex, arrivals.length);
    }
    const isForServer = end.side === "client";
    if (!isForServer && (to.port !== this.clientAt.port || to.address !== this.clientAt.address)) return;
    for (const { bytes: arriving, lateMs = 0 } of arrivals) {
      this.#flying.push({
        to: isForServer ? this.server : this.client,
        from: isForServer ? { ...this.clientAt } : serverAddress,
        at: this.now + delayMs + lateMs,
        bytes: arriving,
      });
    }
  }

  async #event(end: DtlsEnd, event: DtlsEvent): Promise<void> {
    end.told.push(event.kind);
    if (event.kind === "question") {
      await this.#answer(end, event.id, event.question);
      return;
    }
    if (event.kind !== "data") end.events.push(event);
    if (event.kind === "accepted") end.association = event.association;
    else if (event.kind === "confirmed") {
      end.outcome = event.outcome;
      end.confirmedAt = this.now;
    } else if (event.kind === "ended") end.failure = event.failure;
    else if (event.kind === "data") {
      for (let i = 0; i < event.count; i++) {
        const text = new TextDecoder().decode(event.bytes.slice(event.ranges[2 * i], event.ranges[2 * i + 1]));
        (event.early ? end.early : end.received).push(text);
      }
    }
  }

  async #answer(end: DtlsEnd, id: number, question: AskOf<DtlsEvent>): Promise<void> {
    const options = this.#answering[end.side];
    const by = { options, crypto: provider, dialect: dialects.dtls, scope: scopeOf(options, "server.test", 4433) };
    const answer = await answerQuestion(question, by, new AbortController().signal);
    end.endpoint.handle({ kind: "answer", id, answer }, this.now);
  }
}

export const openDtls = (options?: DtlsPairOptions): Promise<DtlsPair> => new DtlsPair(options).open(1_000);

export function batchOf(texts: readonly string[]) {
  const parts = texts.map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  const ends: number[] = [];
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
    ends.push(at);
  }
  return { bytes, ends, count: parts.length };
}
