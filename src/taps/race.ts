import { addressFamily } from "../bytes/index.js";
import { type Alarm, Failure, type Host, type Network, type SocketAddress } from "../contract/index.js";
import { ConnectionCache } from "./cache.js";
import { endpointText, type RemoteEndpoint, sameEndpoint } from "./endpoint.js";
import { EstablishmentError, TapsFailure } from "./failure.js";
import type { MakeFramer } from "./framer.js";
import { type Branch, serves, TreeNode } from "./gather.js";
import { attemptsAtOnceMax, candidatesMax } from "./limits.js";
import { Line } from "./line.js";
import type { Policy } from "./policy.js";
import type { TransportValues } from "./properties.js";
import { byPerformance } from "./ranking.js";
import { type Resolution, resolveEndpoint } from "./resolve.js";
import type { SecurityParameters, SecurityProtocol } from "./security.js";
import { expandService } from "./srv.js";
import type { StackScope } from "./stacks/stack.js";

export interface RaceRequest {
  readonly host: Host;
  readonly network: Network;
  readonly cache: ConnectionCache;
  readonly scope: StackScope;
  readonly policy: Policy;
  readonly security: SecurityParameters;
  readonly allowed: readonly SecurityProtocol[];
  readonly values: TransportValues;
  readonly framers: readonly MakeFramer[];
  readonly root: TreeNode;
  readonly branches: readonly Branch[];
  /** A safely replayable first Message. */
  readonly early: Uint8Array | undefined;
  /** No performance is remembered, no address list reused (`isolateSession`). */
  readonly isolated: boolean;
  readonly trace: (name: string, data: Readonly<Record<string, unknown>>) => void;
  won(line: Line, branch: Branch): void;
  lost(error: EstablishmentError): void;
}

interface Leaf {
  readonly branch: Branch;
  readonly remote: RemoteEndpoint;
  readonly to: SocketAddress;
  readonly node: TreeNode;
  /** Position among branches, among the branch's endpoints, among the endpoint's addresses. */
  order: readonly [number, number, number];
  readonly key: string;
  line: Line | undefined;
  startedAt: number;
}

/**
 * Tries the leaves of a candidate tree (RFC 9623 §4.3): in the order of rank, the next when the attempt delay has gone
 * by or the last attempt has failed, earlier ones going on; the first that is ready wins, and the others end.
 *
 * Only stacks of one class race: the same security protocol or one declared equivalent, the same connectedness and unit
 * of data.
 * The next class begins when the one before has failed altogether; a secure Preconnection has no class in cleartext.
 */
export class Race {
  readonly #request: RaceRequest;
  readonly #classes: readonly (readonly Branch[])[];
  readonly #abort = new AbortController();
  #leaves: Leaf[] = [];
  #waiting: Leaf[] = [];
  #running = new Set<Leaf>();
  #resolving = 0;
  #loading = false;
  #class = 0;
  #nextAt = 0;
  #alarm: Alarm | undefined;
  #over = false;
  #rank = 0;
  readonly #failures: Failure[] = [];

  constructor(request: RaceRequest) {
    this.#request = request;
    this.#classes = classesOf(request);
  }

  start(): void {
    if (this.#classes.length === 0) this.#lose();
    else this.#startClass();
  }

  /** A further endpoint for the class that is racing, and those after it. */
  add(remote: RemoteEndpoint): void {
    if (this.#over) return;
    const { branches } = this.#request;
    for (const branch of branches) if (serves(remote, branch.stack)) branch.remotes.push(remote);
    this.#resolve(
      this.#classes[this.#class]!.filter((branch) => branch.remotes.includes(remote)),
      [remote],
    );
  }

  /** An endpoint that shall not be tried any more; an attempt that runs goes on. */
  remove(remote: RemoteEndpoint): void {
    this.#waiting = this.#waiting.filter((leaf) => !sameEndpoint(leaf.remote, remote));
    for (const { remotes } of this.#request.branches) {
      const at = remotes.findIndex((each) => sameEndpoint(each, remote));
      if (at >= 0) remotes.splice(at, 1);
    }
    this.#run();
  }

  /** Ends everything that runs; the caller knows why. */
  giveUp(): void {
    this.#over = true;
    this.#alarm?.cancel();
    this.#abort.abort();
    for (const leaf of this.#running) this.#abandon(leaf);
    this.#running.clear();
  }

  /** Names are looked up while the code of the stacks is loaded; the first attempt waits for both. */
  #startClass(): void {
    const branches = this.#classes[this.#class]!;
    const loading = branches.flatMap(({ stack }) => stack.load?.() ?? []);
    this.#loading = loading.length > 0;
    if (this.#loading) {
      // A stack whose code cannot be loaded fails when it is tried.
      void Promise.allSettled(loading).then(() => {
        this.#loading = false;
        this.#run();
      });
    }
    this.#resolve(branches);
  }

  #resolve(branches: readonly Branch[], only?: readonly RemoteEndpoint[]): void {
    const { host, network, cache, policy, isolated } = this.#request;
    const { resolutionDelayMs } = policy.racing;
    const names = isolated ? new ConnectionCache() : cache;
    const options = { host, cache: names, resolutionDelayMs, signal: this.#abort.signal };
    // One look-up serves all branches that dial the same name on the same network.
    const resolvers: { on: Network; remote: RemoteEndpoint; calls: ((resolution: Resolution) => void)[] }[] = [];
    for (const branch of branches) {
      const on = branch.path.network ?? network;
      branch.remotes.forEach((remote, index) => {
        if (only?.includes(remote) === false) return;
        const told = (resolution: Resolution) => this.#learned(branch, remote, index, resolution);
        const known = resolvers.find((each) => each.on === on && each.remote === remote);
        if (known !== undefined) known.calls.push(told);
        else resolvers.push({ on, remote, calls: [told] });
      });
    }
    this.#resolving += resolvers.length;
    for (const { on, remote, calls } of resolvers) {
      if (remote.service !== undefined) {
        this.#expand(remote, on);
        continue;
      }
      resolveEndpoint(remote, { ...options, network: on }, (resolution) => {
        if (this.#over) return;
        if (!resolution.pending) this.#resolving--;
        if (resolution.failure !== undefined) this.#failures.push(resolution.failure);
        for (const told of calls) told(resolution);
        this.#run();
      });
    }
  }

  /** An SRV name becomes the endpoints that its records name. */
  #expand(remote: RemoteEndpoint, network: Network): void {
    expandService(remote, network, this.#request.host.entropy, this.#abort.signal).then(
      (endpoints) => {
        this.#resolving--;
        if (this.#over) return;
        const mine = this.#request.branches.filter(({ remotes }) => remotes.includes(remote));
        for (const { remotes } of mine) remotes.splice(remotes.indexOf(remote), 1, ...endpoints);
        this.#resolve(
          this.#classes[this.#class]!.filter((branch) => mine.includes(branch)),
          endpoints,
        );
        this.#run();
      },
      (error: unknown) => {
        this.#resolving--;
        if (this.#over) return;
        this.#failures.push(error instanceof Failure ? error : unusable(endpointText(remote), error));
        this.#run();
      },
    );
  }

  #learned(branch: Branch, remote: RemoteEndpoint, index: number, { addresses, failure }: Resolution): void {
    if (failure !== undefined) {
      const now = this.#request.host.now();
      branch.node.children.push(
        new TreeNode("endpoint", endpointText(remote), { state: "failed", startedAt: now, endedAt: now, failure }),
      );
    }
    this.#forget(branch, remote, addresses);
    for (const [at, address] of addresses.entries()) {
      if (this.#leaves.length >= candidatesMax) break;
      const name = endpointText({ address, ...(remote.port !== undefined && { port: remote.port }) });
      const order = [this.#request.branches.indexOf(branch), index, at] as const;
      const known = this.#leaves.find((each) => each.branch === branch && each.node.name === name);
      if (known !== undefined) {
        // The other family has come, and the two take turns.
        known.order = order;
        continue;
      }
      const { path } = branch;
      if (remote.port === undefined) {
        branch.node.exclude("endpoint", name, "the endpoint has no port");
        continue;
      }
      if (path.from !== undefined && path.from[addressFamily(address)!] === undefined) {
        branch.node.exclude("endpoint", name, "the path has no address of this family");
        continue;
      }
      const node = new TreeNode("endpoint", name);
      branch.node.children.push(node);
      const zone = remote.interface;
      const leaf: Leaf = {
        branch,
        remote,
        to: { address, port: remote.port, ...(zone !== undefined && { zone }) },
        node,
        order,
        key: `${(path.network ?? this.#request.network).name} ${path.name} ${branch.stack.name} ${name}`,
        line: undefined,
        startedAt: 0,
      };
      this.#leaves.push(leaf);
      this.#waiting.push(leaf);
    }
    this.#sort();
  }

  /** Addresses that a name no longer has room for, now that the other family has come; those being tried stay. */
  #forget(branch: Branch, remote: RemoteEndpoint, addresses: readonly string[]): void {
    const isGone = (leaf: Leaf) =>
      leaf.branch === branch && leaf.remote === remote && !addresses.includes(leaf.to.address);
    for (const leaf of this.#waiting.filter(isGone)) {
      this.#leaves.splice(this.#leaves.indexOf(leaf), 1);
      branch.node.children.splice(branch.node.children.indexOf(leaf.node), 1);
    }
    this.#waiting = this.#waiting.filter((leaf) => !isGone(leaf));
  }

  #sort(): void {
    const { cache, host } = this.#request;
    const known = (leaf: Leaf) => (this.#request.isolated ? undefined : cache.outcome(leaf.key, host.now()));
    this.#waiting.sort(
      (a, b) =>
        a.order[0] - b.order[0] ||
        byPerformance(known(a), known(b)) ||
        a.order[1] - b.order[1] ||
        a.order[2] - b.order[2],
    );
  }

  /** Starts what may start now, and sets the alarm for what may start later. */
  #run(): void {
    if (this.#over || this.#loading) return;
    const { host } = this.#request;
    while (this.#waiting.length > 0 && this.#running.size < attemptsAtOnceMax && !this.#over) {
      if (this.#running.size > 0 && host.now() < this.#nextAt) break;
      this.#try(this.#waiting.shift()!);
    }
    if (this.#over) return;
    this.#alarm?.cancel();
    if (this.#waiting.length > 0) {
      if (this.#running.size < attemptsAtOnceMax) this.#alarm = host.wakeAt(this.#nextAt, () => this.#run());
    } else if (this.#running.size === 0 && this.#resolving === 0) this.#classFailed();
  }

  #try(leaf: Leaf): void {
    const { host, network, security, allowed, values, policy, framers, scope, early, trace } = this.#request;
    const { path, stack } = leaf.branch;
    leaf.startedAt = host.now();
    leaf.node.rank = this.#rank++;
    leaf.node.verdict = { state: "trying", startedAt: leaf.startedAt };
    this.#running.add(leaf);
    this.#nextAt = leaf.startedAt + policy.racing.attemptDelayMs;
    trace("attempt_started", { path: path.name, stack: stack.name, remote: leaf.node.name });
    const line = new Line(stack, framers, {
      ready: () => this.#won(leaf, line),
      closed: (failure) => this.#failed(leaf, failure),
      deliver() {},
      ended() {},
      writable() {},
      softError() {},
      pathChange() {},
    });
    leaf.line = line;
    const from = path.from?.[addressFamily(leaf.to.address)!];
    const { hopLimit } = leaf.remote.multicast ?? {};
    try {
      line.attach(
        stack.open({
          host,
          network: path.network ?? network,
          security,
          allowed,
          properties: values,
          remote: leaf.to,
          serverName: security.init.serverName ?? leaf.remote.domain ?? leaf.remote.host,
          scope,
          sink: line,
          // An address says which interface; the interface alone would choose an address of its own.
          ...(path.interface !== undefined && from === undefined && { interface: path.interface }),
          ...((from !== undefined || path.localPort !== undefined) && {
            local: { ...(from && { address: from }), ...(path.localPort !== undefined && { port: path.localPort }) },
          }),
          ...(early !== undefined && framers.length === 0 && { early }),
          ...(hopLimit !== undefined && { hopLimit }),
        }),
      );
    } catch (error) {
      // What a stack refuses before any packet fails its leaf, not the others.
      leaf.line = undefined;
      this.#failed(leaf, error instanceof Failure ? error : unusable(stack.name, error));
    }
  }

  #won(leaf: Leaf, line: Line): void {
    if (this.#over) return;
    const { host, cache, isolated, trace } = this.#request;
    const now = host.now();
    this.#over = true;
    this.#alarm?.cancel();
    this.#abort.abort();
    this.#running.delete(leaf);
    leaf.node.verdict = { state: "established", startedAt: leaf.startedAt, endedAt: now };
    for (const other of this.#running) this.#abandon(other);
    this.#running.clear();
    if (!isolated) cache.learnOutcome(leaf.key, { at: now, setupMs: now - leaf.startedAt });
    trace("established", { stack: leaf.branch.stack.name, remote: leaf.node.name, setupMs: now - leaf.startedAt });
    this.#request.won(line, leaf.branch);
  }

  #failed(leaf: Leaf, cause: Failure | undefined): void {
    if (this.#over || !this.#running.delete(leaf)) return;
    const { host, cache, isolated, trace } = this.#request;
    const now = host.now();
    const failure =
      cause ?? new TapsFailure({ reason: "establishment-failed", message: "it closed before it was established" });
    leaf.node.verdict = { state: "failed", startedAt: leaf.startedAt, endedAt: now, failure };
    this.#failures.push(failure);
    if (!isolated) cache.learnOutcome(leaf.key, { at: now, setupMs: undefined });
    trace("attempt_failed", { stack: leaf.branch.stack.name, remote: leaf.node.name, reason: failure.reason });
    // RFC 8305 §5: a failure starts the next attempt at once.
    this.#nextAt = now;
    this.#run();
  }

  #abandon(leaf: Leaf): void {
    leaf.node.verdict = { state: "abandoned", startedAt: leaf.startedAt, endedAt: this.#request.host.now() };
    leaf.line?.transport.abort();
  }

  #classFailed(): void {
    if (++this.#class < this.#classes.length) this.#startClass();
    else this.#lose();
  }

  #lose(): void {
    this.#over = true;
    const { root } = this.#request;
    this.#request.lost(errorOf(this.#failures, root));
  }
}

function unusable(stack: string, cause: unknown): TapsFailure {
  const message = `${stack} cannot be used so: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new TapsFailure({ reason: "invalid-configuration", message, cause });
}

/** Branches that may race with one another, class by class, best first (RFC 9621 §3.3). */
function classesOf({ branches, policy, security }: RaceRequest): readonly (readonly Branch[])[] {
  const classes: Branch[][] = [];
  for (const branch of branches) {
    const mine = classes.find(([first]) => {
      const [a, b] = [first!.stack, branch.stack];
      // What a Connection's data are shall not depend on who is faster.
      if (a.connectedness !== b.connectedness || a.dataUnit !== b.dataUnit) return false;
      if (a.security === undefined || b.security === undefined) return a.security === b.security;
      return policy.equivalent(security, a.security, b.security);
    });
    if (mine === undefined) classes.push([branch]);
    else mine.push(branch);
  }
  return classes;
}

/** The failure that says most: what a peer proved wrong before what was merely not reached. */
const telling: readonly string[] = [
  "authentication",
  "misbehaviour",
  "incompatible",
  "refused",
  "decode",
  "expired",
  "misuse",
];

function errorOf(failures: readonly Failure[], root: TreeNode): EstablishmentError {
  const [first] = [...failures].sort((a, b) => importance(a) - importance(b));
  if (first === undefined) {
    const excluded = [...reasons(root)];
    return new EstablishmentError(
      {
        reason: "no-candidates",
        message: `no candidate satisfies the properties: ${excluded.join("; ") || "there are no endpoints"}`,
      },
      root,
    );
  }
  const reason = first instanceof TapsFailure ? first.reason : "establishment-failed";
  return new EstablishmentError(
    {
      reason,
      message: first.message,
      cause: first,
      byPeer: first.byPeer,
      ...(first.at !== undefined && { at: first.at }),
      ...(first.hint !== undefined && { hint: first.hint }),
      ...(first.code !== undefined && { code: first.code }),
    },
    root,
  );
}

const importance = ({ fault }: Failure): number => (telling.includes(fault) ? telling.indexOf(fault) : telling.length);

function* reasons(node: TreeNode): Generator<string> {
  if (node.verdict.state === "excluded") yield `${node.name}: ${node.verdict.why}`;
  for (const child of node.children) yield* reasons(child);
}
