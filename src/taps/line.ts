import type { Failure, SocketAddress } from "../contract/index.js";
import type { TapsFailure } from "./failure.js";
import { type FramerEnds, FramerStack, type MakeFramer } from "./framer.js";
import { MessageContext, type ReceiveMetadata } from "./message.js";
import type { PathChange, ProtocolStack, SendHow, Settle, Transport, TransportSink } from "./stacks/stack.js";

/** Who stands above a line: first the attempt that made it, then the Connection that won it. */
export interface LineSink {
  ready(): void;
  deliver(data: Uint8Array, context: MessageContext, endOfMessage: boolean): void;
  ended(): void;
  cut?(direction: "send" | "receive", failure: Failure): void;
  writable(): void;
  softError(failure: Failure): void;
  pathChange(change: PathChange): void;
  closed(failure?: Failure): void;
}

/**
 * A transport with its framers on top: what a candidate becomes when it is tried. It is ready when the transport and
 * every framer are; what is delivered before somebody takes it over is kept, since no event comes before Ready.
 */
export class Line implements TransportSink, FramerEnds {
  readonly stack: ProtocolStack;
  upper: LineSink;
  readonly #framers: FramerStack | undefined;
  readonly #isStream: boolean;
  #transport: Transport | undefined;
  #kept: (readonly [Uint8Array, MessageContext, boolean])[] | undefined = [];
  #endedEarly = false;
  #cutEarly: (readonly ["send" | "receive", Failure])[] = [];
  /** The Message whose pieces the framers are passing down now. */
  #passing: Passing | undefined;
  #how: SendHow = whole;
  #room = true;
  /** All bytes that no framer parses are one Message without end (RFC 9622 §9.3.2.2). */
  #endless: MessageContext | undefined;

  constructor(stack: ProtocolStack, framers: readonly MakeFramer[], upper: LineSink) {
    this.stack = stack;
    this.upper = upper;
    this.#framers = framers.length === 0 ? undefined : new FramerStack(framers, this);
    this.#isStream = stack.dataUnit === "byte-stream";
  }

  attach(transport: Transport): this {
    this.#transport = transport;
    return this;
  }

  get transport(): Transport {
    return this.#transport!;
  }

  /** Does `receive` get Messages, or bytes of one that never ends? */
  get preservesBoundaries(): boolean {
    return !this.#isStream || this.#framers !== undefined;
  }

  /** For a Rendezvous over datagrams: called at what comes first; empty datagrams are its probes and not delivered. */
  heard: (() => void) | undefined;

  /** The Connection takes over: from now on everything goes up, beginning with what was kept. */
  adopt(upper: LineSink): void {
    this.upper = upper;
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    for (const [data, context, end] of kept) upper.deliver(data, context, end);
    if (this.#endedEarly) upper.ended();
    for (const [direction, failure] of this.#cutEarly.splice(0)) upper.cut?.(direction, failure);
  }

  /** As `Transport.send`, through the framers; throws what a framer throws. */
  send(data: Uint8Array, context: MessageContext, how: SendHow, sent: Settle): boolean {
    if (this.#framers === undefined) return this.#transport!.send(data, how, sent);
    const passing: Passing = { left: 1, fate: undefined, sent };
    this.#passing = passing;
    this.#how = how;
    this.#room = true;
    try {
      this.#framers.send(data, context, how.endOfMessage);
    } finally {
      this.#passing = undefined;
    }
    if (--passing.left === 0) sent(passing.fate);
    return this.#room;
  }

  finish(): void {
    this.#framers?.stop();
    this.#transport!.finish();
  }

  // What the transport tells.

  ready(): void {
    if (this.#framers === undefined || this.#framersRun) this.upper.ready();
    else {
      this.#framersRun = true;
      this.#framers.start();
    }
  }
  #framersRun = false;

  received(bytes: Uint8Array, about?: Pick<ReceiveMetadata, "ecn" | "early" | "reliable">): void {
    if (this.heard !== undefined) {
      // Set back first: what is heard may start everything above.
      const { heard } = this;
      this.heard = nothing;
      heard();
      if (bytes.length === 0) return;
    }
    if (this.#framers !== undefined) this.#framers.received(bytes);
    else if (this.#isStream) this.deliver(bytes, this.#streamContext(about?.early), false);
    else this.deliver(bytes, new MessageContext({}, { ...this.#addresses(), ...about }), true);
  }

  /** Early and later bytes are told apart by their contexts: the application judges the early ones by themselves. */
  #streamContext(early: boolean | undefined): MessageContext {
    if (this.#endless === undefined || (this.#endless.metadata.early ?? false) !== (early ?? false)) {
      this.#endless = new MessageContext({}, { ...this.#addresses(), ...(early === true && { early }) });
    }
    return this.#endless;
  }

  #addresses(): { local: SocketAddress; remote: SocketAddress } {
    return { local: this.#transport!.local, remote: this.#transport!.remote };
  }

  ended(): void {
    if (this.#kept !== undefined) this.#endedEarly = true;
    else this.upper.ended();
  }

  cut(direction: "send" | "receive", failure: Failure): void {
    if (this.#kept !== undefined) this.#cutEarly.push([direction, failure]);
    else this.upper.cut?.(direction, failure);
  }

  writable(): void {
    this.upper.writable();
  }

  softError(failure: Failure): void {
    this.upper.softError(failure);
  }

  pathChange(change: PathChange): void {
    this.upper.pathChange(change);
  }

  closed(failure?: Failure): void {
    this.upper.closed(failure ?? this.#failure);
  }
  #failure: TapsFailure | undefined;

  // What the framers tell; `ready` and `ended` are the transport's words too.

  deliver(data: Uint8Array, context: MessageContext, endOfMessage: boolean): void {
    if (this.#kept !== undefined) this.#kept.push([data, context, endOfMessage]);
    else this.upper.deliver(data, context, endOfMessage);
  }

  sendDown(bytes: Uint8Array): void {
    const passing = this.#passing;
    if (passing === undefined) {
      this.#room = this.#transport!.send(bytes, whole, nothing);
      return;
    }
    passing.left++;
    const room = this.#transport!.send(bytes, this.#how, (fate) => {
      passing.fate ??= fate;
      if (--passing.left === 0) passing.sent(passing.fate);
    });
    this.#room &&= room;
  }

  fail(failure: TapsFailure): void {
    this.#failure = failure;
    this.#transport!.abort();
  }
}

interface Passing {
  /** Pieces of which nothing is known yet, and one for the framers themselves. */
  left: number;
  /** Of the first piece that was not simply taken. */
  fate: Parameters<Settle>[0];
  readonly sent: Settle;
}

const whole: SendHow = { endOfMessage: true };
const nothing = (): void => {};
