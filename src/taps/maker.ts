import { type Alarm, Failure } from "../contract/index.js";
import { type CloneOptions, Connection, type ConnectionMaker } from "./connection.js";
import { ConnectionCore } from "./core.js";
import {
  type LocalEndpointInit,
  type RemoteEndpoint,
  type RemoteEndpointInit,
  remoteEndpoint,
  sameEndpoint,
} from "./endpoint.js";
import type { ActionOptions } from "./events.js";
import { CloneError, EstablishmentError, TapsFailure } from "./failure.js";
import type { MakeFramer } from "./framer.js";
import { type Branch, type GatherRequest, gather, type TreeNode } from "./gather.js";
import type { ConnectionGroup } from "./group.js";
import { groupMembersMax } from "./limits.js";
import { Line } from "./line.js";
import { Listener, type ListenerOptions } from "./listener.js";
import type { SetResult } from "./live-properties.js";
import { LocalPaths } from "./paths.js";
import { type ConnectionProperties, connectionProperties } from "./properties.js";
import { Race } from "./race.js";
import { Reception } from "./reception.js";
import type { SecurityMode } from "./security.js";
import { StackScope } from "./stacks/stack.js";
import { announces } from "./stacks/streams.js";
import type { TransportServices } from "./system.js";

/** Establishes the Connections of one Preconnection, frozen at its action, and their clones. */
export class Maker implements ConnectionMaker {
  readonly #system: TransportServices;
  readonly #request: GatherRequest;
  readonly #framers: readonly MakeFramer[];
  readonly #remotes: RemoteEndpoint[];
  /** What an isolated group shares, and nobody else (§8.1.10). */
  #scope: StackScope | undefined;

  constructor(system: TransportServices, request: GatherRequest, framers: readonly MakeFramer[]) {
    this.#system = system;
    this.#request = request;
    this.#framers = [...framers];
    this.#remotes = [...request.remotes];
  }

  initiate<Mode extends SecurityMode>(
    options: ActionOptions,
    early?: Uint8Array,
    more: InitiateMore = {},
  ): { connection: Connection<Mode>; core: ConnectionCore } {
    const { host } = this.#system;
    const framers = more.framers ?? this.#framers;
    const core = new ConnectionCore({
      host,
      trace: this.#system.trace,
      properties: this.#request.properties,
      action: "initiate",
      framers,
      ...(more.group !== undefined && { group: more.group }),
    });
    const connection = new Connection<Mode>(core, this);
    // In a turn of its own: whoever called may subscribe first.
    host.soon(() => {
      if (core.state === "establishing") this.#begin(core, framers, early, more);
    });
    this.#bound(core, options);
    return { connection, core };
  }

  /**
   * Where the stack has streams, a new one in the same session; elsewhere a new Connection over the stack and to the
   * address that the cloned one has (RFC 9623 §10.1: a new TCP connection).
   */
  clone(from: ConnectionCore, { framers, signal, timeout, ...properties }: CloneOptions): Connection {
    if (from.isClosed) throw new CloneError({ reason: "not-cloneable", message: "the Connection is closed" });
    if (from.group.members.size >= groupMembersMax) {
      throw new CloneError({ reason: "not-cloneable", message: `a group has at most ${groupMembersMax} members` });
    }
    const { connection, core } = this.initiate({ signal, timeout }, undefined, {
      group: from.group,
      framers: framers ?? from.framers,
      from,
    });
    core.connPriority = from.connPriority;
    for (const [name, value] of Object.entries(properties)) {
      const known = Object.hasOwn(connectionProperties, name);
      const result = known ? core.set(name as keyof ConnectionProperties, value as never) : undefined;
      if (result?.ok === false) throw new CloneError({ reason: result.error.reason, message: result.error.message });
    }
    core.events.on("establishmentError", (error) => {
      const { reason, message } = error;
      if (!from.isClosed) from.events.emit("cloneError", new CloneError({ reason, message, cause: error }));
    });
    return connection;
  }
  readonly #branches = new WeakMap<ConnectionCore, Branch>();

  /** Opens a stream for a clone as soon as the Connection that is cloned has a session; false where it has no streams. */
  async #openStream(core: ConnectionCore, from: ConnectionCore, framers: readonly MakeFramer[]): Promise<boolean> {
    await from.whenReady.promise;
    const { stack, transport } = from.line!;
    if (transport.session === undefined) return false;
    if (core.isClosed) return true;
    const line = new Line(stack, framers, {
      ready: () => {
        core.giveUp = undefined;
        core.establish(line);
      },
      closed: (failure) => core.failEstablishment(notOpened(failure)),
      deliver() {},
      ended() {},
      writable() {},
      softError() {},
      pathChange() {},
    });
    const { direction } = core.values;
    const wish = { direction, connPriority: core.connPriority, announce: announces(core.values) };
    line.attach(transport.session.openStream(line, wish));
    core.giveUp = (error) => {
      line.transport.abort();
      core.failEstablishment(error);
    };
    return true;
  }

  /** Streams that the peer opens in the session of this Connection. */
  listen(core: ConnectionCore, options: ListenerOptions): Listener {
    const { line, group, framers, properties } = core;
    if (line === undefined || core.isClosed) throw cannotListen("wrong-state", `the Connection is ${core.state}`);
    const { session } = line.transport;
    if (session === undefined) throw cannotListen("unsupported", `${line.stack.name} has no streams`);
    if (session.accept !== undefined) throw cannotListen("wrong-state", "somebody listens for this session's streams");
    options.signal?.throwIfAborted();
    const init = { system: this.#system, maker: this, transport: properties, framers };
    const reception = new Reception<SecurityMode>(init, options);
    reception.stacks.push(line.stack);
    reception.know(session, group);
    session.accept = (transport) => reception.receive(line.stack, transport);
    const abort = () => void reception.stop();
    options.signal?.addEventListener("abort", abort, { once: true });
    void reception.stopped.promise.then(() => {
      session.accept = undefined;
      options.signal?.removeEventListener("abort", abort);
    });
    void session.over.then(abort);
    return new Listener(reception);
  }

  addLocals(core: ConnectionCore, endpoints: readonly LocalEndpointInit[]): SetResult {
    return this.#paths.add(core, endpoints);
  }

  removeLocals(core: ConnectionCore, endpoints: readonly LocalEndpointInit[]): SetResult {
    return this.#paths.remove(core, endpoints);
  }
  readonly #paths = new LocalPaths();

  addEndpoints(core: ConnectionCore, endpoints: readonly RemoteEndpointInit[]): void {
    for (const each of endpoints.map(remoteEndpoint)) {
      if (this.#remotes.some((known) => sameEndpoint(known, each))) continue;
      this.#remotes.push(each);
      this.#races.get(core)?.add(each);
    }
  }

  removeEndpoints(core: ConnectionCore, endpoints: readonly RemoteEndpointInit[]): void {
    for (const each of endpoints.map(remoteEndpoint)) {
      const at = this.#remotes.findIndex((known) => sameEndpoint(known, each));
      if (at >= 0) this.#races.get(core)?.remove(this.#remotes.splice(at, 1)[0]!);
    }
  }
  readonly #races = new WeakMap<ConnectionCore, Race>();

  isTemporary(address: string): boolean {
    return this.#system.network
      .interfaces()
      .some(({ addresses }) => addresses.some((each) => each.address === address && each.temporary));
  }

  #begin(
    core: ConnectionCore,
    framers: readonly MakeFramer[],
    early: Uint8Array | undefined,
    more: InitiateMore,
  ): void {
    const { from } = more;
    if (from === undefined || !this.#mayHaveStreams(from)) {
      this.#race(core, framers, early, more);
      return;
    }
    this.#openStream(core, from, framers).then(
      (isOpen) => isOpen || this.#race(core, framers, early, more),
      (error: unknown) => core.failEstablishment(notOpened(error instanceof Failure ? error : undefined)),
    );
  }

  /** A stack without streams dials again, and at once: its clones wait for nobody. */
  #mayHaveStreams({ line }: ConnectionCore): boolean {
    const stacks = line === undefined ? gather(this.#request).branches.map(({ stack }) => stack) : [line.stack];
    return stacks.some(({ offers }) => offers === "multi-stream");
  }

  #race(
    core: ConnectionCore,
    framers: readonly MakeFramer[],
    early: Uint8Array | undefined,
    { from, probes }: InitiateMore,
  ): void {
    const only = from && this.#branches.get(from);
    const { host, network, cache, policy } = this.#system;
    let tree: { readonly root: TreeNode; readonly branches: readonly Branch[] };
    try {
      tree = gather({ ...this.#request, remotes: [...this.#remotes] });
    } catch (error) {
      if (!(error instanceof TapsFailure)) throw error;
      core.failEstablishment(new EstablishmentError({ reason: error.reason, message: error.message, cause: error }));
      return;
    }
    const branches = only === undefined ? tree.branches : tree.branches.filter(({ stack }) => stack === only.stack);
    const isolated = core.property("isolateSession");
    if (isolated) this.#scope ??= new StackScope();
    core.candidates = tree.root;
    const race = new Race({
      host,
      network,
      cache,
      scope: isolated ? this.#scope! : cache.scope,
      policy,
      security: this.#request.security,
      allowed: this.#request.allowed,
      values: { ...core.values, ...core.group.values, connPriority: core.connPriority },
      framers,
      root: tree.root,
      branches,
      early,
      isolated,
      trace: (name, data) => core.note(name, data),
      won: (line, branch) => {
        this.#branches.set(core, branch);
        if (probes === true) {
          this.#probe(core, line);
          return;
        }
        core.giveUp = undefined;
        core.establish(line);
      },
      lost: (error) => {
        core.giveUp = undefined;
        core.failEstablishment(error);
      },
    });
    core.giveUp = (error) => {
      race.giveUp();
      core.failEstablishment(withTree(error, tree.root));
    };
    this.#races.set(core, race);
    race.start();
  }

  /** Empty datagrams, until one has come from the peer: then both ways are open. */
  #probe(core: ConnectionCore, line: Line): void {
    const { host } = this.#system;
    let alarm: Alarm | undefined;
    const send = () => {
      line.transport.send(new Uint8Array(), { endOfMessage: true }, () => {});
      alarm = host.wakeAt(host.now() + probeIntervalMs, send);
    };
    core.giveUp = (error) => {
      alarm?.cancel();
      line.transport.abort();
      core.failEstablishment(error);
    };
    line.heard = () => {
      alarm?.cancel();
      core.giveUp = undefined;
      core.establish(line);
    };
    send();
  }

  /** A timeout and a signal bound the establishment; once Ready they have no say. */
  #bound(core: ConnectionCore, { signal, timeout }: ActionOptions): void {
    const giveUp = (error: EstablishmentError) =>
      core.giveUp === undefined ? core.failEstablishment(error) : core.giveUp(error);
    core.giveUp = (error) => core.failEstablishment(error);
    const { host } = this.#system;
    const alarm =
      timeout === undefined
        ? undefined
        : host.wakeAt(host.now() + timeout, () =>
            giveUp(new EstablishmentError({ reason: "timeout", message: `not established within ${timeout} ms` })),
          );
    const aborted = () =>
      giveUp(
        new EstablishmentError({ reason: "connection-aborted", message: "aborted locally", cause: signal?.reason }),
      );
    if (signal?.aborted === true) host.soon(aborted);
    signal?.addEventListener("abort", aborted, { once: true });
    const over = () => {
      alarm?.cancel();
      signal?.removeEventListener("abort", aborted);
    };
    core.whenReady.promise.then(over, over);
  }
}

interface InitiateMore {
  readonly group?: ConnectionGroup<ConnectionCore>;
  readonly framers?: readonly MakeFramer[];
  /** The Connection that is cloned. */
  readonly from?: ConnectionCore;
  /** Rendezvous over datagrams. */
  readonly probes?: boolean;
}

/** From one empty datagram of a Rendezvous to the next. */
const probeIntervalMs = 250;

const cannotListen = (reason: "wrong-state" | "unsupported", message: string): TapsFailure =>
  new TapsFailure({ reason, message, at: "Listen" });

function notOpened(cause: Failure | undefined): EstablishmentError {
  const message = cause?.message ?? "the session ended before the stream was opened";
  return new EstablishmentError({ reason: "establishment-failed", message, ...(cause && { cause }) });
}

function withTree(error: EstablishmentError, root: TreeNode): EstablishmentError {
  const { reason, message, cause } = error;
  return new EstablishmentError({ reason, message, ...(cause === undefined ? {} : { cause }) }, root);
}
