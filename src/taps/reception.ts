import { deferred } from "../contract/deferred.js";
import type { Failure } from "../contract/index.js";
import { Connection, type ConnectionMaker, within } from "./connection.js";
import { ConnectionCore } from "./core.js";
import { type ActionOptions, Emitter } from "./events.js";
import { EstablishmentError, TapsFailure } from "./failure.js";
import type { MakeFramer } from "./framer.js";
import type { ConnectionGroup } from "./group.js";
import { groupMembersMax, listenerBacklogMax, listenerHandshakesMax } from "./limits.js";
import { Line } from "./line.js";
import type { SecurityMode } from "./security.js";
import type { ProtocolStack, StreamGroup, Transport, TransportListener, TransportSink } from "./stacks/stack.js";
import type { TransportServices } from "./system.js";
import type { TransportProperties } from "./transport-properties.js";

export interface ListenerEvents {
  connectionReceived: Connection;
  /** A peer that did not get as far as a Connection: a handshake that failed, a full backlog. */
  softError: Failure;
  /** What a handler of `serve` threw; its Connection was aborted. */
  handlerError: { readonly connection: Connection; readonly error: unknown };
  /** It cannot listen any more: what was below it is gone (RFC 9622 §7.2). `stopped` follows. */
  establishmentError: EstablishmentError;
  stopped: undefined;
}

export interface ReceptionInit {
  readonly system: TransportServices;
  readonly maker: ConnectionMaker;
  readonly transport: TransportProperties;
  readonly framers: readonly MakeFramer[];
}

/** What a Listener holds: Connections on their way, those that wait to be taken, and those who wait for them. */
export class Reception<Mode extends SecurityMode> {
  readonly events: Emitter<ListenerEvents>;
  readonly stopped = deferred<void>();
  readonly ports: TransportListener[] = [];
  readonly stacks: ProtocolStack[] = [];
  readonly backlogMax: number;
  limit = Number.POSITIVE_INFINITY;
  delivered = 0;
  dropped = 0;
  failed = 0;
  readonly #init: ReceptionInit;
  /** Groups of the sessions that have streams: a further stream joins its session's (RFC 9622 §7.4). */
  readonly #groups = new WeakMap<StreamGroup, ConnectionGroup<ConnectionCore>>();
  #backlog: Connection<Mode>[] = [];
  #takers: ((connection: Connection<Mode> | undefined) => void)[] = [];
  #handshakes = new Set<Transport>();
  #isStopped = false;
  #failure: EstablishmentError | undefined;

  constructor(init: ReceptionInit, { backlog = listenerBacklogMax }: { readonly backlog?: number }) {
    this.#init = init;
    this.backlogMax = backlog;
    const { host } = init.system;
    this.events = new Emitter((error) =>
      host.soon(() => {
        throw error;
      }),
    );
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Streams of this session join this group. */
  know(session: StreamGroup, group: ConnectionGroup<ConnectionCore>): void {
    this.#groups.set(session, group);
  }

  /** Hands out what waits, to those who wait or to those who subscribed, as far as the limit allows. */
  deliver(): void {
    while (this.#backlog.length > 0 && this.limit > 0) {
      const taker = this.#takers.shift();
      if (taker === undefined && !this.events.has("connectionReceived")) return;
      const connection = this.#backlog.shift()!;
      if (connection.state === "closed") {
        if (taker !== undefined) this.#takers.unshift(taker);
        continue;
      }
      this.limit--;
      this.delivered++;
      this.events.emit("connectionReceived", connection);
      taker?.(connection);
    }
  }

  /** The next, or undefined when it has stopped; rejects when it could not go on. */
  async accept(options: ActionOptions): Promise<Connection<Mode> | undefined> {
    const next = await this.#next(options);
    if (next === undefined && this.#failure !== undefined) throw this.#failure;
    return next;
  }

  #next(options: ActionOptions): Promise<Connection<Mode> | undefined> {
    let taker: ((connection: Connection<Mode> | undefined) => void) | undefined;
    const next = new Promise<Connection<Mode> | undefined>((resolve) => {
      taker = resolve;
      this.#takers.push(resolve);
      if (this.#isStopped) this.#endTakers();
      else this.deliver();
    });
    return within(this.#init.system, next, options).catch((error: unknown) => {
      this.#takers = this.#takers.filter((each) => each !== taker);
      throw error;
    });
  }

  /** One of its ports is gone. Half a Listener is none, so the others go with it. */
  fail(cause: Failure): void {
    if (this.#isStopped) return;
    const { message } = cause;
    this.#failure = new EstablishmentError({ reason: "establishment-failed", message, cause });
    this.events.emit("establishmentError", this.#failure);
    void this.stop();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return this.stopped.promise;
    this.#isStopped = true;
    for (const transport of this.#handshakes) transport.abort();
    for (const connection of this.#backlog.splice(0)) connection.abort("the Listener has stopped");
    this.#endTakers();
    await Promise.all(this.ports.map((port) => port.close()));
    this.events.emit("stopped", undefined);
    this.stopped.resolve();
  }

  /** A peer has come: it has its handshake and its framers before anybody hears of it. */
  receive(stack: ProtocolStack, transport: Transport): TransportSink {
    const line = new Line(stack, this.#init.framers, {
      ready: () => {
        this.#handshakes.delete(transport);
        this.#admit(line);
      },
      closed: (failure) => {
        if (this.#handshakes.delete(transport)) this.lost(failure);
      },
      deliver() {},
      ended() {},
      writable() {},
      softError: (failure) => this.events.emit("softError", failure),
      pathChange() {},
    });
    line.attach(transport);
    if (this.#handshakes.size >= listenerHandshakesMax) {
      this.#soft("queue-full", `${listenerHandshakesMax} handshakes are under way`);
      return this.turnAway(transport);
    }
    this.#handshakes.add(transport);
    return line;
  }

  /** Ends what is not wanted, and answers a sink that hears of nothing more. */
  turnAway(transport: Transport): TransportSink {
    this.dropped++;
    // In a turn of its own: the stack is still telling us of it.
    this.#init.system.host.soon(() => transport.abort());
    return silent;
  }

  /** It ended before it was a Connection. */
  lost(failure: Failure | undefined): void {
    this.failed++;
    if (failure !== undefined) this.events.emit("softError", failure);
  }

  handlerFailed(connection: Connection<Mode>, error: unknown): void {
    const { host, trace } = this.#init.system;
    const message = error instanceof Error ? error.message : String(error);
    trace?.({ at: host.now(), protocol: "taps", name: "taps:handler_failed", data: { message } });
    this.events.emit("handlerError", { connection, error });
  }

  #admit(line: Line): void {
    const { transport } = line;
    const { session, direction } = transport;
    const { system, maker, transport: properties, framers } = this.#init;
    const { host, trace } = system;
    const group = session && this.#groups.get(session);
    if (this.#isStopped) {
      transport.abort();
      return;
    }
    if (this.#backlog.length >= this.backlogMax) {
      this.dropped++;
      transport.abort();
      this.#soft("queue-full", `${this.backlogMax} Connections wait already`);
      return;
    }
    if (group !== undefined && !hasRoom(group)) {
      this.dropped++;
      transport.abort();
      this.#soft("queue-full", "the group has as many Connections as groupConnLimit allows");
      return;
    }
    const core = new ConnectionCore({
      host,
      trace,
      properties,
      action: "listen",
      framers,
      direction,
      ...(group && { group }),
    });
    const connection = new Connection<Mode>(core, maker);
    if (group !== undefined) group.received++;
    else if (session !== undefined) this.know(session, core.group);
    core.establish(line, "received");
    this.#backlog.push(connection);
    this.deliver();
  }

  #endTakers(): void {
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #soft(reason: "queue-full", message: string): void {
    this.events.emit("softError", new TapsFailure({ reason, message }));
  }
}

/** May the peer add one more Connection (RFC 9622 §8.1.9)? */
function hasRoom({ members, received, values: { groupConnLimit } }: ConnectionGroup<ConnectionCore>): boolean {
  return members.size < groupMembersMax && (groupConnLimit === "unlimited" || received < groupConnLimit);
}

const silent: TransportSink = {
  ready() {},
  received() {},
  ended() {},
  writable() {},
  softError() {},
  pathChange() {},
  closed() {},
};
