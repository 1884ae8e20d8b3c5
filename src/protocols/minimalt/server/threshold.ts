import type { Instant, SocketAddress } from "../../../contract/index.js";
import { boxOverhead, openInto } from "../../../crypto/index.js";
import { TokenBucket } from "../../../mechanisms/token-bucket.js";
import type { DropReason } from "../failure.js";
import { type Suite, suiteByName, suiteDefault, TunnelKey } from "../keys.js";
import { ephemeralLifetimeMs, firstPacketMin, limits, packetSizeMax } from "../limits.js";
import type { MinimaltServerOptions } from "../options.js";
import type { Home } from "../tunnel/home.js";
import { type Entrance, readNextTid } from "../tunnel/server.js";
import {
  asTid,
  boxNonce,
  keySize,
  nonceAtBoxNonce,
  type PacketView,
  puzzleSize,
  writeHead,
  writeNonce,
} from "../wire/packet.js";
import { PuzzleMaker, readSolution, writePuzzle } from "../wire/puzzle.js";
import { tidSize } from "../wire/rpc.js";
import { Ephemerals } from "./ephemerals.js";

/** What a stranger's first packet came to. */
export interface Arrival {
  readonly entrance: Entrance;
  /** What the box held; good until the next packet. */
  readonly plain: Uint8Array;
}

/**
 * Where strangers are met: a first packet becomes a tunnel, or, under load, a puzzle (§5.7). Of who does not get in, nothing is kept
 * but a bounded queue of puzzles on their way.
 */
export class Threshold {
  readonly ephemerals: Ephemerals;
  readonly puzzles: PuzzleMaker;
  readonly suite: Suite;
  posed = 0;
  readonly #home: Home;
  readonly #options: MinimaltServerOptions;
  readonly #drop: (reason: DropReason) => void;
  readonly #waiting: { readonly bytes: Uint8Array; readonly to: SocketAddress }[] = [];
  readonly #plain = new Uint8Array(packetSizeMax + puzzleSize);
  #bucket: TokenBucket | undefined;
  #number = 0;

  constructor(home: Home, options: MinimaltServerOptions, drop: (reason: DropReason) => void, now: Instant) {
    this.#home = home;
    this.#options = options;
    this.#drop = drop;
    this.suite = suiteByName(options.suite ?? suiteDefault)!;
    const { ephemeralLifetimeMs: lifetimeMs = ephemeralLifetimeMs, tunnelsPerSecond = limits.tunnelsPerSecond } =
      options;
    this.ephemerals = new Ephemerals(home.boxes, home.entropy, lifetimeMs, now);
    this.puzzles = new PuzzleMaker(home.crypto, home.entropy);
    if (tunnelsPerSecond > 0) this.#bucket = new TokenBucket(tunnelsPerSecond, limits.tunnelBurst, now);
  }

  /** A packet with a key in clear, of no tunnel that is known. */
  arrive(
    bytes: Uint8Array,
    at: number,
    end: number,
    view: PacketView,
    from: SocketAddress,
    now: Instant,
  ): Arrival | undefined {
    if (end - at < firstPacketMin) return this.#refuse("too-small");
    if (end - at > this.#plain.length || !view.byClient) return this.#refuse("malformed");
    const clientKey = bytes.slice(view.keyAt, view.keyAt + keySize);
    if (this.ephemerals.isSpent(clientKey)) return this.#refuse("spent-key");
    if (view.hasPuzzle) {
      if (!this.#isSolved(bytes, view, clientKey, now)) return this.#refuse("bad-solution");
    } else if (this.#bucket?.take(now) !== true) {
      this.#pose(bytes, at, clientKey, from, now);
      return undefined;
    }
    const tid = asTid(bytes.slice(at, at + tidSize));
    return this.#enter(bytes, end, view, tid, clientKey, from);
  }

  /** Writes the next puzzle; answers where it goes. */
  write(into: Uint8Array): { readonly size: number; readonly to: SocketAddress } | undefined {
    const answer = this.#waiting.shift();
    if (answer === undefined) return undefined;
    into.set(answer.bytes);
    return { size: answer.bytes.length, to: answer.to };
  }

  wipe(): void {
    this.ephemerals.wipe();
    this.puzzles.wipe();
    this.#waiting.length = 0;
  }

  #isSolved(bytes: Uint8Array, view: PacketView, clientKey: Uint8Array, now: Instant): boolean {
    const solution = readSolution(bytes, view.puzzleAt);
    if (solution === undefined) return false;
    // It was posed for the key that was current then.
    return this.ephemerals.all.some(({ pair }) => this.puzzles.accepts(solution, clientKey, pair.publicKey, now));
  }

  #pose(bytes: Uint8Array, at: number, clientKey: Uint8Array, from: SocketAddress, now: Instant): void {
    if (this.#waiting.length >= limits.puzzlesWaitingMax) {
      this.#drop("too-many-puzzles");
      return;
    }
    const w = this.#options.puzzleBits ?? limits.puzzleBitsDefault;
    const puzzle = this.puzzles.pose(clientKey, this.ephemerals.current.pair.publicKey, w, now);
    const packet = new Uint8Array(2 * tidSize + puzzleSize);
    const tid = asTid(bytes.slice(at, at + tidSize));
    writePuzzle(packet, writeHead(packet, 0, tid, false, true, this.#number++, false), puzzle);
    this.#waiting.push({ bytes: packet, to: { ...from } });
    this.posed++;
    this.#drop("puzzle-posed");
  }

  /** The box is tried with every key that a client may know of; the long-term one is for those who know no other (§5.1). */
  #enter(
    bytes: Uint8Array,
    end: number,
    view: PacketView,
    tid: Uint8Array,
    clientKey: Uint8Array,
    from: SocketAddress,
  ): Arrival | undefined {
    const nonce = boxNonce(tid);
    writeNonce(nonce, nonceAtBoxNonce, view.number, view.byClient);
    const box = this.#options.identity.box;
    const { importedKey } = this.#options;
    for (const pair of [...this.ephemerals.all.map((each) => each.pair), box]) {
      const boxKey = this.#home.boxes.key(pair.privateKey, clientKey);
      if (boxKey === undefined) break;
      const isForLookup = pair === box;
      const suite = isForLookup ? suiteByName(suiteDefault)! : this.suite;
      const key = TunnelKey.first(this.#home.crypto, suite, boxKey, isForLookup ? undefined : importedKey);
      const size = end - view.boxAt;
      if (openInto(key.opener, nonce, bytes, view.boxAt, size, this.#plain)) {
        const plain = this.#plain.subarray(0, size - boxOverhead);
        const nextTid = readNextTid(plain, 0, plain.length, clientKey);
        if (nextTid === undefined) {
          key.wipe();
          return this.#refuse("key-mismatch");
        }
        const known = { from: { ...from }, tid, nextTid, clientKey, serverKey: pair.publicKey, key, isForLookup };
        return { entrance: { ...known, isReached: view.hasPuzzle }, plain };
      }
      key.wipe();
    }
    return this.#refuse("bad-box");
  }

  #refuse(reason: DropReason): undefined {
    this.#drop(reason);
  }
}
