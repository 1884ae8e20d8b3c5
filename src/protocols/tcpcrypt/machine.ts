import { utf8 } from "../../bytes/index.js";
import {
  earliest,
  Failure,
  type Instant,
  type Machine,
  Secret,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { TokenBucket } from "../../mechanisms/token-bucket.js";
import type { TcpcryptConfig } from "./config.js";
import type { EnoOutcome } from "./eno/negotiation.js";
import { Exchange, type Exchanged } from "./exchange.js";
import { type TcpcryptFailure, type TcpcryptReason, tcpcryptFailure } from "./failure.js";
import { Inbox } from "./inbox.js";
import { KeySchedule } from "./keys.js";
import { limits } from "./limits.js";
import type { EncryptedOutcome, TcpcryptOutcome } from "./options.js";
import type { SymCipher, SymCipherName, TepName } from "./parameters.js";
import { FrameOpener, FrameSealer } from "./record/frames.js";
import { Outbox } from "./record/outbox.js";
import type { ResumableSession } from "./sessions.js";
import type { TcpcryptEvent, TcpcryptInput } from "./vocabulary.js";

type Encrypted = Extract<EnoOutcome, { readonly kind: "encrypted" }>;

/** tcpcrypt on one stream of a TCP that has negotiated TCP-ENO: `negotiation` is asked when the port is opened. */
export class TcpcryptMachine implements Machine<TcpcryptInput, TcpcryptEvent> {
  readonly #config: TcpcryptConfig;
  readonly #negotiation: { readonly outcome: EnoOutcome };
  readonly #schedule: KeySchedule;
  readonly #events: TcpcryptEvent[] = [];
  readonly #transmitted = { size: 0 };
  readonly #outbox: Outbox;
  #inbox: Inbox | undefined;
  #state: "closed" | "plain" | "exchanging" | "open" | "failed" = "closed";
  #eno: Encrypted | undefined;
  /** An Init message to transmit, then that it was. */
  #init: Uint8Array | undefined;
  #isPushing = false;
  #asked: number | undefined;
  #outcome: TcpcryptOutcome | undefined;
  #pendingOutcome: EncryptedOutcome | undefined;
  #exporter: Secret | undefined;
  /** Under what name the cache holds a secret because of us. */
  #left: string | undefined;
  #peerEnded = false;
  #finishedTold = false;
  #closeWanted = false;
  /** Frames without data: rekeying, keep-alives; more than a few a second are a flood. */
  readonly #emptyFrames = new TokenBucket(limits.emptyFramesPerSecond, limits.emptyFramesMax, 0);
  #now: Instant = 0;
  #exchangeBy: Instant | undefined;
  #keepAliveMs = 0;
  #heardAt: Instant = 0;
  #answerBy: Instant | undefined;
  bytesReceived = 0;

  constructor(config: TcpcryptConfig, negotiation: { readonly outcome: EnoOutcome }) {
    this.#config = config;
    this.#negotiation = negotiation;
    this.#schedule = new KeySchedule(config.crypto);
    this.#outbox = new Outbox(config.framesPerKeyMax);
  }

  get queued(): number {
    return this.#outbox.queued;
  }

  get bytesSent(): number {
    return this.#outbox.bytes;
  }

  get framesSent(): number {
    return this.#outbox.frames;
  }

  get framesReceived(): number {
    return this.#inbox?.frames ?? 0;
  }

  get generationSent(): number {
    return this.#outbox.generation;
  }

  get generationReceived(): number {
    return this.#inbox?.generation ?? 0;
  }

  handle(input: TcpcryptInput | Wake, now: Instant): void {
    this.#now = now;
    if (this.#state === "failed") return;
    switch (input.kind) {
      case "opened":
        this.#opened();
        break;
      case "bytes":
        this.#bytes(input.bytes);
        break;
      case "send":
      case "send-urgent":
        this.#send(input.bytes, input.kind === "send-urgent");
        break;
      case "answer":
        if (input.id === this.#asked) this.#answered(input.answer === true);
        break;
      case "close":
        this.#close();
        break;
      case "update-keys":
        this.#initiateRekey();
        break;
      case "keep-alive":
        this.#keepAliveMs = input.ms;
        this.#heardAt = now;
        break;
      case "wake":
        this.#wake();
        break;
      case "end":
        this.#end();
        break;
      case "closed":
        this.#portClosed(input.failure);
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    this.#now = now;
    if (this.#isPushing) return undefined;
    const size = this.#fill(into);
    const sent = this.#outbox.takeSent();
    if (sent > 0) this.#events.push({ kind: "sent", count: sent });
    if (size === 0) {
      if (this.#outbox.isDone && !this.#finishedTold && this.#state !== "failed") {
        this.#finishedTold = true;
        this.#events.push({ kind: "finished" });
      }
      return undefined;
    }
    this.#transmitted.size = size;
    return this.#transmitted;
  }

  event(): TcpcryptEvent | undefined {
    const event = this.#events.shift();
    if (event?.kind === "init-sent") this.#isPushing = false;
    return event;
  }

  deadline(): Instant | undefined {
    if (this.#state === "failed") return undefined;
    const probe = this.#mayProbe ? this.#heardAt + this.#keepAliveMs : undefined;
    return earliest(earliest(this.#exchangeBy, this.#answerBy), probe);
  }

  /** Keying material of this session (PSKE): ours to define, for RFC 8548 exports the session ID alone. */
  exportKey(label: string, length: number, context: Uint8Array): Uint8Array {
    if (this.#exporter === undefined)
      throw tcpcryptFailure("misuse", "no keys, nothing to export", { at: "exportKey" });
    return this.#schedule.exported(this.#exporter, utf8(label), context, length);
  }

  /** Takes what came of this session out of the cache (§3.5). */
  flush(): void {
    const { options, scope, opener } = this.#config;
    if (opener === "active" && scope !== undefined) options.sessions?.flush(scope);
    else if (this.#left !== undefined) options.sessions?.forget(this.#left);
    this.#left = undefined;
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #opened(): void {
    const eno = this.#negotiation.outcome;
    if (eno.kind === "plain") {
      this.#trace("plain", { reason: eno.reason });
      if (this.#config.options.opportunistic !== true) {
        this.#fail("not-negotiated", "TCP-ENO came to plain TCP, and cleartext was not asked for", eno.reason);
        return;
      }
      this.#state = "plain";
      this.#confirm({ encrypted: false, reason: eno.reason, peerAware: eno.peerAware });
      return;
    }
    this.#eno = eno;
    const { role, tep, transcript, resumed } = eno;
    this.#trace("negotiated", { role, tep: tep.name, resumed: resumed !== undefined });
    if (resumed !== undefined) {
      this.#inbox = new Inbox(this.#reader, undefined);
      this.#keys(resumed.session, resumed.nonces);
      return;
    }
    const { crypto, entropy, ciphers } = this.#config;
    const schedule = this.#schedule;
    const exchange = new Exchange({ crypto, entropy, schedule, role, tep, transcript, ciphers });
    this.#inbox = new Inbox(this.#reader, exchange);
    this.#state = "exchanging";
    this.#exchangeBy = this.#now + limits.exchangeTimeoutMs;
    this.#init = exchange.start();
  }

  #bytes(bytes: Uint8Array): void {
    if (this.#state === "plain") {
      this.bytesReceived += bytes.length;
      this.#events.push({ kind: "data", bytes, urgentAt: undefined });
    } else this.#inbox?.receive(bytes);
  }

  readonly #reader = {
    isDeaf: (): boolean => this.#state === "failed",
    failed: (failure: TcpcryptFailure): void => this.#failWith(failure),
    exchanged: ({ secret, cipher, answer }: Exchanged): void => {
      this.#init = answer;
      this.#exchangeBy = undefined;
      const { tep, role } = this.#eno!;
      this.#keys({ tep, cipher, role, secret }, none);
    },
    frame: (bytes: Uint8Array, opener: FrameOpener): void => this.#frame(bytes, opener),
  };

  /** ss[i] is here: everything else follows from it (§3.3 … §3.5). Takes the secret over. */
  #keys(session: ResumableSession, nonces: Uint8Array): void {
    const { crypto, options } = this.#config;
    const schedule = this.#schedule;
    const { cipher, secret, role } = session;
    const { tep, tepByte, peerAware, resumed } = this.#eno!;
    const master = schedule.masterKey(secret, nonces);
    const sessionId = schedule.sessionId(tepByte, secret, nonces);
    this.#exporter = schedule.exporter(secret, nonces);
    const keys = { crypto, schedule, cipher };
    const other = role === "A" ? "B" : "A";
    this.#outbox.keys(new FrameSealer({ ...keys, role, master: Secret.copy(master.expose()) }));
    this.#inbox!.keys(new FrameOpener({ ...keys, role: other, master }));
    this.#cache(session, resumed !== undefined);
    if (options.neverCache === true) this.flush();
    secret.wipe();
    this.#state = "open";
    this.#heardAt = this.#now;
    const outcome: EncryptedOutcome = {
      encrypted: true,
      role: this.#eno!.role,
      tep: tep.name as TepName,
      cipher: nameOf(cipher),
      resumed: resumed !== undefined,
      peerAware,
      sessionId,
    };
    if (options.authenticate === undefined) this.#confirm(outcome);
    else this.#ask(outcome);
  }

  /** ss[i + 1] waits for the next connection. A resumed session's successor is in the cache since it was offered. */
  #cache(session: ResumableSession, isResumed: boolean): void {
    const { options, opener, scope } = this.#config;
    const { sessions } = options;
    if (sessions === undefined) return;
    const next = { ...session, secret: this.#schedule.nextSecret(session.secret) };
    this.#left = sessions.identifierOf(next);
    if (isResumed) next.secret.wipe();
    else if (opener === "passive") sessions.keepPassive(next, this.#now);
    else if (scope !== undefined) sessions.keepActive(scope, next, this.#now);
  }

  #ask(outcome: EncryptedOutcome): void {
    const { sessionId, role, peerAware, resumed } = outcome;
    this.#pendingOutcome = outcome;
    this.#asked = 1;
    this.#inbox!.hold();
    this.#events.push({
      kind: "question",
      id: this.#asked,
      question: { kind: "authenticate", sessionId, role, peerAware, resumed },
    });
  }

  #answered(isKnown: boolean): void {
    const outcome = this.#pendingOutcome;
    this.#asked = this.#pendingOutcome = undefined;
    if (!isKnown || outcome === undefined) {
      this.#fail("not-authenticated", "the application does not know the peer by this session ID", "authenticate");
      return;
    }
    this.#confirm(outcome);
    this.#inbox!.release();
    if (this.#endHeld) this.#end();
  }

  #confirm(outcome: TcpcryptOutcome): void {
    this.#outcome = outcome;
    this.#events.push({ kind: "confirmed", outcome });
    if (this.#closeWanted) this.#outbox.close();
  }

  #frame(bytes: Uint8Array, opener: FrameOpener): void {
    if (this.#peerEnded) {
      this.#fail("data-after-end", "a frame behind the one with FINp", "FINp");
      return;
    }
    this.#heardAt = this.#now;
    if (opener.offset > limits.streamBytesMax) {
      this.#fail("stream-too-long", "the stream is as long as its offsets can count", "offset");
      return;
    }
    if (opener.hasRekeyed) this.#rekeyed(opener.generation);
    const { dataAt, dataSize, urgent } = opener;
    if (dataSize > 0) {
      const urgentAt = urgent === undefined ? undefined : this.bytesReceived + urgent;
      this.bytesReceived += dataSize;
      this.#events.push({ kind: "data", bytes: bytes.subarray(dataAt, dataAt + dataSize), urgentAt });
    } else if (!opener.isLast && !this.#emptyFrames.take(this.#now)) {
      this.#fail("too-many-empty-frames", "a flood of frames without data", "data");
      return;
    }
    if (opener.isLast) {
      this.#peerEnded = true;
      this.#events.push({ kind: "ended" });
    }
  }

  /** §3.8: whoever is behind follows at once, unless nothing of his follows any more. */
  #rekeyed(generation: number): void {
    this.#events.push({ kind: "key-updated", direction: "read", generation });
    this.#trace("key_updated", { direction: "read", generation });
    if (generation >= this.#outbox.generation) this.#answerBy = undefined;
    if (generation > this.#outbox.generation && !this.#outbox.isDone) this.#rekey();
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #fill(into: Uint8Array): number {
    const init = this.#init;
    if (init !== undefined) {
      this.#init = undefined;
      this.#isPushing = true;
      into.set(init);
      this.#events.push({ kind: "init-sent" });
      return init.length;
    }
    if (this.#state === "plain") return this.#outbox.fillPlain(into);
    if (this.#state !== "open") return 0;
    const before = this.#outbox.generation;
    const size = this.#outbox.fill(into, this.#asked !== undefined);
    // Worn out, and changed by itself.
    if (this.#outbox.generation > before) this.#tellRekeyed();
    return size;
  }

  #send(bytes: Uint8Array, urgent: boolean): void {
    if (bytes.length === 0) this.#events.push({ kind: "sent", count: 1 });
    else this.#outbox.send(bytes, urgent);
  }

  #close(): void {
    if (this.#outcome !== undefined) this.#outbox.close();
    else if (this.#outbox.hasData) this.#closeWanted = true;
    else this.#fail("closed-locally", "the application closed before there were keys", "close");
  }

  /** §3.8: without data not more than one at a time. */
  #initiateRekey(): void {
    if (this.#state !== "open" || this.#outbox.isDone) return;
    const isOutstanding = this.#outbox.generation > this.generationReceived;
    if (!isOutstanding || this.#outbox.hasData) this.#rekey();
  }

  #rekey(): void {
    this.#outbox.rekey();
    this.#tellRekeyed();
  }

  #tellRekeyed(): void {
    const { generation } = this.#outbox;
    this.#events.push({ kind: "key-updated", direction: "write", generation });
    this.#trace("key_updated", { direction: "write", generation });
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

  get #mayProbe(): boolean {
    const isIdle = this.#state === "open" && this.#answerBy === undefined;
    return isIdle && this.#keepAliveMs > 0 && !this.#outbox.isDone && !this.#peerEnded;
  }

  #wake(): void {
    const now = this.#now;
    if (this.#exchangeBy !== undefined && now >= this.#exchangeBy) {
      this.#fail("timed-out", "no Init message came", "key exchange");
    } else if (this.#answerBy !== undefined && now >= this.#answerBy) {
      this.#fail("timed-out", "the peer has not followed to new keys: nobody is there (RFC 8548 §3.9)", "keep-alive");
    } else if (this.#mayProbe && now >= this.#heardAt + this.#keepAliveMs) {
      this.#answerBy = now + limits.keepAliveTimeoutMs;
      this.#initiateRekey();
    }
  }

  // ── the end of things ──────────────────────────────────────────────────────────────────────────────────────────

  #endHeld = false;

  /** A FIN: an end only if FINp said so before (§3.7). */
  #end(): void {
    if (this.#peerEnded || this.#state === "failed") return;
    if (this.#state === "plain") {
      this.#peerEnded = true;
      this.#events.push({ kind: "ended" });
    } else if (this.#inbox?.isHolding) this.#endHeld = true;
    else this.#fail("truncated-stream", "the stream ended without FINp: data may be missing", "FINp");
  }

  #portClosed(cause: unknown): void {
    if (this.#state !== "failed" && !(this.#peerEnded && this.#finishedTold)) {
      if (cause === undefined && this.#state !== "closed") this.#end();
      else this.#failWith(tcpcryptFailure("connection-lost", "the stream below broke off", { at: "stream", cause }));
    }
    this.#wipe();
  }

  #fail(reason: TcpcryptReason, message: string, at: string): void {
    this.#failWith(tcpcryptFailure(reason, message, { at }));
  }

  #failWith(cause: unknown): void {
    if (this.#state === "failed") return;
    const failure =
      cause instanceof Failure
        ? (cause as TcpcryptFailure)
        : tcpcryptFailure("misuse", "something that cannot happen did", { cause });
    this.#state = "failed";
    this.#init = undefined;
    this.#trace("failed", { reason: failure.reason, fault: failure.fault, at: failure.at });
    this.#events.push({ kind: "failed", failure });
    this.#wipe();
  }

  #wipe(): void {
    this.#outbox.abandon();
    this.#inbox?.destroy();
    this.#exporter?.wipe();
    this.#exporter = undefined;
  }

  #trace(name: string, data: Readonly<Record<string, unknown>>): void {
    this.#config.options.trace?.({ at: this.#now, protocol: "tcpcrypt", name: `tcpcrypt:${name}`, data });
  }
}

const none = new Uint8Array(0);
const nameOf = ({ name }: SymCipher): SymCipherName => name as SymCipherName;
