import { Deframer, type RecordTaker } from "../../mechanisms/deframer.js";
import type { Exchange, Exchanged } from "./exchange.js";
import { type TcpcryptFailure, tcpcryptFailure } from "./failure.js";
import { limits } from "./limits.js";
import { initHeaderSize } from "./messages/init.js";
import { FrameOpener, frameHeaderSize } from "./record/frames.js";

/** Who reads what came, and whether more is wanted. */
export interface Reader {
  exchanged(exchanged: Exchanged): void;
  /** A frame is open: its fields stand in the opener, its data in `bytes`. */
  frame(bytes: Uint8Array, opener: FrameOpener): void;
  failed(failure: TcpcryptFailure): void;
  /** Nothing is read any more, or not now: the application is being asked. */
  isDeaf(): boolean;
}

/** The receiving half: an Init message if there is to be one, then frames, however the stream is cut. */
export class Inbox {
  readonly #reader: Reader;
  #exchange: Exchange | undefined;
  #opener: FrameOpener | undefined;
  readonly #init: Deframer;
  readonly #frames = new Deframer(frameHeaderSize);
  /** What came while the application was asked. */
  #held: Uint8Array[] = [];
  #heldSize = 0;
  #isHolding = false;

  constructor(reader: Reader, exchange: Exchange | undefined) {
    this.#reader = reader;
    this.#exchange = exchange;
    this.#init = new Deframer(initHeaderSize);
  }

  get frames(): number {
    return this.#opener?.frames ?? 0;
  }

  get generation(): number {
    return this.#opener?.generation ?? 0;
  }

  /** Is half a message or frame here? */
  get isMidRecord(): boolean {
    return this.#init.isMidRecord || this.#frames.isMidRecord;
  }

  keys(opener: FrameOpener): void {
    this.#opener = opener;
  }

  /** While the application is asked, what comes waits. */
  hold(): void {
    this.#isHolding = true;
  }

  get isHolding(): boolean {
    return this.#isHolding;
  }

  release(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    const held = this.#held;
    this.#held = [];
    this.#heldSize = 0;
    for (const bytes of held) this.receive(bytes);
  }

  receive(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#exchange !== undefined && !this.#isHolding) {
      const taken = this.#init.push(rest, this.#initTaker);
      if (this.#exchange !== undefined) return;
      rest = rest.subarray(taken);
    }
    if (rest.length === 0 || this.#reader.isDeaf()) return;
    if (this.#isHolding) {
      this.#heldSize += rest.length;
      if (this.#heldSize > limits.heldMax) {
        this.#reader.failed(tcpcryptFailure("too-much-unread", "more came than can wait for the application"));
      } else this.#held.push(rest.slice());
      return;
    }
    this.#frames.push(rest, this.#frameTaker);
  }

  destroy(): void {
    this.#exchange?.destroy();
    this.#exchange = undefined;
    this.#opener?.destroy();
    this.#held = [];
  }

  readonly #initTaker: RecordTaker = {
    header: (bytes, at) => {
      try {
        return this.#exchange!.sizeOf(bytes, at);
      } catch (failure) {
        this.#reader.failed(failure as TcpcryptFailure);
        return undefined;
      }
    },
    record: (bytes, at, size) => {
      const exchange = this.#exchange!;
      try {
        // Kept, and part of the transcript: memory of its own.
        const exchanged = exchange.receive(bytes.slice(at, at + size));
        this.#exchange = undefined;
        this.#reader.exchanged(exchanged);
      } catch (failure) {
        this.#reader.failed(failure as TcpcryptFailure);
      }
      return false;
    },
  };

  readonly #frameTaker: RecordTaker = {
    header: (bytes, at) => FrameOpener.sizeOf(bytes, at),
    record: (bytes, at, size) => {
      const opener = this.#opener!;
      const how = opener.open(bytes, at, size);
      if (how === "opened") {
        // Now it has the keys: it may have memory for what it announces.
        this.#frames.isFrugal = false;
        this.#reader.frame(bytes, opener);
      } else if (how === "forged") {
        this.#reader.failed(tcpcryptFailure("bad-frame", "a frame is not what the peer sealed", { at: "ciphertext" }));
      } else this.#reader.failed(tcpcryptFailure("malformed-frame", "a frame without its fields", { at: "plaintext" }));
      return !this.#reader.isDeaf();
    },
  };
}
