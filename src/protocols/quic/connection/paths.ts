import { earliest, type Instant, type SocketAddress } from "../../../contract/index.js";
import { limits } from "../limits.js";
import type { Path } from "./path.js";

/** Where the peer is, where it may be, and where it was (RFC 9000 §9). */
export class Paths {
  current: Path;
  /** Where the peer was before it moved, until the new place has proved itself and this one was asked too: the way back (§9.3). */
  fallback: Path | undefined;
  /** Client: where we want to go, once the server has answered there (§9.2). */
  candidate: Path | undefined;
  readonly #others: Path[] = [];

  constructor(first: Path) {
    this.current = first;
  }

  find(local: SocketAddress, remote: SocketAddress): Path | undefined {
    if (this.current.is(local, remote)) return this.current;
    if (this.candidate?.is(local, remote)) return this.candidate;
    if (this.fallback?.is(local, remote)) return this.fallback;
    return this.#others.find((path) => path.is(local, remote));
  }

  /** Remembers one more place from which the peer was heard, and answers the oldest if that is forgotten for it. */
  add(path: Path): Path | undefined {
    this.#others.push(path);
    return this.#others.length > limits.pathsMax ? this.#others.shift() : undefined;
  }

  /** Forgets a place that is neither in use nor the way back. */
  drop(path: Path): void {
    const at = this.#others.indexOf(path);
    if (at >= 0) this.#others.splice(at, 1);
  }

  /**
   * Where what is no probe goes. Once we have spoken at a candidate the peer may have followed, and whatever came to it from where we
   * were would call it back (§9.3).
   */
  get speaking(): Path {
    return this.candidate?.isChallengedAgain ? this.candidate : this.current;
  }

  /** Goes on there. The last place that has proved itself is the way back. */
  switchTo(path: Path): void {
    this.drop(path);
    if (path === this.candidate) this.candidate = undefined;
    if (this.current.isValidated) this.fallback = this.current;
    if (path === this.fallback) this.fallback = undefined;
    this.current = path;
  }

  /** Places from which the peer was heard, beside those that have a part. */
  get others(): readonly Path[] {
    return this.#others;
  }

  /** Every place that has something of its own to send, or waits for an answer. */
  *all(): Generator<Path> {
    yield this.current;
    if (this.candidate !== undefined) yield this.candidate;
    if (this.fallback !== undefined) yield this.fallback;
    yield* this.#others;
  }

  /** A path with a challenge or a response to send, and room for it. */
  get probing(): Path | undefined {
    for (const path of this.all()) if (path.wantsProbe && path.room > 0) return path;
    return undefined;
  }

  deadline(): Instant | undefined {
    let at: Instant | undefined;
    for (const path of this.all()) at = earliest(at, path.deadline());
    return at;
  }
}
