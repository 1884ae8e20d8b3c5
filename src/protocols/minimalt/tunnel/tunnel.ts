import { concat, utf8 } from "../../../bytes/index.js";
import { type Instant, Secret, type SocketAddress, type Transmit } from "../../../contract/index.js";
import { boxOverhead, expand, openInPlace, sealInPlace } from "../../../crypto/index.js";
import { ReceivedPackets, Recovery, Sent } from "../../../mechanisms/recovery/index.js";
import { type DropReason, type MinimaltFailure, type MinimaltReason, minimaltFailure, noDrops } from "../failure.js";
import type { TunnelKey } from "../keys.js";
import {
  ackDelayMs,
  idleMs,
  keepAliveMs,
  keyErasureMs,
  limits,
  lingerMs,
  packetSizeMax,
  silenceMs,
} from "../limits.js";
import type { MinimaltOptions } from "../options.js";
import {
  acknowledgementAt,
  boxNonce,
  nonceAtBoxNonce,
  optionsAt,
  type PacketView,
  readU16,
  readU32,
  rpcsAt,
  writeHead,
  writeNonce,
  writeU32,
} from "../wire/packet.js";
import { ReceiptView, receiptSizeMax, writeReceipt } from "../wire/receipt.js";
import { code, rpcHeadSize, writeRpcHead } from "../wire/rpc.js";
import { Connections, type RoleRpc } from "./connections.js";
import { controllers } from "./controllers.js";
import type { Home } from "./home.js";
import { Incoming } from "./incoming.js";

/** The packet number space of a tunnel; recovery keeps the first for handshakes, which delay no acknowledgement. */
const space = 1;
/** Head, box and the two numbers in it. */
const around: number = optionsAt + boxOverhead + rpcsAt;
/** What a packet that begins a tunnel or a key has beside: the key, and `nextTid`. A segment must fit into one of those, too. */
const keyed = 32 + rpcHeadSize + 41;
const segmentMax: number = packetSizeMax - around - keyed;
/** There is always room for so much in a packet, or none goes. */
const roomMin = receiptSizeMax;
/** A full packet with nothing but a segment. */
const fullSize = around + segmentMax;
/** An RPC that has no arguments. */
const bareSize = rpcHeadSize + 1;

/** `open`; `closing`: our farewell is under way; `lingering`: the peer's is acknowledged; `gone`: nothing is left. */
export type TunnelState = "open" | "closing" | "lingering" | "gone";

/**
 * A tunnel from either end: packets in boxes, numbered and acknowledged, and in them segments of RPCs in one order (§4, §5.9). How
 * it begins, and how it comes to the next key, is for the two classes that extend this one.
 */
export abstract class Tunnel {
  readonly id: number;
  readonly drops = noDrops();
  state: TunnelState = "open";
  remote: SocketAddress;
  packetsSent = 0;
  packetsReceived = 0;
  keyGeneration = 0;
  readonly connections: Connections;
  readonly recovery: Recovery;
  readonly #received = new ReceivedPackets(ackDelayMs);
  readonly #incoming: Incoming;
  readonly #firstSequence: number;
  readonly #exporter: Secret;
  protected readonly home: Home;
  protected readonly options: MinimaltOptions;
  protected readonly isClient: boolean;
  protected key: TunnelKey;
  protected tid: Uint8Array;
  /** The number of the next packet; its nonce is twice that, and one more for a client. */
  protected number = 0;
  protected lastHeardAt: Instant;
  protected lastSentAt: Instant;
  protected keySince: Instant;
  /** An acknowledgement is asked for, though there may be nothing to send. */
  protected hereOwed = false;
  protected leaveOwed = false;
  #nonce: Uint8Array;
  #awaitingSince: Instant | undefined;
  #until: Instant = Number.POSITIVE_INFINITY;
  readonly #transmit: { size: number; segmentSize: number; to: SocketAddress };
  /** The time of what is being done, for what tells of it. */
  protected at: Instant;

  protected constructor(
    home: Home,
    id: number,
    isClient: boolean,
    remote: SocketAddress,
    tid: Uint8Array,
    key: TunnelKey,
    options: MinimaltOptions,
    now: Instant,
  ) {
    this.home = home;
    this.id = id;
    this.isClient = isClient;
    this.remote = { ...remote };
    this.tid = tid;
    this.key = key;
    this.options = options;
    this.#nonce = boxNonce(tid);
    this.at = this.lastHeardAt = this.lastSentAt = this.keySince = now;
    this.#transmit = { size: 0, segmentSize: 0, to: this.remote };
    const [client, server] = [readU32(key.derive("client sequence"), 0), readU32(key.derive("server sequence"), 0)];
    this.#firstSequence = isClient ? client : server;
    this.#incoming = new Incoming(isClient ? server : client);
    this.#exporter = new Secret(key.derive("exporter"));
    this.connections = new Connections(this, home, options);
    this.recovery = new Recovery({
      spaces: 2,
      isClient: false,
      packetSize: packetSizeMax,
      controller: controllers[options.congestionControl ?? "cubic"],
      contents: this.connections.outgoing,
    });
    this.recovery.setKeys(space, true);
    this.recovery.confirmed = true;
    this.recovery.maxAckDelayMs = ackDelayMs;
  }

  /** May packets go now? */
  protected abstract get maySend(): boolean;
  /** Bytes that may go to where the peer seems to be; infinite once it has shown that it is there. */
  protected abstract get allowance(): number;
  /** A packet of so many bytes leaves. */
  protected abstract sent(size: number): void;
  /** The packets that begin a tunnel, or a key, bear these: undefined for all others. */
  protected abstract get opening(): Opening | undefined;
  /** The peer has acknowledged a packet of ours that had this number. */
  protected abstract reached(number: number): void;
  /** An RPC that is not the same for both roles. */
  abstract ownRpc(rpc: RoleRpc): void;
  protected abstract ownDeadline(): Instant | undefined;
  protected abstract ownWake(now: Instant): void;

  /** Clients create connections with odd numbers. */
  get createsOdd(): boolean {
    return this.isClient;
  }

  get sealedWith(): TunnelKey["suite"] {
    return this.key.suite;
  }

  exportKey(label: string, length: number, context: Uint8Array): Uint8Array {
    const info = concat(utf8(`${label}\0`), context);
    return expand(this.home.crypto.hash(this.key.suite.hash), this.#exporter.expose(), info, length);
  }

  // The network

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    if (this.state === "gone" || !this.maySend) return undefined;
    this.at = now;
    const transmit = this.#transmit;
    transmit.to = this.remote;
    let size = 0;
    let segmentSize = 0;
    for (let count = 0; count < limits.batchPacketsMax; count++) {
      if (size + packetSizeMax + boxOverhead > into.length || size + packetSizeMax > limits.batchSizeMax) break;
      const last = this.#packet(into, size, count > 0, now);
      if (last === 0) break;
      segmentSize ||= last;
      size += last;
      // Only full packets with nothing but a segment are followed by others: none is longer, and a shorter one is the last.
      if (last !== fullSize || !this.#isBare) break;
    }
    if (size === 0) return undefined;
    this.connections.drained();
    transmit.size = size;
    transmit.segmentSize = segmentSize;
    return transmit;
  }

  /** The last packet held a segment and nothing else. */
  #isBare = false;

  /** @param isFollowing it stands in a batch behind others, and may hold nothing but a segment */
  #packet(into: Uint8Array, at: number, isFollowing: boolean, now: Instant): number {
    const { recovery, connections } = this;
    const { outgoing } = connections;
    const received = this.#received;
    const opening = this.opening;
    // Less may go to where the peer has not shown that it is (§7.6): then a segment is cut to fit.
    const room = Math.min(segmentMax - (opening?.reserved ?? 0), this.allowance - around - keyed);
    recovery.amplificationBlocked = room < roomMin;
    if (recovery.amplificationBlocked) return 0;
    let isSegment = outgoing.hasSomething && this.state !== "lingering";
    if (!isSegment) recovery.applicationLimited();
    const isProbe = recovery.probes > 0;
    if (isSegment && !isProbe) isSegment = recovery.allowance(now) >= packetSizeMax;
    isSegment &&= outgoing.fits(room);
    if (isFollowing && !isSegment) return 0;
    const isHere = !isFollowing && (this.hereOwed || (isProbe && !isSegment));
    const isLeave = !isFollowing && this.leaveOwed;
    if (!isSegment && !isHere && !isLeave && !received.isDue(now)) return 0;
    if (this.number >= limits.packetsMax) {
      this.fail("nonces-exhausted", "nonce", "all nonces of this tunnel have been used");
      return 0;
    }
    const boxAt = this.#head(into, at, opening);
    const plainAt = boxAt + boxOverhead;
    let next = plainAt + rpcsAt;
    if (opening !== undefined) {
      into.set(opening.nextTid, next);
      next += opening.nextTid.length;
    }
    if (isSegment) outgoing.choose(room);
    const segment = isSegment ? outgoing.segment : outgoing.segments.next;
    this.#isBare = isSegment && opening === undefined && !isHere && !isLeave;
    if (received.isAsked && !isFollowing) {
      const left = at + packetSizeMax - next - (isSegment ? segmentMax : 0) - 2 * bareSize;
      // A segment leaves room for some ranges, unless it is in a packet that begins a key.
      if (left >= rpcHeadSize + 16) {
        next = writeReceipt(into, next, received.ranges, received.firstToTell, received.delayMs(now), left);
        received.told();
        this.#isBare = false;
      }
    }
    if (isHere) next = writeBare(into, next, code.here);
    if (isLeave) next = writeBare(into, next, code.leave);
    if (isSegment) {
      next = outgoing.write(into, next);
      recovery.hold(0, segment, 0, 0);
    }
    if (opening !== undefined) next = pad(into, next, at + opening.sizeMin);
    writeU32(into, plainAt, (this.#firstSequence + segment) % 0x1_0000_0000);
    writeU32(into, plainAt + acknowledgementAt, this.#incoming.acknowledgement);
    writeNonce(this.#nonce, nonceAtBoxNonce, this.number, this.isClient);
    sealInPlace(this.key.sealer, this.#nonce, into, boxAt, next - plainAt);
    const size = next - at;
    recovery.sent(space, this.number, size, isSegment || isHere ? Sent.ackEliciting | Sent.inFlight : 0, now);
    this.number++;
    if (isSegment || isHere) this.#awaitingSince ??= now;
    if (isHere) this.hereOwed = false;
    if (isLeave) this.leaveOwed = false;
    this.packetsSent++;
    this.lastSentAt = now;
    this.sent(size);
    return size;
  }

  #head(into: Uint8Array, at: number, opening: Opening | undefined): number {
    const solution = opening?.solution;
    let next = writeHead(into, at, this.tid, opening !== undefined, solution !== undefined, this.number, this.isClient);
    if (opening !== undefined) {
      into.set(opening.key, next);
      next += opening.key.length;
    }
    if (solution !== undefined) {
      into.set(solution, next);
      next += solution.length;
    }
    return next;
  }

  /**
   * Opens a packet's box where it lies; answers the size of what was in it, -1 if it is dropped. Nothing changes but counts unless
   * it is authentic and new.
   */
  protected open(bytes: Uint8Array, end: number, view: PacketView, key: TunnelKey, tid: Uint8Array): number {
    if (view.byClient === this.isClient || this.#received.isDuplicate(view.number)) return this.drop("replayed");
    const nonce = tid === this.tid ? this.#nonce : boxNonce(tid);
    writeNonce(nonce, nonceAtBoxNonce, view.number, view.byClient);
    if (!openInPlace(key.opener, nonce, bytes, view.boxAt, end - view.boxAt)) return this.drop("bad-box");
    return end - view.boxAt - boxOverhead;
  }

  /** What an authentic packet's box held. */
  protected process(bytes: Uint8Array, at: number, size: number, number: number, hasKey: boolean, now: Instant): void {
    const end = at + size;
    let next = at + rpcsAt;
    let asks = false;
    let receiptAt = 0;
    let receiptSize = 0;
    let isLeaving = false;
    for (; next < end; ) {
      if (end - next < rpcHeadSize) {
        this.#malformed("an RPC is cut off");
        return;
      }
      const length = readU16(bytes, next + 4);
      const bodyAt = next + rpcHeadSize;
      if (bodyAt + length > end) {
        this.#malformed("an RPC is longer than its packet");
        return;
      }
      if (readU32(bytes, next) !== 0) break;
      if (length === 0) {
        this.#malformed("an RPC has no function");
        return;
      }
      const f = bytes[bodyAt]!;
      if (f === code.received) {
        receiptAt = bodyAt;
        receiptSize = length;
      } else if (f === code.here && length === 1) asks = true;
      else if (f === code.leave && length === 1) isLeaving = true;
      else if (f === code.pad) {
        if (bodyAt + length !== end || !isZero(bytes, bodyAt, end)) {
          this.#malformed("padding is not all zeros");
          return;
        }
      } else if (f !== code.nextTid || !hasKey || this.isClient) break;
      next = bodyAt + length;
    }
    const index = this.#incoming.indexOf(readU32(bytes, at));
    const isSegment = next < end;
    const place = isSegment ? this.#incoming.place(index) : "known";
    if (place === "too-far-ahead") {
      this.drop("too-far-ahead");
      return;
    }
    this.packetsReceived++;
    this.lastHeardAt = now;
    this.#awaitingSince = undefined;
    this.#received.received(number, asks || isSegment, 0, now);
    if (!this.#acknowledged(bytes, at, receiptAt, receiptSize, now)) return;
    if (this.connections.outgoing.segments.count > 0) this.#awaitingSince = now;
    if (isLeaving) this.#left();
    else if (place === "ahead") this.#incoming.keep(index, bytes.subarray(next, end));
    else if (place === "next") {
      this.#segment(bytes, next, end);
      for (let waiting = this.#incoming.advance(); waiting !== undefined; waiting = this.#incoming.advance()) {
        this.#segment(waiting, 0, waiting.length);
      }
    }
    this.connections.settle();
  }

  #acknowledged(bytes: Uint8Array, at: number, receiptAt: number, receiptSize: number, now: Instant): boolean {
    const { segments } = this.connections.outgoing;
    const first = (this.#firstSequence + segments.first) % 0x1_0000_0000;
    const below = segments.first + ((readU32(bytes, at + acknowledgementAt) - first) | 0);
    if (below > segments.next) {
      this.#malformed("what was never sent is acknowledged");
      return false;
    }
    this.connections.outgoing.acknowledgedBelow(below);
    if (receiptAt === 0) return true;
    if (
      !receipt.read(bytes, receiptAt, receiptSize) ||
      this.recovery.acknowledge(space, receipt.bounds, receipt.count, receipt.delayMs, now) === "unsent"
    ) {
      this.#malformed("a receipt tells of packets that were never sent");
      return false;
    }
    this.reached(receipt.bounds[1]!);
    return true;
  }

  #segment(bytes: Uint8Array, at: number, end: number): void {
    for (let next = at; next < end && this.state === "open"; ) {
      if (end - next < rpcHeadSize) {
        this.#malformed("an RPC is cut off");
        return;
      }
      const connection = readU32(bytes, next);
      const length = readU16(bytes, next + 4);
      const bodyAt = next + rpcHeadSize;
      next = bodyAt + length;
      if (next > end) {
        this.#malformed("an RPC is longer than its packet");
        return;
      }
      if (connection !== 0) this.connections.data(connection, bytes, bodyAt, next);
      else if (length > 0 && bytes[bodyAt] === code.pad) {
        if (next !== end || !isZero(bytes, bodyAt, end)) this.#malformed("padding is not all zeros");
      } else this.connections.control(bytes, bodyAt, next);
    }
  }

  // Time

  deadline(): Instant | undefined {
    if (this.state === "gone") return undefined;
    let at = this.#until;
    const { recovery } = this;
    at = Math.min(at, this.#received.deadline() ?? at);
    if (this.maySend && this.state !== "lingering") {
      at = Math.min(at, recovery.deadline() ?? at);
      if (this.connections.outgoing.hasSomething) at = Math.min(at, recovery.paceAt(this.at) ?? at);
    }
    if (this.state === "open") {
      at = Math.min(at, this.lastHeardAt + (this.options.idleTimeoutMs ?? idleMs), this.ownDeadline() ?? at);
      if (this.#awaitingSince !== undefined) at = Math.min(at, this.#awaitingSince + silenceMs);
    }
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  wake(now: Instant): void {
    if (this.state === "gone") return;
    this.at = now;
    if (now >= this.#until) {
      this.leave();
      return;
    }
    const due = this.recovery.deadline();
    if (due !== undefined && due <= now && this.maySend) this.recovery.timeout(now);
    if (this.state !== "open") return;
    if (this.#awaitingSince !== undefined && now >= this.#awaitingSince + silenceMs) {
      this.fail("connection-lost", "packet", "the peer has fallen silent");
    } else if (now >= this.lastHeardAt + (this.options.idleTimeoutMs ?? idleMs)) {
      this.fail("connection-lost", "packet", "nothing was heard of the peer for too long");
    } else this.ownWake(now);
  }

  /** How often this side says that it is there, if it says nothing else; 0 is never. */
  protected get keepAliveMs(): number {
    return keepAliveMs;
  }

  protected get erasureMs(): number {
    return this.options.keyErasureMs ?? keyErasureMs;
  }

  // The end

  /** Says that all is over, and sees that the peer has heard. */
  close(now: Instant): void {
    if (this.state !== "open") return;
    this.connections.abandon();
    this.connections.say({ f: "close", c: 0 });
    this.#over("closing", undefined, now);
    if (!this.maySend) this.leave();
  }

  /** Goes with one word that may be lost. */
  abort(now: Instant): void {
    if (this.state !== "open") return;
    this.#over("closing", undefined, now);
    this.#until = now;
    this.leaveOwed = this.maySend;
    if (!this.leaveOwed) this.leave();
  }

  fail(reason: MinimaltReason, at: string, message: string, more: { readonly byPeer?: boolean } = {}): void {
    this.failWith(minimaltFailure(reason, at, message, more));
  }

  failWith(failure: MinimaltFailure): void {
    if (this.state !== "open") return;
    this.#over("closing", failure, this.at);
    this.#until = this.at;
    this.leaveOwed = this.maySend;
    if (!this.leaveOwed) this.leave();
  }

  /** The peer said that all is over. */
  closedByPeer(): void {
    if (this.state === "open") this.#over("lingering", undefined, this.at);
  }

  /** Nothing more is kept of it. */
  leave(): void {
    if (this.state === "gone") return;
    if (this.state === "open") this.home.tell({ kind: "over", tunnel: this.id, failure: undefined });
    this.state = "gone";
    this.connections.release();
    this.#incoming.clear();
    this.key.wipe();
    this.#exporter.wipe();
    this.wipe();
    this.home.tell({ kind: "gone", tunnel: this.id });
  }

  protected wipe(): void {}

  /** It is over, the peer has heard so, and nobody waits for an acknowledgement. */
  get isSettled(): boolean {
    if (this.#received.isAsked) return false;
    if (this.state === "lingering") return true;
    return this.state === "closing" && this.connections.outgoing.isSettled && !this.leaveOwed;
  }

  drop(reason: DropReason): -1 {
    this.drops[reason]++;
    this.trace("dropped", { reason });
    return -1;
  }

  trace(name: string, data: Readonly<Record<string, unknown>> = {}): void {
    const { trace } = this.options;
    trace?.({ at: this.at, protocol: "MinimaLT", name: `minimalt:${name}`, data: { tunnel: this.id, ...data } });
  }

  /** From now on under this identifier and key; the old key is the caller's. */
  protected turn(tid: Uint8Array, key: TunnelKey, now: Instant): void {
    this.tid = tid;
    this.key = key;
    this.#nonce = boxNonce(tid);
    this.keySince = now;
    this.keyGeneration++;
    this.trace("key_updated", { generation: this.keyGeneration });
  }

  /** What was measured of the old path holds no more. */
  protected newPath(): void {
    this.recovery.newPath(packetSizeMax);
    this.hereOwed = true;
  }

  /** Nothing that was sent has been taken. */
  protected sendAllAgain(): void {
    this.recovery.lostAll(space);
    this.hereOwed = true;
  }

  #left(): void {
    if (this.state === "open") {
      const failure = minimaltFailure("left-by-peer", "leave", "the peer gave the tunnel up", { byPeer: true });
      this.#over("lingering", failure, this.at);
    }
    this.leave();
  }

  #over(state: "closing" | "lingering", failure: MinimaltFailure | undefined, now: Instant): void {
    this.state = state;
    this.#until = now + lingerMs;
    this.trace("over", { reason: failure?.reason });
    this.home.tell({ kind: "over", tunnel: this.id, failure });
  }

  #malformed(message: string): void {
    this.fail("malformed-rpc", "RPC", message);
  }
}

/** What a packet that begins a tunnel, or a key, bears beside all others. */
export interface Opening {
  /** C', in clear. */
  readonly key: Uint8Array;
  /** A whole `nextTid` RPC. */
  readonly nextTid: Uint8Array;
  /** The 148 bytes of a puzzle's solution. */
  readonly solution: Uint8Array | undefined;
  /** Bytes of segments that a solution might need. */
  readonly reserved: number;
  readonly sizeMin: number;
}

function writeBare(into: Uint8Array, at: number, f: number): number {
  const next = writeRpcHead(into, at, 0, 1);
  into[next] = f;
  return next + 1;
}

/** Fills a packet up with an RPC of zeros. */
function pad(into: Uint8Array, at: number, to: number): number {
  if (at >= to) return at;
  const end = Math.max(to, at + rpcHeadSize + 1);
  into.fill(0, at, end);
  writeRpcHead(into, at, 0, end - at - rpcHeadSize);
  return end;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** One receipt at a time is read. */
const receipt = new ReceiptView();
