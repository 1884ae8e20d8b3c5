import type { SocketAddress } from "../contract/index.js";
import type { ConnectionCore } from "./core.js";
import { type LocalEndpoint, type LocalEndpointInit, localEndpoint } from "./endpoint.js";
import { TapsFailure, type TapsReason } from "./failure.js";
import { childrenPerNodeMax } from "./limits.js";
import type { SetResult } from "./live-properties.js";
import type { Mover } from "./stacks/stack.js";

/**
 * Local addresses that open sessions may go on from (RFC 9622 §7.5). A protocol without true multipath hands over: the
 * session moves when the address that it uses is taken away, or nothing leaves from it any more (RFC 9623 §7.2).
 */
export class LocalPaths {
  readonly #known = new WeakMap<Mover, LocalEndpoint[]>();
  readonly #moving = new WeakSet<Mover>();

  add(core: ConnectionCore, endpoints: readonly LocalEndpointInit[]): SetResult {
    const session = movable(core, "AddLocal");
    if ("error" in session) return session;
    const known = this.#knownTo(session.session, core);
    for (const each of endpoints.map(localEndpoint)) {
      if (each.address === undefined) return refused("invalid-configuration", "AddLocal", "a local address is needed");
      if (known.some((one) => isSame(one, each))) continue;
      if (known.length >= childrenPerNodeMax) return refused("queue-full", "AddLocal", "too many local endpoints");
      known.push(each);
    }
    session.session.onTrouble = (failure) => {
      if (failure.fault === "unreachable") this.#leave(core, session);
    };
    core.note("local_endpoints", { known: known.map(({ address }) => address) });
    return { ok: true };
  }

  remove(core: ConnectionCore, endpoints: readonly LocalEndpointInit[]): SetResult {
    const session = movable(core, "RemoveLocal");
    if ("error" in session) return session;
    const known = this.#knownTo(session.session, core);
    const gone = endpoints.map(localEndpoint);
    const left = known.filter((each) => !gone.some((one) => isSame(each, one)));
    const [next] = left;
    if (next === undefined) {
      return refused("unsupported", "RemoveLocal", "the last local endpoint is not removed: Abort ends a Connection");
    }
    const { local } = core.line!.transport;
    const isInUse = gone.some((one) => isSame({ ...local }, one));
    this.#known.set(session.session, left);
    if (isInUse) this.#move(core, session, next);
    return { ok: true };
  }

  /** The path in use carries nothing any more: RFC 9622 §8.1.7, Handover. */
  #leave(core: ConnectionCore, session: Movable): void {
    const { address } = session.session.local;
    const next = this.#known.get(session.session)?.find((each) => each.address !== address);
    if (next !== undefined) this.#move(core, session, next);
  }

  /** PathChange tells of the handover when the peer has answered there; that it did not is a SoftError. */
  #move(core: ConnectionCore, { session, migrate }: Movable, { address, port }: LocalEndpoint): void {
    if (this.#moving.has(session)) return;
    this.#moving.add(session);
    const stayed = (cause: unknown) => {
      this.#moving.delete(session);
      const message = `no way from ${address}: ${cause instanceof Error ? cause.message : String(cause)}`;
      const failure = new TapsFailure({ reason: "establishment-failed", message, at: "RemoveLocal", cause });
      for (const member of core.group.members) member.softError(failure);
    };
    migrate({ address: address!, ...(port !== undefined && { port }) }).then(
      () => void this.#moving.delete(session),
      stayed,
    );
  }

  #knownTo(session: Mover, core: ConnectionCore): LocalEndpoint[] {
    let known = this.#known.get(session);
    if (known === undefined) {
      const { address, port } = core.line!.transport.local;
      this.#known.set(session, (known = [localEndpoint({ address, port })]));
    }
    return known;
  }
}

type Movable = { readonly session: Mover; readonly migrate: NonNullable<Mover["migrate"]> };

function movable(core: ConnectionCore, at: string): Movable | Extract<SetResult, { ok: false }> {
  const { line } = core;
  if (line === undefined || core.isClosed) return refused("wrong-state", at, `the Connection is ${core.state}`);
  const session: Mover | undefined = line.transport.session ?? line.transport.mover;
  const migrate = session?.migrate;
  if (session === undefined || migrate === undefined) {
    return refused("unsupported", at, `${line.stack.name} cannot move an open Connection`);
  }
  // RFC 9623 §7.2: migration is a limited form of multipath, and disabled with it.
  if (core.values.multipath === "disabled") {
    return refused("unsupported", at, "multipath is disabled, which rules migration out (RFC 9623 §7.2)");
  }
  return { session, migrate };
}

function refused(reason: TapsReason, at: string, message: string): Extract<SetResult, { ok: false }> {
  return { ok: false, error: new TapsFailure({ reason, message, at }) };
}

/** By address; by port too where both name one. */
function isSame(a: LocalEndpoint | SocketAddress, b: LocalEndpoint): boolean {
  return a.address === b.address && (a.port === undefined || b.port === undefined || a.port === b.port);
}
