import { utf8 } from "../../../bytes/index.js";
import type { Instant, Question } from "../../../contract/index.js";
import { slabSize, transmitSizeMin } from "../../../mechanisms/limits.js";
import type { TlsAsks, TlsFailure, TlsMachine, TlsOutcome } from "../../tls/index.js";
import type { DataKeys } from "../data/keys.js";
import { decodeKeyExchange, encodeKeyExchange, type KeyExchange } from "../key-exchange.js";
import { keyExchangeMax, messageMax, outgoingMessagesMax } from "../limits.js";
import { Opcode } from "../wire/opcodes.js";
import { Reliable, type Reliably } from "./reliable.js";
import type { Role } from "./wrap.js";

export type NegotiationEvent =
  | { readonly kind: "question"; readonly id: number; readonly question: Question<TlsAsks>["question"] }
  /** Both sides have said what key method 2 says. */
  | { readonly kind: "keyed" }
  | { readonly kind: "message"; readonly text: string }
  /** The peer ended TLS in an orderly way. */
  | { readonly kind: "ended" }
  | { readonly kind: "tls-failed"; readonly failure: TlsFailure }
  | { readonly kind: "bad-key-exchange" };

export interface NegotiationOptions {
  readonly role: Role;
  readonly keyId: number;
  readonly tls: TlsMachine;
  /** What we say in key method 2; asked for when it is sent. */
  readonly exchange: () => KeyExchange;
  /** Bytes of TLS in one control packet, and in the first one, which may carry a wrapped key. */
  readonly chunk: number;
  readonly firstChunk?: number;
  readonly firstOpcode?: number;
  /** Packet IDs up to this one have passed already, both ways: a stateless server's. */
  readonly passed?: number;
}

const nothing = new Uint8Array(0);
/** TLS records on their way into control packets: filled and emptied within one call. */
const scratch = new Uint8Array(Math.min(slabSize, 4 * transmitSizeMin));

/**
 * One negotiation of keys: a reliability layer, the TLS session on top of it, and the key exchange inside that (wire document
 * §6). What TLS says afterwards, text messages, passes here too.
 */
export class Negotiation {
  readonly keyId: number;
  readonly startedAt: Instant;
  readonly reliable: Reliable;
  readonly tls: TlsMachine;
  outcome: TlsOutcome | undefined;
  own: KeyExchange | undefined;
  peer: KeyExchange | undefined;
  data: DataKeys | undefined;
  isOver = false;

  readonly #options: NegotiationOptions;
  readonly #events: NegotiationEvent[] = [];
  #isStarted = false;
  #sentExchange = false;
  #firstOpcode: number | undefined;
  #first = true;
  #unread = nothing;
  #messages = 0;

  constructor(options: NegotiationOptions, now: Instant) {
    this.#options = options;
    this.keyId = options.keyId;
    this.tls = options.tls;
    this.startedAt = now;
    this.reliable = new Reliable(options.passed);
    this.#firstOpcode = options.firstOpcode;
  }

  /** Sends the packet that begins a session or a renewal. */
  reset(opcode: number): void {
    this.reliable.send(opcode, nothing);
  }

  /** The first TLS packet goes out under another opcode: the peer wants the wrapped key again. */
  resendWrappedKey(): void {
    this.#firstOpcode = Opcode.controlWkcV1;
  }

  /** Gives what has come in order to TLS, and takes what TLS has to say. */
  advance(now: Instant): void {
    if (this.isOver) return;
    for (let packet = this.reliable.deliver(); packet !== undefined; packet = this.reliable.deliver()) {
      if (!isPayload(packet) || packet.payload.length === 0) continue;
      this.#start(now);
      this.tls.handle({ kind: "bytes", bytes: packet.payload }, now);
    }
    this.pump(now);
  }

  /** The peer knows that a negotiation began: TLS may. */
  start(now: Instant): void {
    this.#start(now);
    this.pump(now);
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  #start(now: Instant): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.tls.handle({ kind: "opened" }, now);
  }

  /** One text message, in a record of its own, with its zero byte (§6.5). */
  message(text: string, now: Instant): void {
    if (this.isOver || this.#messages >= outgoingMessagesMax) return;
    this.#messages++;
    this.#send(zeroTerminated(text), now);
  }

  /** Moves what TLS has to send into control packets as far as there is room, and hears what it tells. */
  pump(now: Instant): void {
    let told: boolean;
    do {
      told = false;
      if (this.reliable.hasRoom) told = this.#transmit(now);
      for (let event = this.tls.event(); event !== undefined; event = this.tls.event()) {
        told = true;
        switch (event.kind) {
          case "question":
            this.#events.push(event);
            break;
          case "confirmed":
            this.outcome = event.outcome;
            if (this.#options.role === "client") this.#exchange(now);
            break;
          case "data":
            this.#data(event.bytes, now);
            break;
          case "sent":
            this.#messages = 0;
            break;
          case "ended":
            this.#events.push({ kind: "ended" });
            break;
          case "failed":
            // Its alert is still to be sent.
            this.#transmit(now);
            this.isOver = true;
            this.#events.push({ kind: "tls-failed", failure: event.failure });
            return;
        }
      }
    } while (told);
  }

  event(): NegotiationEvent | undefined {
    return this.#events.shift();
  }

  destroy(): void {
    this.isOver = true;
    this.data?.destroy();
    this.data = undefined;
    this.tls.handle({ kind: "closed", failure: undefined }, this.startedAt);
    for (const exchange of [this.own, this.peer]) exchange?.preMaster?.fill(0);
  }

  #transmit(now: Instant): boolean {
    const size = this.tls.transmit(scratch, now)?.size ?? 0;
    for (let at = 0; at < size; ) {
      const first = this.#first;
      this.#first = false;
      const chunk = first ? (this.#options.firstChunk ?? this.#options.chunk) : this.#options.chunk;
      const part = scratch.slice(at, Math.min(size, at + chunk));
      this.reliable.send((first ? this.#firstOpcode : undefined) ?? Opcode.controlV1, part);
      at += part.length;
    }
    return size > 0;
  }

  #send(bytes: Uint8Array, now: Instant): void {
    this.tls.handle({ kind: "send", bytes }, now);
    this.pump(now);
  }

  #exchange(now: Instant): void {
    if (this.#sentExchange) return;
    this.#sentExchange = true;
    this.own = this.#options.exchange();
    this.#send(encodeKeyExchange(this.own), now);
  }

  #data(bytes: Uint8Array, now: Instant): void {
    if (this.peer !== undefined) {
      this.#text(bytes);
      return;
    }
    const all = new Uint8Array(this.#unread.length + bytes.length);
    all.set(this.#unread);
    all.set(bytes, this.#unread.length);
    const from = this.#options.role === "client" ? "server" : "client";
    const exchange = all.length > keyExchangeMax ? undefined : decodeKeyExchange(all, from);
    if (exchange === "more") {
      this.#unread = all;
      return;
    }
    this.#unread = nothing;
    if (exchange === undefined) {
      this.isOver = true;
      this.#events.push({ kind: "bad-key-exchange" });
      return;
    }
    this.peer = exchange;
    if (this.#options.role === "server") this.#exchange(now);
    this.#events.push({ kind: "keyed" });
  }

  /** A record holds whole messages, each behind the zero byte of the one before. */
  #text(bytes: Uint8Array): void {
    if (bytes.length > messageMax) return;
    for (const text of new TextDecoder().decode(bytes).split("\0")) {
      if (text !== "") this.#events.push({ kind: "message", text });
    }
  }
}

const isPayload = ({ opcode }: Reliably): boolean => opcode === Opcode.controlV1 || opcode === Opcode.controlWkcV1;

const zeroTerminated = (text: string): Uint8Array => utf8(`${text}\0`);
