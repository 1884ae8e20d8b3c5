import type { Instant } from "../../../contract/index.js";
import {
  acksAloneMax,
  acksBeforeRetransmit,
  receiveWindow,
  retransmitMaxMs,
  retransmitMs,
  sendWindow,
} from "../limits.js";

/** A control packet that the reliability layer carries. */
export interface Reliably {
  readonly id: number;
  readonly opcode: number;
  readonly payload: Uint8Array;
}

interface Outstanding extends Reliably {
  dueAt: Instant;
  timeoutMs: number;
  laterAcks: number;
}

/**
 * Order and delivery for the control packets of one key ID (wire document §6.3, §6.4): packet IDs from zero, a window of
 * unacknowledged ones that are sent again with growing pauses, and those of the peer put in order.
 */
export class Reliable {
  readonly #waiting: { readonly opcode: number; readonly payload: Uint8Array }[] = [];
  readonly #outstanding: Outstanding[] = [];
  readonly #early = new Map<number, Reliably>();
  /** Packet IDs that are to be acknowledged, then those that were, latest first: they are repeated. */
  #owed: number[] = [];
  #repeated: number[] = [];
  #nextId: number;
  #expected: number;
  retransmissions = 0;

  /** Packet IDs below `passed` have been sent, acknowledged and received already. */
  constructor(passed = 0) {
    this.#nextId = passed;
    this.#expected = passed;
  }

  /** Is all that was given acknowledged? */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#outstanding.length === 0;
  }

  get owesAcks(): boolean {
    return this.#owed.length > 0;
  }

  /** May more be given without piling up? */
  get hasRoom(): boolean {
    return this.#waiting.length < sendWindow;
  }

  /** The payload must be memory of its own. */
  send(opcode: number, payload: Uint8Array): void {
    this.#waiting.push({ opcode, payload });
  }

  /** The next packet that is to go out now, for the first time or again. */
  next(now: Instant): Reliably | undefined {
    for (const packet of this.#outstanding) {
      if (packet.dueAt > now && packet.laterAcks < acksBeforeRetransmit) continue;
      packet.timeoutMs = Math.min(2 * packet.timeoutMs, retransmitMaxMs);
      packet.dueAt = now + packet.timeoutMs;
      packet.laterAcks = 0;
      this.retransmissions++;
      return packet;
    }
    if (this.#outstanding.length >= sendWindow) return undefined;
    // The window is of packet IDs, and the oldest may be the one that is lost.
    const oldest = this.#outstanding[0];
    if (oldest !== undefined && this.#nextId - oldest.id >= sendWindow) return undefined;
    const next = this.#waiting.shift();
    if (next === undefined) return undefined;
    const packet = { ...next, id: this.#nextId++, dueAt: now + retransmitMs, timeoutMs: retransmitMs, laterAcks: 0 };
    this.#outstanding.push(packet);
    return packet;
  }

  acknowledged(ids: readonly number[]): void {
    for (const id of ids) {
      const at = this.#outstanding.findIndex((packet) => packet.id === id);
      if (at < 0) continue;
      this.#outstanding.splice(at, 1);
      for (const packet of this.#outstanding) if (packet.id < id) packet.laterAcks++;
    }
  }

  /**
   * Takes a packet of the peer's, whose payload must be memory of its own. False if its ID is further ahead than anything
   * that is kept; duplicates are acknowledged again.
   */
  receive(id: number, opcode: number, payload: Uint8Array): boolean {
    if (id >= this.#expected + receiveWindow) return false;
    if (!this.#owed.includes(id) && this.#owed.length < receiveWindow) this.#owed.push(id);
    if (id >= this.#expected && !this.#early.has(id)) this.#early.set(id, { id, opcode, payload });
    return true;
  }

  /** The next packet in order. */
  deliver(): Reliably | undefined {
    const packet = this.#early.get(this.#expected);
    if (packet !== undefined) this.#early.delete(this.#expected++);
    return packet;
  }

  /** Acknowledgements for one packet, those that are owed first. */
  takeAcks(max: number): readonly number[] {
    const owed = this.#owed.slice(0, max);
    this.#owed = this.#owed.slice(max);
    const acks = [...owed, ...this.#repeated.filter((id) => !owed.includes(id))];
    this.#repeated = acks.slice(0, acksAloneMax);
    return acks.slice(0, max);
  }

  deadline(): Instant | undefined {
    let at: Instant | undefined;
    for (const { dueAt } of this.#outstanding) if (at === undefined || dueAt < at) at = dueAt;
    return at;
  }

  /** Is there something to send before any deadline? */
  isDue(now: Instant): boolean {
    const oldest = this.#outstanding[0];
    const mayStart =
      this.#outstanding.length < sendWindow && (oldest === undefined || this.#nextId - oldest.id < sendWindow);
    return (
      (this.#waiting.length > 0 && mayStart) ||
      this.#outstanding.some(({ dueAt, laterAcks }) => dueAt <= now || laterAcks >= acksBeforeRetransmit)
    );
  }
}
