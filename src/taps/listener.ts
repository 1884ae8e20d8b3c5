import { addressFamily } from "../bytes/index.js";
import type { Network, SocketAddress } from "../contract/index.js";
import type { Connection } from "./connection.js";
import type { LocalEndpoint, RemoteEndpoint } from "./endpoint.js";
import type { ActionOptions, SubscribeOptions } from "./events.js";
import { EstablishmentError, TapsFailure } from "./failure.js";
import { type Branch, serves, type TreeNode } from "./gather.js";
import { type ListenerEvents, Reception, type ReceptionInit } from "./reception.js";
import { resolveEndpoint } from "./resolve.js";
import type { SecurityMode, SecurityParameters, SecurityProtocol } from "./security.js";
import type { ProtocolStack, Transport, TransportSink } from "./stacks/stack.js";
import type { TransportServices } from "./system.js";

export interface ListenerOptions {
  /** Its abort stops the Listener. */
  readonly signal?: AbortSignal | undefined;
  /** Connections that wait to be taken; further ones are aborted and counted. Default 1,024. */
  readonly backlog?: number;
}

export interface ServeOptions {
  /** Ends serving: the Listener stops, handlers hear of it by their signal, and their Connections are closed. */
  readonly signal?: AbortSignal | undefined;
  /** Handlers that run at a time; further Connections wait in the backlog. Default: no limit. */
  readonly concurrency?: number;
}

/**
 * A Listener (RFC 9622 §7.2): iterate it, or `serve` a handler. Connections that nobody takes wait in a bounded
 * backlog.
 */
export class Listener<Mode extends SecurityMode = SecurityMode>
  implements AsyncIterable<Connection<Mode>>, AsyncDisposable
{
  readonly #core: Reception<Mode>;

  /** Made by a Preconnection, or by a Connection for the streams of its session. */
  constructor(core: Reception<Mode>) {
    this.#core = core;
  }

  /** Where it listens, one address for each port that was opened. */
  get localEndpoints(): readonly SocketAddress[] {
    return this.#core.ports.map(({ local }) => local);
  }

  /** The stacks that it listens with. */
  get stacks(): readonly string[] {
    return this.#core.stacks.map(({ name }) => name);
  }

  /** `SetNewConnectionLimit`: Connections still to be delivered. At zero they wait, and are not refused. */
  get newConnectionLimit(): number {
    return this.#core.limit;
  }
  set newConnectionLimit(limit: number) {
    if (!(limit >= 0)) throw new RangeError("a limit is zero or more");
    this.#core.limit = limit;
    this.#core.deliver();
  }

  get statistics(): { readonly delivered: number; readonly dropped: number; readonly failed: number } {
    const { delivered, dropped, failed } = this.#core;
    return { delivered, dropped, failed };
  }

  /** Resolves when it has stopped. */
  get stopped(): Promise<void> {
    return this.#core.stopped.promise;
  }

  on<Name extends keyof ListenerEvents>(
    name: Name,
    call: (event: ListenerEvents[Name]) => void,
    options?: SubscribeOptions,
  ): Disposable {
    const subscription = this.#core.events.on(name, call, options);
    if (name === "connectionReceived") this.#core.deliver();
    return subscription;
  }

  /** The next Connection; undefined once the Listener has stopped and none is left. Rejects if its ports were taken from it. */
  accept({ signal, timeout }: ActionOptions = {}): Promise<Connection<Mode> | undefined> {
    return this.#core.accept({ signal, timeout });
  }

  /** Leaving the loop does not stop the Listener. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection<Mode>, void, undefined> {
    for (let next = await this.accept(); next !== undefined; next = await this.accept()) yield next;
  }

  /**
   * Runs the handler for each Connection, and closes the Connection when the handler is done, or aborts it when the
   * handler throws. Resolves when the Listener has stopped, or the signal was aborted, and no handler runs any more; rejects then
   * if the Listener's ports were taken from it.
   */
  async serve(
    handler: (connection: Connection<Mode>, signal: AbortSignal) => Promise<void> | void,
    { signal, concurrency = Number.POSITIVE_INFINITY }: ServeOptions = {},
  ): Promise<void> {
    // A signal for each: listeners that thousands of handlers add do not pile up on one.
    const served = new Set<AbortController>();
    const end = () => {
      void this.stop();
      for (const each of served) each.abort(signal?.reason);
    };
    if (signal?.aborted === true) end();
    signal?.addEventListener("abort", end, { once: true });
    const running = new Set<Promise<void>>();
    try {
      for await (const connection of this) {
        const failed = (error: unknown) => this.#core.handlerFailed(connection, error);
        const own = new AbortController();
        served.add(own);
        const run = handle(connection, handler, own.signal, failed).finally(() => {
          running.delete(run);
          served.delete(own);
        });
        running.add(run);
        if (running.size >= concurrency) await Promise.race(running);
      }
    } finally {
      await Promise.all(running);
      signal?.removeEventListener("abort", end);
    }
  }

  /** Stop (§7.2): no further Connections; those that were delivered live on, those that wait are aborted. */
  stop(): Promise<void> {
    return this.#core.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  ref(): void {
    for (const port of this.#core.ports) port.ref();
  }

  unref(): void {
    for (const port of this.#core.ports) port.unref();
  }
}

export interface ListenerInit<Mode extends SecurityMode> extends ReceptionInit {
  readonly security: SecurityParameters<Mode>;
  readonly allowed: readonly SecurityProtocol[];
  readonly locals: readonly LocalEndpoint[];
  /** Whom to hear; empty hears everybody. */
  readonly remotes: readonly RemoteEndpoint[];
  readonly root: TreeNode;
  readonly branches: readonly Branch[];
  readonly options: ListenerOptions;
}

/** Opens every port; rejects with an EstablishmentError if one cannot be. */
export async function startListener<Mode extends SecurityMode>(init: ListenerInit<Mode>): Promise<Listener<Mode>> {
  const reception = new PortsReception(init);
  await reception.open();
  return new Listener(reception);
}

/** What comes through ports. */
class PortsReception<Mode extends SecurityMode> extends Reception<Mode> {
  readonly #init: ListenerInit<Mode>;
  #allowedPeers: ReadonlySet<string> | undefined;

  constructor(init: ListenerInit<Mode>) {
    super(init, init.options);
    this.#init = init;
  }

  async open(): Promise<void> {
    const { system, options, branches, root, locals, transport, security, allowed, remotes } = this.#init;
    this.stacks.push(...stacksToListenWith(branches));
    if (this.stacks.length === 0) {
      const why = [...exclusions(root)].join("; ");
      throw new EstablishmentError({ reason: "no-candidates", message: `no stack can listen: ${why}` }, root);
    }
    if (remotes.length > 0) this.#allowedPeers = await this.#peers(remotes);
    options.signal?.throwIfAborted();
    const properties = transport.for("listen");
    const concrete = await this.#concrete(locals);
    for (const [at, local] of concrete.entries()) {
      const network = system.networkOf(local.interface);
      let port = local.port ?? 0;
      for (const stack of this.stacks) {
        if (!serves(local, stack)) continue;
        // RFC 9622 §6.2.15: the first address tells of the others, at which its sessions are served too.
        const advertises = properties.advertisesAltaddr && stack.advertises === true;
        if (advertises && at > 0) continue;
        try {
          const listening = await stack.listen({
            host: system.host,
            network,
            security,
            allowed,
            properties,
            ...(advertises && { alternates: alternatesOf(concrete.slice(1), port) }),
            local: { address: local.multicast?.group ?? local.address ?? anyAddress(network), port },
            backlog: this.backlogMax,
            accept: (accepted) => this.#accept(stack, accepted),
            softError: (failure) => this.events.emit("softError", failure),
            handshakeFailed: (failure) => this.lost(failure),
            ...(local.interface !== undefined && { interface: local.interface }),
            ...(local.multicast !== undefined && { multicast: local.multicast }),
          });
          this.ports.push(listening);
          void listening.closed.then((failure) => (failure === undefined ? this.stop() : this.fail(failure)));
          // RFC 9623 §4.7: all stacks listen on the same port.
          port = listening.local.port;
        } catch (error) {
          await this.stop();
          throw notListening(error, root);
        }
      }
    }
    const abort = () => void this.stop();
    options.signal?.addEventListener("abort", abort, { once: true });
    void this.stopped.promise.then(() => options.signal?.removeEventListener("abort", abort));
  }

  #accept(stack: ProtocolStack, transport: Transport): TransportSink {
    if (this.#allowedPeers !== undefined && !this.#allowedPeers.has(transport.remote.address)) {
      const { session } = transport;
      if (session !== undefined) this.#init.system.host.soon(() => session.abort());
      return this.turnAway(transport);
    }
    return this.receive(stack, transport);
  }

  /** Addresses of the remote endpoints: RFC 9622 §7.2 lets them say who may connect. */
  async #peers(remotes: readonly RemoteEndpoint[]): Promise<ReadonlySet<string>> {
    return new Set((await Promise.all(remotes.map((remote) => resolved(this.#init.system, remote)))).flat());
  }

  /** Names among the local endpoints stand for each of their addresses. */
  async #concrete(locals: readonly LocalEndpoint[]): Promise<readonly LocalEndpoint[]> {
    const each = locals.map(async ({ host, ...local }) =>
      host === undefined
        ? [local]
        : (await resolved(this.#init.system, { host })).map((address) => ({ ...local, address })),
    );
    return (await Promise.all(each)).flat();
  }
}

/** All addresses of an endpoint; rejects if there is none. */
export function resolved(
  { host, network, cache, policy }: Pick<TransportServices, "host" | "network" | "cache" | "policy">,
  remote: RemoteEndpoint,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly string[]> {
  const request = { host, network, cache, resolutionDelayMs: policy.racing.resolutionDelayMs, signal };
  return new Promise((resolve, reject) =>
    resolveEndpoint(remote, request, ({ addresses, pending, failure }) => {
      if (failure !== undefined) reject(failure);
      else if (!pending) resolve(addresses);
    }),
  );
}

/** A port can be listened on by one byte stream and by one datagram protocol: the best of each. */
function stacksToListenWith(branches: readonly Branch[]): readonly ProtocolStack[] {
  const taken = new Map<string, ProtocolStack>();
  for (const { stack } of branches) {
    const bottom = stack.protocols.at(-1)!;
    // A datagram stack that needs no handshake does not join one that has.
    const first = [...taken.values()][0];
    if (first !== undefined && first.connectedness !== stack.connectedness) continue;
    if (!taken.has(bottom)) taken.set(bottom, stack);
  }
  return [...taken.values()];
}

async function handle<Mode extends SecurityMode>(
  connection: Connection<Mode>,
  handler: (connection: Connection<Mode>, signal: AbortSignal) => Promise<void> | void,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): Promise<void> {
  // A handler that reads to the end comes to its own end so.
  const close = () => void connection.close().catch(() => {});
  signal.addEventListener("abort", close, { once: true });
  try {
    await handler(connection, signal);
  } catch (error) {
    connection.abort(error);
    // What a Connection's end makes a handler throw is no mistake of the handler's.
    if (!(error instanceof TapsFailure)) failed(error);
    return;
  } finally {
    signal.removeEventListener("abort", close);
  }
  await connection.close().catch(() => {});
}

function notListening(cause: unknown, root: TreeNode): EstablishmentError {
  if (cause instanceof EstablishmentError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new EstablishmentError({ reason: "establishment-failed", message, cause }, root);
}

/** Local endpoints that name an address, with the port of the first where they have none of their own. */
function alternatesOf(locals: readonly LocalEndpoint[], port: number): readonly SocketAddress[] {
  return locals.flatMap(({ address, port: own = port }) => (address === undefined ? [] : [{ address, port: own }]));
}

function* exclusions(node: TreeNode): Generator<string> {
  if (node.verdict.state === "excluded") yield `${node.name}: ${node.verdict.why}`;
  for (const child of node.children) yield* exclusions(child);
}

/** All addresses of both families, or of IPv4 where there is no other. */
function anyAddress(network: Network): string {
  const addresses = network.interfaces().flatMap((each) => each.addresses);
  return addresses.some(({ address }) => addressFamily(address) === 6) ? "::" : "0.0.0.0";
}
