import { DecodeError } from "../../bytes/index.js";
import type { Failure, SessionStream, SessionStreamSink } from "../../contract/index.js";
import { type BodyInit, type BodySource, IncomingBody, piecesOf } from "./body.js";
import { closeFailure, type Http3Failure, http3Errors, http3Failure, resetFailure } from "./failure.js";
import { dataHeader, type FrameName, FrameReader, type FrameSink, writeFrame } from "./frames.js";
import { http3Limits } from "./limits.js";
import { readTrailers } from "./message.js";
import { decodeSection, encodeSection, sectionSize } from "./qpack/field-section.js";
import type { Field } from "./qpack/static-table.js";

/** What an exchange needs of the connection it is part of. */
export interface ExchangeConnection {
  /** Largest field section that we take, and that the peer does. */
  readonly fieldSectionMax: number;
  readonly peerFieldSectionMax: number;
  /** Ends the connection: the peer broke it. */
  fail(failure: Http3Failure): void;
}

/** What becomes of the message that comes in. The head comes once more for each interim response. */
export interface ExchangeEvents {
  /** Answers what stands behind it: content, more heads (after an interim response), or nothing that counts. */
  head(
    fields: readonly Field[],
    body: IncomingBody,
  ): { readonly next: "content" | "head"; readonly length?: number | undefined };
  /** The head is larger than we take. */
  headTooLarge(): void;
  /** The peer wants no more of what we send. */
  stopped?(failure: Http3Failure): void;
  /** The message, or the stream, is broken; before or after its head. */
  failed(failure: Http3Failure | Failure): void;
  /** Both directions are over. */
  closed(): void;
}

/**
 * One request and its response on one bidirectional stream: frames in their order, the content's length, the field
 * sections (RFC 9114 §4.1). Which end we are is the business of `events`.
 */
export class Exchange implements SessionStreamSink, FrameSink, BodySource {
  readonly body: IncomingBody = new IncomingBody(this);
  readonly #connection: ExchangeConnection;
  readonly #events: ExchangeEvents;
  readonly #reader = new FrameReader(this);
  #stream: SessionStream | undefined;
  #expects: "head" | "content" | "end" = "head";
  #contentLeft: number | undefined;
  #trailers: Headers | undefined;
  #isDeaf = false;
  #sendFailure: unknown;
  #isSent = false;
  #isClosed = false;
  readonly #drained: (() => void)[] = [];

  constructor(connection: ExchangeConnection, events: ExchangeEvents) {
    this.#connection = connection;
    this.#events = events;
  }

  attach(stream: SessionStream): this {
    this.#stream = stream;
    return this;
  }

  get stream(): SessionStream {
    if (this.#stream === undefined) throw new TypeError("the exchange has no stream yet");
    return this.#stream;
  }

  get isSent(): boolean {
    return this.#isSent;
  }

  // Out.

  /** Sends a header or trailer section. Throws `misuse` if the peer says that it takes none so large. */
  sendFields(fields: readonly Field[]): void {
    const size = sectionSize(fields);
    if (size > this.#connection.peerFieldSectionMax) {
      throw http3Failure(
        "misuse",
        `${size} bytes of fields, of which the peer takes ${this.#connection.peerFieldSectionMax}`,
      );
    }
    this.stream.write(writeFrame("HEADERS", encodeSection(fields)));
  }

  /** Sends content as fast as the stream takes it; resolves when all of it is handed over. Rejects if the peer stops it. */
  async sendBody(body: BodyInit): Promise<void> {
    for await (const piece of piecesOf(body)) {
      if (this.#sendFailure !== undefined) throw this.#sendFailure;
      if (piece.length === 0) continue;
      this.stream.write(dataHeader(piece.length));
      if (this.stream.write(piece)) continue;
      await new Promise<void>((go) => this.#drained.push(go));
      // Before the next piece is asked for: whoever makes it may stop.
      if (this.#sendFailure !== undefined) throw this.#sendFailure;
    }
    if (this.#sendFailure !== undefined) throw this.#sendFailure;
  }

  finish(): void {
    if (this.#isSent) return;
    this.#isSent = true;
    this.stream.finish();
  }

  /** Gives the whole exchange up. */
  abort(code: number, failure: unknown): void {
    if (!this.#isSent) {
      this.#isSent = true;
      this.#sendFailure ??= failure;
      this.stream.reset(code);
    }
    this.#deafen(code);
    this.body.fail(failure);
    this.drained();
  }

  // In: what the stream tells.

  bytes(bytes: Uint8Array): void {
    if (!this.#isDeaf) this.#guard(() => this.#reader.take(bytes));
  }

  ended(): void {
    if (this.#isDeaf) return;
    this.#guard(() => {
      this.#reader.end();
      if (this.#expects === "head") {
        const reason = this.stream.byPeer ? "incomplete-request" : "incomplete-response";
        throw http3Failure(reason, "the stream ended before the message had begun");
      }
      if (this.#contentLeft !== undefined && this.#contentLeft > 0) {
        throw http3Failure("malformed-message", `${this.#contentLeft} bytes of content are missing`, {
          at: "content-length",
        });
      }
      this.#isDeaf = true;
      this.body.end(this.#trailers);
    });
  }

  peerReset(code: number): void {
    this.#isDeaf = true;
    this.#failed(resetFailure(code));
  }

  /** The peer wants no more of what we send; what it sends itself still counts (RFC 9114 §4.1). */
  peerStopped(code: number): void {
    const failure = resetFailure(code);
    this.#isSent = true;
    this.#sendFailure ??= failure;
    this.drained();
    this.#events.stopped?.(failure);
  }

  drained(): void {
    for (const go of this.#drained.splice(0)) go();
  }

  closed(failure?: Failure): void {
    this.#isClosed = true;
    if (failure !== undefined) {
      this.#isDeaf = true;
      this.#isSent = true;
      const why = closeFailure(failure);
      this.#sendFailure ??= why;
      this.#failed(why);
    }
    this.drained();
    this.#events.closed();
  }

  // In: frames.

  admit(frame: FrameName): number {
    if (frame === "DATA" && this.#expects === "content") return Number.POSITIVE_INFINITY;
    // Packed, a section is never larger than unpacked and 32 for each line, but for its prefix.
    if (frame === "HEADERS" && this.#expects !== "end") return this.#connection.fieldSectionMax + 16;
    if (frame === "PUSH_PROMISE") {
      // We never send MAX_PUSH_ID, so no push has an ID that we allowed (RFC 9114 §7.2.5).
      throw this.#stream?.byPeer
        ? http3Failure("unexpected-frame", "a client that promises a push", { at: frame })
        : http3Failure("wrong-id", "a push that was not allowed", { at: frame });
    }
    throw http3Failure("unexpected-frame", `${frame} where ${this.#expects} was expected`, { at: frame });
  }

  frame(_frame: Exclude<FrameName, "DATA">, payload: Uint8Array): void {
    const limits = { size: this.#connection.fieldSectionMax, lines: http3Limits.fieldLinesMax };
    let section: ReturnType<typeof decodeSection>;
    try {
      section = decodeSection(payload, limits);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw http3Failure("malformed-field-section", error.message, { at: "HEADERS" });
    }
    if (section === "too-large") {
      this.#tooLarge();
    } else if (this.#expects === "head") {
      const { next, length } = this.#events.head(section, this.body);
      this.#expects = next;
      this.#contentLeft = length;
    } else {
      this.#expects = "end";
      this.#trailers = readTrailers(section);
    }
  }

  data(bytes: Uint8Array): void {
    if (this.#isDeaf) return;
    if (this.#contentLeft !== undefined) {
      this.#contentLeft -= bytes.length;
      if (this.#contentLeft < 0) {
        throw http3Failure("malformed-message", "more content than content-length says", { at: "content-length" });
      }
    }
    this.body.push(bytes);
  }

  // The body's owner.

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  /** RFC 9114 §4.1: a server that has enough says H3_NO_ERROR, a client that loses interest H3_REQUEST_CANCELLED. */
  cancel(): void {
    this.#deafen(this.stream.byPeer ? http3Errors.H3_NO_ERROR : http3Errors.H3_REQUEST_CANCELLED);
  }

  #deafen(code: number): void {
    if (this.#isDeaf || this.#isClosed) return;
    this.#isDeaf = true;
    this.stream.stopSending(code);
  }

  #tooLarge(): void {
    if (this.#expects === "head") {
      this.#expects = "end";
      this.#deafen(http3Errors.H3_NO_ERROR);
      this.#events.headTooLarge();
    } else throw http3Failure("field-section-too-large", "trailers are larger than we take", { at: "HEADERS" });
  }

  /** Runs what reads the peer's bytes: a broken message ends the exchange, a broken frame the connection. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      const failure = error as Http3Failure;
      if (failure.reason === "field-section-too-large" && this.#expects === "head") this.#tooLarge();
      else if (streamErrors.has(failure.reason)) {
        this.abort(failure.code ?? http3Errors.H3_MESSAGE_ERROR, failure);
        this.#events.failed(failure);
      } else this.#connection.fail(failure);
    }
  }

  #failed(failure: Http3Failure | Failure): void {
    this.body.fail(failure);
    this.#events.failed(failure);
  }
}

/** What ends one exchange and not the connection (RFC 9114 §4.1, §4.1.2, §8). */
const streamErrors: ReadonlySet<string> = new Set([
  "malformed-message",
  "incomplete-request",
  "incomplete-response",
  "field-section-too-large",
  "misuse",
]);
