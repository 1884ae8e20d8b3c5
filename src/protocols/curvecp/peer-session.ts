import {
  type Failure,
  type Instant,
  type PeerIdentity,
  requireInterface,
  type SocketAddress,
} from "../../contract/index.js";
import type { Connection } from "./connection.js";
import { type CurveCpFailure, curvecpFailure, noDrops } from "./failure.js";
import { writeQueueLow, writeQueueMark } from "./limits.js";
import type { CurveCpOutcome } from "./options.js";
import { curvecpProfile } from "./profile.js";
import type { CurveCpSession, CurveCpSink, CurveCpStatistics } from "./session.js";
import type { Station } from "./station.js";
import type { ConnectionEvent } from "./vocabulary.js";

/** One session as the application holds it. */
export class PeerSession implements CurveCpSession {
  readonly protocol = "CurveCP";
  readonly role: "client" | "server";
  readonly confirmed: Promise<CurveCpOutcome>;
  sink: CurveCpSink;
  readonly #station: Station;
  readonly #number: number;
  readonly #movedCalls = new Set<(move: { readonly at: Instant }) => void>();
  readonly #released: ((() => void) | undefined)[] = [];
  #remote: SocketAddress;
  #outcome: CurveCpOutcome | undefined;
  #failure: CurveCpFailure | undefined;
  #resolve!: (outcome: CurveCpOutcome) => void;
  #reject!: (failure: unknown) => void;
  #isClosed = false;
  #isAborted = false;
  #isUnref = false;
  #wantsDrain = false;
  #written = 0;
  #confirmedAt: Instant | undefined;
  /** Until it is over. */
  #connection: Connection | undefined;
  /** What is left to say then. */
  #last: CurveCpStatistics | undefined;

  constructor(station: Station, role: "client" | "server", number: number, remote: SocketAddress, sink: CurveCpSink) {
    this.role = role;
    this.sink = sink;
    this.#station = station;
    this.#number = number;
    this.#remote = remote;
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined); // nobody has to await it
  }

  /** The machine has begun it. */
  attach(connection: Connection | undefined): this {
    this.#connection = connection;
    return this;
  }

  get outcome(): CurveCpOutcome | undefined {
    return this.#outcome;
  }

  get peer(): PeerIdentity | undefined {
    return this.#outcome?.peer;
  }

  get failure(): CurveCpFailure | undefined {
    return this.#failure;
  }

  get local(): SocketAddress {
    const port = this.#station.driver.ports.at(-1);
    if (port === undefined) throw new TypeError("the session stands on no port yet");
    return port.local;
  }

  get remote(): SocketAddress {
    return this.#connection?.remote ?? this.#remote;
  }

  /** Bytes that were written and are to be sent, or sent again. */
  get queued(): number {
    return this.#connection?.sender.queued ?? 0;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#isClosed) {
      released?.();
      return true;
    }
    this.#released.push(released);
    this.#written += bytes.length;
    this.#station.driver.give({ kind: "send", connection: this.#number, bytes });
    if (this.queued < writeQueueMark) return true;
    this.#wantsDrain = true;
    return false;
  }

  finish(): void {
    this.#station.driver.give({ kind: "finish", connection: this.#number });
  }

  abort(): void {
    this.#isAborted = true;
    this.#station.driver.give({ kind: "abort", connection: this.#number });
  }

  pause(): void {
    this.#station.driver.give({ kind: "pause", connection: this.#number });
  }

  resume(): void {
    this.#station.driver.give({ kind: "resume", connection: this.#number });
  }

  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs", value: number): boolean {
    return option === "dscp" && (this.#station.driver.ports.at(-1)?.set(option, value) ?? false);
  }

  ref(): void {
    this.#isUnref = false;
    this.#station.driver.ports.at(-1)?.ref();
  }

  unref(): void {
    this.#isUnref = true;
    this.#station.driver.ports.at(-1)?.unref();
  }

  onMoved(call: (move: { readonly at: Instant }) => void): Disposable {
    requireInterface(curvecpProfile, "ME");
    this.#movedCalls.add(call);
    return { [Symbol.dispose]: () => void this.#movedCalls.delete(call) };
  }

  async migrate(local?: SocketAddress): Promise<void> {
    if (this.role === "server") throw curvecpFailure("misuse", "migrate", "only a client goes elsewhere");
    const from = this.local;
    await this.#station.shared.rebind(local);
    if (this.#isUnref) this.unref();
    this.#station.driver.handle({ kind: "moved", connection: this.#number });
    this.#moved(from, this.local);
  }

  get statistics(): CurveCpStatistics {
    return this.#last ?? this.#count();
  }

  // What the station says

  tell(event: ConnectionEvent): void {
    if (this.#isClosed) return;
    switch (event.kind) {
      case "data":
        this.sink.bytes(event.bytes);
        break;
      case "released":
        for (let i = 0; i < event.count; i++) this.#released.shift()?.();
        break;
      case "confirmed":
        this.#outcome = event.outcome;
        this.#confirmedAt = this.#station.now();
        this.#resolve(event.outcome);
        this.sink.opened?.();
        this.sink.confirmed?.(event.outcome, this);
        break;
      case "ended":
        this.sink.ended();
        break;
      case "moved":
        this.#moved(event.from, event.to);
        break;
      case "over":
        this.#over(event.failure);
        break;
      case "gone":
        break;
    }
  }

  /** The machine has sent what it could. */
  drained(): void {
    if (!this.#wantsDrain || this.#isClosed || this.queued > writeQueueLow) return;
    this.#wantsDrain = false;
    this.sink.drained();
  }

  softError(cause: Failure): void {
    if (this.#outcome !== undefined || this.#isClosed) {
      this.sink.softError?.(cause);
      return;
    }
    const { address, port } = this.#remote;
    this.abortWith(curvecpFailure("no-answer", "Hello", `nobody listens at ${address}, port ${port}`, { cause }));
  }

  /** Ends it here, for a reason that the machine does not know. */
  abortWith(failure: CurveCpFailure): void {
    this.#over(failure);
    this.#station.driver.give({ kind: "abort", connection: this.#number });
  }

  /** The port is gone. */
  lost(failure: CurveCpFailure | undefined): void {
    this.#over(failure);
  }

  #moved(from: SocketAddress, to: SocketAddress): void {
    this.sink.moved?.(from, to);
    for (const call of [...this.#movedCalls]) call({ at: this.#station.now() });
  }

  #over(failure: CurveCpFailure | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = this.#isAborted ? undefined : failure;
    this.#last = this.#count();
    this.#remote = this.remote;
    this.#connection = undefined;
    if (this.#outcome === undefined) {
      this.#reject(failure ?? curvecpFailure("connection-lost", "handshake", "the session ended before it began"));
    }
    // What is not acknowledged never will be, and is the writer's again.
    for (const released of this.#released.splice(0)) released?.();
    this.sink.closed(this.#failure);
  }

  #count(): CurveCpStatistics {
    const connection = this.#connection;
    const sender = connection?.sender;
    return {
      bytesSent: this.#written - (sender?.unsent ?? 0),
      bytesReceived: connection?.bytesReceived ?? 0,
      packetsSent: connection?.packetsSent ?? 0,
      packetsReceived: connection?.packetsReceived ?? 0,
      retransmissions: sender?.retransmissions ?? 0,
      rttMs: sender?.rtt.sampled ? sender.rtt.smoothedMs : undefined,
      congestionControl: sender?.controllerName ?? "",
      confirmedAt: this.#confirmedAt,
      drops: { ...(connection?.drops ?? noDrops()) },
    };
  }
}
