import { Ranges } from "../../../mechanisms/ranges.js";
import type { DropReason } from "../failure.js";
import { limits } from "../limits.js";
import { type FragmentHeader, fragmentHeaderSize } from "./fragment.js";

/** A message that is being put together. The bytes have TLS's header of four bytes, so that they can go on as they are. */
interface Arriving {
  readonly type: number;
  readonly size: number;
  /** The epoch of its pieces: a message has one. */
  readonly epoch: number;
  readonly bytes: Uint8Array;
  readonly have: Ranges;
  isWhole: boolean;
}

export interface WholeMessage {
  readonly type: number;
  readonly epoch: number;
  /** Header of four bytes, and body. */
  readonly bytes: Uint8Array;
}

const tlsHeaderSize = 4;
/** handshakeType.certificate and compressedCertificate. */
const certificateTypes: ReadonlySet<number> = new Set([11, 25]);

/** Puts the peer's messages together, out of pieces that come in any order, twice, or overlapping, and gives them in turn. */
export class IncomingMessages {
  /** message_seq of the message that is due. */
  next: number;
  readonly #arriving = new Map<number, Arriving>();
  #waiting = 0;

  constructor(first = 0) {
    this.next = first;
  }

  /** Is anything here of a message that is not whole, or not due? */
  get isPartial(): boolean {
    return this.#arriving.size > 0;
  }

  /**
   * Takes a piece, whose header is at `at`. `new` brings something, `known` was here while its message is being put together,
   * `old` is of a message that is done: the peer has not heard our answer. Anything else is dropped.
   */
  add(head: FragmentHeader, bytes: Uint8Array, at: number, epoch: number): "new" | "known" | "old" | DropReason {
    const { sequence, size, type } = head;
    if (sequence < this.next) return "old";
    if (sequence >= this.next + limits.messagesAheadMax) return "message-too-far-ahead";
    let message = this.#arriving.get(sequence);
    if (message !== undefined && message.epoch < epoch) {
      // Anybody can write a piece without protection; the one that is protected is the peer's.
      this.#forget(sequence, message);
      message = undefined;
    }
    if (message === undefined) {
      const max = certificateTypes.has(type) ? limits.certificateMessageMax : limits.messageMax;
      if (size > max || this.#waiting + size > limits.messageBytesWaitingMax) return "message-too-large";
      message = begin(head, epoch);
      this.#waiting += size;
      this.#arriving.set(sequence, message);
    } else if (message.type !== type || message.size !== size || message.epoch !== epoch) return "fragment-mismatch";
    const { offset, length } = head;
    const isNew = message.have.add(offset, offset + Math.max(1, length));
    if (!isNew) return "known";
    const from = at + fragmentHeaderSize;
    message.bytes.set(bytes.subarray(from, from + length), tlsHeaderSize + offset);
    message.isWhole = message.have.covers(0, Math.max(1, size));
    return "new";
  }

  /** The message that is due, if it is whole. */
  take(): WholeMessage | undefined {
    const message = this.#arriving.get(this.next);
    if (message?.isWhole !== true) return undefined;
    this.#forget(this.next++, message);
    return message;
  }

  /** The epoch under which the message that is due comes in, if a piece of it is here. */
  get dueEpoch(): number | undefined {
    return this.#arriving.get(this.next)?.epoch;
  }

  /** Takes back what is here of the message that is due: it came under keys that it cannot come under. */
  reject(): void {
    const message = this.#arriving.get(this.next);
    if (message !== undefined) this.#forget(this.next, message);
  }

  #forget(sequence: number, message: Arriving): void {
    this.#arriving.delete(sequence);
    this.#waiting -= message.size;
  }

  clear(): void {
    this.#arriving.clear();
    this.#waiting = 0;
  }
}

function begin({ type, size }: FragmentHeader, epoch: number): Arriving {
  const bytes = new Uint8Array(tlsHeaderSize + size);
  bytes[0] = type;
  bytes[1] = size >> 16;
  bytes[2] = (size >> 8) & 255;
  bytes[3] = size & 255;
  return { type, size, epoch, bytes, have: new Ranges(limits.piecesMax), isWhole: false };
}
