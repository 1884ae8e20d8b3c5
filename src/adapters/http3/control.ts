import { DecodeError, decode, Reader, readVarint, Writer, writeVarint } from "../../bytes/index.js";
import type { Failure, SessionStream, SessionStreamSink } from "../../contract/index.js";
import { type Http3Failure, http3Errors, http3Failure } from "./failure.js";
import { type FrameName, FrameReader, type FrameSink } from "./frames.js";
import { http3Limits } from "./limits.js";
import { InstructionReader } from "./qpack/streams.js";
import { readSettings, type Settings } from "./settings.js";

/** Types of unidirectional streams (RFC 9114 §6.2, RFC 9204 §4.2). */
export const streamTypes = { control: 0x00, push: 0x01, encoder: 0x02, decoder: 0x03 } as const;

/** What the peer's unidirectional streams tell the connection. */
export interface ControlEvents {
  readonly role: "client" | "server";
  settings(settings: Settings): void;
  /** GOAWAY: the peer will do nothing about streams from this ID on. */
  goaway(id: number): void;
  fail(failure: Http3Failure): void;
}

/**
 * The peer's unidirectional streams: one control stream, one of each of QPACK's, unknown ones that are told to stop. What
 * may stand on them and what may not is all here.
 */
export class PeerStreams {
  readonly #events: ControlEvents;
  readonly #seen = new Set<number>();
  #unknown = 0;

  constructor(events: ControlEvents) {
    this.#events = events;
  }

  /** A sink for a new unidirectional stream; undefined refuses it. */
  open(stream: SessionStream): SessionStreamSink | undefined {
    return new TypedStream(this.#events, stream, (type) => this.#reader(type));
  }

  /** Answers what reads a stream of this type, or undefined if nothing does. Throws if it may not be there. */
  #reader(type: number): StreamReader | undefined {
    const { role } = this.#events;
    if (type === streamTypes.push) {
      if (role === "server") throw http3Failure("unexpected-stream", "a push stream of a client", { at: "push" });
      throw http3Failure("wrong-id", "a push that was not allowed", { at: "push" });
    }
    const name = ["control", "push", "encoder", "decoder"][type] as "control" | "encoder" | "decoder" | undefined;
    if (name === undefined) {
      if (++this.#unknown > http3Limits.unknownStreamsMax) {
        throw http3Failure("excessive-load", "too many streams of unknown types at once");
      }
      return undefined;
    }
    if (this.#seen.has(type)) throw http3Failure("unexpected-stream", `a second ${name} stream`, { at: name });
    this.#seen.add(type);
    return name === "control" ? new ControlStream(this.#events) : new QpackStream(name);
  }
}

interface StreamReader {
  take(bytes: Uint8Array): void;
}

/** A unidirectional stream: its type, and then whatever reads that type. */
class TypedStream implements SessionStreamSink {
  readonly #events: ControlEvents;
  readonly #stream: SessionStream;
  readonly #readerOf: (type: number) => StreamReader | undefined;
  readonly #type: number[] = [];
  #reader: StreamReader | "discard" | undefined;

  constructor(events: ControlEvents, stream: SessionStream, readerOf: (type: number) => StreamReader | undefined) {
    this.#events = events;
    this.#stream = stream;
    this.#readerOf = readerOf;
  }

  bytes(bytes: Uint8Array): void {
    if (this.#reader === "discard") return;
    try {
      const rest = this.#reader === undefined ? this.#readType(bytes) : bytes;
      if (typeof this.#reader === "object" && rest.length > 0) this.#reader.take(rest);
    } catch (error) {
      this.#reader = "discard";
      this.#events.fail(error as Http3Failure);
    }
  }

  ended(): void {
    this.#over();
  }

  peerReset(): void {
    this.#over();
  }

  drained(): void {}

  closed(): void {}

  /** The control stream and QPACK's live as long as the connection (RFC 9114 §6.2.1, RFC 9204 §4.2). */
  #over(): void {
    if (typeof this.#reader !== "object") return;
    this.#reader = "discard";
    this.#events.fail(http3Failure("closed-critical-stream", "the peer closed a stream that must stay"));
  }

  #readType(bytes: Uint8Array): Uint8Array {
    let at = 0;
    while (at < bytes.length) {
      this.#type.push(bytes[at++]!);
      if (this.#type.length < 1 << (this.#type[0]! >> 6)) continue;
      this.#reader = this.#readerOf(readVarint(new Reader(Uint8Array.from(this.#type))));
      if (this.#reader === undefined) {
        this.#reader = "discard";
        this.#stream.stopSending(http3Errors.H3_STREAM_CREATION_ERROR);
      }
      break;
    }
    return bytes.subarray(at);
  }
}

class QpackStream implements StreamReader {
  readonly #name: "encoder" | "decoder";
  readonly #instructions: InstructionReader;

  constructor(name: "encoder" | "decoder") {
    this.#name = name;
    this.#instructions = new InstructionReader(name);
  }

  take(bytes: Uint8Array): void {
    if (!this.#instructions.take(bytes)) {
      throw http3Failure(`malformed-${this.#name}-stream`, "an instruction about a dynamic table that is not there");
    }
  }
}

/** RFC 9114 §6.2.1: SETTINGS first, then what concerns the connection as a whole. */
class ControlStream implements StreamReader, FrameSink {
  readonly #events: ControlEvents;
  readonly #frames = new FrameReader(this, (frame) => this.#unknown(frame));
  #hasSettings = false;
  #goaway = Number.POSITIVE_INFINITY;
  #maxPushId = -1;

  constructor(events: ControlEvents) {
    this.#events = events;
  }

  take(bytes: Uint8Array): void {
    this.#frames.take(bytes);
  }

  admit(frame: FrameName): number {
    if (!this.#hasSettings && frame !== "SETTINGS") {
      throw http3Failure("missing-settings", `${frame} before SETTINGS`, { at: frame });
    }
    if (frame === "SETTINGS") {
      if (this.#hasSettings) throw http3Failure("unexpected-frame", "SETTINGS twice", { at: frame });
      return http3Limits.settingsMax;
    }
    const isPushId = frame === "MAX_PUSH_ID" && this.#events.role === "server";
    if (isPushId || frame === "GOAWAY" || frame === "CANCEL_PUSH") return http3Limits.idFrameMax;
    throw http3Failure("unexpected-frame", `${frame} on the control stream`, { at: frame });
  }

  frame(frame: Exclude<FrameName, "DATA">, payload: Uint8Array): void {
    if (frame === "SETTINGS") {
      this.#hasSettings = true;
      this.#events.settings(readSettings(payload));
      return;
    }
    const id = readId(frame, payload);
    if (frame === "CANCEL_PUSH") {
      // Neither side has promised a push here, so no ID means anything (RFC 9114 §7.2.3).
      if (this.#events.role === "client" || id > this.#maxPushId) throw wrongId(frame, id);
    } else if (frame === "MAX_PUSH_ID") {
      if (id < this.#maxPushId) throw wrongId(frame, id);
      this.#maxPushId = id;
    } else {
      // A server names a request of ours, a client a push (RFC 9114 §5.2, §7.2.6).
      if (id > this.#goaway || (this.#events.role === "client" && id % 4 !== 0)) throw wrongId(frame, id);
      this.#goaway = id;
      this.#events.goaway(id);
    }
  }

  data(): void {}

  #unknown(type: number): void {
    if (!this.#hasSettings) throw http3Failure("missing-settings", `a frame of type ${type} before SETTINGS`);
  }
}

const wrongId = (at: string, id: number) => http3Failure("wrong-id", `${at} with ${id}`, { at });

function readId(at: string, payload: Uint8Array): number {
  try {
    return decode({ read: readVarint, write: writeVarint }, payload);
  } catch (error) {
    if (error instanceof DecodeError) throw http3Failure("malformed-frame", error.message, { at });
    throw error;
  }
}

/** The payload of a frame that carries one ID. */
export function writeId(id: number): Uint8Array {
  const to = new Writer(8);
  writeVarint(to, id);
  return to.take();
}

/** A stream of ours that only sends. */
export class SilentSink implements SessionStreamSink {
  readonly #stopped: (failure: Http3Failure) => void;

  /** `stopped` hears that the peer reads no more of a stream that must stay. */
  constructor(stopped: (failure: Http3Failure) => void) {
    this.#stopped = stopped;
  }

  bytes(): void {}
  ended(): void {}
  drained(): void {}
  peerStopped(): void {
    this.#stopped(http3Failure("closed-critical-stream", "the peer stopped our control stream"));
  }
  closed(_failure?: Failure): void {}
}
