import type { Instant, SocketAddress } from "../../../contract/index.js";
import { minimaltFailure } from "../failure.js";
import { authenticate, type Suite, TunnelKey } from "../keys.js";
import { confirmTimeoutMs, keepAliveMs, limits } from "../limits.js";
import type { MinimaltClientOptions, MinimaltOutcome } from "../options.js";
import { asTid, isTid, type PacketView, puzzleSize } from "../wire/packet.js";
import { readPuzzle, Solving, writeSolution } from "../wire/puzzle.js";
import type { ServiceRecord } from "../wire/record.js";
import { encodeControl, tidSize } from "../wire/rpc.js";
import type { RoleRpc } from "./connections.js";
import type { Home } from "./home.js";
import { type Opening, Tunnel } from "./tunnel.js";

/** What a client knows of a server before the first packet. */
export interface Approach {
  readonly to: SocketAddress;
  /** S'; or, for a first question to a directory, its long-term box key. */
  readonly serverKey: Uint8Array;
  /** The server's long-term box key, for authenticators. */
  readonly boxKey: Uint8Array;
  readonly suite: Suite;
  readonly firstPacketMin: number;
  readonly outcome: MinimaltOutcome;
  readonly options: MinimaltClientOptions;
}

/** Puzzles that are solved for one tunnel: who poses more is no server. */
const puzzlesMax = 4;

/** A client's end of a tunnel. */
export class ClientTunnel extends Tunnel {
  readonly #approach: Approach;
  #confirmed = false;
  #confirmBy: Instant;
  /** C', in clear in every packet until the server is heard. */
  #clientKey: Uint8Array;
  /** The identifier that was announced for the next key. */
  #nextTid: Uint8Array;
  #opening: Opening | undefined;
  /** What the server may still use, until it is heard under the next (§5.5). */
  #previous: { readonly tid: Uint8Array; readonly key: TunnelKey } | undefined;
  #isRekeyWanted = false;
  #solving: Solving | undefined;
  #solvesInside = false;
  #puzzles = 0;
  #solution: Uint8Array | undefined;
  readonly #requests: number[] = [];
  #keepAliveMs: number;

  private constructor(home: Home, id: number, approach: Approach, clientKey: Uint8Array, key: TunnelKey, now: Instant) {
    const tid = asTid(home.entropy.fill(new Uint8Array(tidSize)));
    super(home, id, true, approach.to, tid, key, approach.options, now);
    this.#approach = approach;
    this.#clientKey = clientKey;
    this.#nextTid = this.#newTid();
    this.#confirmBy = now + confirmTimeoutMs;
    this.#keepAliveMs = approach.options.keepAliveMs ?? keepAliveMs;
    this.#open();
    this.hereOwed = true;
    home.route(tid, this);
  }

  /** Begins a tunnel. Throws `bad-record` for a server's key that gives nothing. */
  static begin(home: Home, id: number, approach: Approach, now: Instant): ClientTunnel {
    const pair = home.boxes.newKeyPair(home.entropy);
    const boxKey = home.boxes.key(pair.privateKey, approach.serverKey);
    // §5.3: once the shared key is there, the secret half of C' is erased.
    pair.privateKey.wipe();
    if (boxKey === undefined) throw minimaltFailure("bad-record", "ecertS", "the server's ephemeral key is none");
    const { importedKey } = approach.options;
    const key = TunnelKey.first(home.crypto, approach.suite, boxKey, importedKey);
    return new ClientTunnel(home, id, approach, pair.publicKey, key, now);
  }

  create(connection: number, service: string, priority: number): void {
    const { user } = this.#approach.options;
    const x = user && authenticate(this.home.boxes, this.home.entropy, user, this.#approach.boxKey);
    this.connections.add(
      user === undefined || x === undefined
        ? { f: "create", c: connection, y: service }
        : { f: "createAuth", c: connection, y: service, U: user.publicKey, x },
      priority,
    );
  }

  request(request: number, name: string): void {
    this.#requests.push(request);
    this.connections.say({ f: "requestCert", S: name });
  }

  give(request: number, record: ServiceRecord): void {
    this.#requests.push(request);
    this.connections.say({ f: "giveCert", ...record });
  }

  setKeepAlive(ms: number): void {
    this.#keepAliveMs = ms;
  }

  /** The next key, now or as soon as the server has been heard (§5.5). */
  updateKeys(now: Instant): void {
    if (this.state !== "open") return;
    if (this.#opening !== undefined) this.#isRekeyWanted = true;
    else this.#rekey(now);
  }

  /** After a change of address a client rekeys (§5.6). */
  moved(now: Instant): void {
    if (this.state !== "open") return;
    this.at = now;
    if (this.#opening === undefined) {
      this.newPath();
      this.#rekey(now);
    } else this.sendAllAgain();
  }

  packet(bytes: Uint8Array, at: number, end: number, view: PacketView, now: Instant): void {
    this.at = now;
    if (view.isPuzzle) {
      this.#puzzle(bytes, view, now);
      return;
    }
    if (view.hasKey) {
      this.drop("malformed");
      return;
    }
    const isOld = !isTid(bytes, at, this.tid);
    const previous = this.#previous;
    if (isOld && (previous === undefined || !isTid(bytes, at, previous.tid))) {
      this.drop("no-tunnel");
      return;
    }
    const [key, tid] = isOld ? [previous!.key, previous!.tid] : [this.key, this.tid];
    const size = this.open(bytes, end, view, key, tid);
    if (size < 0) return;
    if (!isOld && this.#opening !== undefined) this.#heard();
    this.process(bytes, view.boxAt, size, view.number, false, now);
    if (this.#isRekeyWanted && this.#opening === undefined && this.state === "open") this.#rekey(now);
  }

  override ownRpc(rpc: RoleRpc): void {
    switch (rpc.f) {
      case "create":
        this.connections.decide(rpc.c, true);
        return;
      case "giveCert":
        this.#answer({ certS: rpc.certS, ecertS: rpc.ecertS });
        return;
      case "ok":
        this.#answer({ certS: none, ecertS: none });
        return;
      case "refuse":
        this.#answer(undefined);
        return;
      case "rekeyNow":
        this.updateKeys(this.at);
        return;
      case "puzz":
        if (rpc.w > (this.#approach.options.puzzleBitsMax ?? limits.puzzleBitsTaken) || this.#solving !== undefined) {
          this.drop("puzzle-refused");
          return;
        }
        this.#solving = new Solving(this.home.crypto, rpc);
        this.#solvesInside = true;
        return;
      default:
        this.fail("unexpected-rpc", rpc.f, "a server does not say this");
    }
  }

  protected get maySend(): boolean {
    return this.#solving === undefined || this.#solvesInside;
  }

  protected get allowance(): number {
    return Number.POSITIVE_INFINITY;
  }

  protected sent(): void {}

  protected reached(): void {}

  protected get opening(): Opening | undefined {
    return this.#opening;
  }

  protected ownDeadline(): Instant | undefined {
    if (this.#solving !== undefined) return this.at + 1;
    if (!this.#confirmed) return this.#confirmBy;
    let at = Number.POSITIVE_INFINITY;
    if (this.#keepAliveMs > 0) at = this.lastSentAt + this.#keepAliveMs;
    if (this.erasureMs > 0 && this.#opening === undefined) at = Math.min(at, this.keySince + this.erasureMs);
    return at;
  }

  protected ownWake(now: Instant): void {
    if (this.#solving !== undefined) this.#solve();
    if (!this.#confirmed && now >= this.#confirmBy) {
      const hint = "its record may be out of date, or the imported keys may differ";
      this.failWith(minimaltFailure("no-answer", "handshake", "the server did not answer", { hint }));
      return;
    }
    if (this.#keepAliveMs > 0 && now >= this.lastSentAt + this.#keepAliveMs) this.hereOwed = true;
    if (this.erasureMs > 0 && this.#confirmed && now >= this.keySince + this.erasureMs) this.updateKeys(now);
  }

  protected override wipe(): void {
    this.#previous?.key.wipe();
    this.#previous = undefined;
    this.home.unroute(this.tid);
    for (const request of this.#requests.splice(0)) {
      this.home.tell({ kind: "record", tunnel: this.id, request, record: undefined });
    }
  }

  /** The server was heard under the key that is in use: what went before it is erased. */
  #heard(): void {
    this.#opening = undefined;
    if (this.#previous !== undefined) {
      this.home.unroute(this.#previous.tid);
      this.#previous.key.wipe();
      this.#previous = undefined;
      return;
    }
    this.#confirmed = true;
    this.#solution = undefined;
    this.trace("confirmed");
    this.home.tell({ kind: "confirmed", tunnel: this.id, outcome: this.#approach.outcome });
  }

  #rekey(now: Instant): void {
    this.#isRekeyWanted = false;
    this.#previous = { tid: this.tid, key: this.key };
    this.turn(this.#nextTid, this.key.next(), now);
    this.home.route(this.tid, this);
    // A point like any key's; of its secret half nobody has a use (§7.4).
    const pair = this.home.boxes.newKeyPair(this.home.entropy);
    pair.privateKey.wipe();
    this.#clientKey = pair.publicKey;
    this.#nextTid = this.#newTid();
    this.#open();
    this.hereOwed = true;
    this.home.tell({ kind: "key-updated", tunnel: this.id, byPeer: false });
  }

  /** From here on packets bear C', and beside it in the box the same again with the next identifier (§5.5, §7.4). */
  #open(): void {
    this.#opening = {
      key: this.#clientKey,
      nextTid: encodeControl({ f: "nextTid", t: this.#nextTid, C: this.#clientKey }),
      solution: this.#solution,
      reserved: this.#confirmed ? 0 : puzzleSize,
      sizeMin: this.#approach.firstPacketMin,
    };
  }

  #newTid(): Uint8Array {
    return asTid(this.home.entropy.fill(new Uint8Array(tidSize)));
  }

  /** Whoever sees our packets can pose one: it is answered by work alone, and not by much (§5.7). */
  #puzzle(bytes: Uint8Array, view: PacketView, now: Instant): void {
    const { puzzleBitsMax = limits.puzzleBitsTaken } = this.#approach.options;
    const puzzle = readPuzzle(bytes, view.puzzleAt);
    if (this.#confirmed || view.byClient || this.#solving !== undefined) this.drop("puzzle-refused");
    else if (puzzle === undefined) this.drop("malformed");
    else if (puzzle.w > puzzleBitsMax || ++this.#puzzles > puzzlesMax) this.drop("puzzle-refused");
    else {
      this.#solving = new Solving(this.home.crypto, puzzle);
      this.#solvesInside = false;
      this.#confirmBy = now + confirmTimeoutMs;
      this.trace("puzzle_received", { bits: puzzle.w });
    }
  }

  #solve(): void {
    const found = this.#solving!.step();
    if (found === undefined) return;
    this.#solving = undefined;
    if (found === "hopeless") {
      this.drop("puzzle-refused");
      return;
    }
    this.trace("puzzle_solved");
    if (this.#solvesInside) {
      this.connections.say({ f: "puzzSoln", ...found });
      return;
    }
    this.#solution = new Uint8Array(puzzleSize);
    writeSolution(this.#solution, 0, found);
    this.#open();
    this.sendAllAgain();
  }

  #answer(record: ServiceRecord | undefined): void {
    const request = this.#requests.shift();
    if (request === undefined) this.fail("unexpected-rpc", "giveCert", "an answer to nothing that was asked");
    else this.home.tell({ kind: "record", tunnel: this.id, request, record });
  }
}

const none = new Uint8Array(0);
