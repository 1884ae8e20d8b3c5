import { concat } from "../bytes/index.js";
import type { Alarm, Host, Instant } from "../contract/index.js";
import { SendError, TapsFailure } from "./failure.js";
import { sendQueueBytesMark, sendQueueBytesMax, sendQueueMessagesMax } from "./limits.js";
import type { Line } from "./line.js";
import type { MessageContext } from "./message.js";
import { Pacer } from "./pacer.js";
import type { MessageProperties } from "./properties.js";
import type { SendHow, Settle } from "./stacks/stack.js";

/** One call to Send on its way. It is settled exactly once: sent, expired, or failed (RFC 9622 §9.2.2). */
export interface Outgoing {
  readonly data: Uint8Array;
  readonly context: MessageContext;
  readonly properties: MessageProperties;
  readonly endOfMessage: boolean;
  /** Order of arrival, by which equals are sent; pieces of a Message keep the place of the first. */
  readonly place: number;
  readonly expiresAt: Instant;
  settled: boolean;
  /** Passed down, and not ours any more: too late to expire. */
  passed: boolean;
  settle(outcome: "sent" | "expired" | SendError): void;
}

export interface SendQueueOwner {
  readonly host: Host;
  /** Something may be passed down: now, or when the group's scheduler says so. */
  plan(): void;
  /** Bytes were taken by the stack or given up: progress, and perhaps room. */
  moved(): void;
}

/**
 * What waits to be sent. Low `msgPriority` goes first, equals in the order of their Sends, the final Message last;
 * pieces of one Message stay together.
 */
export class SendQueue {
  readonly #owner: SendQueueOwner;
  #waiting: Outgoing[] = [];
  /** Passed down and not yet reported as sent. */
  readonly #passed = new Set<Outgoing>();
  /** Bytes that wait here. */
  size = 0;
  #line: Line | undefined;
  #room = true;
  #batches = 0;
  #place = 0;
  /** The Message of which a piece has been sent and more is to come. */
  #open: MessageContext | undefined;
  #pacer: Pacer | undefined;
  #alarm: Alarm | undefined;
  #finalAccepted = false;
  #finalSent: (() => void) | undefined;

  constructor(owner: SendQueueOwner) {
    this.#owner = owner;
  }

  /** The way is open: what was queued while establishing goes out. */
  start(line: Line): void {
    this.#line = line;
    this.#owner.plan();
  }

  /** Nothing waits and nothing is on its way down. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#passed.size === 0;
  }

  /** Bytes below that the stack has not taken yet make the connection wait for progress. */
  get isStalled(): boolean {
    return this.#passed.size > 0 || this.#waiting.length > 0;
  }

  get finalAccepted(): boolean {
    return this.#finalAccepted;
  }

  get hasRoom(): boolean {
    return this.#room && this.size < sendQueueBytesMark;
  }

  /** May the next Message go down now? What the group's scheduler asks. */
  isReady(now: Instant): boolean {
    return (
      this.#line !== undefined &&
      this.#batches === 0 &&
      this.#room &&
      (this.#pacer === undefined || this.#pacer.nextAt <= now) &&
      this.#next() !== undefined
    );
  }

  set rate(bitsPerSecond: number | "unlimited") {
    this.#pacer = bitsPerSecond === "unlimited" ? undefined : new Pacer(bitsPerSecond);
    this.#owner.plan();
  }

  /** Runs when the final Message has gone down. */
  set onFinal(call: () => void) {
    this.#finalSent = call;
  }

  startBatch(): void {
    this.#batches++;
  }

  endBatch(): void {
    if (--this.#batches === 0) this.#owner.plan();
  }

  /** Takes a Message or throws why it cannot. */
  add(
    data: Uint8Array,
    context: MessageContext,
    properties: MessageProperties,
    endOfMessage: boolean,
    settle: Outgoing["settle"],
  ): Outgoing {
    if (this.#finalAccepted && !this.#isPieceOfFinal(context)) {
      throw new SendError({ reason: "wrong-state", message: "the final Message has been sent", at: "final" });
    }
    if (this.#waiting.length >= sendQueueMessagesMax || this.size + data.length > sendQueueBytesMax) {
      throw new SendError({
        reason: "queue-full",
        message: `${this.size} bytes wait to be sent`,
        hint: "await send()",
      });
    }
    const before = this.#openPiece(context);
    const now = this.#owner.host.now();
    const { msgLifetime } = before?.properties ?? properties;
    const outgoing: Outgoing = {
      data,
      context,
      properties: before?.properties ?? properties,
      endOfMessage,
      place: before?.place ?? (this.#open === context ? 0 : ++this.#place),
      expiresAt: before?.expiresAt ?? (msgLifetime === "infinite" ? Number.POSITIVE_INFINITY : now + msgLifetime),
      settled: false,
      passed: false,
      settle: (outcome) => {
        if (outgoing.settled) return;
        outgoing.settled = true;
        settle(outcome);
      },
    };
    if (properties.final) this.#finalAccepted = true;
    this.#insert(outgoing);
    this.size += data.length;
    if (outgoing.expiresAt !== Number.POSITIVE_INFINITY || this.#pacer !== undefined) this.#arm();
    return outgoing;
  }

  /** Takes a Message back that has not been passed down. */
  remove(outgoing: Outgoing): boolean {
    const at = this.#waiting.indexOf(outgoing);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    this.size -= outgoing.data.length;
    return true;
  }

  /** The handshake carried it: nothing is left to pass down. */
  sentEarly(outgoing: Outgoing): void {
    if (this.remove(outgoing)) outgoing.settle("sent");
  }

  /** Passes down one Message, or one piece, if it may; false if nothing was passed. */
  flushOne(now: Instant): boolean {
    if (!this.isReady(now)) {
      this.#arm();
      return false;
    }
    const outgoing = this.#next()!;
    const line = this.#line!;
    if (!line.preservesBoundaries && this.#pacer !== undefined && outgoing.data.length > this.#pacer.turnBytes) {
      this.#passSlice(outgoing, this.#pacer.turnBytes, now);
      this.#arm();
      return true;
    }
    const pieces = line.stack.dataUnit === "message" ? this.#wholeMessage(outgoing) : [outgoing];
    for (const piece of pieces) this.remove(piece);
    const data = pieces.length === 1 ? outgoing.data : concat(...pieces.map((piece) => piece.data));
    const last = pieces.at(-1)!;
    this.#open = last.endOfMessage ? undefined : last.context;
    this.#pass(data, pieces, last, now);
    if (this.#pacer !== undefined) this.#arm();
    return true;
  }

  writable(): void {
    this.#room = true;
    this.#owner.plan();
  }

  /** The stack takes no more, whatever comes: everything that waits fails. */
  fail(cause: TapsFailure): void {
    const left = [...this.#passed, ...this.#waiting];
    this.#passed.clear();
    this.#waiting = [];
    this.size = 0;
    this.#alarm?.cancel();
    this.#line = undefined;
    for (const outgoing of left) {
      outgoing.settle(new SendError({ reason: cause.reason, message: `not sent: ${cause.message}`, cause }));
    }
  }

  /** Drops what waits without a word: the failure of an establishment says it all (§9.2.5). */
  stop(): void {
    this.#alarm?.cancel();
  }

  #pass(data: Uint8Array, pieces: readonly Outgoing[], last: Outgoing, now: Instant): void {
    for (const piece of pieces) {
      piece.passed = true;
      this.#passed.add(piece);
    }
    const sent: Settle = (fate) => {
      for (const piece of pieces) {
        this.#passed.delete(piece);
        piece.settle(outcomeOf(fate));
      }
      this.#owner.moved();
    };
    this.#pacer?.took(data.length, now);
    try {
      this.#room = this.#line!.send(data, last.context, howOf(last, now), sent) && this.#line !== undefined;
    } catch (error) {
      // A framer refused the Message; the Connection is none the worse.
      for (const piece of pieces) {
        this.#passed.delete(piece);
        piece.settle(refusal(error));
      }
    }
    if (last.properties.final && last.endOfMessage) this.#finalSent?.();
  }

  /** A rate is kept by cutting a byte stream; the Message stays at the head with what is left of it. */
  #passSlice(outgoing: Outgoing, size: number, now: Instant): void {
    const at = this.#waiting.indexOf(outgoing);
    const rest: Outgoing = {
      ...outgoing,
      data: outgoing.data.subarray(size),
      settle: (outcome) => outgoing.settle(outcome),
    };
    this.#waiting[at] = rest;
    this.size -= size;
    this.#open = outgoing.context;
    this.#pacer!.took(size, now);
    const how = { ...howOf(outgoing, now), endOfMessage: false };
    this.#room = this.#line!.send(outgoing.data.subarray(0, size), outgoing.context, how, () => this.#owner.moved());
  }

  #next(): Outgoing | undefined {
    const first = this.#waiting[0];
    if (this.#open !== undefined && first?.context !== this.#open) {
      return this.#waiting.find((each) => each.context === this.#open);
    }
    // A datagram goes as a whole: its pieces wait for the last.
    if (first === undefined || first.endOfMessage || this.#line?.stack.dataUnit !== "message") return first;
    return this.#waiting.find((each) => each.endOfMessage);
  }

  #wholeMessage(last: Outgoing): Outgoing[] {
    return this.#waiting.filter((each) => each.context === last.context && each.place === last.place);
  }

  #insert(outgoing: Outgoing): void {
    let at = this.#waiting.length;
    while (at > 0 && goesBefore(outgoing, this.#waiting[at - 1]!)) at--;
    this.#waiting.splice(at, 0, outgoing);
  }

  #isPieceOfFinal(context: MessageContext): boolean {
    return this.#open === context || this.#openPiece(context) !== undefined;
  }

  /** The last piece that waits of a Message to which more belongs. */
  #openPiece(context: MessageContext): Outgoing | undefined {
    const last = this.#waiting.findLast((each) => each.context === context);
    return last?.endOfMessage === false ? last : undefined;
  }

  /** One alarm for the earliest of expiry and pacing. */
  #arm(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    const now = this.#owner.host.now();
    let at = Number.POSITIVE_INFINITY;
    for (const { expiresAt } of this.#waiting) at = Math.min(at, expiresAt);
    if (this.#pacer !== undefined && this.#pacer.nextAt > now && this.#waiting.length > 0) {
      at = Math.min(at, this.#pacer.nextAt);
    }
    if (at === Number.POSITIVE_INFINITY) return;
    this.#alarm = this.#owner.host.wakeAt(at, () => {
      this.#expire(this.#owner.host.now());
      this.#owner.plan();
      this.#arm();
    });
  }

  #expire(now: Instant): void {
    const expired = this.#waiting.filter(({ expiresAt, context }) => expiresAt <= now && context !== this.#open);
    for (const outgoing of expired) {
      this.remove(outgoing);
      outgoing.settle("expired");
    }
    if (expired.length > 0) this.#owner.moved();
  }
}

function goesBefore(a: Outgoing, b: Outgoing): boolean {
  // A final Message is sorted to the end whatever its priority (§9.1.3.5).
  if (a.properties.final !== b.properties.final) return b.properties.final;
  if (a.properties.msgPriority !== b.properties.msgPriority) return a.properties.msgPriority < b.properties.msgPriority;
  return a.place < b.place;
}

function howOf({ properties, endOfMessage, expiresAt }: Outgoing, now: Instant): SendHow {
  const { noFragmentation, noSegmentation, msgCapacityProfile, msgReliable } = properties;
  return {
    endOfMessage,
    ...((noFragmentation || noSegmentation) && { noFragmentation: true }),
    ...(msgCapacityProfile !== "inherited" && { capacityProfile: msgCapacityProfile }),
    ...(msgReliable !== "inherited" && { reliable: msgReliable }),
    ...(expiresAt !== Number.POSITIVE_INFINITY && { lifetimeMs: Math.max(0, expiresAt - now) }),
  };
}

function outcomeOf(fate: Parameters<Settle>[0]): "sent" | "expired" | SendError {
  return fate === undefined ? "sent" : fate === "expired" ? fate : refusal(fate);
}

function refusal(error: unknown): SendError {
  const message = error instanceof Error ? error.message : String(error);
  return new SendError({
    reason:
      error instanceof TapsFailure
        ? error.reason
        : error instanceof RangeError
          ? "message-too-large"
          : "protocol-failed",
    message,
    cause: error,
  });
}
