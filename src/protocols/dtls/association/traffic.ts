import { dtlsFailure } from "../failure.js";
import type { Flights } from "../handshake/flights.js";
import { limits } from "../limits.js";
import { epochs } from "../record/epochs.js";
import type { Core } from "./core.js";
import type { Dialogue } from "./dialogue.js";
import { EarlyData } from "./early-data.js";
import type { Ending } from "./ending.js";
import type { Naming } from "./naming.js";
import { type Batch, Outbound } from "./outbound.js";
import type { PathSize } from "./path-size.js";

/** Application data both ways, early ones too, and what they cost the keys. */
export class Traffic {
  bytesSent = 0;
  bytesReceived = 0;
  messagesSent = 0;
  messagesReceived = 0;
  /** Greatest content of a record that the peer takes. */
  contentMax: number = limits.recordSizeMax;
  readonly #core: Core;
  readonly #ending: Ending;
  readonly #dialogue: Dialogue;
  readonly #flights: Flights;
  readonly #naming: Naming;
  readonly #size: PathSize;
  readonly #outbound = new Outbound();
  readonly #early = new EarlyData();

  constructor(
    core: Core,
    parts: {
      readonly ending: Ending;
      readonly dialogue: Dialogue;
      readonly flights: Flights;
      readonly naming: Naming;
      readonly size: PathSize;
    },
  ) {
    this.#core = core;
    this.#ending = parts.ending;
    this.#dialogue = parts.dialogue;
    this.#flights = parts.flights;
    this.#naming = parts.naming;
    this.#size = parts.size;
  }

  /** Bytes that wait to be sealed. */
  get queued(): number {
    return this.#outbound.queued;
  }

  /** Greatest message that fits a datagram; 0 before there are keys for it. */
  get messageMax(): number {
    const sealer = this.#core.epochs.application;
    if (sealer === undefined) return 0;
    return Math.min(this.contentMax, this.#size.current - sealer.headroom - sealer.tailroom);
  }

  send(batch: Batch): void {
    if (this.#ending.isOver || this.#ending.isWanted) this.#core.drop("not-open");
    else if (!this.#outbound.add(batch)) this.#core.drop("queue-full");
  }

  /** Without a ticket that allows it, it is dropped. */
  sendEarly(bytes: Uint8Array): void {
    const { isConfirmed, isServer } = this.#core;
    const isTooLate = isConfirmed || this.#ending.isOver || isServer;
    if (isTooLate || !this.#early.send(bytes)) this.#core.drop("early-data");
  }

  /** The handshake's word on 0-RTT data. */
  earlyData(status: "offered" | "accepted" | "rejected", max: number): void {
    if (this.#core.isServer) this.#early.isAccepted = status === "accepted";
    else this.#early.allow(status === "offered" ? max : 0);
    if (status === "rejected") this.endEarly();
  }

  endEarly(): void {
    this.#core.drops["early-data"] += this.#early.end();
    this.#core.epochs.endEarly();
  }

  /** What came before the peer's proof is believed now. */
  release(): void {
    for (const bytes of this.#early.release()) this.#deliver(bytes, 0, bytes.length, false);
  }

  clear(): void {
    this.#outbound.clear();
  }

  receive(bytes: Uint8Array, at: number, size: number, epoch: number): void {
    const { version, isConfirmed } = this.#core;
    if (epoch === epochs.initial) this.#core.drop("unexpected-record");
    else if (epoch === epochs.early && version === "1.3") {
      if (this.#early.isAccepted) this.#deliver(bytes, at, size, true);
      else this.#core.drop("early-data");
    } else if (epoch === epochs.handshake && version === "1.3") this.#core.drop("unexpected-record");
    else if (isConfirmed) this.#deliver(bytes, at, size, false);
    else if (!this.#early.hold(bytes.slice(at, at + size))) this.#core.drop("no-keys");
  }

  #deliver(bytes: Uint8Array, at: number, size: number, early: boolean): void {
    this.messagesReceived++;
    this.bytesReceived += size;
    this.#naming.dataReceived();
    this.#core.handshake.dataReceived();
    this.#core.around.deliver(this.#core.id, bytes, at, at + size, early);
  }

  /** Everything that was to be sent has been sealed. */
  get isEmpty(): boolean {
    return this.#outbound.isEmpty;
  }

  /** Writes one early message; answers its size. */
  writeEarly(into: Uint8Array): number {
    const { early } = this.#core.epochs;
    if (early === undefined) return 0;
    while (this.#early.isPending) {
      const size = this.#early.fill(into, early, this.#size.current);
      if (size > 0) return size;
      this.#core.drop("early-data");
    }
    return 0;
  }

  /** Writes messages, several as a batch of datagrams of one size; answers how many bytes that are. */
  write(into: Uint8Array, out: { segmentSize?: number }): number {
    const outbound = this.#outbound;
    if (outbound.isEmpty || !this.#core.isConfirmed || this.#ending.isOver || !this.#refresh()) return 0;
    const sealer = this.#core.epochs.application!;
    const isThere = outbound.fill(into, sealer, this.messageMax, sealer.countMax - sealer.sequence);
    if (outbound.tooLong > 0) this.#core.drops["too-long"] += outbound.tooLong;
    if (!isThere) return 0;
    this.messagesSent += outbound.messages;
    this.bytesSent += outbound.bytes;
    this.#size.sent(outbound.segmentSize, this.#core.now);
    if (outbound.messages > 1) out.segmentSize = outbound.segmentSize;
    return outbound.size;
  }

  /** Fresh keys before the old are worn out (RFC 9147 §4.5.3). False if nothing may be sealed any more. */
  #refresh(): boolean {
    const sealer = this.#core.epochs.application!;
    const is13 = this.#core.version === "1.3";
    // An eighth of them is left for what goes on until the peer has acknowledged.
    const wanted = Math.min(this.#core.options.recordsPerKeyMax ?? Number.POSITIVE_INFINITY, sealer.countMax * 0.875);
    if (is13 && sealer.sequence >= wanted && !this.#flights.isBusy) this.#dialogue.updateKeys(false);
    if (sealer.sequence < sealer.countMax) return true;
    if (!is13) {
      const message = "1.2 keys are worn out, and 1.2 has no way to new ones";
      this.#ending.fail(dtlsFailure("keys-exhausted", "application data", message));
    }
    return false;
  }
}
