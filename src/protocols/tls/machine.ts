import type {
  Answer,
  Instant,
  Machine,
  Question,
  SendBytes,
  StreamInput,
  Transmit,
  Wake,
} from "../../contract/index.js";
import { clientHandshake } from "./client/start.js";
import {
  type ClientConfig,
  type Config,
  clientConfig,
  type Ground,
  type ServerConfig,
  serverConfig,
} from "./config.js";
import { alertFailure, reasons, refuse, type TlsFailure, tlsFailure } from "./failure.js";
import type { Handshake } from "./handshake/handshake.js";
import type { TlsAsks } from "./handshake/questions.js";
import type { Epoch, EpochKeys, HandshakeNotice, TlsHandshakeOutput } from "./handshake/vocabulary.js";
import { limits } from "./limits.js";
import type { TlsClientOptions, TlsOutcome, TlsServerOptions } from "./options.js";
import { alertName, alerts } from "./parameters/alerts.js";
import { contentType } from "./record/content-type.js";
import { Inbox } from "./record/inbox.js";
import { Outbox } from "./record/outbox.js";
import { PlainSealer } from "./record/plain.js";
import type { RecordSealer } from "./record/protection.js";
import { Opener12, Sealer12 } from "./record/protection12.js";
import { Opener13, Sealer13 } from "./record/protection13.js";
import { serverHandshake } from "./server/start.js";

/** What a TLS machine takes beside a stream's inputs, answers and `send`. */
export type TlsInput =
  | StreamInput
  | SendBytes
  | Answer
  /** Bytes that may go out as 0-RTT data, and may be replayed. */
  | { readonly kind: "send-early"; readonly bytes: Uint8Array }
  /** close_notify, behind all that is queued. */
  | { readonly kind: "close" }
  | { readonly kind: "update-keys"; readonly requestPeer: boolean }
  | { readonly kind: "request-authentication" };

export type TlsEvent =
  | Question<TlsAsks>
  | { readonly kind: "confirmed"; readonly outcome: TlsOutcome }
  /** Application data, in place in the memory of the input. `early`: 0-RTT, which may have been replayed. */
  | { readonly kind: "data"; readonly bytes: Uint8Array; readonly early: boolean }
  /** So many buffers given by `send`, oldest first, are sealed and the caller's again. */
  | { readonly kind: "sent"; readonly count: number }
  | Extract<HandshakeNotice, { readonly kind: "early-data" }>
  | { readonly kind: "key-updated"; readonly direction: "read" | "write"; readonly byPeer: boolean }
  | { readonly kind: "authenticated"; readonly peer: TlsOutcome["peer"] }
  | { readonly kind: "ticket" }
  /** The peer's close_notify: it sends no more. */
  | { readonly kind: "ended" }
  /** Our close_notify, or our alert, is transmitted: the stream's direction may be ended. */
  | { readonly kind: "finished" }
  | { readonly kind: "failed"; readonly failure: TlsFailure };

/** A client: TLS over a byte stream. */
export const tlsClient = (ground: Ground, options: TlsClientOptions): TlsMachine => {
  const config = clientConfig(ground, options);
  return new TlsMachine(config, clientHandshake(config) as Handshake<Config>);
};

export const tlsServer = (ground: Ground, options: TlsServerOptions): TlsMachine => {
  const config = serverConfig(ground, options);
  return new TlsMachine(config, serverHandshake(config) as Handshake<Config>);
};

/** Ties one handshake to one stream of records (RFC 9846 §5). */
export class TlsMachine implements Machine<TlsInput, TlsEvent> {
  readonly #config: ClientConfig | ServerConfig;
  readonly #handshake: Handshake;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #events: TlsEvent[] = [];
  readonly #transmitted = { size: 0 };
  /** ALPN under which early data went out: they may go again only for the same. */
  #earlyAlpn: string | undefined;
  #warnings = 0;
  #confirmed = false;
  #closeWanted = false;
  #peerClosed = false;
  #finishedTold = false;
  #failed: TlsFailure | undefined;
  #now: Instant = 0;
  bytesReceived = 0;
  keyGenerationSent = 0;
  keyGenerationReceived = 0;

  constructor(config: Config, handshake: Handshake) {
    this.#config = config;
    this.#handshake = handshake;
    const { padding } = config.options;
    this.#outbox = new Outbox(padding);
    this.#inbox = new Inbox({
      isDeaf: () => this.#failed !== undefined || this.#peerClosed,
      isBlocked: () => handshake.isBlocked,
      isMidMessage: () => handshake.isMidMessage,
      allowsChangeCipherSpec: () => {
        const compatible = handshake.version !== "1.2" && config.versions.includes("1.3");
        return compatible && !this.#confirmed && handshake.hasBegun;
      },
      handshake: (epoch, bytes) => this.#read(epoch, bytes),
      data: (bytes, early) => this.#data(bytes, early),
      alert: (level, code) => this.#alert(level, code),
      failed: (failure) => this.#fail(failure),
    });
  }

  /** The handshake, for exporters and channel bindings. */
  get handshake(): Pick<Handshake, "exportKey" | "exportEarlyKey" | "channelBinding"> {
    return this.#handshake;
  }

  get failure(): TlsFailure | undefined {
    return this.#failed;
  }

  /** Confirmed, and not failed since. Before and after, what only a session can do does nothing. */
  get #isOpen(): boolean {
    return this.#confirmed && this.#failed === undefined;
  }

  /** Application bytes that wait to be sealed. */
  get queued(): number {
    return this.#outbox.queued;
  }

  get earlyDataLeft(): number {
    return this.#outbox.earlyLeft;
  }

  get bytesSent(): number {
    return this.#outbox.bytesSealed;
  }

  get recordsReceived(): number {
    return this.#inbox.records;
  }

  get recordsSent(): number {
    return this.#outbox.recordsSealed;
  }

  handle(input: TlsInput | Wake, now: Instant): void {
    this.#now = now;
    // The handshake's keys are wiped after a failure: only buffers and the port are still of concern.
    if (this.#failed !== undefined && !heardAfterFailure.has(input.kind)) return;
    switch (input.kind) {
      case "bytes":
        this.#inbox.receive(input.bytes);
        break;
      case "send":
        this.#send(input.bytes, false);
        break;
      case "send-early":
        this.#send(input.bytes, true);
        break;
      case "opened":
        this.#handshake.start(now);
        break;
      case "answer":
        this.#handshake.answer(input, now);
        this.#pump();
        this.#inbox.release();
        if (this.#endHeld && !this.#inbox.isHolding) this.#end();
        break;
      case "wake":
        this.#handshake.wake(now);
        break;
      case "close":
        this.#close();
        break;
      case "update-keys":
        if (this.#isOpen) this.#handshake.updateKeys(input.requestPeer, now);
        break;
      case "request-authentication":
        if (this.#isOpen) this.#handshake.requestAuthentication(now);
        break;
      case "end":
        this.#end();
        break;
      case "closed":
        this.#portClosed(input.failure);
        break;
    }
    this.#pump();
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    this.#now = now;
    const size = this.#outbox.fill(into, this.#refresh);
    const sent = this.#outbox.takeSent();
    if (sent > 0) this.#events.push({ kind: "sent", count: sent });
    if (size === 0) {
      if (this.#outbox.isDone && !this.#finishedTold) {
        this.#finishedTold = true;
        this.#events.push({ kind: "finished" });
      }
      return undefined;
    }
    this.#transmitted.size = size;
    return this.#transmitted;
  }

  event(): TlsEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    return this.#failed === undefined ? this.#handshake.deadline : undefined;
  }

  // What the records hold

  #read(epoch: Epoch, bytes: Uint8Array): void {
    this.#handshake.receive(epoch, bytes, this.#now);
    this.#pump();
  }

  #data(bytes: Uint8Array, early: boolean): void {
    this.bytesReceived += bytes.length;
    this.#warnings = 0;
    this.#handshake.dataReceived();
    this.#events.push({ kind: "data", bytes, early });
  }

  /** RFC 9846 §6. */
  #alert(level: number, code: number): void {
    this.#trace("alert_received", { alert: alertName(code), level });
    if (code === alerts.close_notify) {
      if (!this.#confirmed) {
        this.#fail(tlsFailure("truncated-stream", "close_notify", "the peer closed the session before it began"));
        return;
      }
      this.#peerClosed = true;
      this.#events.push({ kind: "ended" });
      return;
    }
    // 1.3 knows no warnings but user_canceled; 1.2 has them.
    const warning = code === alerts.user_canceled || (level === 1 && this.#handshake.version === "1.2");
    if (!warning) {
      this.#fail(alertFailure(code));
      return;
    }
    if (++this.#warnings > limits.warningsMax) refuse("too-many-warnings", "Alert", "a flood of warnings");
  }

  #fail(failure: TlsFailure): void {
    if (this.#failed !== undefined) return;
    this.#handshake.fail(failure);
    this.#pump();
  }

  // The end of things

  #endHeld = false;

  #end(): void {
    if (this.#failed !== undefined || this.#peerClosed) return;
    if (this.#inbox.isHolding) {
      this.#endHeld = true;
      return;
    }
    const at = this.#confirmed ? "application data" : "handshake";
    this.#fail(tlsFailure("truncated-stream", at, "the stream ended without close_notify: data may be missing"));
  }

  #portClosed(cause: unknown): void {
    if (this.#failed === undefined && !(this.#peerClosed && this.#finishedTold)) {
      if (cause !== undefined) {
        this.#fail(tlsFailure("connection-lost", "stream", "the stream below broke off", { cause }));
      } else this.#end();
    }
    this.#pump();
    this.#outbox.destroy();
    this.#inbox.destroy();
    this.#handshake.wipe();
  }

  #close(): void {
    if (this.#failed !== undefined) return;
    if (this.#confirmed) this.#outbox.close();
    // Behind what is queued, which waits for keys.
    else if (this.#outbox.queued > 0) this.#closeWanted = true;
    else this.#fail(tlsFailure("closed-locally", "handshake", "the application closed before the handshake was over"));
  }

  #send(bytes: Uint8Array, early: boolean): void {
    if (this.#failed !== undefined) return;
    if (bytes.length === 0) this.#events.push({ kind: "sent", count: 1 });
    else this.#outbox.send(bytes, early);
  }

  // What the handshake puts out

  #pump(): void {
    for (let output = this.#handshake.output(); output !== undefined; output = this.#handshake.output()) {
      try {
        this.#put(output);
      } catch (cause) {
        this.#fail(tlsFailure("internal-error", output.kind, "something that cannot happen did", { cause }));
      }
    }
  }

  #put(output: TlsHandshakeOutput): void {
    switch (output.kind) {
      case "message":
        this.#outbox.put(contentType.handshake, output.bytes);
        break;
      case "keys":
        if (output.direction === "write") this.#writeKeys(output.epoch, output.keys);
        else this.#readKeys(output.epoch, output.keys);
        break;
      case "change-cipher-spec":
        this.#outbox.put(contentType.changeCipherSpec, Uint8Array.of(1));
        break;
      case "record-limits":
        this.#outbox.contentMax = output.send;
        this.#inbox.contentMax = output.receive;
        break;
      case "confirmed":
        this.#confirmed = true;
        this.#inbox.confirmed();
        if (output.outcome.earlyData !== "not-offered") {
          const { earlyData, alpn } = output.outcome;
          this.#outbox.settleEarly(earlyData === "accepted", alpn === this.#earlyAlpn);
        }
        this.#outbox.release();
        if (this.#closeWanted) this.#outbox.close();
        this.#events.push(output);
        break;
      case "extensions":
        break;
      case "failed":
        this.#failed = output.failure;
        this.#alarm(output.failure);
        this.#events.push(output);
        break;
      case "early-data":
        this.#earlyData(output.status, output.max);
        if (output.status === "offered") this.#earlyAlpn = output.alpn;
        this.#events.push(output);
        break;
      case "key-updated":
        if (output.direction === "read") this.keyGenerationReceived++;
        else this.keyGenerationSent++;
        this.#events.push(output);
        break;
      default:
        this.#events.push(output);
    }
  }

  #earlyData(status: "offered" | "accepted" | "rejected", max: number): void {
    if (this.#config.role === "client") {
      this.#outbox.allowEarly(status === "offered" ? max : 0);
      // A second ClientHello goes in the clear again.
      if (status === "rejected") this.#outbox.keys(new PlainSealer(1), { early: false, application: false });
    } else if (status === "accepted") {
      this.#inbox.allowEarly(max);
      // Answers to early data may go at once, to a client that has proved no more than its data have.
      if ((this.#config.options.clientAuthentication ?? "none") === "none") this.#outbox.release();
    } else this.#inbox.skipEarly(max);
  }

  #writeKeys(epoch: Epoch, keys: EpochKeys): void {
    const { crypto, entropy, dialect } = this.#config;
    const sealer: RecordSealer =
      keys.version === "1.3" ? new Sealer13(crypto, keys, dialect.labelPrefix) : new Sealer12(crypto, entropy, keys);
    this.#outbox.keys(sealer, { early: epoch === "early", application: epoch === "application" });
  }

  #readKeys(epoch: Epoch, keys: EpochKeys): void {
    const { crypto, dialect } = this.#config;
    if (keys.version === "1.2") this.#inbox.keysAfterChange(new Opener12(crypto, keys));
    else this.#inbox.keys(new Opener13(crypto, keys, dialect.labelPrefix), epoch);
  }

  #alarm(failure: TlsFailure): void {
    const told = failure.byPeer || reasons[failure.reason].alert === undefined || failure.code === undefined;
    this.#outbox.abandon(told ? undefined : Uint8Array.of(2, failure.code!));
    this.#trace("failed", { reason: failure.reason, fault: failure.fault, at: failure.at });
  }

  #trace(name: string, data: Readonly<Record<string, unknown>>): void {
    this.#config.options.trace?.({ at: this.#now, protocol: "TLS", name: `tls:${name}`, data });
  }

  /** Fresh keys before the old are worn out (RFC 9846 §5.5). True if there are none and nothing may be sealed. */
  readonly #refresh = (): boolean => {
    const wanted = this.#config.options.recordsPerKeyMax ?? Number.POSITIVE_INFINITY;
    if (!this.#outbox.isWorn && !this.#outbox.wornAt(wanted)) return false;
    if (this.#handshake.version === "1.3") {
      this.#handshake.updateKeys(false, this.#now);
      this.#pump();
      return true;
    }
    if (!this.#outbox.isWorn) return false;
    this.#fail(
      tlsFailure("keys-exhausted", "application data", "1.2 keys are worn out, and 1.2 has no way to new ones"),
    );
    return true;
  };
}

const heardAfterFailure: ReadonlySet<(TlsInput | Wake)["kind"]> = new Set(["send", "send-early", "close", "closed"]);
