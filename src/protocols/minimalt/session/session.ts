import {
  type Failure,
  type Instant,
  type PeerIdentity,
  requireInterface,
  type SessionStreamSink,
  type SocketAddress,
} from "../../../contract/index.js";
import { NumberMap } from "../../../mechanisms/number-map.js";
import { type MinimaltFailure, minimaltFailure, noDrops } from "../failure.js";
import type { MinimaltOutcome } from "../options.js";
import { minimaltProfile } from "../profile.js";
import type { MinimaltSession, MinimaltSink, MinimaltStatistics, OpenConnectionOptions } from "../session.js";
import type { Approach } from "../tunnel/client.js";
import type { Stream } from "../tunnel/stream.js";
import type { Tunnel } from "../tunnel/tunnel.js";
import type { TunnelEvent, TunnelInput } from "../vocabulary.js";
import { isName } from "../wire/rpc.js";
import type { Station } from "./station.js";
import { type StreamHome, StreamOfSession, silent } from "./stream.js";

const priorityDefault = 100;

/** A tunnel as the application holds it. */
export class SessionOfTunnel implements MinimaltSession, StreamHome {
  readonly protocol = "MinimaLT";
  readonly role: "client" | "server";
  readonly number: number;
  readonly confirmed: Promise<MinimaltOutcome>;
  readonly datagramMax = 0;
  sink: MinimaltSink;
  /** What stops a look-up that is under way. */
  giveUp: (() => void) | undefined;
  readonly #station: Station;
  readonly #movedCalls = new Set<(move: { readonly at: Instant }) => void>();
  readonly #streams = new NumberMap<StreamOfSession>();
  #remote: SocketAddress;
  #outcome: MinimaltOutcome | undefined;
  #failure: MinimaltFailure | undefined;
  #resolve!: (outcome: MinimaltOutcome) => void;
  #reject!: (failure: unknown) => void;
  #isClosed = false;
  #isUnref = false;
  /** Given before the tunnel was there. */
  #early: TunnelInput[] | undefined;
  #nextStream: number;
  #confirmedAt: Instant | undefined;
  #last: MinimaltStatistics | undefined;

  constructor(station: Station, role: "client" | "server", number: number, remote: SocketAddress, sink: MinimaltSink) {
    this.role = role;
    this.number = number;
    this.sink = sink;
    this.#station = station;
    this.#remote = remote;
    this.#early = role === "client" ? [] : undefined;
    this.#nextStream = role === "client" ? 1 : 2;
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined); // nobody has to await it
  }

  /** Client: all is known that a first packet needs. */
  begin(approach: Approach): void {
    if (this.#isClosed) return;
    this.giveUp = undefined;
    this.#remote = approach.to;
    this.#station.driver.give({ kind: "connect", tunnel: this.number, approach });
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const input of early) this.give(input);
  }

  get session(): MinimaltSession {
    return this;
  }

  get outcome(): MinimaltOutcome | undefined {
    return this.#outcome;
  }

  get peer(): PeerIdentity | undefined {
    return this.#outcome?.peer;
  }

  get failure(): MinimaltFailure | undefined {
    return this.#failure;
  }

  get local(): SocketAddress {
    const port = this.#station.driver.ports.at(-1);
    if (port === undefined) throw new TypeError("the session stands on no port yet");
    return port.local;
  }

  get remote(): SocketAddress {
    return this.#tunnel?.remote ?? this.#remote;
  }

  openStream(sink: SessionStreamSink, options: OpenConnectionOptions = {}): StreamOfSession {
    if (this.#isClosed) throw minimaltFailure("misuse", "openStream", "the session is closed");
    const { service = "", priority = priorityDefault, direction = "bidirectional" } = options;
    if (direction !== "bidirectional") throw minimaltFailure("misuse", "openStream", "connections go both ways");
    if (!isName(service)) {
      throw minimaltFailure("misuse", "openStream", "a service has at most 255 printable ASCII characters");
    }
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.give({ kind: "create", tunnel: this.number, connection: id, service, priority });
    const stream = new StreamOfSession(this, id, { byPeer: false, service, user: undefined }, sink);
    this.#streams.set(id, stream);
    if (this.#outcome !== undefined) this.#station.host.soon(() => stream.sink.opened?.());
    return stream;
  }

  /** MinimaLT has none. */
  sendDatagram(): boolean {
    return false;
  }

  close(): void {
    if (this.#early === undefined) this.give({ kind: "close", tunnel: this.number });
    else this.#end();
  }

  abort(): void {
    if (this.#early === undefined) this.give({ kind: "abort", tunnel: this.number });
    else this.#end();
  }

  updateKeys(): void {
    requireInterface(minimaltProfile, "KU");
    if (this.#outcome === undefined || this.#isClosed) throw tooEarly("updateKeys");
    this.give({ kind: "update-keys", tunnel: this.number });
  }

  exportKey(label: string, length: number, context: Uint8Array = new Uint8Array(0)): Uint8Array {
    requireInterface(minimaltProfile, "PSKE");
    const tunnel = this.#tunnel;
    if (tunnel === undefined || this.#outcome === undefined || this.#isClosed) throw tooEarly("exportKey");
    return tunnel.exportKey(label, length, context);
  }

  onMoved(call: (move: { readonly at: Instant }) => void): Disposable {
    requireInterface(minimaltProfile, "ME");
    this.#movedCalls.add(call);
    return { [Symbol.dispose]: () => void this.#movedCalls.delete(call) };
  }

  async migrate(local?: Partial<SocketAddress>): Promise<void> {
    if (this.role === "server") throw minimaltFailure("misuse", "migrate", "only a client goes elsewhere");
    if (this.#outcome === undefined || this.#isClosed) throw tooEarly("migrate");
    const from = this.local;
    await this.#station.shared.rebind(local);
    if (this.#isUnref) this.unref();
    this.#station.driver.handle({ kind: "moved", tunnel: this.number });
    this.#moved(from, this.local);
  }

  ref(): void {
    this.#isUnref = false;
    if (this.role === "client") for (const port of this.#station.driver.ports) port.ref();
  }

  unref(): void {
    this.#isUnref = true;
    if (this.role === "client") for (const port of this.#station.driver.ports) port.unref();
  }

  get statistics(): MinimaltStatistics {
    return this.#last ?? this.#count();
  }

  // For streams

  give(input: TunnelInput): void {
    if (this.#early !== undefined) this.#early.push(input);
    else this.#station.driver.give(input);
  }

  stream(id: number): Stream | undefined {
    return this.#tunnel?.connections.get(id);
  }

  /** Keep-alives are the tunnel's; DSCP is the port's, and only a client has that to itself. */
  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs", value: number): boolean {
    if (this.role === "server") return false;
    if (option === "keepAliveMs") this.give({ kind: "keep-alive", tunnel: this.number, ms: value });
    return (
      option === "keepAliveMs" ||
      (option === "dscp" && (this.#station.driver.ports.at(-1)?.set(option, value) ?? false))
    );
  }

  // What the station says

  tell(event: TunnelEvent): void {
    if (event.kind === "released") {
      event.released();
      return;
    }
    if (this.#isClosed) return;
    switch (event.kind) {
      case "created":
        this.#accept(event.connection, event.service, event.user);
        break;
      case "ended":
        this.#streams.get(event.connection)?.sink.ended();
        break;
      case "drained":
        this.#streams.get(event.connection)?.sink.drained();
        break;
      case "connection-over": {
        const stream = this.#streams.get(event.connection);
        this.#streams.delete(event.connection);
        if (event.isRefused) stream?.refused();
        else stream?.over();
        break;
      }
      case "confirmed":
        this.#outcome = event.outcome;
        this.#confirmedAt = this.#station.host.now();
        this.#resolve(event.outcome);
        this.sink.confirmed?.(event.outcome, this);
        for (const stream of this.#streams.values()) stream.sink.opened?.();
        break;
      case "key-updated":
        this.sink.keyUpdated?.(event.byPeer);
        break;
      case "moved":
        this.#moved(event.from, event.to);
        break;
      case "over":
        this.#end(event.failure);
        break;
    }
  }

  /** @param bytes of one stream, in memory of their reader's own */
  read(id: number, bytes: Uint8Array): void {
    if (!this.#isClosed) this.#streams.get(id)?.sink.bytes(bytes);
  }

  softError(cause: Failure): void {
    if (this.#isClosed) return;
    if (this.#outcome !== undefined || cause.reason !== "refused-connection") {
      this.sink.softError?.(cause);
      return;
    }
    const { address, port } = this.#remote;
    this.abortWith(minimaltFailure("no-answer", "handshake", `nobody listens at ${address}, port ${port}`, { cause }));
  }

  /** Ends it here, for a reason that the machine does not know. */
  abortWith(failure: MinimaltFailure): void {
    const isBegun = this.#early === undefined;
    this.#end(failure);
    if (isBegun) this.#station.driver.give({ kind: "abort", tunnel: this.number });
  }

  get #tunnel(): Tunnel | undefined {
    return this.#station.endpoint.tunnel(this.number);
  }

  #accept(connection: number, service: string, user: Uint8Array | undefined): void {
    const stream = new StreamOfSession(this, connection, { byPeer: true, service, user }, silent);
    const sink = this.sink.stream(stream);
    if (sink === undefined) {
      stream.abort();
      return;
    }
    stream.sink = sink;
    this.#streams.set(connection, stream);
    sink.opened?.();
  }

  #moved(from: SocketAddress, to: SocketAddress): void {
    this.sink.moved?.(from, to);
    for (const call of [...this.#movedCalls]) call({ at: this.#station.host.now() });
  }

  #end(failure?: MinimaltFailure): void {
    if (this.#isClosed) return;
    this.#last = this.#count();
    this.#remote = this.remote;
    this.#isClosed = true;
    this.#failure = failure;
    const why = failure ?? minimaltFailure("connection-lost", "handshake", "the session ended before it began");
    if (this.#outcome === undefined) this.#reject(why);
    for (const input of this.#early ?? []) if (input.kind === "write") input.released?.();
    const wasEarly = this.#early !== undefined;
    this.#early = undefined;
    this.giveUp?.();
    for (const stream of this.#streams.values()) stream.over(failure);
    this.#streams.clear();
    this.sink.closed(failure);
    if (wasEarly) this.#station.forget(this.number);
  }

  #count(): MinimaltStatistics {
    const tunnel = this.#tunnel;
    const recovery = tunnel?.recovery;
    return {
      bytesSent: tunnel?.connections.outgoing.bytesSent ?? 0,
      bytesReceived: tunnel?.connections.bytesReceived ?? 0,
      packetsSent: tunnel?.packetsSent ?? 0,
      packetsReceived: tunnel?.packetsReceived ?? 0,
      packetsLost: recovery?.packetsLost ?? 0,
      retransmissions: tunnel?.connections.outgoing.retransmissions ?? 0,
      rttMs: recovery?.rtt.sampled ? recovery.rtt.smoothedMs : undefined,
      congestionControl: recovery?.controller.name ?? "",
      congestionWindow: recovery?.controller.window ?? 0,
      keyGeneration: tunnel?.keyGeneration ?? 0,
      confirmedAt: this.#confirmedAt,
      drops: { ...(tunnel?.drops ?? noDrops()) },
    };
  }
}

const tooEarly = (what: string): MinimaltFailure =>
  minimaltFailure("misuse", what, "the session is not confirmed, or closed", { hint: "await `confirmed` first" });
