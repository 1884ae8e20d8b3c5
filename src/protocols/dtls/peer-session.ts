import {
  type Failure,
  type Instant,
  type PeerIdentity,
  requireInterface,
  type SocketAddress,
} from "../../contract/index.js";
import type { AnyOptions } from "../tls/answers.js";
import type { Association } from "./association/association.js";
import { type DtlsFailure, dtlsFailure, noDrops } from "./failure.js";
import { limits } from "./limits.js";
import type { DtlsOutcome } from "./options.js";
import { dtlsProfile } from "./profile.js";
import type { DtlsSession, DtlsSink, DtlsStatistics } from "./session.js";
import type { Load, Station } from "./station.js";
import type { AssociationEvent, DataEvent } from "./vocabulary.js";

/** One session as the application holds it; what it sends in one go leaves in one piece. */
export class PeerSession implements DtlsSession {
  readonly protocol = "DTLS";
  readonly role: "client" | "server";
  readonly confirmed: Promise<DtlsOutcome>;
  readonly options: AnyOptions;
  sink: DtlsSink;
  readonly #station: Station;
  readonly #number: number;
  readonly #movedCalls = new Set<(move: { readonly at: Instant }) => void>();
  #remote: SocketAddress;
  #outcome: DtlsOutcome | undefined;
  #failure: DtlsFailure | undefined;
  #resolve!: (outcome: DtlsOutcome) => void;
  #reject!: (failure: unknown) => void;
  #load: Load | undefined;
  #isClosed = false;
  #isUnref = false;
  #wantsWritable = false;
  #confirmedAt: Instant | undefined;
  /** What is left to say when the association is gone. */
  #last: DtlsStatistics | undefined;

  constructor(
    station: Station,
    role: "client" | "server",
    number: number,
    remote: SocketAddress,
    options: AnyOptions,
    sink: DtlsSink,
  ) {
    this.role = role;
    this.options = options;
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

  get outcome(): DtlsOutcome | undefined {
    return this.#outcome;
  }

  get peer(): PeerIdentity | undefined {
    return this.#outcome?.peer;
  }

  get failure(): DtlsFailure | undefined {
    return this.#failure;
  }

  get local(): SocketAddress {
    const port = this.#station.driver.ports.at(-1);
    if (port === undefined) throw new TypeError("the session stands on no port yet");
    return port.local;
  }

  get remote(): SocketAddress {
    return this.#remote;
  }

  get messageMax(): number {
    return this.#outcome === undefined ? 0 : (this.#association?.messageMax ?? 0);
  }

  get blocked(): boolean {
    const queued = (this.#association?.traffic.queued ?? 0) + (this.#load?.size ?? 0);
    return queued > blockedAbove || this.#station.driver.isFull;
  }

  send(bytes: Uint8Array, _to?: SocketAddress, segmentSize?: number): void {
    if (this.#isClosed) return;
    const step = segmentSize ?? bytes.length;
    for (let at = 0; at < bytes.length || (at === 0 && bytes.length === 0); at += Math.max(1, step)) {
      this.#put(bytes, at, Math.min(at + step, bytes.length));
    }
    if (this.blocked) this.#wantsWritable = true;
  }

  sendEarly(bytes: Uint8Array): void {
    this.#station.driver.handle({ kind: "send-early", association: this.#number, bytes });
  }

  close(): void {
    this.#flush();
    this.#station.driver.handle({ kind: "close", association: this.#number });
  }

  abort(): void {
    this.#station.driver.handle({ kind: "abort", association: this.#number });
  }

  updateKeys(options: { readonly requestPeer?: boolean } = {}): void {
    requireInterface(dtlsProfile, "KU");
    if (this.#requireConfirmed("updateKeys").version === "1.2") {
      throw dtlsFailure("misuse", "updateKeys", "DTLS 1.2 cannot change its keys", {
        hint: "allow DTLS 1.3 alone where key updates are needed",
      });
    }
    const requestPeer = options.requestPeer ?? false;
    this.#flush();
    this.#station.driver.handle({ kind: "update-keys", association: this.#number, requestPeer });
  }

  requestAuthentication(): void {
    this.#requireConfirmed("requestAuthentication");
    this.#station.driver.handle({ kind: "request-authentication", association: this.#number });
  }

  requestConnectionIds(count: number): void {
    this.#requireConfirmed("requestConnectionIds");
    this.#station.driver.handle({ kind: "request-connection-ids", association: this.#number, count });
  }

  renewConnectionId({ immediate = true }: { readonly immediate?: boolean } = {}): void {
    this.#requireConfirmed("renewConnectionId");
    this.#station.driver.handle({ kind: "renew-connection-id", association: this.#number, immediate });
  }

  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#handshake("exportKey").exportKey(label, length, context);
  }

  exportEarlyKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#handshake("exportEarlyKey").exportEarlyKey(label, length, context);
  }

  channelBinding(type: "tls-exporter" | "tls-unique" | "tls-server-end-point"): Uint8Array | undefined {
    return this.#handshake("channelBinding").channelBinding(type);
  }

  onMoved(call: (move: { readonly at: Instant }) => void): Disposable {
    requireInterface(dtlsProfile, "ME");
    this.#movedCalls.add(call);
    return { [Symbol.dispose]: () => void this.#movedCalls.delete(call) };
  }

  async migrate(local?: SocketAddress): Promise<void> {
    if (this.role === "server") throw dtlsFailure("misuse", "migrate", "only a client goes elsewhere");
    const moved = this.#station.shared.rebind(local);
    if (moved === undefined) throw dtlsFailure("misuse", "migrate", "what carries this session decides where it goes");
    await moved;
    if (this.#isUnref) this.unref();
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    return this.#station.driver.ports.at(-1)?.set(option, value) ?? false;
  }

  ref(): void {
    this.#isUnref = false;
    this.#station.driver.ports.at(-1)?.ref();
  }

  unref(): void {
    this.#isUnref = true;
    this.#station.driver.ports.at(-1)?.unref();
  }

  get statistics(): DtlsStatistics {
    return this.#last ?? this.#count();
  }

  // What the station says

  tell(event: AssociationEvent): void {
    switch (event.kind) {
      case "data":
        this.#data(event);
        break;
      case "confirmed":
        this.#outcome = event.outcome;
        this.#confirmedAt = this.#station.now();
        this.#resolve(event.outcome);
        this.sink.confirmed?.(event.outcome, this);
        break;
      case "early-data":
        if (event.status !== "offered" && this.role === "client") this.sink.earlyData?.(event.status);
        break;
      case "key-updated":
        this.sink.keyUpdated?.(event.direction, event.byPeer);
        break;
      case "authenticated":
        this.sink.authenticated?.(event.peer);
        break;
      case "ticket":
        this.sink.ticket?.();
        break;
      case "path-size":
        this.sink.messageMax?.(this.messageMax);
        break;
      case "moved":
        this.#remote = event.to;
        this.sink.moved?.(event.from, event.to);
        for (const call of [...this.#movedCalls]) call({ at: this.#station.now() });
        break;
      case "ended":
        this.#ended(event.failure);
        break;
      case "gone":
        break;
    }
  }

  writable(): void {
    if (!this.#wantsWritable || this.blocked || this.#isClosed) return;
    this.#wantsWritable = false;
    this.sink.writable?.();
  }

  softError(cause: Failure): void {
    // What is too large goes again smaller; it ends nothing.
    if (cause.reason === "message-too-big" || this.#outcome !== undefined || this.#isClosed) {
      this.sink.softError?.(cause);
      return;
    }
    const { address, port } = this.#remote;
    this.abortWith(
      dtlsFailure("connection-lost", "ClientHello", `nobody listens at ${address}, port ${port}`, { cause }),
    );
  }

  /** Ends it here, for a reason that the machine does not know. */
  abortWith(failure: DtlsFailure): void {
    this.#ended(failure);
    this.abort();
  }

  /** The port is gone. */
  lost(failure: DtlsFailure | undefined): void {
    this.#ended(failure);
  }

  #data({ bytes, ranges, count, early }: DataEvent): void {
    for (let i = 0; i < count && !this.#isClosed; i++) {
      const message = bytes.subarray(ranges[2 * i], ranges[2 * i + 1]);
      if (early) this.sink.earlyDatagram?.(message);
      else this.sink.datagrams(message, this.#remote, message.length, 0);
    }
  }

  #ended(failure: DtlsFailure | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = failure;
    this.#last = this.#count();
    if (this.#load !== undefined) this.#station.give(this.#load);
    this.#load = undefined;
    if (this.#outcome === undefined) {
      this.#reject(failure ?? dtlsFailure("connection-lost", "handshake", "the session ended before it began"));
    }
    this.sink.closed(failure);
  }

  // Sending: messages are gathered until the work at hand is over

  #put(bytes: Uint8Array, at: number, end: number): void {
    const size = end - at;
    let load = this.#load;
    if (load !== undefined && (load.size + size > load.bytes.length || load.count === load.ends.length)) {
      this.#flush();
      load = undefined;
    }
    if (load === undefined) {
      load = this.#load = this.#station.take();
      this.#station.host.soon(this.#flushSoon);
    }
    if (size > load.bytes.length) {
      this.#association?.drop("too-long");
      return;
    }
    load.bytes.set(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end), load.size);
    load.size += size;
    load.ends[load.count++] = load.size;
  }

  readonly #flushSoon = (): void => this.#flush();

  #flush(): void {
    const load = this.#load;
    if (load === undefined) return;
    this.#load = undefined;
    if (this.#isClosed) return;
    this.#station.driver.handle({ kind: "send", association: this.#number, batch: load });
    // What the port did not take yet stays in this memory.
    if ((this.#association?.traffic.queued ?? 0) === 0) this.#station.give(load);
    else this.#wantsWritable = true;
  }

  // What it stands on

  get #association(): Association | undefined {
    return this.#station.endpoint.association(this.#number);
  }

  #handshake(what: string): Association["handshake"] {
    const association = this.#association;
    if (association !== undefined) return association.handshake;
    throw dtlsFailure("misuse", what, "the session is over, and its secrets are wiped");
  }

  #requireConfirmed(what: string): DtlsOutcome {
    if (this.#outcome !== undefined && !this.#isClosed) return this.#outcome;
    throw dtlsFailure("misuse", what, "the session is not confirmed", { hint: "await `confirmed` first" });
  }

  #count(): DtlsStatistics {
    const association = this.#association;
    return {
      messagesSent: association?.traffic.messagesSent ?? 0,
      messagesReceived: association?.traffic.messagesReceived ?? 0,
      bytesSent: association?.traffic.bytesSent ?? 0,
      bytesReceived: association?.traffic.bytesReceived ?? 0,
      retransmissions: association?.retransmissions ?? 0,
      keyGenerationSent: association?.keyGenerationSent ?? 0,
      keyGenerationReceived: association?.keyGenerationReceived ?? 0,
      confirmedAt: this.#confirmedAt,
      drops: { ...(association?.drops ?? noDrops()) },
    };
  }
}

/** Bytes that wait before `blocked` says so: half of what may. */
const blockedAbove = limits.sendQueueMax / 2;
