import type { Instant, SocketAddress } from "../../../contract/index.js";
import { isSameAddress } from "../../../contract/index.js";
import type { TunnelKey } from "../keys.js";
import { firstPacketMin, limits, livenessMs, lookupIdleMs } from "../limits.js";
import type { MinimaltServerOptions } from "../options.js";
import { isTid, keySize, type PacketView, rpcsAt } from "../wire/packet.js";
import type { PuzzleMaker } from "../wire/puzzle.js";
import type { ServiceRecord } from "../wire/record.js";
import { decodeControl, rpcHeadSize } from "../wire/rpc.js";
import type { RoleRpc } from "./connections.js";
import type { ServerHome } from "./home.js";
import { type Opening, Tunnel } from "./tunnel.js";

/** What a server knows of a tunnel when it begins. */
export interface Entrance {
  readonly from: SocketAddress;
  readonly tid: Uint8Array;
  readonly nextTid: Uint8Array;
  readonly clientKey: Uint8Array;
  readonly serverKey: Uint8Array;
  readonly key: TunnelKey;
  /** It was begun with the long-term key, by who does not know S' yet: for look-ups alone (§5.1). */
  readonly isForLookup: boolean;
  /** The client has solved a puzzle that came to its address. */
  readonly isReached: boolean;
}

/** A request whose answer is not known yet, or waits for those before it. */
interface Pending {
  record: ServiceRecord | "none" | "ok" | undefined;
}

/** Bits of puzzles that only ask whether a client is there. */
const livenessBits = 4;

/** A server's end of a tunnel. */
export class ServerTunnel extends Tunnel {
  readonly isForLookup: boolean;
  readonly #home: ServerHome;
  readonly #puzzles: PuzzleMaker;
  readonly #firstKey: Uint8Array;
  readonly #serverKey: Uint8Array;
  #clientKey: Uint8Array;
  #nextTid: Uint8Array;
  #newest = -1;
  /** Bytes that may go to an address that has not shown that it hears us: as many as came from it (§7.6). */
  #allowance: number;
  #reachedFrom = 0;
  #isRekeyAsked = false;
  #poseAt: Instant;
  /** Answers to requests of records, in the order of the requests; `undefined` until it is known. */
  readonly #answers: Pending[] = [];

  constructor(
    home: ServerHome,
    id: number,
    entrance: Entrance,
    options: MinimaltServerOptions,
    puzzles: PuzzleMaker,
    now: Instant,
  ) {
    super(home, id, false, entrance.from, entrance.tid, entrance.key, options, now);
    this.#home = home;
    this.#puzzles = puzzles;
    this.isForLookup = entrance.isForLookup;
    this.#clientKey = this.#firstKey = entrance.clientKey;
    this.#serverKey = entrance.serverKey;
    this.#nextTid = entrance.nextTid;
    this.#allowance = entrance.isReached ? Number.POSITIVE_INFINITY : 0;
    this.#poseAt = now + livenessMs;
  }

  /** What the first packet's box held: it has been opened already. */
  begin(plain: Uint8Array, packetSize: number, number: number, now: Instant): void {
    this.#newest = number;
    this.#allowance += packetSize;
    if (!this.isForLookup) {
      const outcome = { peer: undefined, serverName: "", suite: this.sealedWith.name } as const;
      this.home.tell({
        kind: "confirmed",
        tunnel: this.id,
        outcome: { ...outcome, resumed: false, roundTrips: 0 },
      });
    }
    this.trace("begun", { isForLookup: this.isForLookup });
    this.process(plain, 0, plain.length, number, true, now);
  }

  packet(bytes: Uint8Array, at: number, end: number, view: PacketView, from: SocketAddress, now: Instant): void {
    this.at = now;
    if (view.isPuzzle) {
      this.drop("malformed");
      return;
    }
    if (view.hasKey && end - at < firstPacketMin) {
      this.drop("too-small");
      return;
    }
    if (!isTid(bytes, at, this.tid)) {
      if (view.hasKey && isTid(bytes, at, this.#nextTid)) this.#rekey(bytes, at, end, view, from, now);
      else this.drop("no-tunnel");
      return;
    }
    if (view.hasKey && !isKey(bytes, view.keyAt, this.#clientKey)) {
      this.drop("key-mismatch");
      return;
    }
    const size = this.open(bytes, end, view, this.key, this.tid);
    if (size < 0) return;
    if (view.hasKey && readNextTid(bytes, view.boxAt, size, this.#clientKey) === undefined) {
      this.drop("key-mismatch");
      return;
    }
    this.#follow(view.number, end - at, from, now);
    this.process(bytes, view.boxAt, size, view.number, view.hasKey, now);
  }

  updateKeys(): void {
    if (this.state !== "open" || this.#isRekeyAsked) return;
    this.#isRekeyAsked = true;
    this.connections.say({ f: "rekeyNow" });
  }

  override ownRpc(rpc: RoleRpc): void {
    switch (rpc.f) {
      case "create":
        if (this.isForLookup) this.connections.decide(rpc.c, false);
        else this.#home.askConnection(this, rpc.c, undefined, undefined);
        return;
      case "createAuth":
        if (this.isForLookup) this.connections.decide(rpc.c, false);
        else this.#home.askConnection(this, rpc.c, rpc.U, rpc.x);
        return;
      case "requestCert": {
        if (!this.#mayAsk(rpc.f)) return;
        const answer: Pending = { record: undefined };
        this.#answers.push(answer);
        this.#home.find(rpc.S, (record) => {
          answer.record = record ?? "none";
          this.#answer();
        });
        return;
      }
      case "giveCert":
        if (!this.#mayAsk(rpc.f)) return;
        this.#answers.push({ record: this.#home.register(rpc) ? "ok" : "none" });
        this.#answer();
        return;
      case "puzzSoln":
        if (this.#puzzles.accepts(rpc, this.#firstKey, this.#serverKey, this.at)) return;
        this.fail("unexpected-rpc", rpc.f, "a solution of no puzzle of ours");
        return;
      default:
        this.fail("unexpected-rpc", rpc.f, "a client does not say this");
    }
  }

  protected get maySend(): boolean {
    return true;
  }

  protected get allowance(): number {
    return this.#allowance;
  }

  protected sent(size: number): void {
    this.#allowance -= size;
  }

  protected reached(number: number): void {
    if (number >= this.#reachedFrom) this.#allowance = Number.POSITIVE_INFINITY;
  }

  protected get opening(): Opening | undefined {
    return undefined;
  }

  protected ownDeadline(): Instant | undefined {
    let at = this.isForLookup ? this.lastHeardAt + lookupIdleMs : Math.max(this.#poseAt, this.lastHeardAt + livenessMs);
    if (this.erasureMs > 0 && !this.#isRekeyAsked) at = Math.min(at, this.keySince + this.erasureMs);
    return at;
  }

  protected ownWake(now: Instant): void {
    if (this.isForLookup && now >= this.lastHeardAt + lookupIdleMs) {
      this.close(now);
      return;
    }
    if (this.erasureMs > 0 && now >= this.keySince + this.erasureMs) this.updateKeys();
    if (now < Math.max(this.#poseAt, this.lastHeardAt + livenessMs)) return;
    // §7.6: a cheap puzzle asks whether an idle client is still there.
    this.#poseAt = now + livenessMs;
    this.connections.say({ f: "puzz", ...this.#puzzles.pose(this.#firstKey, this.#serverKey, livenessBits, now) });
  }

  protected override wipe(): void {
    this.home.unroute(this.tid);
    this.home.unroute(this.#nextTid);
    this.#answers.length = 0;
  }

  /** §5.5: what looks like the beginning of a tunnel, and is the beginning of a key. */
  #rekey(bytes: Uint8Array, at: number, end: number, view: PacketView, from: SocketAddress, now: Instant): void {
    const key = this.key.next();
    const tid = this.#nextTid;
    const clear = bytes.slice(view.keyAt, view.keyAt + keySize);
    const size = this.open(bytes, end, view, key, tid);
    const next = size < 0 ? undefined : readNextTid(bytes, view.boxAt, size, clear);
    if (next === undefined || !this.#home.spend(clear) || !this.home.route(next, this)) {
      key.wipe();
      if (size >= 0) this.drop("key-mismatch");
      return;
    }
    this.home.unroute(this.tid);
    this.key.wipe();
    this.turn(tid, key, now);
    this.#clientKey = clear;
    this.#nextTid = next;
    this.home.tell({ kind: "key-updated", tunnel: this.id, byPeer: !this.#isRekeyAsked });
    this.#isRekeyAsked = false;
    this.#follow(view.number, end - at, from, now);
    this.process(bytes, view.boxAt, size, view.number, true, now);
  }

  /** The newest authentic packet says where the client is; one that was overtaken does not. */
  #follow(number: number, size: number, from: SocketAddress, now: Instant): void {
    this.#allowance += size;
    if (number <= this.#newest) return;
    this.#newest = number;
    if (isSameAddress(from, this.remote)) return;
    const before = this.remote;
    this.remote = { ...from };
    this.#allowance = size;
    this.#reachedFrom = this.number;
    this.newPath();
    this.trace("moved", { from: before, to: this.remote, at: now });
    if (this.state === "open") this.home.tell({ kind: "moved", tunnel: this.id, from: before, to: this.remote });
  }

  #mayAsk(at: string): boolean {
    if (this.#answers.length < limits.requestsMax) return true;
    this.fail("unexpected-rpc", at, "too many requests wait for their answers");
    return false;
  }

  /** Answers go in the order of the requests. */
  #answer(): void {
    for (let first = this.#answers[0]; first?.record !== undefined; first = this.#answers[0]) {
      this.#answers.shift();
      if (this.state !== "open") continue;
      if (first.record === "none") this.connections.say({ f: "refuse", c: 0 });
      else if (first.record === "ok") this.connections.say({ f: "ok" });
      else this.connections.say({ f: "giveCert", ...first.record });
    }
  }
}

/** The `nextTid` with which a packet that begins a tunnel, or a key, must begin: the identifier, if its key is the one in clear. */
export function readNextTid(plain: Uint8Array, at: number, size: number, clear: Uint8Array): Uint8Array | undefined {
  const rpcAt = at + rpcsAt;
  const bodyAt = rpcAt + rpcHeadSize;
  if (at + size < bodyAt + nextTidSize) return undefined;
  for (let i = 0; i < 5; i++) if (plain[rpcAt + i] !== 0) return undefined;
  if (plain[rpcAt + 5] !== nextTidSize) return undefined;
  const rpc = decodeControl(plain.subarray(bodyAt, bodyAt + nextTidSize));
  if (rpc?.f !== "nextTid" || !isKey(rpc.C, 0, clear)) return undefined;
  // Its two uppermost bits are flags, and no part of an identifier.
  return rpc.t[0]! < 0x40 ? rpc.t : undefined;
}

const nextTidSize = 41;

/** Keys in clear are no secrets. */
function isKey(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < keySize; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}
