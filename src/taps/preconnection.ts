import type { Network } from "../contract/index.js";
import type { CandidateNode } from "./candidates.js";
import { type Connection, type SendOptions, within } from "./connection.js";
import type { ConnectionCore } from "./core.js";
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
import { EstablishmentError, misuse, TapsFailure } from "./failure.js";
import type { MakeFramer } from "./framer.js";
import { type GatherRequest, gather, servingOf, TreeNode } from "./gather.js";
import { framersMax } from "./limits.js";
import { type Listener, type ListenerOptions, resolved, startListener } from "./listener.js";
import { Maker } from "./maker.js";
import { MessageContext } from "./message.js";
import type { Action } from "./properties.js";
import { type Rendezvous, rendezvousStream } from "./rendezvous.js";
import { type SecurityMode, type SecurityParameters, secure } from "./security.js";
import { expandService } from "./srv.js";
import type { TransportServices } from "./system.js";
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
    if (local.multicast !== undefined || remote.multicast !== undefined) return this.#meetGroup(local, remote, options);
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

  /** Rendezvous in an any-source group (§6.1.1): a Connection that sends to it, and a Listener for each of those who do. */
  async #meetGroup(local: LocalEndpoint, remote: RemoteEndpoint, options: ActionOptions): Promise<Rendezvous<Mode>> {
    if (local.multicast?.source !== undefined) {
      const message = "a single-source group has one direction";
      throw new EstablishmentError({ reason: "unsupported", message, at: "Rendezvous" });
    }
    if (local.multicast === undefined || remote.multicast?.group !== local.multicast.group) {
      throw misuse("Rendezvous in a group needs the group at both endpoints", "Rendezvous");
    }
    const listener = await this.#copy({ remote: [] }).listen();
    try {
      // The members share the group's port; who sends does so from one of its own.
      const { port: _, multicast: __, ...from } = local;
      const connection = await this.#copy({ local: Object.keys(from).length > 0 ? [from] : [] }).connect(options);
      return { connection, listener };
    } catch (error) {
      await listener.stop();
      throw error;
    }
  }

  /** Resolve (§6.1): the concrete endpoints that the given ones stand for now. */
  async resolve(options: ActionOptions = {}): Promise<{
    readonly locals: readonly LocalEndpoint[];
    readonly remotes: readonly RemoteEndpoint[];
  }> {
    this.#refuseStun();
    return { remotes: await this.#resolveOn(this.#system.network, options), locals: this.#concreteLocals() };
  }

  async #resolveOn(network: Network, { signal, timeout }: ActionOptions): Promise<readonly RemoteEndpoint[]> {
    const { host, cache, policy } = this.#system;
    const abort = new AbortController();
    const each = async (remote: RemoteEndpoint): Promise<readonly RemoteEndpoint[]> => {
      if (remote.service !== undefined) {
        const found = await expandService(remote, network, host.entropy, abort.signal);
        return (await Promise.all(found.map(each))).flat();
      }
      const addresses = await resolved({ host, network, cache, policy }, remote, abort.signal);
      return addresses.map((address) => concrete(remote, address));
    };
    try {
      return (await within(this.#system, Promise.all(this.#remotes.map(each)), { signal, timeout })).flat();
    } finally {
      abort.abort();
    }
  }

  /** The candidate tree as it would be tried, without a packet but for name look-ups: a dry run. */
  async candidates(options: ActionOptions = {}): Promise<CandidateNode> {
    this.#refuseStun();
    const request = this.#gatherRequest("initiate", "client");
    const { root, branches } = gather(request);
    if (branches.length === 0) return root;
    const found = new Map<Network, readonly RemoteEndpoint[]>();
    let rank = 0;
    for (const { node, stack, path } of branches) {
      const network = path.network ?? this.#system.network;
      if (!found.has(network)) found.set(network, await this.#resolveOn(network, options));
      for (const remote of servingOf(found.get(network)!, stack)) {
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
    const { network, tunnels, stacks, policy } = this.#system;
    policy.check(this.security);
    return {
      network,
      tunnels,
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

/** The endpoint with its name turned into one of its addresses. */
function concrete(
  { host: _, domain: __, service: ___, multicast, ...rest }: RemoteEndpoint,
  address: string,
): RemoteEndpoint {
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
