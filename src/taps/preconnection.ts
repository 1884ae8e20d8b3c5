import type { Alarm, Host, Network, Trace } from "../contract/index.js";
import { ConnectionCache } from "./cache.js";
import type { CandidateNode } from "./candidates.js";
import { type CloneOptions, Connection, type ConnectionMaker, type SendOptions, within } from "./connection.js";
import { ConnectionCore } from "./core.js";
import {
  endpointText,
  type LocalEndpoint,
  type LocalEndpointInit,
  localEndpoint,
  type RemoteEndpoint,
  type RemoteEndpointInit,
  remoteEndpoint,
  sameEndpoint,
} from "./endpoint.js";
import type { ActionOptions } from "./events.js";
import { CloneError, EstablishmentError, misuse, TapsFailure } from "./failure.js";
import type { MakeFramer } from "./framer.js";
import { type Branch, type GatherRequest, gather, TreeNode } from "./gather.js";
import type { ConnectionGroup } from "./group.js";
import { framersMax, groupMembersMax } from "./limits.js";
import type { Line } from "./line.js";
import { type Listener, type ListenerOptions, resolved, startListener } from "./listener.js";
import { MessageContext } from "./message.js";
import { Policy, type SystemPolicy } from "./policy.js";
import { type Action, type ConnectionProperties, connectionProperties } from "./properties.js";
import { Race } from "./race.js";
import { type Rendezvous, rendezvousStream } from "./rendezvous.js";
import { type SecurityMode, type SecurityParameters, secure } from "./security.js";
import { type ProtocolStack, StackScope } from "./stacks/stack.js";
import { TransportProperties } from "./transport-properties.js";

/** What a Preconnection is made of (RFC 9622 §6). Everything is copied: changes made later have no effect. */
export interface PreconnectionInit<Mode extends SecurityMode = SecurityMode> {
  readonly local?: LocalEndpointInit | readonly LocalEndpointInit[];
  readonly remote?: RemoteEndpointInit | readonly RemoteEndpointInit[];
  /** Default: the properties' own defaults. */
  readonly transport?: TransportProperties;
  /** Default: `secure()`. Cleartext is asked for by `disabled()`. */
  readonly security?: SecurityParameters<Mode>;
  /** In the order of `addFramer`. */
  readonly framers?: readonly MakeFramer[];
}

/** What a Transport Services system works with. */
export interface SystemInit {
  readonly host: Host;
  /** Where its Connections are made; default the host's own network. A tunnel is another. */
  readonly network?: Network;
  readonly stacks: readonly ProtocolStack[];
  /** The host's policy file, as `readSystemPolicy` reads it. */
  readonly policy?: SystemPolicy;
  /** Default the host's. */
  readonly trace?: Trace;
}

/** A Transport Services system: hosts, networks, stacks, policy and caches, from which Preconnections are made. */
export class TransportServices {
  readonly host: Host;
  readonly network: Network;
  readonly stacks: readonly ProtocolStack[];
  readonly policy: Policy;
  readonly cache = new ConnectionCache();
  readonly #trace: Trace | undefined;

  constructor({ host, network = host.network, stacks, policy, trace }: SystemInit) {
    this.host = host;
    this.network = network;
    this.stacks = stacks;
    this.policy = new Policy(policy);
    this.#trace = trace;
  }

  get trace(): Trace | undefined {
    return this.#trace ?? this.host.trace;
  }

  /** `NewPreconnection`. Throws `invalid-configuration`. */
  preconnection<Mode extends SecurityMode = "secure">(init: PreconnectionInit<Mode>): Preconnection<Mode> {
    return new Preconnection<Mode>(this, init);
  }
}

/**
 * A potential Connection (RFC 9622 §6). It may be used as often as you like, and changed between; what an action
 * began does not notice. No name is looked up before an action is called.
 */
export class Preconnection<Mode extends SecurityMode = SecurityMode> {
  readonly #system: TransportServices;
  readonly #locals: LocalEndpoint[];
  readonly #remotes: RemoteEndpoint[];
  readonly #framers: MakeFramer[];
  readonly transport: TransportProperties;
  readonly security: SecurityParameters<Mode>;

  constructor(system: TransportServices, init: PreconnectionInit<Mode>) {
    this.#system = system;
    this.#locals = list(init.local).map(localEndpoint);
    this.#remotes = list(init.remote).map(remoteEndpoint);
    this.transport = init.transport ?? new TransportProperties();
    this.security = init.security ?? (secure() as SecurityParameters<Mode>);
    this.#framers = [];
    for (const framer of init.framers ?? []) this.addFramer(framer);
  }

  /** The framer added last is nearest to the application (§9.1.2.1). */
  addFramer(make: MakeFramer): this {
    if (this.#framers.length >= framersMax) throw misuse(`${framersMax} framers are enough`, "AddFramer");
    this.#framers.push(make);
    return this;
  }

  /** `AddRemote` (§7.3): candidates that a signalling channel brought. Known ones are ignored. */
  addRemote(...endpoints: readonly RemoteEndpointInit[]): this {
    for (const each of endpoints.map(remoteEndpoint)) {
      if (!this.#remotes.some((known) => sameEndpoint(known, each))) this.#remotes.push(each);
    }
    return this;
  }

  /** Initiate (§7.1): a Connection that is Establishing. Throws where the Preconnection contradicts itself. */
  initiate(options: ActionOptions = {}): Connection<Mode> {
    return this.#initiate(options).connection;
  }

  /** Initiate, and wait for Ready. Rejects with the EstablishmentError. */
  async connect(options: ActionOptions = {}): Promise<Connection<Mode>> {
    return this.initiate(options).ready;
  }

  /**
   * InitiateWithSend (§9.2.5). Only data that is marked `safelyReplayable` may travel as 0-RTT; other data follows the
   * handshake. Where the establishment fails there is no SendError beside the EstablishmentError.
   */
  initiateWithSend(data: Uint8Array, options: SendOptions & ActionOptions = {}): Connection<Mode> {
    const { context, endOfMessage, signal, timeout, ...properties } = options;
    if (endOfMessage === false) throw misuse("InitiateWithSend takes whole Messages (§9.2.5)", "endOfMessage");
    const message = context ?? new MessageContext(properties);
    const replayable = message.get("safelyReplayable") ?? this.transport.set.safelyReplayable ?? false;
    const { connection, core } = this.#initiate({ signal, timeout }, replayable ? data : undefined);
    const outgoing = core.send(data, message, true, () => {});
    if (replayable) core.early = outgoing;
    return connection;
  }

  /** Listen (§7.2). Rejects with an EstablishmentError. */
  async listen(options: ListenerOptions = {}): Promise<Listener<Mode>> {
    if (this.#locals.length === 0) throw misuse("Listen needs a local endpoint", "Local Endpoint");
    const request = this.#gatherRequest("listen", "server");
    const { root, branches } = gather({ ...request, remotes: [] });
    return startListener<Mode>({
      system: this.#system,
      maker: new Maker(this.#system, request, this.#framers),
      security: this.security,
      allowed: request.allowed,
      transport: this.transport,
      framers: [...this.#framers],
      locals: [...this.#locals],
      remotes: [...this.#remotes],
      root,
      branches,
      options,
    });
  }

  /**
   * Rendezvous (§7.3): both ends call it. Over a stack with connections it listens and connects at once; over datagrams
   * it is done when the first one has come from the peer, and sends empty ones until then.
   */
  async rendezvous(options: ActionOptions = {}): Promise<Rendezvous<Mode>> {
    const [local] = this.#locals;
    const [remote] = this.#remotes;
    if (local?.port === undefined) throw misuse("Rendezvous needs a local endpoint with a port", "Local Endpoint");
    if (remote === undefined) throw misuse("Rendezvous needs a remote endpoint", "Remote Endpoint");
    if (local.multicast !== undefined) {
      // RFC 9622 §6.1.1: a single-source group has one direction. An any-source group could be met; no stack here can.
      throw new EstablishmentError({ reason: "unsupported", message: "no Rendezvous in a group", at: "Rendezvous" });
    }
    this.#refuseStun();
    const request = this.#gatherRequest("rendezvous", "client");
    const [best] = gather(request).branches;
    if (best?.stack.connectedness === "connectionless") {
      const { connection } = new Maker(this.#system, request, this.#framers).initiate<Mode>(options, undefined, {
        probes: true,
      });
      await connection.ready;
      return { connection };
    }
    return rendezvousStream<Mode>({
      system: this.#system,
      local,
      remote,
      again: (change) => this.#copy(change),
      options,
    });
  }

  /** Resolve (§6.1): the concrete endpoints that the given ones stand for now. */
  async resolve({ signal, timeout }: ActionOptions = {}): Promise<{
    readonly locals: readonly LocalEndpoint[];
    readonly remotes: readonly RemoteEndpoint[];
  }> {
    this.#refuseStun();
    const abort = new AbortController();
    const each = async (remote: RemoteEndpoint) =>
      (await resolved(this.#system, remote, abort.signal)).map((address) => concrete(remote, address));
    try {
      const remotes = (await within(this.#system, Promise.all(this.#remotes.map(each)), { signal, timeout })).flat();
      return { locals: this.#concreteLocals(), remotes };
    } finally {
      abort.abort();
    }
  }

  /** The candidate tree as it would be tried, without a packet but for name look-ups: a dry run. */
  async candidates(options: ActionOptions = {}): Promise<CandidateNode> {
    const request = this.#gatherRequest("initiate", "client");
    const { root, branches } = gather(request);
    if (branches.length === 0) return root;
    const { remotes } = await this.resolve(options);
    let rank = 0;
    for (const { node, stack } of branches) {
      for (const remote of remotes) {
        if (remote.protocol !== undefined && !stack.protocols.includes(remote.protocol)) continue;
        const leaf = new TreeNode("endpoint", endpointText(remote));
        leaf.rank = rank++;
        node.children.push(leaf);
      }
    }
    return root;
  }

  /** A Preconnection with some parts replaced. */
  #copy(change: Partial<PreconnectionInit<Mode>>): Preconnection<Mode> {
    return new Preconnection<Mode>(this.#system, {
      local: this.#locals,
      remote: this.#remotes,
      transport: this.transport,
      security: this.security,
      framers: this.#framers,
      ...change,
    });
  }

  #initiate(options: ActionOptions, early?: Uint8Array): { connection: Connection<Mode>; core: ConnectionCore } {
    if (this.#remotes.length === 0) throw misuse("Initiate needs a remote endpoint", "Remote Endpoint");
    const request = this.#gatherRequest("initiate", "client");
    checkBounds(this.transport);
    const maker = new Maker(this.#system, request, this.#framers);
    return maker.initiate<Mode>(options, early);
  }

  #gatherRequest(action: Action, role: "client" | "server"): GatherRequest {
    const { network, stacks, policy } = this.#system;
    policy.check(this.security);
    return {
      network,
      stacks,
      locals: [...this.#locals],
      remotes: [...this.#remotes],
      properties: this.transport,
      values: this.transport.for(action),
      security: this.security,
      allowed: this.security.mode === "disabled" ? [] : policy.allowed(this.security),
      policy,
      framed: this.#framers.length > 0,
      role,
    };
  }

  /** Nothing here speaks STUN: who counts on a reflexive address shall know (§6.1.4). */
  #refuseStun(): void {
    if (this.#locals.every(({ stun }) => stun === undefined)) return;
    throw new TapsFailure({ reason: "unsupported", message: "no STUN server can be asked yet", at: "WithStunServer" });
  }

  #concreteLocals(): readonly LocalEndpoint[] {
    const given = this.#locals.filter(({ address }) => address !== undefined);
    if (given.length > 0) return given;
    const port = this.#locals[0]?.port;
    return this.#system.network
      .interfaces()
      .filter(({ type }) => type !== "loopback")
      .flatMap(({ name, addresses }) =>
        addresses.map(({ address }) =>
          localEndpoint({ address, interface: name, ...(port !== undefined && { port }) }),
        ),
      );
  }
}

/** Establishes the Connections of one Preconnection, frozen at its action, and their clones. */
class Maker implements ConnectionMaker {
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
      if (core.state === "establishing") this.#race(core, framers, early, more);
    });
    this.#bound(core, options);
    return { connection, core };
  }

  /** A new Connection over the stack and to the address that the cloned one has (RFC 9623 §10.1: a new TCP connection). */
  clone(from: ConnectionCore, { framers, signal, timeout, ...properties }: CloneOptions): Connection {
    if (from.isClosed) throw new CloneError({ reason: "not-cloneable", message: "the Connection is closed" });
    if (from.group.members.size >= groupMembersMax) {
      throw new CloneError({ reason: "not-cloneable", message: `a group has at most ${groupMembersMax} members` });
    }
    const { connection, core } = this.initiate({ signal, timeout }, undefined, {
      group: from.group,
      framers: framers ?? from.framers,
      only: this.#branches.get(from),
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

  #race(
    core: ConnectionCore,
    framers: readonly MakeFramer[],
    early: Uint8Array | undefined,
    { only, probes }: InitiateMore,
  ): void {
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
  /** The branch of the Connection that is cloned. */
  readonly only?: Branch | undefined;
  /** Rendezvous over datagrams. */
  readonly probes?: boolean;
}

/** From one empty datagram of a Rendezvous to the next. */
const probeIntervalMs = 250;

function withTree(error: EstablishmentError, root: TreeNode): EstablishmentError {
  const { reason, message, cause } = error;
  return new EstablishmentError({ reason, message, ...(cause === undefined ? {} : { cause }) }, root);
}

/** The endpoint with its name turned into one of its addresses. */
function concrete({ host: _, multicast, ...rest }: RemoteEndpoint, address: string): RemoteEndpoint {
  return remoteEndpoint({ ...rest, address, ...(multicast !== undefined && { multicast }) });
}

/** Lower bounds above upper ones can never hold (RFC 9623 §3.1). */
function checkBounds({ set }: TransportProperties): void {
  for (const [least, most] of [
    ["minSendRate", "maxSendRate"],
    ["minRecvRate", "maxRecvRate"],
  ] as const) {
    const [low, high] = [set[least], set[most]];
    if (typeof low === "number" && typeof high === "number" && low > high)
      throw misuse(`${least} is above ${most}`, least);
  }
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T];
