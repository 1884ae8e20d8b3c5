import type { Instant } from "../../../contract/index.js";
import { Backoff } from "../../../mechanisms/backoff.js";
import { Ranges } from "../../../mechanisms/ranges.js";
import { limits, retransmitMsMax } from "../limits.js";
import { contentType } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";
import { fragmentHeaderSize, writeFragmentHeader } from "./fragment.js";

const tlsHeaderSize = 4;
/** A piece smaller than this is not worth a record while a larger one would fit the next datagram. */
const pieceMin = 32;

/** A message of ours, or ChangeCipherSpec, which counts as one here and has no number. */
class Outgoing {
  readonly type: number;
  readonly epoch: number;
  readonly sequence: number;
  /** Header of four bytes, and body. */
  readonly bytes: Uint8Array;
  /** Bytes of the body that must go, again or for the first time, and those that nobody has acknowledged. */
  readonly unsent = new Ranges(limits.unacknowledgedRangesMax);
  readonly unacknowledged = new Ranges(limits.unacknowledgedRangesMax);

  constructor(type: number, epoch: number, sequence: number, bytes: Uint8Array) {
    this.type = type;
    this.epoch = epoch;
    this.sequence = sequence;
    this.bytes = bytes;
    // An empty body counts as one byte, so that it can be unsent.
    const size = Math.max(1, this.size);
    this.unsent.add(0, size);
    this.unacknowledged.add(0, size);
  }

  get size(): number {
    return this.bytes.length - tlsHeaderSize;
  }

  sendAgain(): void {
    this.unsent.clear();
    for (let i = 0; i < this.unacknowledged.count; i++) {
      this.unsent.add(this.unacknowledged.from(i), this.unacknowledged.to(i));
    }
  }
}

/** What a record held, for the ACK that names it (RFC 9147 §7). */
interface Tracked {
  readonly epoch: number;
  readonly sequence: number;
  readonly message: Outgoing;
  readonly from: number;
  readonly to: number;
}

/**
 * Messages that go together and are sent again together until the peer has them: RFC 6347 §4.2.4, RFC 9147 §5.8. What the
 * timer means is the association's to say; here is what goes into the next record.
 */
export class Flight {
  readonly timer: Backoff;
  /** When it was last begun or begun again. */
  sentAt: Instant = 0;
  /** Largest datagram that any of it went out in, since it was last begun again. */
  datagramMax = 0;
  readonly #messages: Outgoing[] = [];
  readonly #tracked: Tracked[] = [];

  constructor(retransmitMs: number) {
    this.timer = new Backoff({
      firstMs: retransmitMs,
      waitMsMax: retransmitMsMax,
      repeatsMax: limits.retransmissionsMax,
    });
  }

  add(type: number, epoch: number, sequence: number, bytes: Uint8Array): void {
    this.#messages.push(new Outgoing(type, epoch, sequence, bytes));
  }

  addChangeCipherSpec(): void {
    this.#messages.push(new Outgoing(changeCipherSpec, 0, 0, Uint8Array.of(0, 0, 0, 1, 1)));
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Something waits to be sent. */
  get isPending(): boolean {
    return this.#messages.some(({ unsent }) => unsent.count > 0);
  }

  get isAcknowledged(): boolean {
    return this.#messages.every(({ unacknowledged }) => unacknowledged.count === 0);
  }

  /** All that is not acknowledged goes once more. */
  sendAgain(): void {
    this.datagramMax = 0;
    for (const message of this.#messages) message.sendAgain();
  }

  /** The next piece's epoch; undefined if nothing is to be sent. */
  get nextEpoch(): number | undefined {
    return this.#messages.find(({ unsent }) => unsent.count > 0)?.epoch;
  }

  /**
   * Writes one record with the next piece at `at`, not beyond `end`; answers its size. Zero: nothing to send, or too little
   * room for it to be worth a record.
   */
  fill(bytes: Uint8Array, at: number, end: number, sealer: RecordSealer, track: boolean): number {
    const message = this.#messages.find(({ unsent }) => unsent.count > 0);
    if (message === undefined || message.epoch !== sealer.epoch) return 0;
    const overhead = sealer.headroom + sealer.tailroom;
    const content = at + sealer.headroom;
    if (message.type === changeCipherSpec) {
      if (end - at < overhead + 1) return 0;
      message.unsent.clear();
      bytes[content] = 1;
      return sealer.seal(bytes, at, 1, contentType.changeCipherSpec);
    }
    const room = end - at - overhead - fragmentHeaderSize;
    const { unsent, size } = message;
    const whole = unsent.to(0) - unsent.from(0);
    if (room < Math.min(whole, pieceMin)) return 0;
    unsent.shift(Math.max(1, room));
    const from = unsent.outFrom;
    const length = size === 0 ? 0 : unsent.outTo - from;
    writeFragmentHeader(bytes, content, message.type, size, message.sequence, from, length);
    bytes.set(
      message.bytes.subarray(tlsHeaderSize + from, tlsHeaderSize + from + length),
      content + fragmentHeaderSize,
    );
    if (track) this.#track({ epoch: sealer.epoch, sequence: sealer.sequence, message, from, to: unsent.outTo });
    return sealer.seal(bytes, at, fragmentHeaderSize + length, contentType.handshake);
  }

  /** The peer has this record. */
  acknowledge(epoch: number, sequence: number): void {
    const index = this.#tracked.findIndex((each) => each.epoch === epoch && each.sequence === sequence);
    if (index < 0) return;
    const [{ message, from, to }] = this.#tracked.splice(index, 1) as [Tracked];
    message.unacknowledged.remove(from, to);
    message.unsent.remove(from, to);
  }

  #track(record: Tracked): void {
    this.#tracked.push(record);
    if (this.#tracked.length > limits.recordsTrackedMax) this.#tracked.shift();
  }
}

/** A type of no handshake message. */
const changeCipherSpec = -1;
