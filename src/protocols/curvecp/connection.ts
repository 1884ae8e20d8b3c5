import {
  type Entropy,
  type Instant,
  networkFailure,
  type Opener,
  type Sealer,
  type SocketAddress,
  type Transmit,
} from "../../contract/index.js";
import { Counters } from "./counters.js";
import { type CurveCpFailure, curvecpFailure, type DropReason, noDrops } from "./failure.js";
import { boxOverhead, counterAtNonce, counterSize, firstCounter, openInto, sealInPlace } from "./keys.js";
import { endTimeoutsMax, limits, lingerMs } from "./limits.js";
import {
  acknowledgementSize,
  blockFor,
  blockSizeMax,
  MessageView,
  messageSizeFor,
  writeMessage,
} from "./messages/message.js";
import { packetSizeMax, writeU64 } from "./messages/packets.js";
import type { CurveCpOptions } from "./options.js";
import { controllers } from "./stream/controllers.js";
import { idOf } from "./stream/flight.js";
import { Receiver } from "./stream/receiver.js";
import { Sender } from "./stream/sender.js";
import type { ConnectionEvent } from "./vocabulary.js";

/** Where a connection tells what happens: the endpoint's events. */
export type Tell = (event: ConnectionEvent) => void;

/** `open`: streams go; `lingering`: all is told, and a peer that has not heard is answered; `gone`: nothing is left. */
export type ConnectionState = "open" | "lingering" | "gone";

/**
 * One connection, from either end: two streams in messages, each in a box of its own under short-term keys. What tells a client
 * from a server (the packets around the messages, and how it began) is for the classes that extend this one.
 */
export abstract class Connection {
  readonly id: number;
  readonly drops = noDrops();
  state: ConnectionState = "open";
  remote: SocketAddress;
  packetsSent = 0;
  packetsReceived = 0;
  bytesReceived = 0;
  readonly sender: Sender;
  readonly receiver: Receiver;
  protected readonly tell: Tell;
  protected readonly options: CurveCpOptions;
  /** The counter of the next packet; every packet takes one (nonces page). */
  protected counter: number;
  protected readonly counters = new Counters();
  protected sealer: Sealer | undefined;
  protected opener: Opener | undefined;
  /** A message was sent or is to be, though there may be nothing in it. */
  protected pingOwed = false;
  protected acknowledgementOwed = false;
  protected lastHeardAt: Instant;
  protected lastSentAt: Instant;
  #answered = 0;
  #lingerUntil: Instant = Number.POSITIVE_INFINITY;
  #endTold = false;
  readonly #transmit: { size: number; segmentSize: number; to: SocketAddress };

  protected constructor(
    id: number,
    remote: SocketAddress,
    options: CurveCpOptions,
    entropy: Entropy,
    tell: Tell,
    now: Instant,
  ) {
    this.id = id;
    this.remote = { ...remote };
    this.options = options;
    this.tell = tell;
    this.counter = firstCounter(entropy);
    this.sender = new Sender(controllers[options.congestionControl ?? "cubic"](blockSizeMax, entropy));
    this.receiver = new Receiver(options.receiveBuffer ?? limits.receiveBufferDefault);
    this.at = this.lastHeardAt = this.lastSentAt = now;
    this.#transmit = { size: 0, segmentSize: 0, to: this.remote };
  }

  /** May messages be sent now, and how long may they be? Zero: not yet. */
  protected abstract get messageMax(): number;
  /** Writes what stands before the box; answers where the box begins. The counter is written there too. */
  protected abstract writeHead(into: Uint8Array, at: number): number;
  /** The nonce of our packets; its counter is set by `seal`. */
  protected abstract get sealNonce(): Uint8Array;
  /** Bytes in the box before the message, which are written here. */
  protected writePrefix(_into: Uint8Array, _at: number): number {
    return 0;
  }
  /** A packet of the handshake, if one is due. */
  protected handshakePacket(_into: Uint8Array, _now: Instant): number {
    return 0;
  }
  protected abstract ownDeadline(): Instant | undefined;
  protected abstract ownWake(now: Instant): void;

  /** It is over, and the peer has acknowledged how it ended here; what the peer says last is acknowledged too. */
  get isSettled(): boolean {
    return this.state === "lingering" && this.sender.isDone && !this.acknowledgementOwed;
  }

  // The application

  send(bytes: Uint8Array): void {
    if (this.state !== "open" || this.sender.end !== undefined) {
      this.tell({ kind: "released", connection: this.id, count: 1 });
      return;
    }
    this.sender.buffer.write(bytes, undefined);
    // Nothing at all waits for no acknowledgement.
    if (bytes.length === 0) this.#release();
  }

  finish(): void {
    if (this.state === "open") this.sender.end ??= "success";
  }

  /** Our stream fails where it is; nothing more is told. */
  abort(now: Instant): void {
    if (this.state !== "open") return;
    this.receiver.abandon();
    const isSaid = this.opener !== undefined && this.sender.fail();
    this.over(undefined, now);
    if (!isSaid && this.opener === undefined) this.leave();
  }

  pause(): void {
    this.receiver.isPaused = true;
  }

  resume(now: Instant): void {
    this.receiver.isPaused = false;
    if (this.state === "open") this.#deliver();
    this.#maybeOver(now);
  }

  // The network

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    if (this.state === "gone") return undefined;
    this.at = now;
    const transmit = this.#transmit;
    transmit.size = transmit.segmentSize = this.handshakePacket(into, now);
    transmit.to = this.remote;
    if (transmit.size > 0) return transmit;
    const max = this.messageMax;
    if (max === 0) return undefined;
    const full = blockFor(max);
    let segmentSize = 0;
    let size = 0;
    let last = 0;
    for (let count = 0; count < limits.batchPacketsMax; count++) {
      if (size + packetSizeMax + boxOverhead > into.length || size + packetSizeMax > limits.batchSizeMax) break;
      last = this.#packet(into, size, max, full, now);
      if (last === 0) break;
      segmentSize ||= last;
      size += last;
      // Only full packets are followed by others: none is longer, and one that is shorter is the last.
      if (!this.#wasFull || last < segmentSize) break;
    }
    if (size === 0) return undefined;
    transmit.size = size;
    transmit.segmentSize = segmentSize;
    return transmit;
  }

  #wasFull = false;

  #packet(into: Uint8Array, at: number, max: number, full: number, now: Instant): number {
    const { sender, receiver } = this;
    const isBlock = sender.cut(full, now);
    const isPing = !isBlock && (this.pingOwed || sender.wantsPing);
    if (!isBlock && !isPing && !this.acknowledgementOwed) return 0;
    if (this.counter >= limits.countersMax) {
      this.fail(curvecpFailure("counter-exhausted", "nonce", "all counters of this connection have been used"), now);
      return 0;
    }
    const size = isBlock ? sender.size : 0;
    const length = isBlock ? Math.min(max, messageSizeFor(size)) : acknowledgementSize;
    const boxAt = this.writeHead(into, at);
    const prefix = this.writePrefix(into, boxAt + boxOverhead);
    const messageAt = boxAt + boxOverhead + prefix;
    receiver.choose();
    const id = isBlock ? idOf(sender.sent(into, messageAt + length - size, now)) : isPing ? idOf(sender.ping(now)) : 0;
    const end = isBlock && sender.isEnd ? sender.end : undefined;
    writeMessage(into, messageAt, length, id, this.#answered, receiver, isBlock ? sender.position : 0, size, end);
    const nonce = this.sealNonce;
    writeU64(nonce, counterAtNonce, this.counter++);
    sealInPlace(this.sealer!, nonce, into, boxAt, prefix + length);
    this.#answered = 0;
    this.pingOwed = this.acknowledgementOwed = false;
    this.packetsSent++;
    this.lastSentAt = now;
    this.#wasFull = size === full;
    return messageAt + length - at;
  }

  /**
   * Opens a packet's box into `scratch` and answers the size of what was in it; -1 if it is dropped. Nothing changes but counts
   * unless it is authentic and new.
   */
  protected open(
    bytes: Uint8Array,
    counterAt: number,
    boxAt: number,
    end: number,
    nonce: Uint8Array,
    scratch: Uint8Array,
  ): number {
    if (!this.counters.mayAccept(bytes, counterAt)) return this.drop("replayed");
    for (let i = 0; i < counterSize; i++) nonce[counterAtNonce + i] = bytes[counterAt + i]!;
    if (!openInto(this.opener!, nonce, bytes, boxAt, end - boxAt, scratch)) return this.drop("bad-box");
    this.counters.accept(bytes, counterAt);
    this.packetsReceived++;
    return end - boxAt - boxOverhead;
  }

  /** A message that proved authentic. */
  protected message(bytes: Uint8Array, at: number, length: number, now: Instant): void {
    this.lastHeardAt = now;
    if (!view.read(bytes, at, length)) {
      this.drop("malformed-message");
      return;
    }
    const { sender, receiver } = this;
    sender.acknowledge(view, now);
    const reception = receiver.receive(view, bytes);
    if (reception !== "taken") this.drop(reception);
    if (reception !== "malformed-message" && view.id !== 0) {
      this.acknowledgementOwed = true;
      // What was not taken is not said to have come; only that we live.
      if (reception === "taken") this.#answered = view.id;
    }
    this.#release();
    this.#deliver();
    if (receiver.end === "failure" && this.state === "open") {
      receiver.abandon();
      const why = "the peer ended its stream with failure";
      const cause = networkFailure("reset", why);
      this.fail(curvecpFailure("peer-failed", "message", why, { byPeer: true, cause }), now);
    }
    this.#maybeOver(now);
  }

  deadline(): Instant | undefined {
    let at = this.#lingerUntil;
    const sending = this.sender.deadline();
    if (sending !== undefined && sending < at) at = sending;
    const own = this.state === "open" ? this.ownDeadline() : undefined;
    if (own !== undefined && own < at) at = own;
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  wake(now: Instant): void {
    if (this.state === "gone") return;
    this.at = now;
    if (this.state === "lingering") {
      if (now >= this.#lingerUntil) this.leave();
      else this.sender.wake(now);
      return;
    }
    const isHeard = this.sender.wake(now);
    const { sender, receiver } = this;
    if (receiver.isAtEnd && sender.onlyEndIsLeft && sender.timeouts >= endTimeoutsMax) {
      // It has said all and has all: the reference exits then, and leaves our end unacknowledged.
      this.over(undefined, now);
    } else if (!isHeard) this.fail(curvecpFailure("connection-lost", "message", "the peer has fallen silent"), now);
    else this.ownWake(now);
  }

  /** The port has changed, and what was under way may be gone with the old one. */
  portMoved(now: Instant): void {
    if (this.state !== "open" || this.opener === undefined) return;
    this.acknowledgementOwed = true;
    this.sender.moved(now);
  }

  fail(failure: CurveCpFailure, now: Instant): void {
    if (this.state !== "open") return;
    this.sender.fail();
    this.over(failure, now);
    if (this.opener === undefined || failure.reason === "counter-exhausted") this.leave();
  }

  /** Nothing more is kept of it. */
  leave(): void {
    if (this.state === "gone") return;
    if (this.state === "open") this.tell({ kind: "over", connection: this.id, failure: undefined });
    this.state = "gone";
    this.sealer?.destroy();
    this.opener?.destroy();
    this.sealer = this.opener = undefined;
    this.wipe();
    this.tell({ kind: "gone", connection: this.id });
  }

  protected wipe(): void {}

  protected over(failure: CurveCpFailure | undefined, now: Instant): void {
    this.#release();
    this.state = "lingering";
    this.trace("over", { reason: failure?.reason });
    this.#lingerUntil = now + lingerMs;
    this.tell({ kind: "over", connection: this.id, failure });
  }

  /** Is `to` another place than where the peer was? Then it is there now, and is told. */
  protected moveTo(to: SocketAddress, now: Instant): void {
    const from = this.remote;
    this.remote = { ...to };
    this.trace("moved", { from, to: this.remote });
    this.sender.moved(now);
    if (this.state === "open") this.tell({ kind: "moved", connection: this.id, from, to: this.remote });
  }

  drop(reason: DropReason): -1 {
    this.drops[reason]++;
    this.trace("dropped", { reason });
    return -1;
  }

  /** The time of what is being done, for what tells of it. */
  protected at: Instant;

  protected trace(name: string, data: Readonly<Record<string, unknown>> = {}): void {
    const { trace } = this.options;
    trace?.({ at: this.at, protocol: "CurveCP", name: `curvecp:${name}`, data: { connection: this.id, ...data } });
  }

  /** Writes that nothing holds any more are the writer's again. */
  #release(): void {
    let count = 0;
    while (this.sender.buffer.letGo()) count++;
    if (count > 0) this.tell({ kind: "released", connection: this.id, count });
  }

  #deliver(): void {
    if (this.state !== "open") {
      this.receiver.abandon();
      return;
    }
    const { receiver } = this;
    for (let bytes = receiver.take(); bytes !== undefined; bytes = receiver.take()) {
      this.bytesReceived += bytes.length;
      this.tell({ kind: "data", connection: this.id, bytes });
    }
    if (receiver.isAtEnd && !receiver.isPaused && receiver.end === "success" && !this.#endTold) {
      this.#endTold = true;
      this.tell({ kind: "ended", connection: this.id });
    }
  }

  #maybeOver(now: Instant): void {
    if (this.state === "open" && this.#endTold && this.sender.isDone) this.over(undefined, now);
  }
}

/** One message at a time is read. */
const view = new MessageView();

/** Memory into which boxes are opened, the longest with its tag: used until the call that opened one returns. */
export const scratch = new Uint8Array(packetSizeMax);
