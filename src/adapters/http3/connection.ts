import { Failure, type SessionStreamSink } from "../../contract/index.js";
import type { QuicSession, QuicSink, QuicStream } from "../../protocols/quic/index.js";
import { type ControlEvents, PeerStreams, SilentSink, streamTypes, writeId } from "./control.js";
import type { ExchangeConnection } from "./exchange.js";
import { closeFailure, type Http3Failure, http3Errors, http3Failure, isGoodEnd } from "./failure.js";
import { writeFrame } from "./frames.js";
import { http3Limits } from "./limits.js";
import { initialSettings, type Settings, writeSettings } from "./settings.js";

export interface Http3Options {
  /** Largest field section that we take, in bytes as RFC 9114 §4.2.2 counts them. Default 65,536. */
  readonly fieldSectionMax?: number;
}

/**
 * What both ends of HTTP/3 have: the control streams, the settings, and how a connection ends. It is the sink of its
 * session: give it to whoever makes the session, then the session to `attach`.
 */
export abstract class Http3Connection implements QuicSink, ControlEvents, ExchangeConnection {
  abstract readonly role: "client" | "server";
  readonly fieldSectionMax: number;
  /** Resolves when the connection is over; never rejects. */
  readonly done: Promise<Failure | undefined>;
  readonly #peerStreams = new PeerStreams(this);
  #session: QuicSession | undefined;
  #control: QuicStream | undefined;
  #settings: Settings = initialSettings;
  #failure: Failure | undefined;
  #isClosed = false;
  #settleClosed!: (failure: Failure | undefined) => void;

  constructor({ fieldSectionMax = http3Limits.fieldSectionMax }: Http3Options) {
    this.fieldSectionMax = fieldSectionMax;
    this.done = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
  }

  /** Says SETTINGS at once: they wait for nothing (RFC 9114 §3.2). */
  attach(session: QuicSession): this {
    this.#session = session;
    const sink = new SilentSink((failure) => this.fail(failure));
    this.#control = session.openStream(sink, { direction: "unidirectional", priority: 0, early: true });
    this.#control.write(Uint8Array.of(streamTypes.control));
    this.#control.write(writeFrame("SETTINGS", writeSettings(this.fieldSectionMax)));
    return this;
  }

  get session(): QuicSession {
    if (this.#session === undefined) throw new TypeError("the connection stands on no session yet");
    return this.#session;
  }

  /** What the peer has said of itself; the defaults until then. */
  get peerSettings(): Settings {
    return this.#settings;
  }

  get peerFieldSectionMax(): number {
    return this.#settings.maxFieldSectionSize;
  }

  /** Why the connection ended badly, if it did. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Says GOAWAY with this ID. */
  protected sayGoaway(id: number): void {
    if (!this.#isClosed) this.#control?.write(writeFrame("GOAWAY", writeId(id)));
  }

  protected end(): void {
    if (!this.#isClosed) this.#session?.close(http3Errors.H3_NO_ERROR);
  }

  // ControlEvents

  settings(settings: Settings): void {
    this.#settings = settings;
  }

  abstract goaway(id: number): void;

  /** The peer broke the connection: it is told why, and all ends. */
  fail(failure: Http3Failure): void {
    if (this.#failure !== undefined || this.#isClosed) return;
    this.#failure = failure instanceof Failure ? failure : http3Failure("handler-failed", String(failure));
    this.#session?.close(this.#failure.code ?? http3Errors.H3_INTERNAL_ERROR, this.#failure.message);
  }

  // QuicSink

  stream(stream: QuicStream): SessionStreamSink | undefined {
    if (this.#failure !== undefined) return undefined;
    return stream.direction === "unidirectional" ? this.#peerStreams.open(stream) : this.incoming(stream);
  }

  /** A bidirectional stream of the peer's. */
  protected abstract incoming(stream: QuicStream): SessionStreamSink | undefined;

  closed(failure?: Failure): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure ??= isGoodEnd(failure) ? undefined : closeFailure(failure);
    this.gone(this.#failure ?? closeFailure(failure));
    this.#settleClosed(this.#failure);
  }

  /** The connection is over: whatever waits for something waits in vain. */
  protected abstract gone(failure: Failure): void;
}
