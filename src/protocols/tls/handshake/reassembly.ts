import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { handshakeType, headerSize, type Message, messageName } from "../messages/handshake.js";
import type { Epoch } from "./vocabulary.js";

const nothing = new Uint8Array(0);

/** Puts handshake messages together again, one epoch after the other. What waits here is bounded. */
export class Reassembly {
  readonly #whole: { readonly epoch: Epoch; readonly message: Message }[] = [];
  #partial: Uint8Array = nothing;
  #partialSize = 0;
  #partialEpoch: Epoch = "initial";
  #waiting = 0;

  /** Takes bytes of the handshake's stream. They are copied: nothing lent is kept. */
  add(epoch: Epoch, bytes: Uint8Array): void {
    if (this.#partialSize > 0 && epoch !== this.#partialEpoch) {
      refuse("message-spans-key-change", "Handshake", "a message began under one key and goes on under another");
    }
    this.#partialEpoch = epoch;
    const stream = this.#append(bytes);
    let at = 0;
    while (stream.length - at >= headerSize) {
      const type = stream[at]!;
      const size = (stream[at + 1]! << 16) | (stream[at + 2]! << 8) | stream[at + 3]!;
      if (size > maximum(type)) {
        refuse("message-too-large", messageName(type), `a body of ${size} bytes is more than anyone needs`);
      }
      const end = at + headerSize + size;
      if (end > stream.length) break;
      this.#push(epoch, { type, body: stream.subarray(at + headerSize, end), bytes: stream.subarray(at, end) });
      at = end;
    }
    if (at === stream.length) this.#partialSize = 0;
    else if (at === 0) this.#partialSize = stream.length;
    else {
      this.#partial = stream.slice(at);
      this.#partialSize = stream.length - at;
    }
    if (this.#partialSize === 0) this.#partial = nothing;
  }

  /** What is here and what has come, in memory that doubles: a message in single bytes costs no more than in one piece. */
  #append(bytes: Uint8Array): Uint8Array {
    const size = this.#partialSize + bytes.length;
    if (size > this.#partial.length) {
      const larger = new Uint8Array(this.#partialSize === 0 ? size : 2 * size);
      larger.set(this.#partial.subarray(0, this.#partialSize));
      this.#partial = larger;
    }
    this.#partial.set(bytes, this.#partialSize);
    return this.#partial.subarray(0, size);
  }

  /** Is half a message here? */
  get isMidMessage(): boolean {
    return this.#partialSize > 0;
  }

  /** Are whole messages waiting? */
  get isWaiting(): boolean {
    return this.#whole.length > 0;
  }

  /** Is anything of this epoch here, whole or not? */
  holds(epoch: Epoch): boolean {
    return (this.#partialSize > 0 && this.#partialEpoch === epoch) || this.#whole.some((each) => each.epoch === epoch);
  }

  next(): { readonly epoch: Epoch; readonly message: Message } | undefined {
    const next = this.#whole.shift();
    if (next !== undefined) this.#waiting -= next.message.bytes.length;
    return next;
  }

  clear(): void {
    this.#whole.length = 0;
    this.#partial = nothing;
    this.#partialSize = 0;
  }

  #push(epoch: Epoch, message: Message): void {
    this.#waiting += message.bytes.length;
    if (this.#waiting > limits.unreadHandshakeMax) {
      refuse("too-much-unread", messageName(message.type), "the peer sent more messages than can wait");
    }
    this.#whole.push({ epoch, message });
  }
}

const maximum = (type: number): number =>
  type === handshakeType.certificate || type === handshakeType.compressedCertificate
    ? limits.certificateMessageMax
    : limits.handshakeMessageMax;
