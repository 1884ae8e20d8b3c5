import type { Instant } from "../../../contract/index.js";
import { strikesMax } from "./limits.js";

/** Why early data was refused; the handshake goes on without it. */
export type EarlyDataVerdict = "fresh" | "replayed" | "stale" | "full" | "starting";

export interface StrikeRegisterOptions {
  /** How far a client's idea of a ticket's age may be from ours: clock skew and travel time. Default 10 seconds. */
  readonly windowMs?: number;
  /** First flights remembered in a window; more of them get no early data. */
  readonly entriesMax?: number;
}

/** What anti-replay judges: the same ClientHello has the same binder (RFC 9846 §8.2). */
export interface EarlyDataOffer {
  /** Binder of the PSK under which the early data stands, or another value that is unique to the ClientHello. */
  readonly unique: Uint8Array;
  readonly ticketIssuedAt: Instant;
  /** obfuscated_ticket_age minus ticket_age_add, modulo 2^32, in milliseconds. */
  readonly ticketAgeMs: number;
}

/**
 * Anti-replay for 0-RTT, RFC 9846 §8: a ClientHello counts as fresh if it arrives when it should (§8.3) and has not been
 * seen (§8.2). Whatever is too old to be remembered is also too old to be fresh, so two generations of the window are
 * enough and memory is bounded. A register holds for one process; a fleet that shares ticket keys needs one that is
 * shared, or no 0-RTT.
 */
export class StrikeRegister {
  readonly #windowMs: number;
  readonly #entriesMax: number;
  readonly #startedAt: Instant;
  #turnedAt: Instant;
  #current = new Set<string>();
  #previous = new Set<string>();

  constructor(now: Instant, options: StrikeRegisterOptions = {}) {
    this.#windowMs = options.windowMs ?? 10_000;
    this.#entriesMax = options.entriesMax ?? strikesMax;
    this.#startedAt = now;
    this.#turnedAt = now;
  }

  /** Entries held now. */
  get size(): number {
    return this.#current.size + this.#previous.size;
  }

  /** Judges an offer and remembers it. */
  judge(offer: EarlyDataOffer, now: Instant): EarlyDataVerdict {
    const expectedAt = offer.ticketIssuedAt + offer.ticketAgeMs;
    if (Math.abs(now - expectedAt) > this.#windowMs) return "stale";
    // What came before we began to remember may have been played already: RFC 9846 §8.2.
    if (expectedAt - this.#windowMs < this.#startedAt) return "starting";
    this.#turn(now);
    const unique = String.fromCharCode(...offer.unique);
    if (this.#current.has(unique) || this.#previous.has(unique)) return "replayed";
    if (this.#current.size >= this.#entriesMax) return "full";
    this.#current.add(unique);
    return "fresh";
  }

  /** A copy of an offer can pass for fresh within twice the window of its first arrival; a generation is that long. */
  #turn(now: Instant): void {
    const generationMs = 2 * this.#windowMs;
    const passed = Math.floor((now - this.#turnedAt) / generationMs);
    if (passed === 0) return;
    this.#previous = passed === 1 ? this.#current : new Set();
    this.#current = new Set();
    this.#turnedAt += passed * generationMs;
  }
}
