import type { SocketAddress } from "../contract/index.js";
import type { CandidateNode } from "./candidates.js";
import { type ConnectionCore, type ConnectionEvents, inactive } from "./core.js";
import type { LocalEndpointInit, RemoteEndpointInit } from "./endpoint.js";
import type { ActionOptions, SubscribeOptions } from "./events.js";
import { ConnectionError, EstablishmentError, ReceiveError, SendError, TapsFailure } from "./failure.js";
import type { MakeFramer } from "./framer.js";
import type { Listener, ListenerOptions } from "./listener.js";
import type { SetResult } from "./live-properties.js";
import { MessageContext, type Received } from "./message.js";
import {
  type ConnectionProperties,
  type ConnectionState,
  connectionProperties,
  type MessageProperties,
  type PreferenceName,
  preferenceProperties,
  type ReadOnlyProperties,
  type SelectionProperties,
} from "./properties.js";
import { provided } from "./ranking.js";
import type { ReceiveOptions } from "./receiving.js";
import type { SecurityMode } from "./security.js";
import type { Outgoing } from "./sending.js";
import type { SecuritySession } from "./stacks/stack.js";

/** What only those who establish can do for a Connection. */
export interface ConnectionMaker {
  clone(core: ConnectionCore, options: CloneOptions): Connection;
  listen(core: ConnectionCore, options: ListenerOptions): Listener;
  addLocals(core: ConnectionCore, endpoints: readonly LocalEndpointInit[]): SetResult;
  removeLocals(core: ConnectionCore, endpoints: readonly LocalEndpointInit[]): SetResult;
  addEndpoints(core: ConnectionCore, endpoints: readonly RemoteEndpointInit[]): void;
  removeEndpoints(core: ConnectionCore, endpoints: readonly RemoteEndpointInit[]): void;
  isTemporary(address: string): boolean;
}

/** Any properties of the Message, and how it is handed over. */
export interface SendOptions extends Partial<MessageProperties> {
  /** A context to use instead of, or below, the properties given here; pieces of one Message share one. */
  readonly context?: MessageContext;
  /** Default true. */
  readonly endOfMessage?: boolean;
  /** Takes the Message back if it has not been passed down. */
  readonly signal?: AbortSignal | undefined;
}

export interface CloneOptions extends Partial<ConnectionProperties>, ActionOptions {
  /** In place of those of the Connection that is cloned. */
  readonly framers?: readonly MakeFramer[];
}

/** All members of a Connection Group (RFC 9622 §7.4). */
export interface Group extends ReadonlySet<Connection> {
  /** `CloseGroup`. */
  close(): Promise<void>;
  /** `AbortGroup`. */
  abort(reason?: unknown): void;
}

/**
 * A Connection (RFC 9622 §7 … §11). It is Establishing when `initiate` answers it; Sends may be queued at once.
 * `close` and `await using` mean Close, `abort` and an aborted establishment signal mean Abort. Iterating is a view: it
 * ends with the peer's final Message, and leaving the loop closes nothing.
 */
export class Connection<Mode extends SecurityMode = SecurityMode> implements AsyncIterable<Received>, AsyncDisposable {
  readonly #core: ConnectionCore;
  readonly #maker: ConnectionMaker;
  /** Resolves with this Connection at Ready, rejects with the EstablishmentError; may be left alone. */
  readonly ready: Promise<this>;
  /** Resolves at Closed, rejects with the ConnectionError or EstablishmentError; may be left alone. */
  readonly closed: Promise<void>;

  /** Made by a Preconnection or a Listener alone. */
  constructor(core: ConnectionCore, maker: ConnectionMaker) {
    this.#core = core;
    this.#maker = maker;
    this.ready = core.whenReady.promise.then(() => this);
    this.ready.catch(() => {});
    this.closed = core.whenClosed.promise;
    faces.set(core, this);
  }

  get state(): ConnectionState {
    return this.#core.state;
  }

  /** The name of the stack that won, `TLS/TCP`; undefined until Ready. */
  get stack(): string | undefined {
    return this.#core.line?.stack.name;
  }

  /** The session of the protocol that secures this Connection; undefined in cleartext, and until Ready. */
  get security(): Mode extends "disabled" ? undefined : SecuritySession | undefined {
    return this.#core.line?.transport.security as Mode extends "disabled" ? undefined : SecuritySession | undefined;
  }

  get localEndpoint(): SocketAddress | undefined {
    return this.#core.line?.transport.local;
  }

  get remoteEndpoint(): SocketAddress | undefined {
    return this.#core.line?.transport.remote;
  }

  /** The candidate tree of the establishment, with what became of each leaf. */
  get candidates(): CandidateNode | undefined {
    return this.#core.candidates;
  }

  /** Bytes and drops so far (RFC 9621 §3.5). */
  get statistics(): { readonly bytesSent: number; readonly bytesReceived: number; readonly datagramsDropped: number } {
    const { bytesSent, bytesReceived, datagramsDropped } = this.#core;
    return { bytesSent, bytesReceived, datagramsDropped };
  }

  // Sending (§9.2).

  /**
   * Send: resolves `"sent"` when the stack has taken the data, after which its memory may be used again, or `"expired"`;
   * rejects with a SendError. `properties` are the Message's.
   */
  send(
    data: Uint8Array,
    { context, endOfMessage = true, signal, ...properties }: SendOptions = {},
  ): Promise<"sent" | "expired"> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let off = (): void => {};
      try {
        const settle = (outcome: "sent" | "expired" | SendError) => {
          off();
          if (outcome instanceof SendError) reject(this.#establishmentErrorOr(outcome));
          else resolve(outcome);
        };
        const outgoing = this.#send(data, context, properties, endOfMessage, settle);
        if (signal === undefined) return;
        const take = () => {
          if (!this.#core.sending.remove(outgoing)) return;
          outgoing.settle(new SendError({ reason: "connection-aborted", message: "taken back", cause: signal.reason }));
        };
        signal.addEventListener("abort", take, { once: true });
        off = () => signal.removeEventListener("abort", take);
      } catch (error) {
        this.#refuse(error, context ?? new MessageContext());
        reject(error);
      }
    });
  }

  /** As `send` where there is room, without a promise; false, and nothing is taken, where there is not. */
  trySend(data: Uint8Array, options: Omit<SendOptions, "signal"> = {}): boolean {
    const core = this.#core;
    if (core.state !== "established" || !core.sending.hasRoom) return false;
    const { context, endOfMessage = true, ...properties } = options;
    try {
      this.#send(data, context, properties, endOfMessage, ignore);
      return true;
    } catch (error) {
      this.#refuse(error, context ?? new MessageContext());
      return false;
    }
  }

  /** Resolves when `trySend` has room; rejects when there never will be. */
  async writable({ signal, timeout }: ActionOptions = {}): Promise<void> {
    const core = this.#core;
    await within(core, this.ready, { signal, timeout });
    while (!core.sending.hasRoom) {
      if (!core.canSend) throw new SendError({ reason: "wrong-state", message: "nothing can be sent any more" });
      await within(core, this.#room(), { signal, timeout });
    }
  }

  /** `StartBatch` and `EndBatch`: what `act` sends goes down together when it is done. */
  batch<T>(act: () => T): T {
    this.#core.sending.startBatch();
    try {
      return act();
    } finally {
      this.#core.sending.endBatch();
    }
  }

  // Receiving (§9.3).

  /**
   * Receive: a Message, or a piece of one where `min` and `max` or the stack say so. Bytes over a stack without
   * boundaries and without a framer are pieces of one Message. Rejects with a ReceiveError.
   */
  receive(options: ReceiveOptions = {}): Promise<Received> {
    if (this.#core.values.direction === "unidirectional-send") {
      return Promise.reject(
        new ReceiveError({ reason: "wrong-state", message: "the Connection only sends", at: "direction" }),
      );
    }
    return this.#core.receiving.receive(options);
  }

  /** What has come and nobody waits for; undefined if nothing has. */
  tryReceive(max?: number): Received | undefined {
    return this.#core.receiving.tryReceive(max);
  }

  /** Messages until the final one or Closed; a ConnectionError is thrown. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Received, void, undefined> {
    const { receiving } = this.#core;
    while (true) {
      let received: Received;
      try {
        received = await this.receive();
      } catch (error) {
        const isEnd = error instanceof ReceiveError && error.reason === "wrong-state";
        if (isEnd && receiving.finished && receiving.failure === undefined) return;
        throw receiving.failure ?? error;
      }
      yield received;
      if (received.final) return;
    }
  }

  // Events and properties.

  /** Calls at an event until disposed, or until the signal. No event comes after the one that ends the Connection. */
  on<Name extends keyof ConnectionEvents>(
    name: Name,
    call: (event: ConnectionEvents[Name]) => void,
    options?: SubscribeOptions,
  ): Disposable {
    return this.#core.events.on(name, call, options);
  }

  /**
   * A property by its name. A preference answers whether the stack provides it, and undefined until Ready (§6.2); what
   * was asked for stands in `asked`.
   */
  get<Name extends PreferenceName>(name: Name): boolean | undefined;
  get<Name extends Exclude<keyof SelectionProperties, PreferenceName>>(name: Name): SelectionProperties[Name];
  get<Name extends keyof ConnectionProperties>(name: Name): ConnectionProperties[Name];
  get<Name extends keyof ReadOnlyProperties>(name: Name): ReadOnlyProperties[Name];
  get(name: keyof SelectionProperties | keyof ConnectionProperties | keyof ReadOnlyProperties): unknown {
    if (name in preferenceProperties) return this.#provides(name as PreferenceName);
    if (name in connectionProperties) return this.#core.property(name as keyof ConnectionProperties);
    if (name in readers) return readers[name as keyof ReadOnlyProperties](this.#core);
    // What the stack does not act on reads as what is: one path, no other addresses advertised.
    const { line } = this.#core;
    const acts = name === "multipath" ? line?.stack.migrates : line?.stack.advertises;
    if (line !== undefined && Object.hasOwn(inactive, name) && acts !== true) {
      return inactive[name as keyof typeof inactive];
    }
    return this.#core.values[name as keyof SelectionProperties];
  }

  /** What the application asked for, with the defaults. */
  get asked(): Readonly<SelectionProperties> {
    return this.#core.values;
  }

  /** Is there a property of this name? */
  has(name: string): boolean {
    return name in this.#core.values || name in readers;
  }

  /**
   * Sets a Connection Property, on the whole group unless it is `connPriority`. What cannot be is an answer, never a
   * throw, and does not end the Connection (§8).
   */
  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): SetResult {
    if (!Object.hasOwn(connectionProperties, name)) {
      return {
        ok: false,
        error: new TapsFailure({ reason: "invalid-configuration", message: `${name} cannot be set`, at: name }),
      };
    }
    const { kind } = connectionProperties[name];
    const read = kind.read(value) as ConnectionProperties[Name] | undefined;
    if (read !== undefined) return this.#core.set(name, read);
    const message = `${name} takes ${kind.text}, not ${String(value)}`;
    return { ok: false, error: new TapsFailure({ reason: "invalid-configuration", message, at: name }) };
  }

  // Groups (§7.4) and endpoints (§7.5).

  /** Clone: another Connection to the same peer in the same group. Its failure is a `cloneError` event here too. */
  clone(options: CloneOptions = {}): Connection<Mode> {
    return this.#maker.clone(this.#core, options) as Connection<Mode>;
  }

  /**
   * Listens for streams that the peer opens in this session: they are Connections of this group (§7.4). Until it is
   * called, they are refused. What a Listener received needs no such call: that Listener hears of its session's streams.
   * Throws `unsupported` where the stack has no streams, `wrong-state` before Ready or where somebody listens already.
   */
  listen(options: ListenerOptions = {}): Listener<Mode> {
    return this.#maker.listen(this.#core, options) as Listener<Mode>;
  }

  /** The group as it is now. */
  get group(): Group {
    const cores = [...this.#core.group.members];
    const members = cores.map((core) => faces.get(core)!);
    const sessions = new Set(cores.flatMap(({ line }) => line?.transport.session ?? []));
    return Object.assign(new Set(members), {
      close: async () => {
        await Promise.allSettled(members.map((each) => each.close()));
        for (const session of sessions) session.close();
        await Promise.all([...sessions].map(({ over }) => over));
      },
      abort: (reason?: unknown) => {
        for (const each of members) each.abort(reason);
        for (const session of sessions) session.abort();
      },
    });
  }

  /** More ways to reach the peer; known ones are ignored. They join a race that is still running. */
  addRemote(...endpoints: readonly RemoteEndpointInit[]): void {
    this.#maker.addEndpoints(this.#core, endpoints);
  }

  /** Ways that are none any more. A Connection that uses one goes on: no stack here can move it. */
  removeRemote(...endpoints: readonly RemoteEndpointInit[]): void {
    this.#maker.removeEndpoints(this.#core, endpoints);
  }

  /**
   * AddLocal: further addresses to go on from. With QUIC and `multipath` active the Connection, and its group with it,
   * moves to one of them when the one that it uses is removed. Elsewhere the answer is `unsupported`.
   */
  addLocal(...endpoints: readonly LocalEndpointInit[]): SetResult {
    return this.#maker.addLocals(this.#core, endpoints);
  }

  /** RemoveLocal. What is in use is left for the next that is known; the last one cannot be removed. */
  removeLocal(...endpoints: readonly LocalEndpointInit[]): SetResult {
    return this.#maker.removeLocals(this.#core, endpoints);
  }

  // Ends (§10).

  /** Close: everything that was sent is delivered first. Resolves at Closed; rejects if it ends otherwise. */
  close({ signal, timeout }: ActionOptions = {}): Promise<void> {
    this.#core.close();
    return within(this.#core, this.closed, { signal, timeout }).catch((error: unknown) => {
      // Closing what is not established yet, or is over already, has no other outcome to tell.
      if (error instanceof EstablishmentError) return;
      throw error;
    });
  }

  /** Abort: drops everything. The ConnectionError says that it was us. */
  abort(reason?: unknown): void {
    this.#core.abort(reason);
  }

  /** Close, whatever comes of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch((error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error;
    });
  }

  /** Does this Connection keep the process alive? It does until `unref`. */
  ref(): void {
    this.#core.line?.transport.ref();
  }

  unref(): void {
    this.#core.line?.transport.unref();
  }

  /** For adapters: calls when `tryReceive` may bring something or the Connection ends, and when `trySend` has room. */
  watch(calls: { readonly readable?: () => void; readonly writable?: () => void }): void {
    this.#core.onReadable = calls.readable;
    this.#core.onWritable = calls.writable;
  }

  #send(
    data: Uint8Array,
    context: MessageContext | undefined,
    properties: Partial<MessageProperties>,
    endOfMessage: boolean,
    settle: Outgoing["settle"],
  ): Outgoing {
    if (context === undefined) return this.#core.send(data, new MessageContext(properties), endOfMessage, settle);
    return this.#core.send(data, context, endOfMessage, settle, properties);
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#core.onWritable;
      const off = this.on("stateChange", () => done());
      const done = () => {
        off[Symbol.dispose]();
        this.#core.onWritable = before;
        resolve();
      };
      this.#core.onWritable = () => {
        done();
        before?.();
      };
    });
  }

  #provides(name: PreferenceName): boolean | undefined {
    const { line, values, framers } = this.#core;
    if (line === undefined) return undefined;
    if (name === "useTemporaryLocalAddress") return this.#maker.isTemporary(line.transport.local.address);
    const provision = provided(line.stack, name, framers.length > 0);
    return provision === "optional" ? values[name] === "require" || values[name] === "prefer" : provision === "always";
  }

  #refuse(error: unknown, context: MessageContext): void {
    if (error instanceof SendError && this.#core.line !== undefined && !this.#core.isClosed) {
      this.#core.events.emit("sendError", { context, error });
    }
  }

  #establishmentErrorOr(error: SendError): unknown {
    return error.cause instanceof EstablishmentError ? error.cause : error;
  }
}

/** The face of a core, for groups. */
const faces = new WeakMap<ConnectionCore, Connection>();

const readers: Readonly<Record<keyof ReadOnlyProperties, (core: ConnectionCore) => unknown>> = {
  connState: (core) => core.state,
  canSend: (core) => core.canSend,
  canReceive: (core) => core.canReceive,
  singularTransmissionMsgMaxLen: (core) => core.line?.transport.singularMax,
  sendMsgMaxLen: (core) => (core.canSend ? (core.line?.transport.sendMax ?? 0) : 0),
  recvMsgMaxLen: (core) => (core.canReceive ? (core.line?.transport.receiveMax ?? 0) : 0),
};

const ignore = (): void => {};

/** The promise, or the failure of whoever did not wait longer. */
export function within<T>(
  { host }: Pick<ConnectionCore, "host">,
  promise: Promise<T>,
  { signal, timeout }: ActionOptions,
): Promise<T> {
  if (signal === undefined && timeout === undefined) return promise;
  return new Promise((resolve, reject) => {
    const alarm =
      timeout === undefined
        ? undefined
        : host.wakeAt(host.now() + timeout, () =>
            end(() => reject(new TapsFailure({ reason: "timeout", message: `not done within ${timeout} ms` }))),
          );
    const aborted = () => end(() => reject(signal?.reason));
    const end = (how: () => void) => {
      alarm?.cancel();
      signal?.removeEventListener("abort", aborted);
      how();
    };
    if (signal?.aborted === true) return aborted();
    signal?.addEventListener("abort", aborted, { once: true });
    promise.then(
      (value) => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error)),
    );
  });
}
