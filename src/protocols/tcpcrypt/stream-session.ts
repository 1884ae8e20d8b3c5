import {
  type EnoPort,
  type Host,
  type Instant,
  requireInterface,
  type SocketAddress,
  type StreamSink,
} from "../../contract/index.js";
import { StreamDriver } from "../../mechanisms/driver/index.js";
import { negotiationOf, type TcpcryptConfig, tcpcryptConfig } from "./config.js";
import type { Negotiation } from "./eno/negotiation.js";
import { type TcpcryptFailure, tcpcryptFailure } from "./failure.js";
import { limits } from "./limits.js";
import { TcpcryptMachine } from "./machine.js";
import type { TcpcryptClientOptions, TcpcryptOptions, TcpcryptOutcome } from "./options.js";
import { tcpcryptProfile } from "./profile.js";
import type { TcpcryptSession, TcpcryptSink, TcpcryptStatistics } from "./session.js";
import { sessionScope } from "./sessions.js";
import type { TcpcryptEvent, TcpcryptInput } from "./vocabulary.js";

/** A session on a stream of a TCP that negotiates: give `negotiation` and `lower` to the network, and the stream to `attach`. */
export class StreamSession implements TcpcryptSession {
  readonly protocol = "tcpcrypt";
  readonly opener: "active" | "passive";
  readonly confirmed: Promise<TcpcryptOutcome>;
  readonly negotiation: Negotiation;
  readonly #host: Host;
  readonly #machine: TcpcryptMachine;
  readonly #driver: StreamDriver<TcpcryptInput, TcpcryptEvent>;
  readonly #released: ((() => void) | undefined)[] = [];
  #port: EnoPort | undefined;
  #sink: TcpcryptSink;
  #outcome: TcpcryptOutcome | undefined;
  #failure: TcpcryptFailure | undefined;
  #resolve!: (outcome: TcpcryptOutcome) => void;
  #reject!: (failure: unknown) => void;
  #finished = false;
  #ended = false;
  #aborted = false;
  #isClosed = false;
  #wantsDrain = false;
  /** By the application, and while it is asked. */
  #isPaused = false;
  #isAsking = false;
  #openedAt: Instant | undefined;
  #confirmedAt: Instant | undefined;

  /** @param remote - names the peer to the cache of sessions, unless the options do */
  static active(host: Host, remote: SocketAddress, options: TcpcryptClientOptions, sink: TcpcryptSink): StreamSession {
    const whole = { trace: host.trace, scope: sessionScope(remote.address, remote.port), ...options };
    const config = tcpcryptConfig(host, "active", whole);
    const { sessions, freshOnly, role, scope } = whole;
    // Both ends of a simultaneous open would offer secrets of their own (RFC 8548 §3.5).
    const offered = freshOnly || role === "B" ? undefined : sessions?.offer(scope, host.now());
    const ours = offered !== undefined && config.teps.includes(offered.tep) && config.ciphers.includes(offered.cipher);
    return new StreamSession(host, config, negotiationOf(config, whole, ours ? offered : undefined), sink);
  }

  /** The negotiation was made when the SYN came; the session when the connection stands. */
  static passive(host: Host, config: TcpcryptConfig, negotiation: Negotiation, sink: TcpcryptSink): StreamSession {
    return new StreamSession(host, config, negotiation, sink);
  }

  private constructor(host: Host, config: TcpcryptConfig, negotiation: Negotiation, sink: TcpcryptSink) {
    this.opener = config.opener;
    this.negotiation = negotiation;
    this.#host = host;
    this.#sink = sink;
    this.#machine = new TcpcryptMachine(config, negotiation);
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined); // nobody has to await it
    const { authenticate }: TcpcryptOptions = config.options;
    this.#driver = new StreamDriver<TcpcryptInput, TcpcryptEvent>(host, this.#machine, {
      event: (event) => this.#tell(event),
      answer: (question, signal) => {
        // Nobody reads meanwhile: what the peer sends waits with TCP.
        this.#isAsking = true;
        this.#driver.pause();
        return authenticate?.(question, signal);
      },
      writable: () => this.#drained(),
      softError: (failure) => this.#sink.softError?.(failure),
      closed: (failure) => this.#closed(failure as TcpcryptFailure | undefined),
    });
  }

  /** What the stream below tells goes here. */
  get lower(): StreamSink {
    return this.#driver;
  }

  attach(port: EnoPort): this {
    this.#port = port;
    this.#driver.attach(port);
    this.#openedAt = this.#host.now();
    return this;
  }

  /** Another sink, for a listener's `accept`, which makes the session before its sink. */
  set sink(sink: TcpcryptSink) {
    this.#sink = sink;
  }

  get outcome(): TcpcryptOutcome | undefined {
    return this.#outcome;
  }

  get failure(): TcpcryptFailure | undefined {
    return this.#failure;
  }

  get sessionId(): Uint8Array {
    const outcome = this.#outcome;
    if (outcome?.encrypted) return outcome.sessionId;
    throw tcpcryptFailure("misuse", "there is no session ID without encryption (RFC 8547 §5.1)", { at: "sessionId" });
  }

  get isProven(): boolean {
    return this.#machine.framesReceived > 0;
  }

  get local(): SocketAddress {
    return this.#attached.local;
  }

  get remote(): SocketAddress {
    return this.#attached.remote;
  }

  get queued(): number {
    return this.#machine.queued + (this.#port?.queued ?? 0);
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    return this.#send({ kind: "send", bytes }, released);
  }

  writeUrgent(bytes: Uint8Array, released?: () => void): boolean {
    return this.#send({ kind: "send-urgent", bytes }, released);
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
    this.#isPaused = true;
    this.#driver.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isAsking) this.#driver.resume();
  }

  /** Keep-alives are tcpcrypt's own, which nobody can forge (RFC 8548 §3.9), once there is encryption. */
  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs", value: number): boolean {
    if (option !== "keepAliveMs" || this.#outcome?.encrypted === false) return this.#attached.set(option, value);
    this.#driver.handle({ kind: "keep-alive", ms: value });
    return true;
  }

  ref(): void {
    this.#attached.ref();
  }

  unref(): void {
    this.#attached.unref();
  }

  updateKeys(_options: { readonly requestPeer?: boolean } = {}): void {
    requireInterface(tcpcryptProfile, "KU");
    if (this.#outcome?.encrypted !== true || this.#failure !== undefined) {
      throw tcpcryptFailure("misuse", "there are no keys to update", {
        at: "updateKeys",
        hint: "await `confirmed` first",
      });
    }
    this.#driver.handle({ kind: "update-keys" });
  }

  exportKey(label: string, length: number, context: Uint8Array = new Uint8Array(0)): Uint8Array {
    return this.#machine.exportKey(label, length, context);
  }

  flushSessions(): void {
    this.#machine.flush();
  }

  get statistics(): TcpcryptStatistics {
    const machine = this.#machine;
    return {
      bytesSent: machine.bytesSent,
      bytesReceived: machine.bytesReceived,
      framesSent: machine.framesSent,
      framesReceived: machine.framesReceived,
      keyGenerationSent: machine.generationSent,
      keyGenerationReceived: machine.generationReceived,
      openedAt: this.#openedAt,
      confirmedAt: this.#confirmedAt,
    };
  }

  get #attached(): EnoPort {
    if (this.#port === undefined) throw new TypeError("the session stands on no stream yet");
    return this.#port;
  }

  #send(input: TcpcryptInput, released: (() => void) | undefined): boolean {
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

  #tell(event: Exclude<TcpcryptEvent, { readonly kind: "question" }>): void {
    const sink = this.#sink;
    switch (event.kind) {
      case "data":
        sink.bytes(event.bytes);
        if (event.urgentAt !== undefined) sink.urgent?.(event.urgentAt);
        break;
      case "sent":
        for (let i = 0; i < event.count; i++) this.#released.shift()?.();
        this.#drained();
        break;
      case "init-sent":
        this.#port?.push();
        break;
      case "confirmed":
        this.#outcome = event.outcome;
        this.#confirmedAt = this.#host.now();
        this.#isAsking = false;
        if (!this.#isPaused) this.#driver.resume();
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
        this.#driver.finish();
        this.#maybeDone();
        break;
      case "failed":
        this.#failure = event.failure;
        this.#reject(event.failure);
        // §3.3: the connection is destroyed, and the peer gets a reset.
        this.#driver.abort();
        break;
      case "key-updated":
        sink.keyUpdated?.(event.direction, event.generation);
        break;
    }
  }

  /** Both directions have ended, authentically: what TCP still does is for the stray segments. */
  #maybeDone(): void {
    if (this.#ended && this.#finished && this.#failure === undefined) this.#driver.close(limits.lingerMs);
  }

  #closed(below: TcpcryptFailure | undefined): void {
    const failure = this.#aborted ? undefined : (this.#failure ?? (this.#ended && this.#finished ? undefined : below));
    if (this.#outcome === undefined) this.#reject(failure ?? below);
    // What was never sealed is the caller's again.
    this.#isClosed = true;
    for (const released of this.#released.splice(0)) released?.();
    this.#sink.closed(failure);
  }
}
