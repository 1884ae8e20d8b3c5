import { addressFamily, equal } from "../../../bytes/index.js";
import type { Instant, SocketAddress } from "../../../contract/index.js";
import { quicFailure } from "../failure.js";
import type { Core } from "./core.js";
import { Path, sameAddress } from "./path.js";

/** Changes of path: ours on purpose, to where the server prefers to be, and the peer's (RFC 9000 §9). */
export class Migration {
  readonly #core: Core;
  /** Where the candidate leads: to the server's preferred address, or from another address of ours. */
  #isPreferred = false;
  /** Where the application wants to be, once the handshake is confirmed (§9). */
  #wanted: SocketAddress | undefined;
  /** Where the peer is, as the application was told last. */
  #peerAt: SocketAddress;
  readonly #issueToken: (now: Instant) => void;

  /** @param issueToken - gives the client a token for its new address (§9.3) */
  constructor(core: Core, issueToken: (now: Instant) => void) {
    this.#core = core;
    this.#peerAt = core.paths.current.remote;
    this.#issueToken = issueToken;
  }

  /** Client: asks the server whether it hears us from there; data follow when it has answered (§9.2). */
  begin(local: SocketAddress, preferred: SocketAddress | undefined): void {
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
    this.#probe(local, preferred ?? core.paths.current.remote);
  }

  /** The datagram in hand is read: what waited for the handshake's end may go on. */
  goOn(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || !this.#core.isConfirmed) return;
    this.#wanted = undefined;
    this.begin(wanted, undefined);
  }

  /** Client: §9.6. */
  toPreferred(): void {
    const core = this.#core;
    const preferred = core.peer?.preferredAddress;
    const { remote } = core.paths.current;
    const there = addressFamily(remote.address) === 4 ? preferred?.ipv4 : preferred?.ipv6;
    if (there !== undefined) core.emit({ kind: "preferred", connection: core.number, remote: there });
  }

  /** Server: something authentic came from a place where the peer was not heard before. It may want to go there (§9.6.3). */
  heardFrom(path: Path): void {
    const core = this.#core;
    if (path === core.paths.current || path === core.paths.fallback) return;
    this.#remember(path);
    if (core.isClient || !core.isConfirmed) return;
    this.#name(path);
    path.validate();
  }

  /** The peer speaks from another place, and we answer there (§9.3). */
  peerMoved(path: Path, now: Instant): void {
    const core = this.#core;
    const { paths } = core;
    if (core.isClient || !core.isConfirmed || !this.#name(path)) return;
    const before = paths.current;
    if (!sameAddress(path.local, before.local)) {
      // §9.6.2: who has gone to our preferred address is spoken to there alone, once we are sure of the path.
      if (this.#isPreferredOf(before.local)) return;
      if (!path.isValidated) {
        path.isWanted = true;
        if (!path.isValidating) path.validate();
        return;
      }
    }
    this.#peerSwitch(path, now);
  }

  #peerSwitch(path: Path, now: Instant): void {
    const core = this.#core;
    const before = core.paths.current;
    this.#switch(path);
    if (!path.isValidated && !path.isValidating) path.validate();
    // §9.3.3: who forwards copies must not draw the connection to itself unnoticed. Asked there, the peer speaks, and what it
    // says is newer than any copy.
    if (before.isValidated && !before.isValidating) before.validate();
    // §9.4: another port alone is most likely a NAT's doing, on the same path.
    if (path.remote.address !== before.remote.address) core.forgetPath();
    core.tracer?.moved(before.remote, path.remote, now);
    if (path.isValidated) this.#told(path, now);
  }

  /** A path has proved itself (§8.2.3). */
  answered(path: Path, now: Instant): void {
    const core = this.#core;
    const { paths } = core;
    // §8.2.3: the address is right; whether 1200 bytes get there is asked again.
    if (path.isSizeUnproved) path.validate();
    if (path === paths.candidate) {
      const before = paths.current;
      this.#switch(path);
      paths.fallback = undefined;
      core.forgetPath();
      // What is still on its way to where we were may arrive; nothing more is sent from there.
      this.#leave(before);
      this.#remember(before);
      core.emit({ kind: "migrated", connection: core.number, local: path.local, failure: undefined });
      this.#moved(path, before, now);
    } else if (path.isWanted) {
      path.isWanted = false;
      this.#peerSwitch(path, now);
    } else if (path === paths.current) {
      this.#told(path, now);
      this.#settle();
    } else if (path === paths.fallback) this.#settle();
  }

  /** Challenges without an answer (§8.2.4). */
  wake(now: Instant): void {
    const core = this.#core;
    const { paths } = core;
    for (const path of [...paths.all()]) {
      if (!path.wake(now)) continue;
      if (path === paths.candidate) {
        paths.candidate = undefined;
        this.#leave(path);
        const failure = quicFailure("no-viable-path", "PATH_CHALLENGE", "the peer does not answer there");
        core.emit({ kind: "migrated", connection: core.number, local: path.local, failure });
      } else if (path === paths.current) this.#currentFailed(path, now);
      else if (path === paths.fallback) this.#settle();
      else if (!path.isValidated) {
        paths.drop(path);
        this.#leave(path);
      }
    }
  }

  /** §9.3.2: somebody only pretended, or the path is too narrow; the last that has proved itself is used again. */
  #currentFailed(path: Path, now: Instant): void {
    const core = this.#core;
    const { fallback } = core.paths;
    if (fallback === undefined) return;
    if (path.isValidated && !fallback.isViable) {
      this.#settle();
      return;
    }
    core.paths.fallback = undefined;
    core.paths.current = fallback;
    core.peerCids.use(fallback.cidSequence);
    this.#leave(path);
    if (path.remote.address !== fallback.remote.address) core.forgetPath();
    core.tracer?.moved(path.remote, fallback.remote, now);
    this.#told(fallback, now);
  }

  /** The way back is given up when the new place has proved itself, and the old one was asked (§9.3.3). */
  #settle(): void {
    const { paths } = this.#core;
    const { current, fallback } = paths;
    if (fallback === undefined || !current.isValidated || current.isValidating || fallback.isValidating) return;
    paths.fallback = undefined;
    this.#leave(fallback);
  }

  /** The peer may have retired ids in use, or given new ones: paths go on with others (§5.1.2). */
  followId(): void {
    const { peerCids, paths } = this.#core;
    const { sequence, cid } = peerCids.current;
    const { current } = paths;
    if (current.cidSequence !== sequence) {
      current.cid = cid;
      current.cidSequence = sequence;
    }
    // A client does not speak any more where it was.
    if (this.#core.isClient) return;
    const { fallback, others } = paths;
    if (fallback?.wantsName === true) this.#name(fallback);
    for (const path of others) if (path.wantsName) this.#name(path);
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
    const { paths, peerCids } = this.#core;
    const { current, fallback } = paths;
    paths.switchTo(path);
    peerCids.use(path.cidSequence);
    if (current !== path && current !== paths.fallback && current !== fallback) this.#remember(current);
    if (fallback !== undefined && fallback !== path && fallback !== paths.fallback) this.#leave(fallback);
  }

  /**
   * Gives a path an id of the peer's to call it by. A peer that has taken another id of ours gets another of its own, so that nobody
   * can link the two (§9.5); one that has not is behind a NAT that forgot. False: there is none, and nothing can be sent there.
   */
  #name(path: Path): boolean {
    const { peerCids, paths } = this.#core;
    const { current } = paths;
    const [here, there] = [path.arrivedOn, current.arrivedOn];
    // A peer of which no 1-RTT packet has come has not taken another.
    const isSame = here.length === 0 || there.length === 0 || equal(here, there) || current.cid.length === 0;
    if (isSame || path === current) {
      if (path.isNameless || !peerCids.has(path.cidSequence)) this.#call(path, current.cid, current.cidSequence);
      return true;
    }
    if (path.cidSequence !== current.cidSequence && !path.isNameless && peerCids.has(path.cidSequence)) return true;
    const fresh = peerCids.takeFresh();
    if (fresh !== undefined) {
      this.#call(path, fresh.cid, fresh.sequence);
      return true;
    }
    path.isNameless = true;
    // Whoever has one and no part gives it back, and the peer gives another for it.
    const other = paths.others.find(
      (each) => each !== path && !each.isNameless && each.cidSequence !== current.cidSequence,
    );
    if (other !== undefined) {
      paths.drop(other);
      this.#leave(other);
    } else if (current.isValidated && paths.fallback !== undefined && path !== paths.fallback) {
      this.#leave(paths.fallback);
      paths.fallback = undefined;
    }
    return false;
  }

  #call(path: Path, cid: Uint8Array, sequence: number): void {
    path.cid = cid;
    path.cidSequence = sequence;
    path.isNameless = false;
  }

  #remember(path: Path): void {
    const forgotten = this.#core.paths.add(path);
    if (forgotten !== undefined) this.#leave(forgotten);
  }

  #probe(local: SocketAddress, remote: SocketAddress): void {
    const core = this.#core;
    const fresh = core.peerCids.takeFresh();
    if (fresh === undefined) return;
    const state = { isValidated: false, isLimited: false };
    const path = new Path(local, remote, state, fresh.cid, fresh.sequence);
    path.validate();
    core.paths.candidate = path;
  }

  /** The id of a path that we leave is not used again (§9.5). */
  #leave(path: Path): void {
    const { paths, peerCids } = this.#core;
    path.isNameless = true;
    for (const other of paths.all()) if (!other.isNameless && other.cidSequence === path.cidSequence) return;
    peerCids.retire(path.cidSequence);
  }

  #isPreferredOf(local: SocketAddress): boolean {
    const preferred = this.#core.ownPreferredAddress;
    return [preferred?.ipv4, preferred?.ipv6].some((each) => each !== undefined && sameAddress(each, local));
  }

  #told(path: Path, now: Instant): void {
    const from = this.#peerAt;
    if (sameAddress(from, path.remote)) return;
    this.#peerAt = path.remote;
    const move = { at: now, whose: "the peer's", from, to: path.remote } as const;
    this.#core.emit({ kind: "moved", connection: this.#core.number, move });
    // §9.3: the tokens that it has are for another address.
    if (from.address !== path.remote.address) this.#issueToken(now);
  }

  #moved(path: Path, before: Path, now: Instant): void {
    const move = this.#isPreferred
      ? ({ at: now, whose: "the peer's", from: before.remote, to: path.remote } as const)
      : ({ at: now, whose: "ours", from: before.local, to: path.local } as const);
    this.#core.emit({ kind: "moved", connection: this.#core.number, move });
  }
}
