import { type Deferred, deferred } from "../contract/deferred.js";
import type { Alarm, Failure, Host, Trace } from "../contract/index.js";
import type { CandidateNode } from "./candidates.js";
import { Emitter } from "./events.js";
import {
  ConnectionError,
  connectionErrorFrom,
  EstablishmentError,
  type ReceiveError,
  SendError,
  TapsFailure,
} from "./failure.js";
import type { MakeFramer } from "./framer.js";
import { ConnectionGroup } from "./group.js";
import { Intake } from "./intake.js";
import { lingerMs, receiveQueueMessagesMax } from "./limits.js";
import type { Line, LineSink } from "./line.js";
import { LiveProperties, type PropertiesOwner, pickConnectionValues, type SetResult } from "./live-properties.js";
import { MessageContext, type Received } from "./message.js";
import { checkMessage } from "./message-rules.js";
import { Progress } from "./progress.js";
import {
  type Action,
  type ConnectionProperties,
  type ConnectionState,
  type MessageProperties,
  messageProperties,
  type TransportValues,
} from "./properties.js";
import { ReceiveQueue } from "./receiving.js";
import { type Outgoing, SendQueue, type SendQueueOwner } from "./sending.js";
import type { PathChange } from "./stacks/stack.js";
import type { TransportProperties } from "./transport-properties.js";

/** The events of a Connection, by the RFC's names (RFC 9622 §7 … §10). */
export interface ConnectionEvents {
  ready: undefined;
  sent: { readonly context: MessageContext };
  expired: { readonly context: MessageContext };
  sendError: { readonly context: MessageContext; readonly error: SendError };
  received: Received;
  receivedPartial: Received;
  receiveError: ReceiveError;
  softError: Failure;
  pathChange: PathChange;
  cloneError: TapsFailure;
  closed: undefined;
  connectionError: ConnectionError;
  establishmentError: EstablishmentError;
  stateChange: ConnectionState;
}

export interface CoreInit {
  readonly host: Host;
  readonly trace: Trace | undefined;
  readonly properties: TransportProperties;
  readonly action: Action;
  readonly framers: readonly MakeFramer[];
  /** What the stack makes of the direction, where it has one-way streams. */
  readonly direction?: TransportValues["direction"] | undefined;
  /** Absent starts a group of its own. */
  readonly group?: ConnectionGroup<ConnectionCore>;
}

/**
 * A Connection's states, queues and events (RFC 9622 §11), without the ways to establish it and without promises for
 * users: `connection.ts` is the face.
 *
 * Order: nothing is received before Ready; every Send has its event before the end; Closed waits until what has come
 * was taken; after Closed, ConnectionError or EstablishmentError there is nothing.
 */
export class ConnectionCore implements LineSink, SendQueueOwner, PropertiesOwner {
  readonly host: Host;
  readonly values: TransportValues;
  /** As they were given; a clone begins with them. */
  readonly properties: TransportProperties;
  readonly framers: readonly MakeFramer[];
  readonly events: Emitter<ConnectionEvents>;
  readonly whenReady: Deferred<void> = deferred();
  readonly whenClosed: Deferred<void> = deferred();
  readonly sending: SendQueue;
  readonly receiving: ReceiveQueue;
  readonly group: ConnectionGroup<ConnectionCore>;
  /** What comes, and how fast it is taken. */
  readonly intake: Intake;
  readonly progress: Progress;
  readonly #live: LiveProperties;
  readonly #trace: Trace | undefined;
  state: ConnectionState = "establishing";
  line: Line | undefined;
  candidates: CandidateNode | undefined;
  /** Gives the establishment up; set by whoever establishes. */
  giveUp: ((error: EstablishmentError) => void) | undefined;
  /** Readers that are told of news instead of polling (adapters). */
  onReadable: (() => void) | undefined;
  onWritable: (() => void) | undefined;
  /** The Message of InitiateWithSend, if it may go before the handshake's end. */
  early: Outgoing | undefined;
  connPriority: number;
  sentBytes = 0;
  servedAt = 0;
  arrivedAt = 0;
  #closeWanted = false;
  #finishSent = false;
  #peerEnded = false;
  #linger: Alarm | undefined;
  /** The transport is gone; Closed waits for the reader. */
  #gone = false;
  /** The peer reads no more; what it sends still comes. */
  #sendCut: Failure | undefined;
  #messageDefaults: MessageProperties | undefined;
  datagramsDropped = 0;
  bytesReceived = 0;
  bytesSent = 0;

  constructor({ host, trace, properties, action, framers, direction, group }: CoreInit) {
    const asked = properties.for(action);
    const values = direction === undefined ? asked : { ...asked, direction };
    this.host = host;
    this.#trace = trace;
    this.values = values;
    this.properties = properties;
    this.framers = framers;
    this.connPriority = values.connPriority;
    // A subscriber's mistake surfaces as the host surfaces mistakes, and does not harm the Connection.
    this.events = new Emitter((error) =>
      host.soon(() => {
        throw error;
      }),
    );
    this.sending = new SendQueue(this);
    this.receiving = new ReceiveQueue(
      (received) => this.#deliverEvent(received),
      () => this.#taken(),
      (error) => this.events.emit("receiveError", error),
    );
    this.intake = new Intake(host, this.receiving, () => this.line?.transport);
    this.progress = new Progress(
      host,
      () => this.property("connTimeout"),
      () => this.sending.isEmpty || this.isClosed,
      (limit) => {
        const message = `no progress for ${limit} ms`;
        this.#fail(new ConnectionError({ reason: "timeout", message, at: "connTimeout" }));
      },
    );
    this.#live = new LiveProperties(this, properties);
    this.group = group ?? new ConnectionGroup<ConnectionCore>(host, pickConnectionValues(values));
    this.group.members.add(this);
    this.sending.onFinal = () => this.#finish();
  }

  // Establishing → Established (§11).

  /** A candidate has won: Ready, then what it brought, then what was queued. */
  establish(line: Line, how: "initiated" | "received" = "initiated"): void {
    if (this.state !== "establishing") {
      line.transport.abort();
      return;
    }
    this.line = line;
    this.receiving.endless = !line.preservesBoundaries;
    this.receiving.lastContext = new MessageContext({}, { local: line.transport.local, remote: line.transport.remote });
    this.#live.begin(line);
    for (const [name, value] of Object.entries(inactive)) {
      const asked = this.values[name as keyof typeof inactive];
      // Listening passively for further paths is a default, and asks for nothing.
      if (asked === value || asked === "passive") continue;
      const { migrates, advertises } = line.stack;
      if (name === "multipath" ? migrates : advertises && how === "received") continue;
      this.note("property_unsupported", { property: name, value: asked, stack: line.stack.name });
    }
    this.#enter("established");
    if (how === "initiated") this.events.emit("ready", undefined);
    this.whenReady.resolve();
    line.adopt(this);
    // A subscriber to Ready may have ended it.
    if (this.#isAtEnd()) return;
    if (line.transport.earlyAccepted === true && this.early !== undefined) this.sending.sentEarly(this.early);
    this.sending.start(line);
    if (this.#closeWanted) this.#closeWhenSent();
  }

  /** Establishing → Closed. Queued Sends end without events of their own (§9.2.5). */
  failEstablishment(error: EstablishmentError): void {
    if (this.state !== "establishing") return;
    this.candidates = error.candidates ?? this.candidates;
    this.sending.fail(error);
    this.receiving.close(error);
    this.group.members.delete(this);
    this.#enter("closed");
    this.events.emit("establishmentError", error);
    this.whenReady.reject(error);
    this.whenClosed.reject(error);
  }

  // Ends (§10).

  close(): void {
    if (this.state === "establishing") {
      if (this.sending.isEmpty) {
        this.giveUp?.(
          new EstablishmentError({ reason: "connection-aborted", message: "closed before it was established" }),
        );
      } else this.#closeWanted = true;
      return;
    }
    if (this.state !== "established") return;
    this.#enter("closing");
    this.receiving.close();
    // Whatever still comes is discarded (§10: no further data may be expected).
    this.intake.resume();
    if (this.#gone) this.#closedNow();
    else this.#closeWhenSent();
  }

  abort(cause?: unknown): void {
    const details = {
      reason: "connection-aborted",
      message: "aborted locally",
      ...(cause === undefined ? {} : { cause }),
    } as const;
    if (this.state === "establishing") this.giveUp?.(new EstablishmentError(details));
    else if (this.state !== "closed") this.#fail(new ConnectionError(details));
  }

  get isClosed(): boolean {
    return this.state === "closed";
  }

  // Sending (§9.2).

  get canSend(): boolean {
    const alive = this.state === "establishing" || this.state === "established";
    const isOver = this.#gone || this.#sendCut !== undefined || this.sending.finalAccepted;
    return alive && !isOver && this.values.direction !== "unidirectional-receive";
  }

  get canReceive(): boolean {
    return (
      (this.state === "establishing" || this.state === "established") &&
      !this.receiving.finished &&
      this.values.direction !== "unidirectional-send"
    );
  }

  /** Queues a Send; throws the SendError if it cannot be. `settle` hears of it once. */
  send(
    data: Uint8Array,
    context: MessageContext,
    endOfMessage: boolean,
    settle: Outgoing["settle"],
    overrides?: Partial<MessageProperties>,
  ): Outgoing {
    let properties = context.snapshot(this.#defaults());
    if (overrides !== undefined) properties = new MessageContext(overrides).snapshot(properties);
    this.#checkSend(data, properties, context);
    const outgoing = this.sending.add(data, context, properties, endOfMessage, (outcome) => {
      this.#sendEvent(context, outcome);
      settle(outcome);
    });
    if (this.line !== undefined) {
      this.arrivedAt = this.host.now();
      this.progress.guard();
      this.group.plan();
    }
    return outgoing;
  }

  /** Sends and expiries: progress, for `connTimeout` and for Close. */
  moved(): void {
    this.progress.moved();
    if (this.state === "closing") this.#closeWhenSent();
  }

  plan(): void {
    if (this.line !== undefined) this.group.plan();
  }

  get wantsToSend(): boolean {
    return this.sending.isReady(this.host.now());
  }

  sendOne(turn: number): boolean {
    this.servedAt = turn;
    const before = this.sending.size;
    const sent = this.sending.flushOne(this.host.now());
    this.sentBytes += before - this.sending.size;
    this.bytesSent += before - this.sending.size;
    return sent;
  }

  // What the line tells.

  ready(): void {}

  deliver(data: Uint8Array, context: MessageContext, endOfMessage: boolean): void {
    if (this.state !== "established" || this.values.direction === "unidirectional-send") return;
    const isDatagram = this.line?.stack.dataUnit === "message";
    if (isDatagram && this.receiving.waiting >= receiveQueueMessagesMax) {
      this.#overflow(context);
      return;
    }
    this.bytesReceived += data.length;
    this.intake.pace(data.length);
    this.receiving.push(data, context, endOfMessage);
    this.intake.queued();
    this.onReadable?.();
  }

  ended(): void {
    if (this.#peerEnded) return;
    this.#peerEnded = true;
    if (this.state === "established") {
      // Where nothing was to come, nothing ends either.
      if (this.values.direction === "unidirectional-send") this.receiving.close();
      else this.receiving.end();
      this.onReadable?.();
    } else if (this.state === "closing" && this.#finishSent) this.line?.transport.close();
  }

  /** A stream lost one direction: what waited for it fails, and the Connection goes on with the other. */
  cut(direction: "send" | "receive", failure: Failure): void {
    if (this.state !== "established" && this.state !== "closing") return;
    const error = connectionErrorFrom(failure);
    if (direction === "send") {
      this.#sendCut = failure;
      this.sending.fail(error);
    } else {
      this.#peerEnded = true;
      this.receiving.close(error);
      this.onReadable?.();
    }
    if (this.state === "closing") this.#closeWhenSent();
  }

  writable(): void {
    if (this.state === "closed") return;
    this.sending.writable();
    if (this.sending.hasRoom) this.onWritable?.();
  }

  softError(failure: Failure): void {
    if (this.state === "established") this.events.emit("softError", failure);
  }

  pathChange(change: PathChange): void {
    if (this.state === "established") this.events.emit("pathChange", change);
  }

  /** The transport is gone; with a failure that is a ConnectionError, without one both sides had ended. */
  closed(failure?: Failure): void {
    if (this.state === "closed" || this.#gone) return;
    this.#gone = true;
    if (failure !== undefined && !(this.state === "closing" && this.#finishSent)) {
      this.#fail(connectionErrorFrom(failure));
      return;
    }
    this.sending.fail(new TapsFailure({ reason: "connection-aborted", message: "the Connection has ended" }));
    if (this.state === "closing") this.#closedNow();
    else {
      this.#peerEnded = true;
      this.receiving.end();
      this.onReadable?.();
      if (this.receiving.finished) this.#closedNow();
    }
  }

  // Properties (§8).

  /** A Connection Property as it stands. */
  property<Name extends keyof ConnectionProperties>(name: Name): ConnectionProperties[Name] {
    return this.#live.get(name);
  }

  /** Sets a property on this Connection, or on the group where it is shared; a failure is an answer (§8). */
  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): SetResult {
    return this.#live.set(name, value);
  }

  applyShared(name: keyof ConnectionProperties): void {
    this.#live.applyShared(name);
  }

  note(name: string, data: Readonly<Record<string, unknown>>): void {
    this.#trace?.({ at: this.host.now(), protocol: "taps", name: `taps:${name}`, data });
  }

  // Inside.

  #isAtEnd(): boolean {
    return this.state === "closed";
  }

  #enter(state: ConnectionState): void {
    this.state = state;
    this.events.emit("stateChange", state);
  }

  #closeWhenSent(): void {
    if (this.state === "established") {
      this.#closeWanted = false;
      this.close();
      return;
    }
    if (this.state !== "closing" || !this.sending.isEmpty) return;
    this.#finish();
    const { transport, stack } = this.line!;
    // RFC 9622 §10 wants our obligations met, RFC 9623 §10.1 the peer's FIN: both, within a bound.
    const waitsForNobody = stack.connectedness === "connectionless" || transport.closesWhole === true;
    if (this.#peerEnded || waitsForNobody) transport.close();
    else this.#linger ??= this.host.wakeAt(this.host.now() + lingerMs, () => transport.close());
  }

  #finish(): void {
    if (this.#finishSent || this.#gone) return;
    this.#finishSent = true;
    this.line!.finish();
  }

  #closedNow(): void {
    this.#stopAlarms();
    this.receiving.close();
    this.group.members.delete(this);
    if (this.state === "established") this.#enter("closing");
    this.#enter("closed");
    this.events.emit("closed", undefined);
    this.whenClosed.resolve();
    this.onReadable?.();
  }

  #fail(error: ConnectionError): void {
    this.#stopAlarms();
    this.sending.fail(error);
    this.receiving.close(error);
    this.group.members.delete(this);
    const gone = this.#gone;
    this.#gone = true;
    if (this.state === "established") this.#enter("closing");
    this.#enter("closed");
    if (!gone) this.line?.transport.abort();
    this.events.emit("connectionError", error);
    this.whenClosed.reject(error);
    this.onReadable?.();
  }

  #stopAlarms(): void {
    this.#linger?.cancel();
    this.intake.stop();
    this.progress.stop();
    this.sending.stop();
  }

  #deliverEvent(received: Received): void {
    this.events.emit(received.endOfMessage ? "received" : "receivedPartial", received);
  }

  #taken(): void {
    this.intake.taken();
    // Closed waits for what has come to be taken; in a turn of its own, after the event that took the last of it.
    if (this.#gone && this.receiving.finished && this.state === "established") {
      this.host.soon(() => {
        if (this.state === "established") this.#closedNow();
      });
    }
  }

  /** One Message too many: what may be lost is, and what may not ends the Connection rather than being lost. */
  #overflow({ metadata }: MessageContext): void {
    if (metadata.reliable !== true) {
      this.datagramsDropped++;
      return;
    }
    const message = `${receiveQueueMessagesMax} Messages wait to be received`;
    this.#fail(new ConnectionError({ reason: "queue-full", message, at: "receive" }));
  }

  #defaults(): MessageProperties {
    this.#messageDefaults ??= Object.fromEntries(
      Object.keys(messageProperties).map((name) => [name, this.values[name as keyof MessageProperties]]),
    ) as unknown as MessageProperties;
    return this.#messageDefaults;
  }

  /** Message Properties that contradict the Connection (§9.1.3), and Messages that do not fit (§9.2.1). */
  #checkSend(data: Uint8Array, properties: MessageProperties, context: MessageContext): void {
    if (this.values.direction === "unidirectional-receive") {
      throw new SendError({ reason: "wrong-state", message: "the Connection only receives", at: "direction" });
    }
    if (this.state === "closing" || this.state === "closed" || this.#gone) {
      throw new SendError({ reason: "wrong-state", message: `the Connection is ${this.state}` });
    }
    if (this.#sendCut !== undefined) {
      throw new SendError({ reason: "connection-aborted", message: this.#sendCut.message, cause: this.#sendCut });
    }
    if (this.line !== undefined) checkMessage(this.line, data, properties, context);
  }

  #sendEvent(context: MessageContext, outcome: "sent" | "expired" | SendError): void {
    // A failed establishment speaks for the Sends that it took with it (§9.2.5).
    if (this.line === undefined && outcome instanceof SendError) return;
    if (outcome === "sent" || outcome === "expired") this.events.emit(outcome, { context });
    else this.events.emit("sendError", { context, error: outcome });
  }
}

/** Selection Properties that not every stack acts on, and what holds where it does not. */
export const inactive = { multipath: "disabled", advertisesAltaddr: false } as const;
