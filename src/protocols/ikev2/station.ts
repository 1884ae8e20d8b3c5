import { toHex } from "../../bytes/index.js";
import type { AskOf, CryptoProvider, Entropy, Instant, SocketAddress } from "../../contract/index.js";
import { type DropCounts, type DropReason, noDrops } from "./failure.js";
import type { IkeAsks, IkeConfig, IkeConnection, IkeEvent } from "./interfaces.js";
import { Leases } from "./leases.js";
import { outgoingMax, questionsMax } from "./limits.js";
import type { IkeSa } from "./sa/ike-sa.js";
import type { Outgoing } from "./sa/request.js";
import { spiSize } from "./wire/header.js";
import { exchangeName } from "./wire/numbers.js";

/** What the IKE SAs of one machine share: who we are, what is sent, told, asked and counted, and the names they are found by. */
export class Station {
  readonly config: IkeConfig;
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly events: IkeEvent[] = [];
  readonly outgoing: Outgoing[] = [];
  readonly drops: DropCounts = noDrops();
  readonly leases: Leases;
  /** By our own SPI, in hexadecimal. */
  readonly sas = new Map<string, IkeSa>();
  /** Whose child it is, by the SPI that we receive it by. */
  readonly children = new Map<number, IkeSa>();
  readonly #questions = new Map<number, (answer: unknown, now: Instant) => void>();
  #lastQuestion = 0;
  #lastIke = 0;

  constructor(config: IkeConfig) {
    this.config = config;
    this.crypto = config.crypto;
    this.entropy = config.entropy;
    this.leases = new Leases();
  }

  newHandle(): number {
    return ++this.#lastIke;
  }

  drop(reason: DropReason): void {
    this.drops[reason]++;
  }

  send(message: Outgoing): void {
    if (this.outgoing.length >= outgoingMax) this.drop("queue-full");
    else this.outgoing.push(message);
  }

  connection(name: string): IkeConnection | undefined {
    return this.config.connections.find((each) => each.name === name);
  }

  /** An SPI for an IKE SA that nobody has. Its first bytes are no Non-ESP Marker. */
  newIkeSpi(): Uint8Array {
    for (;;) {
      const spi = this.entropy.fill(new Uint8Array(spiSize));
      if (spi.subarray(0, 4).some((byte) => byte !== 0) && !this.sas.has(toHex(spi))) return spi;
    }
  }

  /** An SPI for a child, 256 or more (RFC 4303 §2.1), that is no other's. */
  newChildSpi(owner: IkeSa): number {
    for (;;) {
      const spi = new DataView(this.entropy.fill(new Uint8Array(4)).buffer).getUint32(0);
      if (spi >= 256 && !this.children.has(spi)) {
        this.children.set(spi, owner);
        return spi;
      }
    }
  }

  /** Asks; the answer comes back as an input. With too many open questions it is no at once. */
  ask<K extends keyof IkeAsks>(
    kind: K,
    ask: IkeAsks[K]["ask"],
    now: Instant,
    answered: (answer: IkeAsks[K]["answer"] | undefined, now: Instant) => void,
  ): void {
    if (this.#questions.size >= questionsMax) return void answered(undefined, now);
    const id = ++this.#lastQuestion;
    this.#questions.set(id, answered as (answer: unknown, now: Instant) => void);
    this.events.push({ kind: "question", id, question: { kind, ...ask } as AskOf<IkeEvent> });
  }

  answer(id: number, answer: unknown, now: Instant): void {
    const answered = this.#questions.get(id);
    this.#questions.delete(id);
    answered?.(answer, now);
  }

  trace(name: string, at: Instant, data: Readonly<Record<string, unknown>>): void {
    this.config.trace?.({ at, protocol: "IKEv2", name: `ikev2:${name}`, data });
  }

  traceMessage(
    direction: "sent" | "received",
    at: Instant,
    exchange: number,
    messageId: number,
    isResponse: boolean,
    peer: SocketAddress,
    payloads: readonly { readonly kind: string }[],
  ): void {
    if (this.config.trace === undefined) return;
    this.trace(`message_${direction}`, at, {
      exchange: exchangeName(exchange),
      message_id: messageId,
      is_response: isResponse,
      peer: `${peer.address}:${peer.port}`,
      payloads: payloads.map(({ kind }) => kind),
    });
  }
}
