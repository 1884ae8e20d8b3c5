import {
  type Host,
  type Instant,
  type PeerIdentity,
  requireInterface,
  type SocketAddress,
  type StreamPort,
  type StreamSink,
} from "../../contract/index.js";
import { StreamDriver } from "../../mechanisms/driver/index.js";
import { type AnyOptions, answerQuestion, scopeOf } from "./answers.js";
import { type TlsFailure, tlsFailure } from "./failure.js";
import { limits, lingerMs } from "./limits.js";
import { type TlsEvent, type TlsInput, type TlsMachine, tlsClient, tlsServer } from "./machine.js";
import type { TlsClientOptions, TlsOutcome, TlsServerOptions } from "./options.js";
import { dialects } from "./parameters/dialect.js";
import { tlsProfile } from "./profile.js";
import type { TlsSession, TlsSink, TlsStatistics } from "./session.js";

/** A session on a stream: give `lower` to the network as the stream's sink, and the stream to `attach`. */
export class StreamSession implements TlsSession {
  readonly protocol = "TLS";
  readonly role: "client" | "server";
  readonly confirmed: Promise<TlsOutcome>;
  readonly #host: Host;
  readonly #machine: TlsMachine;
  readonly #driver: StreamDriver<TlsInput, TlsEvent>;
  readonly #released: ((() => void) | undefined)[] = [];
  #sink: TlsSink;
  #outcome: TlsOutcome | undefined;
  #failure: TlsFailure | undefined;
  #resolve!: (outcome: TlsOutcome) => void;
  #reject!: (failure: unknown) => void;
  #finished = false;
  #ended = false;
  #aborted = false;
  #isClosed = false;
  #wantsDrain = false;
  #openedAt: Instant | undefined;
  #confirmedAt: Instant | undefined;

  static client(host: Host, options: TlsClientOptions, sink: TlsSink): StreamSession {
    const whole = { keyLog: host.keyLog, trace: host.trace, ...options };
    return new StreamSession(host, "client", whole, tlsClient(host, whole), sink);
  }

  static server(host: Host, options: TlsServerOptions, sink: TlsSink): StreamSession {
    const whole = { keyLog: host.keyLog, trace: host.trace, ...options };
    return new StreamSession(host, "server", whole, tlsServer(host, whole), sink);
  }

  private constructor(host: Host, role: "client" | "server", options: AnyOptions, machine: TlsMachine, sink: TlsSink) {
    this.role = role;
    this.#host = host;
    this.#sink = sink;
    this.#machine = machine;
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined); // nobody has to await it
    this.#driver = new StreamDriver<TlsInput, TlsEvent>(host, machine, {
      event: (event) => this.#tell(event),
      answer: (question, signal) => {
        const remote = this.#driver.remote;
        const scope = scopeOf(options, remote?.address ?? "", remote?.port ?? 0);
        const by = { options, crypto: host.crypto, dialect: dialects.tls, scope };
        return answerQuestion(question, by, signal);
      },
      writable: () => this.#drained(),
      softError: (failure) => this.#sink.softError?.(failure),
      closed: (failure) => this.#closed(failure as TlsFailure | undefined),
    });
  }

  /** What the stream below tells goes here. */
  get lower(): StreamSink {
    return this.#driver;
  }

  attach(port: StreamPort): this {
    this.#driver.attach(port);
    this.#openedAt = this.#host.now();
    return this;
  }

  /** Another sink, for a listener's `accept`, which makes the session before its sink. */
  set sink(sink: TlsSink) {
    this.#sink = sink;
  }

  get outcome(): TlsOutcome | undefined {
    return this.#outcome;
  }

  get peer(): PeerIdentity | undefined {
    return this.#outcome?.peer;
  }

  get failure(): TlsFailure | undefined {
    return this.#failure;
  }

  get local(): SocketAddress {
    return this.#port.local;
  }

  get remote(): SocketAddress {
    return this.#port.remote;
  }

  get queued(): number {
    return this.#machine.queued + (this.#driver.port?.queued ?? 0);
  }

  get earlyDataLeft(): number {
    return this.#machine.earlyDataLeft;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    return this.#send({ kind: "send", bytes }, released);
  }

  writeEarly(bytes: Uint8Array, released?: () => void): boolean {
    return this.#send({ kind: "send-early", bytes }, released);
  }

  finish(): void {
    this.#driver.handle({ kind: "close" });
  }

  close(): void {
    this.finish();
  }

  abort(): void {
    this.#aborted = true;
    this.#driver.abort();
  }

  pause(): void {
    this.#driver.pause();
  }

  resume(): void {
    this.#driver.resume();
  }

  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs", value: number): boolean {
    return this.#port.set(option, value);
  }

  ref(): void {
    this.#port.ref();
  }

  unref(): void {
    this.#port.unref();
  }

  updateKeys(options: { readonly requestPeer?: boolean } = {}): void {
    requireInterface(tlsProfile, "KU");
    this.#requireConfirmed("updateKeys");
    this.#driver.handle({ kind: "update-keys", requestPeer: options.requestPeer ?? false });
  }

  requestAuthentication(): void {
    this.#requireConfirmed("requestAuthentication");
    this.#driver.handle({ kind: "request-authentication" });
  }

  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#machine.handshake.exportKey(label, length, context);
  }

  exportEarlyKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#machine.handshake.exportEarlyKey(label, length, context);
  }

  channelBinding(type: "tls-exporter" | "tls-unique" | "tls-server-end-point"): Uint8Array | undefined {
    return this.#machine.handshake.channelBinding(type);
  }

  get statistics(): TlsStatistics {
    const machine = this.#machine;
    return {
      bytesSent: machine.bytesSent,
      bytesReceived: machine.bytesReceived,
      recordsSent: machine.recordsSent,
      recordsReceived: machine.recordsReceived,
      keyGenerationSent: machine.keyGenerationSent,
      keyGenerationReceived: machine.keyGenerationReceived,
      openedAt: this.#openedAt,
      confirmedAt: this.#confirmedAt,
    };
  }

  #requireConfirmed(what: string): void {
    if (this.#outcome !== undefined && this.#failure === undefined) return;
    throw tlsFailure("misuse", what, "the session is not confirmed", { hint: "await `confirmed` first" });
  }

  get #port(): StreamPort {
    const { port } = this.#driver;
    if (port === undefined) throw new TypeError("the session stands on no stream yet");
    return port;
  }

  #send(input: TlsInput, released: (() => void) | undefined): boolean {
    if (this.#isClosed) {
      released?.();
      return true;
    }
    this.#released.push(released);
    const free = this.#driver.handle(input) && this.#machine.queued < limits.sendQueueMark;
    if (!free) this.#wantsDrain = true;
    return free;
  }

  #drained(): void {
    if (!this.#wantsDrain || this.#driver.isFull || this.#machine.queued >= limits.sendQueueMark) return;
    this.#wantsDrain = false;
    this.#sink.drained();
  }

  #tell(event: Exclude<TlsEvent, { readonly kind: "question" }>): void {
    const sink = this.#sink;
    switch (event.kind) {
      case "data":
        if (event.early && sink.earlyBytes !== undefined) sink.earlyBytes(event.bytes);
        else sink.bytes(event.bytes);
        break;
      case "sent":
        for (let i = 0; i < event.count; i++) this.#released.shift()?.();
        this.#drained();
        break;
      case "confirmed":
        this.#outcome = event.outcome;
        this.#confirmedAt = this.#host.now();
        this.#resolve(event.outcome);
        sink.opened?.();
        sink.confirmed?.(event.outcome, this);
        break;
      case "ended":
        this.#ended = true;
        sink.ended();
        this.#maybeDone();
        break;
      case "finished":
        this.#finished = true;
        if (this.#failure !== undefined) this.#driver.close(lingerMs);
        else this.#driver.finish();
        this.#maybeDone();
        break;
      case "failed":
        this.#failure = event.failure;
        this.#reject(event.failure);
        break;
      case "early-data":
        if (event.status !== "offered") sink.earlyData?.(event.status);
        break;
      case "key-updated":
        sink.keyUpdated?.(event.direction, event.byPeer);
        break;
      case "authenticated":
        sink.authenticated?.(event.peer);
        break;
      case "ticket":
        sink.ticket?.();
        break;
      default:
        break;
    }
  }

  /** Both directions are closed: the stream may go. */
  #maybeDone(): void {
    if (this.#ended && this.#finished && this.#failure === undefined) this.#driver.close(lingerMs);
  }

  #closed(below: TlsFailure | undefined): void {
    const failure = this.#aborted ? undefined : (this.#failure ?? (this.#ended && this.#finished ? undefined : below));
    if (this.#outcome === undefined) this.#reject(failure ?? below);
    // What was never sealed is the caller's again.
    this.#isClosed = true;
    for (const released of this.#released.splice(0)) released?.();
    this.#sink.closed(failure);
  }
}
