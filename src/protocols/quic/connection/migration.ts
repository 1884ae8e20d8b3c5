import { addressFamily } from "../../../bytes/index.js";
import type { Instant, SocketAddress } from "../../../contract/index.js";
import { quicFailure } from "../failure.js";
import type { Core } from "./core.js";
import { Path } from "./path.js";

/** Changes of path: ours on purpose, to where the server prefers to be, and the peer's (RFC 9000 §9). */
export class Migration {
  readonly #core: Core;
  /** Where the candidate leads: to the server's preferred address, or from another address of ours. */
  #isPreferred = false;
  /** Where the application wants to be, once the handshake is confirmed (§9). */
  #wanted: SocketAddress | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Client: asks the server whether it hears us from there; data follow when it has answered (§9.2). */
  begin(local: SocketAddress, preferred: SocketAddress | undefined, now: Instant): void {
    const core = this.#core;
    if (core.isClient && !core.isConfirmed) {
      this.#wanted = local;
      return;
    }
    const problem = this.#problem(preferred !== undefined);
    if (problem !== undefined) {
      core.emit({
        kind: "migrated",
        connection: core.number,
        local,
        failure: quicFailure("misuse", "migrate", problem),
      });
      return;
    }
    this.#isPreferred = preferred !== undefined;
    this.#probe(local, preferred ?? core.paths.current.remote, now);
  }

  /** The datagram in hand is read: what waited for the handshake's end may go on. */
  goOn(now: Instant): void {
    const wanted = this.#wanted;
    if (wanted === undefined || !this.#core.isConfirmed) return;
    this.#wanted = undefined;
    this.begin(wanted, undefined, now);
  }

  /** Client: §9.6. */
  toPreferred(): void {
    const core = this.#core;
    const preferred = core.peer?.preferredAddress;
    const { remote } = core.paths.current;
    const there = addressFamily(remote.address) === 4 ? preferred?.ipv4 : preferred?.ipv6;
    if (there !== undefined) core.emit({ kind: "preferred", connection: core.number, remote: there });
  }

  /** The peer speaks from another place, and we answer there (§9.3). */
  peerMoved(path: Path, now: Instant): void {
    const core = this.#core;
    const { paths } = core;
    const before = paths.current;
    if (core.isClient || !core.isConfirmed) return;
    // §9.5: a peer that took another id of ours gets another of its own, so that nobody can link the two.
    if (path.arrivedOn.length > 0 && !same(path.arrivedOn, before.arrivedOn)) {
      const fresh = core.peerCids.takeFresh();
      if (fresh !== undefined) {
        path.cid = fresh.cid;
        path.cidSequence = fresh.sequence;
      }
    } else {
      path.cid = before.cid;
      path.cidSequence = before.cidSequence;
    }
    this.#switch(path);
    // §9.4: another port alone is most likely a NAT's doing, on the same path.
    if (path.remote.address !== before.remote.address) core.forgetPath();
    core.tracer?.moved(before.remote, path.remote, now);
    if (path.isValidated) this.#told(path, before, now);
  }

  /** A path has proved itself (§8.2.3). */
  answered(path: Path, now: Instant): void {
    const core = this.#core;
    const { paths } = core;
    if (path === paths.candidate) {
      const before = paths.current;
      this.#switch(path);
      paths.fallback = undefined;
      core.forgetPath();
      this.#retire(before);
      core.emit({ kind: "migrated", connection: core.number, local: path.local, failure: undefined });
      this.#moved(path, before, now);
    } else if (path === paths.current && paths.fallback !== undefined) {
      const before = paths.fallback;
      paths.fallback = undefined;
      this.#retire(before);
      this.#told(path, before, now);
    }
  }

  /** Challenges without an answer (§8.2.4). */
  wake(now: Instant): void {
    const core = this.#core;
    const { paths } = core;
    for (const path of [...paths.all()]) {
      if (!path.wake(now)) continue;
      if (path === paths.candidate) {
        paths.candidate = undefined;
        this.#retire(path);
        const failure = quicFailure("no-viable-path", "PATH_CHALLENGE", "the peer does not answer there");
        core.emit({ kind: "migrated", connection: core.number, local: path.local, failure });
      } else if (path === paths.current && paths.fallback !== undefined) {
        // §9.3.2: somebody only pretended.
        paths.current = paths.fallback;
        paths.fallback = undefined;
        core.peerCids.use(paths.current.cidSequence);
        this.#retire(path);
        core.forgetPath();
      }
    }
  }

  /** The peer may have retired the id in use: the path goes on with another (§5.1.2). */
  followId(): void {
    const { peerCids, paths } = this.#core;
    const { sequence, cid } = peerCids.current;
    if (paths.current.cidSequence === sequence) return;
    paths.current.cid = cid;
    paths.current.cidSequence = sequence;
  }

  #problem(isPreferred: boolean): string | undefined {
    const core = this.#core;
    if (!core.isClient) return "a server does not move";
    // §18.2: it does not stand against going to the preferred address.
    if (core.peer?.disableActiveMigration && !isPreferred)
      return "the server does not want it: disable_active_migration";
    if (core.paths.candidate !== undefined) return "another migration is on its way";
    if (core.ground.generator.size === 0) return "without connection ids of our own the server could not find us";
    if (!core.peerCids.hasFresh) return "the server has given no spare connection id";
    return undefined;
  }

  #switch(path: Path): void {
    this.#core.paths.switchTo(path);
    this.#core.peerCids.use(path.cidSequence);
  }

  #probe(local: SocketAddress, remote: SocketAddress, _now: Instant): void {
    const core = this.#core;
    const fresh = core.peerCids.takeFresh();
    if (fresh === undefined) return;
    const state = { isValidated: false, isLimited: false };
    const path = new Path(local, remote, state, fresh.cid, fresh.sequence);
    path.validate(core.ground.entropy);
    core.paths.candidate = path;
  }

  /** The id of a path that we leave is not used again (§9.5). */
  #retire(path: Path): void {
    const core = this.#core;
    if (path.cidSequence !== core.paths.current.cidSequence) core.peerCids.retire(path.cidSequence);
  }

  #told(path: Path, before: Path, now: Instant): void {
    const move = { at: now, whose: "the peer's", from: before.remote, to: path.remote } as const;
    this.#core.emit({ kind: "moved", connection: this.#core.number, move });
  }

  #moved(path: Path, before: Path, now: Instant): void {
    const move = this.#isPreferred
      ? ({ at: now, whose: "the peer's", from: before.remote, to: path.remote } as const)
      : ({ at: now, whose: "ours", from: before.local, to: path.local } as const);
    this.#core.emit({ kind: "moved", connection: this.#core.number, move });
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
