import type { Instant } from "../../../contract/index.js";
import { earliest } from "../../../contract/index.js";
import { lastFlightKeptMs } from "../limits.js";
import type { Epochs } from "../record/epochs.js";
import { Flight } from "./flight.js";

/** What goes out after the handshake, in turn: a message, or what may only be done when all before is acknowledged. */
type Later =
  | { readonly kind: "message"; readonly type: number; readonly bytes: Uint8Array }
  | { readonly kind: "then"; readonly run: () => void };

/** A flight went in datagrams of at most `size`, brought no answer, and is sent again for the `repeats`-th time. */
type Unanswered = (size: number, repeats: number, now: Instant) => void;

/**
 * Our side of the handshake as it goes out: which messages belong together, when they go again, and when they are done with.
 * There is one flight at a time. After the handshake each message of 1.3, or several in a row, is a flight that the peer
 * acknowledges; a KeyUpdate's new keys wait for that (RFC 9147 §8).
 */
export class Flights {
  retransmissions = 0;
  readonly #retransmitMs: number;
  readonly #unanswered: Unanswered;
  readonly #later: Later[] = [];
  #nextSequence: number;
  #current: Flight | undefined;
  /** May the next message join the current flight? Not when the peer has answered that one. */
  #isOpen = false;
  #isTimed = true;
  #keptUntil: Instant | undefined;

  constructor(retransmitMs: number, firstSequence: number, unanswered: Unanswered) {
    this.#unanswered = unanswered;
    this.#retransmitMs = retransmitMs;
    this.#nextSequence = firstSequence;
  }

  // What the handshake says

  put(type: number, epoch: number, bytes: Uint8Array): void {
    this.#open().add(type, epoch, this.#nextSequence++, bytes);
  }

  changeCipherSpec(): void {
    this.#open().addChangeCipherSpec();
  }

  /** A whole message of the peer's came: what we say from now on is an answer to it. */
  answered(): void {
    this.#isOpen = false;
  }

  /** 1.3: the peer has begun its next flight, so it has all of ours (RFC 9147 §5.8.1). */
  settle(): void {
    if (!this.#isOpen) this.#current = undefined;
  }

  /** The handshake is over. `isLast`: of 1.2's last flight nobody tells us whether it came (RFC 6347 §4.2.4). */
  confirmed(is12: boolean, isServer: boolean, now: Instant): void {
    if (is12 && this.#isOpen) {
      this.#isTimed = false;
      this.#keptUntil = now + lastFlightKeptMs;
    } else if (is12 || isServer) this.#current = undefined;
  }

  later(type: number, bytes: Uint8Array): void {
    this.#later.push({ kind: "message", type, bytes });
  }

  /** When all that was put before is acknowledged. */
  whenAcknowledged(run: () => void): void {
    this.#later.push({ kind: "then", run });
  }

  get isBusy(): boolean {
    return this.#later.length > 0 || (this.#current !== undefined && this.#isTimed);
  }

  // What comes and what time brings

  acknowledge(epoch: number, sequence: number): void {
    this.#current?.acknowledge(epoch, sequence);
  }

  /** After an ACK: what it left out goes again, for it is lost or late. */
  acknowledged(now: Instant): void {
    const flight = this.#current;
    if (flight === undefined) return;
    if (flight.isAcknowledged) this.#current = undefined;
    else this.repeat(now);
  }

  /** The peer has said something again: it has not heard our answer. Not more often than the peer may need it. */
  repeat(now: Instant): void {
    const flight = this.#current;
    if (flight === undefined || flight.isPending || now - flight.sentAt < this.#retransmitMs / 8) return;
    flight.sendAgain();
    this.retransmissions++;
  }

  /** Moves on to what waits, if the current flight is done. `epochs` tells that of application data. */
  advance(epochs: Epochs): void {
    while (this.#current === undefined) {
      const next = this.#later.shift();
      if (next === undefined) return;
      if (next.kind === "then") {
        next.run();
        continue;
      }
      const epoch = epochs.newest.epoch;
      this.#isOpen = false;
      this.put(next.type, epoch, next.bytes);
      while (this.#later[0]?.kind === "message") {
        const { type, bytes } = this.#later.shift() as Later & { kind: "message" };
        this.put(type, epoch, bytes);
      }
    }
  }

  get deadline(): Instant | undefined {
    return earliest(this.#isTimed ? this.#current?.timer.deadline : undefined, this.#keptUntil);
  }

  /** `gone`: it was sent often enough. While we are `thinking` about the peer's answer there is nothing to send again. */
  due(now: Instant, isThinking: boolean): "fine" | "gone" {
    if (this.#keptUntil !== undefined && this.#keptUntil <= now) {
      this.#keptUntil = undefined;
      if (!this.#isTimed) this.#current = undefined;
    }
    const flight = this.#current;
    if (flight === undefined || !this.#isTimed) return "fine";
    const due = flight.timer.due(now);
    if (due === "exhausted") return "gone";
    if (due === "again" && !isThinking) {
      this.#unanswered(flight.datagramMax, flight.timer.repeats, now);
      flight.sendAgain();
      this.retransmissions++;
    }
    return "fine";
  }

  /** The network says that datagrams of this size do not pass: they go again at once, smaller (RFC 9147 §4.4). */
  tooBig(): void {
    const flight = this.#current;
    if (flight === undefined || !this.#isTimed) return;
    flight.sendAgain();
    this.retransmissions++;
  }

  clear(): void {
    this.#current = undefined;
    this.#later.length = 0;
    this.#keptUntil = undefined;
  }

  // What goes out

  get isPending(): boolean {
    return this.#current?.isPending === true;
  }

  /** Writes records into one datagram up to `end`; answers where they end. */
  fill(into: Uint8Array, at: number, end: number, epochs: Epochs, track: boolean, now: Instant): number {
    const flight = this.#current;
    if (flight === undefined) return at;
    let next = at;
    for (let epoch = flight.nextEpoch; epoch !== undefined; epoch = flight.nextEpoch) {
      const sealer = epochs.sealer(epoch);
      const size = sealer === undefined ? 0 : flight.fill(into, next, end, sealer, track);
      if (size === 0) break;
      next += size;
    }
    flight.datagramMax = Math.max(flight.datagramMax, next);
    if (next > at && !flight.isPending) {
      flight.sentAt = now;
      if (this.#isTimed && flight.timer.deadline === undefined) flight.timer.start(now);
    }
    return next;
  }

  #open(): Flight {
    if (!this.#isOpen || this.#current === undefined) {
      this.#current = new Flight(this.#retransmitMs);
      this.#isOpen = true;
      this.#isTimed = true;
    }
    return this.#current;
  }
}
