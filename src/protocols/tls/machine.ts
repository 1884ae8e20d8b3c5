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
import { contentType, recordHeaderSize } from "./record/content-type.js";
import { Deframer, type RecordTaker } from "./record/deframer.js";
import { Outbox } from "./record/outbox.js";
import { PlainOpener, PlainSealer } from "./record/plain.js";
import type { RecordOpener, RecordSealer } from "./record/protection.js";
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
export class TlsMachine implements Machine<TlsInput, TlsEvent>, RecordTaker {
  readonly #config: ClientConfig | ServerConfig;
  readonly #handshake: Handshake;
  readonly #deframer = new Deframer();
  readonly #outbox: Outbox;
  readonly #events: TlsEvent[] = [];
  readonly #transmitted = { size: 0 };
  #opener: RecordOpener = new PlainOpener();
  #readEpoch: Epoch = "initial";
  /** 1.2: keys that change_cipher_spec will put in place. */
  #pendingOpener: RecordOpener | undefined;
  /** Input that came while a question was open. */
  #held: Uint8Array[] = [];
  #heldSize = 0;
  #receiveMax: number = limits.recordSizeMax;
  /** Bytes of refused early data that may still be skipped. */
  #skipLeft = 0;
  #earlyReceivedMax = 0;
  /** ALPN under which early data went out: they may go again only for the same. */
  #earlyAlpn: string | undefined;
  #emptyRecords = 0;
  #warnings = 0;
  #changeCipherSpecs = 0;
  #confirmed = false;
  #closeWanted = false;
  #peerClosed = false;
  #finishedTold = false;
  #failed: TlsFailure | undefined;
  #now: Instant = 0;
  bytesReceived = 0;
  recordsReceived = 0;
  keyGenerationSent = 0;
  keyGenerationReceived = 0;

  constructor(config: Config, handshake: Handshake) {
    this.#config = config;
    this.#handshake = handshake;
    const { padding } = config.options;
    this.#outbox = new Outbox(padding);
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

  get recordsSent(): number {
    return this.#outbox.recordsSealed;
  }

  handle(input: TlsInput | Wake, now: Instant): void {
    this.#now = now;
    // The handshake's keys are wiped after a failure: only buffers and the port are still of concern.
    if (this.#failed !== undefined && !heardAfterFailure.has(input.kind)) return;
    switch (input.kind) {
      case "bytes":
        this.#receive(input.bytes);
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
        this.#release();
        return;
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

  // Receiving

  header(bytes: Uint8Array, at: number): number | undefined {
    const type = bytes[at]!;
    const size = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (type < contentType.changeCipherSpec || type > contentType.applicationData || bytes[at + 1] !== 3) {
      this.#fail(tlsFailure("unknown-record-type", "TLSPlaintext", "what the peer sends is not TLS"));
      return undefined;
    }
    if (size > this.#opener.fragmentMax) {
      this.#fail(tlsFailure("record-overflow", "TLSPlaintext", `a record of ${size} bytes`));
      return undefined;
    }
    return size + recordHeaderSize;
  }

  record(bytes: Uint8Array, at: number, size: number): boolean {
    try {
      this.#record(bytes, at, size);
    } catch (error) {
      this.#fail(error as TlsFailure);
    }
    return this.#failed === undefined && !this.#handshake.isBlocked && !this.#peerClosed;
  }

  #receive(bytes: Uint8Array): void {
    if (this.#failed !== undefined || this.#peerClosed) return; // RFC 9846 §6.1: ignored
    if (this.#handshake.isBlocked || this.#held.length > 0) {
      this.#hold(bytes.slice());
      return;
    }
    const taken = this.#deframer.push(bytes, this);
    if (taken < bytes.length && this.#handshake.isBlocked) this.#hold(bytes.slice(taken));
  }

  #hold(bytes: Uint8Array): void {
    this.#heldSize += bytes.length;
    this.#held.push(bytes);
    if (this.#heldSize > limits.recordsWaitingMax) {
      this.#fail(tlsFailure("too-much-unread", "TLSPlaintext", "the peer sent more than can wait for an answer"));
    }
  }

  /** What was held while a question was open. */
  #release(): void {
    while (this.#held.length > 0 && !this.#handshake.isBlocked && this.#failed === undefined) {
      const bytes = this.#held.shift()!;
      this.#heldSize -= bytes.length;
      const taken = this.#deframer.push(bytes, this);
      if (taken < bytes.length && this.#failed === undefined && !this.#peerClosed) {
        this.#held.unshift(bytes.subarray(taken));
        this.#heldSize += bytes.length - taken;
      }
      this.#pump();
    }
    if (this.#failed !== undefined || this.#peerClosed) this.#held = [];
    if (this.#endHeld && this.#held.length === 0) this.#end();
    this.#pump();
  }

  #record(bytes: Uint8Array, at: number, size: number): void {
    const opener = this.#opener;
    const outer = bytes[at]!;
    if (outer === contentType.changeCipherSpec) {
      this.#changeCipherSpec(bytes, at, size);
      return;
    }
    if (opener.hidesType && outer !== contentType.applicationData) {
      // An alert of a peer that never got as far as keys: RFC 9846 §6.2 does not let it go unheard.
      const early = outer === contentType.alert && opener.count === 0 && this.#readEpoch === "handshake";
      if (!early) refuse("unexpected-record", "TLSCiphertext", `an unprotected record of type ${outer}`);
      this.#alert(bytes, at + recordHeaderSize, size - recordHeaderSize);
      return;
    }
    if (!opener.hidesType && this.#skipLeft > 0 && outer === contentType.applicationData && !this.#confirmed) {
      this.#skip(size);
      return;
    }
    if (!opener.open(bytes, at, size)) {
      if (this.#skipLeft > 0 && opener.count === 0) {
        this.#skip(size);
        return;
      }
      refuse("bad-record", "TLSCiphertext", "a record is not what the peer sealed");
    }
    if (opener.hidesType) this.#skipLeft = 0;
    this.recordsReceived++;
    const { type, contentAt, contentSize } = opener;
    if (contentSize > this.#receiveMax) {
      refuse("record-overflow", "TLSPlaintext", `${contentSize} bytes of content, ${this.#receiveMax} are allowed`);
    }
    this.#content(bytes, type, contentAt, contentSize);
  }

  #content(bytes: Uint8Array, type: number, at: number, size: number): void {
    if (type === contentType.applicationData) this.#data(bytes, at, size);
    else if (type === contentType.handshake) {
      if (size === 0) refuse("unexpected-record", "Handshake", "a handshake record without content (RFC 9846 §5.1)");
      this.#handshake.receive(this.#readEpoch, bytes.subarray(at, at + size), this.#now);
      this.#pump();
    } else if (type === contentType.alert) this.#alert(bytes, at, size);
    else refuse("unexpected-record", "TLSInnerPlaintext", `content of type ${type}`);
  }

  #data(bytes: Uint8Array, at: number, size: number): void {
    const early = this.#readEpoch === "early";
    if (this.#readEpoch !== "application" && !early) {
      refuse("unexpected-record", "application data", "application data before there are keys for them");
    }
    if (this.#handshake.isMidMessage) {
      refuse("unexpected-record", "application data", "between two pieces of a handshake message (RFC 9846 §5.1)");
    }
    if (size === 0) {
      if (++this.#emptyRecords > limits.emptyRecordsMax) {
        refuse("too-many-empty-records", "application data", "a flood of records without content");
      }
      return;
    }
    if (early) {
      this.#earlyReceivedMax -= size;
      if (this.#earlyReceivedMax < 0) {
        refuse("early-data-too-large", "application data", "more early data than the ticket allows");
      }
    }
    this.#emptyRecords = 0;
    this.#warnings = 0;
    this.bytesReceived += size;
    this.#handshake.dataReceived();
    this.#events.push({ kind: "data", bytes: bytes.subarray(at, at + size), early });
  }

  /** Middlebox compatibility drops it (RFC 9846 §5); in 1.2 it puts the new keys in place. */
  #changeCipherSpec(bytes: Uint8Array, at: number, size: number): void {
    const name = "change_cipher_spec";
    if (size !== recordHeaderSize + 1 || bytes[at + recordHeaderSize] !== 1) {
      refuse("unexpected-record", name, "its content is not 1");
    }
    if (this.#handshake.isMidMessage) refuse("unexpected-record", name, "between two pieces of a handshake message");
    const pending = this.#pendingOpener;
    if (pending !== undefined) {
      this.#pendingOpener = undefined;
      this.#opener.destroy();
      this.#opener = pending;
      this.#readEpoch = "application";
      return;
    }
    const compatible = this.#handshake.version !== "1.2" && this.#config.versions.includes("1.3");
    const allowed = compatible && !this.#confirmed && this.#handshake.hasBegun;
    if (!allowed || this.#readEpoch === "application") refuse("unexpected-record", name, "it does not belong here");
    if (++this.#changeCipherSpecs > limits.changeCipherSpecsMax) refuse("unexpected-record", name, "a flood of them");
  }

  /** RFC 9846 §6. */
  #alert(bytes: Uint8Array, at: number, size: number): void {
    if (size !== 2) refuse("malformed-record", "Alert", "an alert record holds one alert (RFC 9846 §5.1)");
    const level = bytes[at]!;
    const code = bytes[at + 1]!;
    this.#config.options.trace?.({
      at: this.#now,
      protocol: "TLS",
      name: "tls:alert_received",
      data: { alert: alertName(code), level },
    });
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

  /** Early data that were refused are passed over (RFC 9846 §4.3.10), up to a bound. */
  #skip(size: number): void {
    this.#skipLeft -= size;
    if (this.#skipLeft <= 0) refuse("bad-record", "TLSCiphertext", "more refused early data than can be skipped");
  }

  // The end of things

  #endHeld = false;

  #end(): void {
    if (this.#failed !== undefined || this.#peerClosed) return;
    if (this.#held.length > 0) {
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
    this.#opener.destroy();
    this.#pendingOpener?.destroy();
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

  #fail(failure: TlsFailure): void {
    if (this.#failed !== undefined) return;
    this.#handshake.fail(failure);
    this.#pump();
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
        this.#receiveMax = output.receive;
        break;
      case "confirmed":
        this.#confirmed = true;
        this.#deframer.isFrugal = false;
        this.#skipLeft = 0;
        if (output.outcome.earlyData !== "not-offered") {
          const { earlyData, alpn } = output.outcome;
          this.#outbox.settleEarly(earlyData === "accepted", alpn === this.#earlyAlpn);
        }
        this.#outbox.release();
        if (this.#closeWanted) this.#outbox.close();
        this.#events.push(output);
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
      this.#earlyReceivedMax = max;
      // Answers to early data may go at once, to a client that has proved no more than its data have.
      if ((this.#config.options.clientAuthentication ?? "none") === "none") this.#outbox.release();
    } else this.#skipLeft = max;
  }

  #writeKeys(epoch: Epoch, keys: EpochKeys): void {
    const { crypto, entropy, dialect } = this.#config;
    const sealer: RecordSealer =
      keys.version === "1.3" ? new Sealer13(crypto, keys, dialect.labelPrefix) : new Sealer12(crypto, entropy, keys);
    this.#outbox.keys(sealer, { early: epoch === "early", application: epoch === "application" });
  }

  #readKeys(epoch: Epoch, keys: EpochKeys): void {
    const { crypto, dialect } = this.#config;
    if (keys.version === "1.2") {
      this.#pendingOpener = new Opener12(crypto, keys);
      return;
    }
    this.#opener.destroy();
    this.#opener = new Opener13(crypto, keys, dialect.labelPrefix);
    this.#readEpoch = epoch;
  }

  #alarm(failure: TlsFailure): void {
    const told = failure.byPeer || reasons[failure.reason].alert === undefined || failure.code === undefined;
    this.#outbox.abandon(told ? undefined : Uint8Array.of(2, failure.code!));
    this.#config.options.trace?.({
      at: this.#now,
      protocol: "TLS",
      name: "tls:failed",
      data: { reason: failure.reason, fault: failure.fault, at: failure.at },
    });
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
