import { concat } from "../bytes/index.js";
import { TapsFailure } from "./failure.js";
import { framerBacklogBytesMax } from "./limits.js";
import { MessageContext } from "./message.js";

/**
 * Turns Messages into what goes down, and what comes up into Messages (RFC 9622 §9.1.2, RFC 9623 §6). One object serves
 * one Connection: `addFramer` takes a function that makes it.
 */
export interface Framer {
  readonly name: string;
  /** The layer below is ready. With `start` the Connection is Ready when every framer has called `io.ready()`. */
  start?(io: FramerIo): void;
  /** A Message, or a piece of one, is to be sent: `io.send` what goes down for it. */
  sent(data: Uint8Array, io: FramerIo, context: MessageContext, endOfMessage: boolean): void;
  /** Bytes have come: take what is whole by `peek`, `advance`, `deliver` and `deliverAndAdvance`. */
  received(io: FramerIo): void;
  /** The Connection closes: last words may be sent. */
  stop?(io: FramerIo): void;
}

export type MakeFramer = () => Framer;

/** A framer's hands (RFC 9623 §6.1, §6.2). */
export interface FramerIo {
  /** `MakeConnectionReady`. */
  ready(): void;
  /** `MakeConnectionClosed`: the framer has seen the end of the peer's data. */
  ended(): void;
  /** `FailConnection`: before Ready the next candidate is tried; after it the Connection ends. */
  fail(message: string): void;
  /** `PrependFramer`: runs before this one on what comes up, after it on what goes down. */
  prepend(make: MakeFramer): void;
  /** `StartPassthrough`: from now on bytes pass by this framer untouched. */
  startPassthrough(): void;
  /** Passes bytes down, in order. They may be held: do not change them. */
  send(...parts: readonly Uint8Array[]): void;
  /** `Parse`: a view of at least `min` of the bytes that have come, not taken; undefined if there are fewer. */
  peek(min: number): Uint8Array | undefined;
  /** Bytes that have come and are not taken. */
  readonly available: number;
  /** `AdvanceReceiveCursor`: drops bytes; they may be still in flight. */
  advance(count: number): void;
  /** `Deliver`: a Message, or a piece of one, made by the framer. */
  deliver(data: Uint8Array, options?: DeliverOptions): void;
  /**
   * `DeliverAndAdvanceReceiveCursor`: the next `count` bytes are data of the Message. Those still in flight are
   * earmarked and delivered as they come.
   */
  deliverAndAdvance(count: number, options?: DeliverOptions): void;
}

export interface DeliverOptions {
  /** Default: a new context for each Message. */
  readonly context?: MessageContext;
  /** Default true. */
  readonly endOfMessage?: boolean;
}

/** What stands above and below the framers of a Connection. */
export interface FramerEnds {
  sendDown(bytes: Uint8Array): void;
  deliver(data: Uint8Array, context: MessageContext, endOfMessage: boolean): void;
  ready(): void;
  ended(): void;
  fail(failure: TapsFailure): void;
}

/** The framers of one Connection, nearest to the wire first; the one added last is nearest to the application. */
export class FramerStack {
  readonly #layers: Layer[] = [];
  readonly #ends: FramerEnds;
  #started = 0;

  constructor(framers: readonly MakeFramer[], ends: FramerEnds) {
    this.#ends = ends;
    for (const make of framers) this.#layers.push(new Layer(make(), this));
  }

  /** The transport is ready: framers start from the wire upwards, each when the one below is ready. */
  start(): void {
    const layer = this.#layers[this.#started];
    if (layer === undefined) this.#ends.ready();
    else if (layer.framer.start === undefined) this.layerReady(layer);
    else layer.start();
  }

  stop(): void {
    for (const layer of [...this.#layers].reverse()) layer.stop();
  }

  /** A Message on its way down, from the application. */
  send(data: Uint8Array, context: MessageContext, endOfMessage: boolean): void {
    this.#down(this.#layers.length - 1, data, context, endOfMessage);
  }

  /** Bytes from the transport. */
  received(bytes: Uint8Array): void {
    this.#up(0, bytes, undefined, false);
  }

  layerReady(layer: Layer): void {
    if (this.#layers[this.#started] !== layer) return;
    this.#started++;
    this.start();
  }

  fromLayer(layer: Layer, data: Uint8Array): void {
    this.#down(this.#layers.indexOf(layer) - 1, data, new MessageContext(), true);
  }

  toAbove(layer: Layer, data: Uint8Array, context: MessageContext, endOfMessage: boolean): void {
    this.#up(this.#layers.indexOf(layer) + 1, data, context, endOfMessage);
  }

  prepend(layer: Layer, make: MakeFramer): void {
    const at = this.#layers.indexOf(layer);
    const added = new Layer(make(), this);
    this.#layers.splice(at, 0, added);
    // What this layer has not parsed yet comes through the new one first.
    const pending = layer.takeAll();
    if (at < this.#started) this.#started++;
    added.start();
    if (pending.length > 0) this.#up(at, pending, undefined, false);
  }

  ended(): void {
    this.#ends.ended();
  }

  fail(failure: TapsFailure): void {
    this.#ends.fail(failure);
  }

  #down(at: number, data: Uint8Array, context: MessageContext, endOfMessage: boolean): void {
    const layer = this.#layers[at];
    if (layer === undefined) this.#ends.sendDown(data);
    else if (layer.passthrough) this.#down(at - 1, data, context, endOfMessage);
    else layer.framer.sent(data, layer, context, endOfMessage);
  }

  #up(at: number, data: Uint8Array, context: MessageContext | undefined, endOfMessage: boolean): void {
    const layer = this.#layers[at];
    if (layer === undefined) this.#ends.deliver(data, context ?? this.#endless, endOfMessage);
    else if (layer.passthrough) this.#up(at + 1, data, context, endOfMessage);
    else layer.push(data);
  }

  /** Bytes that pass by every framer are one Message without end. */
  readonly #endless = new MessageContext();
}

/** One framer with the bytes that it has not taken. */
class Layer implements FramerIo {
  readonly framer: Framer;
  readonly #stack: FramerStack;
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Bytes still in flight that are to be dropped, or to be delivered. */
  #skip = 0;
  #earmarked = 0;
  #earmark: { context: MessageContext; endOfMessage: boolean } | undefined;
  passthrough = false;

  constructor(framer: Framer, stack: FramerStack) {
    this.framer = framer;
    this.#stack = stack;
  }

  get available(): number {
    return this.#size;
  }

  push(bytes: Uint8Array): void {
    const rest = this.#settle(bytes);
    if (rest.length === 0) return;
    this.#chunks.push(rest);
    this.#size += rest.length;
    // A framer that throws on what a peer sent ends its Connection, and nothing else.
    try {
      this.framer.received(this);
    } catch (cause) {
      this.#failed(cause);
      return;
    }
    if (this.passthrough) this.#flush();
    else if (this.#size > framerBacklogBytesMax) this.fail("the framer leaves too many bytes unread");
  }

  takeAll(): Uint8Array {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : concat(...this.#chunks);
    this.#chunks = [];
    this.#size = 0;
    return all;
  }

  ready(): void {
    this.#stack.layerReady(this);
  }

  ended(): void {
    this.#stack.ended();
  }

  start(): void {
    try {
      this.framer.start?.(this);
    } catch (cause) {
      this.#failed(cause);
    }
  }

  stop(): void {
    try {
      this.framer.stop?.(this);
    } catch (cause) {
      this.#failed(cause);
    }
  }

  #failed(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause);
    this.#stack.fail(new TapsFailure({ reason: "deframing-failed", message, at: this.framer.name, cause }));
  }

  fail(message: string): void {
    this.#stack.fail(new TapsFailure({ reason: "deframing-failed", message, at: this.framer.name }));
  }

  prepend(make: MakeFramer): void {
    this.#stack.prepend(this, make);
  }

  startPassthrough(): void {
    this.passthrough = true;
  }

  send(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.#stack.fromLayer(this, part);
  }

  peek(min: number): Uint8Array | undefined {
    if (this.#size < min) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < min) this.#chunks = [concat(...this.#chunks)];
    return this.#chunks[0] ?? new Uint8Array();
  }

  advance(count: number): void {
    this.#skip += count - this.#take(count, () => {});
  }

  deliver(data: Uint8Array, { context = new MessageContext(), endOfMessage = true }: DeliverOptions = {}): void {
    this.#stack.toAbove(this, data, context, endOfMessage);
  }

  deliverAndAdvance(count: number, { context = new MessageContext(), endOfMessage = true }: DeliverOptions = {}): void {
    let left = count;
    if (count === 0) this.#stack.toAbove(this, new Uint8Array(), context, endOfMessage);
    const taken = this.#take(count, (piece) => {
      left -= piece.length;
      this.#stack.toAbove(this, piece, context, left === 0 && endOfMessage);
    });
    this.#earmarked = count - taken;
    this.#earmark = this.#earmarked > 0 ? { context, endOfMessage } : undefined;
  }

  /** Drops and delivers what was promised of bytes in flight; answers what is left to parse. */
  #settle(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    const dropped = Math.min(this.#skip, rest.length);
    this.#skip -= dropped;
    rest = rest.subarray(dropped);
    if (this.#earmark !== undefined && rest.length > 0) {
      const { context, endOfMessage } = this.#earmark;
      const piece = rest.subarray(0, this.#earmarked);
      this.#earmarked -= piece.length;
      if (this.#earmarked === 0) this.#earmark = undefined;
      this.#stack.toAbove(this, piece, context, this.#earmarked === 0 && endOfMessage);
      rest = rest.subarray(piece.length);
    }
    return rest;
  }

  #take(count: number, each: (piece: Uint8Array) => void): number {
    let taken = 0;
    while (taken < count && this.#size > 0) {
      const chunk = this.#chunks[0]!;
      const piece = chunk.subarray(0, count - taken);
      if (piece.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(piece.length);
      this.#size -= piece.length;
      taken += piece.length;
      each(piece);
    }
    return taken;
  }

  #flush(): void {
    const rest = this.takeAll();
    if (rest.length > 0) this.#stack.toAbove(this, rest, new MessageContext(), false);
  }
}

/**
 * Messages with their length in front, as an unsigned big-endian number of `lengthSize` bytes. A Message larger than
 * `sizeMax` fails the Connection: nobody makes us hold more.
 */
export function lengthPrefixed({ lengthSize = 4, sizeMax = 1024 * 1024 }: LengthPrefixedOptions = {}): MakeFramer {
  const limit = Math.min(sizeMax, 2 ** (8 * lengthSize) - 1);
  return () => {
    let parts: Uint8Array[] = [];
    return {
      name: "length-prefixed",
      sent(data, io, _context, endOfMessage) {
        parts.push(data);
        if (!endOfMessage) return;
        const whole = parts;
        parts = [];
        const size = whole.reduce((sum, part) => sum + part.length, 0);
        if (size > limit) throw new RangeError(`a message of ${size} bytes is larger than ${limit}`);
        const head = new Uint8Array(lengthSize);
        for (let i = 0, left = size; i < lengthSize; i++, left = Math.floor(left / 256))
          head[lengthSize - 1 - i] = left & 0xff;
        io.send(head, ...whole);
      },
      received(io) {
        for (let head = io.peek(lengthSize); head !== undefined; head = io.peek(lengthSize)) {
          let size = 0;
          for (let i = 0; i < lengthSize; i++) size = size * 256 + head[i]!;
          if (size > limit) {
            io.fail(`a message of ${size} bytes is larger than ${limit}`);
            return;
          }
          io.advance(lengthSize);
          io.deliverAndAdvance(size);
        }
      },
    };
  };
}

export interface LengthPrefixedOptions {
  readonly lengthSize?: 1 | 2 | 4;
  /** Default 1 MiB. */
  readonly sizeMax?: number;
}
