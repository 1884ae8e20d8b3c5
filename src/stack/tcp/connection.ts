import type { Failure, Instant, TcpExtension } from "../../contract/index.js";
import { halfOpenTimeoutMs, openTimeoutDefaultMs, sendBufferSize } from "../limits.js";
import { Arrival } from "./arrival.js";
import { ControlBlock } from "./control-block.js";
import { Departure } from "./departure.js";
import type { TcpEnvironment, TcpNegotiated, TcpOptions } from "./interfaces.js";
import type { Segment } from "./segment.js";
import type { Sender } from "./sender.js";
import type { TcpState } from "./states.js";
import { Timers } from "./timers.js";
import type { TcpTuple } from "./tuple-map.js";

/**
 * One TCP connection (RFC 9293) under the drain law: segments and time in, packets and events out. What its user asks of it is
 * here; what segments do is in `arrival.ts`, what is sent in `departure.ts`, what time does in `timers.ts`, and what they share in
 * `control-block.ts`.
 */
export class TcpConnection {
  readonly #tcb: ControlBlock;
  readonly #arrival: Arrival;
  readonly #departure: Departure;
  readonly #timers: Timers;

  constructor(
    tuple: TcpTuple,
    initial: number,
    timestampOffset: number,
    env: TcpEnvironment,
    options: TcpOptions = {},
  ) {
    const tcb = new ControlBlock(this, tuple, initial, timestampOffset, env, options);
    this.#tcb = tcb;
    this.#arrival = new Arrival(tcb);
    this.#departure = new Departure(tcb);
    this.#timers = new Timers(tcb);
  }

  get tuple(): TcpTuple {
    return this.#tcb.tuple;
  }

  get sender(): Sender {
    return this.#tcb.sender;
  }

  /** What a layer above negotiates by an option of its own, if one does. */
  get extension(): TcpExtension | undefined {
    return this.#tcb.extension;
  }

  get state(): TcpState {
    return this.#tcb.state;
  }

  get isClosed(): boolean {
    return this.#tcb.isClosed;
  }

  set dscp(value: number) {
    this.#tcb.dscp = value;
  }

  get noDelay(): boolean {
    return this.#tcb.sender.noDelay;
  }

  set noDelay(value: boolean) {
    const tcb = this.#tcb;
    tcb.sender.noDelay = value;
    tcb.ready();
  }

  set userTimeoutMs(value: number) {
    this.#tcb.userTimeoutMs = value;
  }

  /** Zero turns probing off. */
  setKeepAlive(ms: number, now: Instant): void {
    this.#tcb.keepAlive.set(ms, now);
  }

  /** Bytes that have not been sent yet. */
  get queued(): number {
    return this.#tcb.sender.unsent;
  }

  /** Sends a SYN. */
  open(now: Instant): void {
    const tcb = this.#tcb;
    tcb.step("open");
    tcb.openBy = now + openTimeoutDefaultMs;
    tcb.sendSyn = true;
    tcb.ready();
  }

  /** Takes up a peer's SYN and answers it, or, with a cookie, the connection that it stands for. */
  accept(peer: TcpNegotiated, now: Instant, fromCookie: boolean): void {
    const tcb = this.#tcb;
    tcb.step("accept");
    tcb.negotiate(peer, now);
    if (fromCookie) {
      tcb.sender.next = tcb.sender.una = 1;
      tcb.receiver!.advertise(false);
      tcb.establish(now);
    } else {
      tcb.openBy = now + halfOpenTimeoutMs;
      tcb.sendSyn = true;
      tcb.ready();
    }
  }

  /** Queues bytes. False if the buffer is over its mark: hold back until `drained`. */
  write(bytes: Uint8Array, released?: () => void): boolean {
    const tcb = this.#tcb;
    tcb.sender.buffer.push(bytes, released);
    tcb.ready();
    tcb.overMark = tcb.sender.buffer.size >= sendBufferSize;
    return !tcb.overMark;
  }

  /** Whatever segment carries the last byte written so far has PSH set, also when more follows in it. */
  push(): void {
    const tcb = this.#tcb;
    tcb.pushBefore = tcb.sender.dataEnd;
  }

  /** Ends our direction behind what is queued. */
  finish(): void {
    const tcb = this.#tcb;
    if (tcb.sender.finishing || tcb.isClosed) return;
    tcb.sender.finishing = true;
    // Before the connection stands, the FIN waits for it.
    if (!tcb.synchronized) return;
    tcb.step("finish");
    tcb.ready();
  }

  /** The application has read this much, so the peer may send more. */
  consumed(size: number): void {
    const tcb = this.#tcb;
    const receiver = tcb.receiver;
    if (receiver?.consumed(size) && tcb.synchronized) {
      receiver.ackNow = true;
      tcb.ready();
    }
  }

  /** Ends it with a reset, if the peer knows of it. */
  abort(): void {
    const tcb = this.#tcb;
    if (tcb.isClosed) return;
    if (tcb.state !== "synSent" && tcb.state !== "timeWait") tcb.reset = tcb.sender.sequenceOf(tcb.sender.next);
    tcb.close(undefined);
  }

  /** One segment that belongs to this connection and whose checksum is right. */
  segment(segment: Segment, bytes: Uint8Array, ecn: number, now: Instant): void {
    this.#arrival.segment(segment, bytes, ecn, now);
  }

  /** Hands on the options that the stack does not know; a listener does so for the SYN. */
  takeExtras(segment: Segment, bytes: Uint8Array, now: Instant): void {
    this.#arrival.takeExtras(segment, bytes, now);
  }

  /** ICMP says that the way is too narrow for our packets. */
  narrow(mtu: number, quotedSequence: number): void {
    this.#arrival.narrow(mtu, quotedSequence);
  }

  /** An ICMP error: it ends an attempt to connect, and is only remembered after that (RFC 5461). */
  unreachable(problem: Failure, quotedSequence: number): Failure | undefined {
    return this.#arrival.unreachable(problem, quotedSequence);
  }

  /** Writes one IP packet at `at` and answers its size; zero if there is nothing to send now. */
  pull(into: Uint8Array, at: number, now: Instant): number {
    return this.#departure.pull(into, at, now);
  }

  deadline(): Instant | undefined {
    return this.#timers.deadline();
  }

  wake(now: Instant): void {
    this.#timers.wake(now);
  }
}
