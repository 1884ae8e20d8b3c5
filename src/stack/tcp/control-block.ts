import type { Failure, Instant, TcpExtension } from "../../contract/index.js";
import { receiveWindowDefault, segmentSizeMin, timeWaitMs, userTimeoutDefaultMs } from "../limits.js";
import type { TcpConnection } from "./connection.js";
import type { TcpEnvironment, TcpNegotiated, TcpOptions } from "./interfaces.js";
import { KeepAlive } from "./keep-alive.js";
import { PacketWriter } from "./packet-writer.js";
import { Receiver, windowShift } from "./receiver.js";
import { Sender } from "./sender.js";
import { follow, type TcpState, type TcpTransition } from "./states.js";
import { Timestamps } from "./timestamps.js";
import type { TcpTuple } from "./tuple-map.js";

/** What the parts of one connection share (RFC 9293 §3.3.1, the Transmission Control Block), and the steps of its life. */
export class ControlBlock {
  readonly connection: TcpConnection;
  readonly tuple: TcpTuple;
  readonly env: TcpEnvironment;
  /** What a layer above negotiates by an option of its own, if one does. */
  readonly extension: TcpExtension | undefined;
  readonly sender: Sender;
  receiver: Receiver | undefined;
  state: TcpState = "closed";
  readonly writer: PacketWriter;
  readonly receiveWindow: number;

  // Agreed on by the SYNs
  sack = true;
  ecn: boolean;
  readonly scaleOffered: number;
  readonly timestamps: Timestamps;

  sendSyn = false;
  /** Sequence number of a reset to be sent. */
  reset: number | undefined;
  echoCongestion = false;
  reduced = false;
  userTimeoutMs = userTimeoutDefaultMs;
  readonly keepAlive = new KeepAlive();
  timeWaitUntil: Instant | undefined;
  openBy: Instant | undefined;
  overMark = false;
  /** Offset behind the byte that is pushed; zero for none. */
  pushBefore = 0;
  softError: Failure | undefined;
  dscp = 0;

  constructor(
    connection: TcpConnection,
    tuple: TcpTuple,
    initial: number,
    timestampOffset: number,
    env: TcpEnvironment,
    options: TcpOptions,
  ) {
    this.connection = connection;
    this.tuple = tuple;
    this.env = env;
    this.extension = options.extension?.();
    this.timestamps = new Timestamps(timestampOffset);
    this.writer = new PacketWriter(tuple);
    this.receiveWindow = options.receiveWindow ?? receiveWindowDefault;
    this.scaleOffered = windowShift(this.receiveWindow);
    this.ecn = options.ecn ?? true;
    this.sender = new Sender(initial, this.segmentSize(this.ourMss), env.controller);
    this.sender.noDelay = options.noDelay ?? true;
  }

  get isClosed(): boolean {
    return this.state === "closed";
  }

  /** There is something to send. */
  ready(): void {
    this.env.ready(this.connection);
  }

  /** Do both ends know each other (§3.3.2)? */
  get synchronized(): boolean {
    return this.state !== "closed" && this.state !== "synSent" && this.state !== "synReceived";
  }

  /** Has it perhaps something to send? */
  wantsToSend(): boolean {
    return (
      this.sendSyn ||
      this.reset !== undefined ||
      this.keepAlive.wanted ||
      this.receiver?.ackNow === true ||
      (this.synchronized && (this.sender.flight.hasLost || this.sender.next <= this.sender.dataEnd))
    );
  }

  /** What the SYNs agree on. */
  negotiate(peer: TcpNegotiated, now: Instant): void {
    this.receiver = new Receiver(peer.initial, this.receiveWindow, this.ourMss);
    this.timestamps.begin(peer.timestamp, now);
    this.sack = peer.sackPermitted;
    this.ecn = this.ecn && peer.ecn;
    // RFC 7323 §2.2: both sides send it, or neither uses it.
    if (peer.windowScale !== undefined) {
      this.sender.scale = peer.windowScale;
      this.receiver.scale = this.scaleOffered;
    }
    const size = this.segmentSize(Math.min(peer.mss, this.ourMss));
    if (size !== this.sender.segmentSize) this.sender.setSegmentSize(size);
  }

  /** Our SYN was acknowledged. */
  establish(now: Instant): void {
    this.step("acknowledged");
    this.established(now);
  }

  established(now: Instant): void {
    this.openBy = undefined;
    this.keepAlive.heard(now);
    this.env.told({ kind: "opened", connection: this.connection });
    if (this.sender.finishing && this.state === "established") this.step("finish");
    this.ready();
  }

  /** A step of Figure 5 that tells nobody anything. */
  step(step: TcpTransition): void {
    const next = follow(this.state, step);
    if (next !== undefined) this.state = next;
  }

  /** A state that ends something. */
  enter(state: TcpState, now: Instant): void {
    this.state = state;
    if (state !== "timeWait") return;
    // Both directions are done: for the application it is over, and what remains is for stray segments.
    this.timeWaitUntil = now + timeWaitMs;
    this.release();
    this.env.told({ kind: "closed", connection: this.connection, failure: undefined });
  }

  /** It is over; the application is told unless it has been. */
  close(problem: Failure | undefined): void {
    const told = this.state === "timeWait";
    this.state = "closed";
    this.release();
    if (!told) this.env.told({ kind: "closed", connection: this.connection, failure: problem });
    this.ready();
  }

  release(): void {
    this.sender.stop();
    this.receiver?.clear();
  }

  /** The MSS that we tell, by what our side of the way carries. */
  get ourMss(): number {
    return this.env.mtu(this.tuple.remote) - this.writer.headerSize - 20;
  }

  /** Payload that fits a segment of this MSS beside the timestamps (RFC 6691). */
  segmentSize(mss: number): number {
    return Math.max(segmentSizeMin, mss) - (this.timestamps.agreed ? 12 : 0);
  }
}
