import { concat } from "../bytes/index.js";
import { type Deferred, deferred } from "../contract/deferred.js";
import { ReceiveError, type TapsFailure } from "./failure.js";
import { receiveQueueBytesMark, receiveRequestsMax } from "./limits.js";
import type { MessageContext, Received } from "./message.js";

export interface ReceiveOptions {
  /** `minIncompleteLength`: deliver a piece once this many bytes are here. Default: whole Messages only. */
  readonly min?: number;
  /** `maxLength`: a larger Message comes in pieces. Default: no limit. */
  readonly max?: number;
  /** Takes the request back; nothing that had come is lost. */
  readonly signal?: AbortSignal | undefined;
}

interface Request {
  readonly min: number;
  readonly max: number;
  readonly answer: Deferred<Received>;
  off: (() => void) | undefined;
}

/** A Message that is coming in. */
interface Incoming {
  readonly context: MessageContext;
  chunks: Uint8Array[];
  size: number;
  ended: boolean;
}

/**
 * What has come and who waits for it (RFC 9622 §9.3): requests are served in their order, Messages in theirs, each
 * request with one event.
 */
export class ReceiveQueue {
  /** Bytes that wait. */
  size = 0;
  #messages: Incoming[] = [];
  #requests: Request[] = [];
  #ended = false;
  #failure: TapsFailure | undefined;
  #over = false;
  readonly #delivered: (received: Received) => void;
  readonly #taken: () => void;
  readonly #refused: (error: ReceiveError) => void;
  /** Without boundaries there is no whole Message to wait for. */
  endless = false;

  /** `delivered` is called for each event, before the promise; `taken` whenever bytes have left the queue. */
  constructor(delivered: (received: Received) => void, taken: () => void, refused: (error: ReceiveError) => void) {
    this.#delivered = delivered;
    this.#taken = taken;
    this.#refused = refused;
  }

  get waiting(): number {
    return this.#messages.length;
  }

  /** Has everything that will ever come been delivered? */
  get finished(): boolean {
    return this.#over || (this.#ended && this.#messages.length === 0);
  }

  push(data: Uint8Array, context: MessageContext, endOfMessage: boolean): void {
    // Pieces come one after another: only the last Message can be incomplete.
    let message = this.#messages.at(-1);
    if (message === undefined || message.ended || message.context !== context) {
      // Early bytes that were taken already: what follows them has another context.
      if (message?.size === 0 && !message.ended) this.#messages.pop();
      message = { context, chunks: [], size: 0, ended: false };
      this.#messages.push(message);
    }
    if (data.length > 0) message.chunks.push(data);
    message.size += data.length;
    message.ended = endOfMessage;
    this.size += data.length;
    this.#serve();
  }

  /** The peer sends no more: what was coming is complete, and final. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const last = this.#messages.at(-1);
    if (this.endless) {
      if (last === undefined) this.#messages.push({ context: this.#lastContext!, chunks: [], size: 0, ended: true });
      else last.ended = true;
    } else if (last !== undefined && !last.ended) {
      // A Message that was begun and will not be completed (§9.3.2.3).
      this.#messages.pop();
      this.size -= last.size;
      this.#truncated = new ReceiveError({
        reason: "protocol-failed",
        message: "the peer ended in the middle of a Message",
      });
    }
    this.#serve();
  }
  /** Told once, to whoever would have had the rest. */
  #truncated: ReceiveError | undefined;
  /** Context of the final, empty piece of a byte stream. */
  #lastContext: MessageContext | undefined;
  set lastContext(context: MessageContext) {
    this.#lastContext = context;
  }

  receive({
    min = Number.POSITIVE_INFINITY,
    max = Number.POSITIVE_INFINITY,
    signal,
  }: ReceiveOptions): Promise<Received> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (!(min >= 0) || !(max >= 1)) {
      return Promise.reject(
        new ReceiveError({ reason: "invalid-configuration", message: "min must be ≥ 0 and max ≥ 1" }),
      );
    }
    if (this.finished || this.#requests.length >= receiveRequestsMax) return Promise.reject(this.#why());
    const answer = deferred<Received>();
    const request: Request = { min, max, answer, off: undefined };
    if (signal !== undefined) {
      const off = () => {
        this.#requests = this.#requests.filter((each) => each !== request);
        answer.reject(signal.reason);
      };
      signal.addEventListener("abort", off, { once: true });
      request.off = () => signal.removeEventListener("abort", off);
    }
    this.#requests.push(request);
    this.#serve();
    return answer.promise;
  }

  /** What is here now, without waiting. */
  tryReceive(max = Number.POSITIVE_INFINITY): Received | undefined {
    if (this.#requests.length > 0) return undefined;
    return this.#take({ min: this.endless ? 1 : Number.POSITIVE_INFINITY, max });
  }

  /** Nothing will be delivered any more. Requests that wait get the failure, or the news that it is over. */
  close(failure?: TapsFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#messages = [];
    this.size = 0;
    this.#refuse(this.#why(), this.#requests.length);
  }

  /** Is what ended it worth an error to those who iterate? */
  get failure(): TapsFailure | undefined {
    return this.#failure;
  }

  #serve(): void {
    for (let request = this.#requests[0]; request !== undefined; request = this.#requests[0]) {
      const received = this.#take(request);
      if (received === undefined) break;
      this.#requests.shift();
      request.off?.();
      request.answer.resolve(received);
    }
    if (this.finished && this.#truncated !== undefined && this.#requests.length > 0) this.#refuse(this.#why(), 1);
    if (this.finished && this.#requests.length > 0) this.#refuse(this.#why(), this.#requests.length);
  }

  #take({ min, max }: { readonly min: number; readonly max: number }): Received | undefined {
    const message = this.#messages[0];
    if (message === undefined) return undefined;
    const least = this.endless && min === Number.POSITIVE_INFINITY ? 1 : min;
    // The system needs to free memory: a piece goes out although less was asked for (§9.3.1).
    const enough = message.ended || message.size >= Math.min(least, max) || this.size >= receiveQueueBytesMark;
    if (!enough || (message.size === 0 && !message.ended)) return undefined;
    const [first] = message.chunks;
    // Of a byte stream a piece as it came will do: nothing is joined that nobody wants joined.
    const isEnough = this.endless && first !== undefined && first.length >= least && first.length <= max;
    const data = isEnough ? takeChunk(message) : takeBytes(message, max);
    this.size -= data.length;
    const endOfMessage = message.ended && message.size === 0;
    if (endOfMessage || (message.size === 0 && this.#messages.length > 1)) this.#messages.shift();
    const final = this.#ended && endOfMessage && this.#messages.length === 0;
    const received: Received = { data, context: message.context, endOfMessage, final };
    this.#delivered(received);
    this.#taken();
    return received;
  }

  #refuse(error: ReceiveError, count: number): void {
    for (const request of this.#requests.splice(0, count)) {
      request.off?.();
      this.#refused(error);
      request.answer.reject(error);
    }
  }

  #why(): ReceiveError {
    if (this.#failure !== undefined) {
      const { reason, message } = this.#failure;
      return new ReceiveError({ reason, message, cause: this.#failure });
    }
    const truncated = this.#truncated;
    this.#truncated = undefined;
    if (truncated !== undefined) return truncated;
    if (this.#over) return new ReceiveError({ reason: "wrong-state", message: "the Connection is closed" });
    if (this.finished)
      return new ReceiveError({ reason: "wrong-state", message: "the final Message has been received" });
    return new ReceiveError({ reason: "queue-full", message: `${receiveRequestsMax} receives are waiting already` });
  }
}

function takeChunk(message: Incoming): Uint8Array {
  const chunk = message.chunks.shift()!;
  message.size -= chunk.length;
  return chunk;
}

function takeBytes(message: Incoming, max: number): Uint8Array {
  if (message.size <= max) {
    const all = message.chunks.length === 1 ? message.chunks[0]! : concat(...message.chunks);
    message.chunks = [];
    message.size = 0;
    return all;
  }
  const taken: Uint8Array[] = [];
  for (let left = max; left > 0; ) {
    const chunk = message.chunks[0]!;
    const piece = chunk.subarray(0, left);
    taken.push(piece);
    left -= piece.length;
    message.size -= piece.length;
    if (piece.length === chunk.length) message.chunks.shift();
    else message.chunks[0] = chunk.subarray(piece.length);
  }
  return taken.length === 1 ? taken[0]! : concat(...taken);
}
