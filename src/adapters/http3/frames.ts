import { Reader, readVarint, Writer, writeVarint } from "../../bytes/index.js";
import { http3Failure } from "./failure.js";
import { http3Limits } from "./limits.js";

/** Frame types (RFC 9114 §7.2). */
export const frameTypes = {
  DATA: 0x00,
  HEADERS: 0x01,
  CANCEL_PUSH: 0x03,
  SETTINGS: 0x04,
  PUSH_PROMISE: 0x05,
  GOAWAY: 0x07,
  MAX_PUSH_ID: 0x0d,
} as const;

export type FrameName = keyof typeof frameTypes;

const names = new Map<number, FrameName>(Object.entries(frameTypes).map(([name, type]) => [type, name as FrameName]));

/** Types of HTTP/2 that mean nothing here and may not come (RFC 9114 §7.2.8). */
const forbidden: ReadonlySet<number> = new Set([0x02, 0x06, 0x08, 0x09]);

/** What a stream does with its frames. Each may throw an Http3Failure. */
export interface FrameSink {
  /** The greatest payload of such a frame that may come now. Throws if none may. */
  admit(frame: FrameName): number;
  /** A whole frame, any but DATA. */
  frame(frame: Exclude<FrameName, "DATA">, payload: Uint8Array): void;
  /** A piece of a DATA frame's payload. */
  data(bytes: Uint8Array): void;
}

/** Two variable-length integers. */
const headerMax = 16;

/**
 * Cuts a stream into frames, as it comes: DATA is handed on in pieces, others whole, unknown types are skipped (RFC 9114
 * §9). Throws Http3Failures; what it holds is bounded by what its sink admits.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #unknown: ((type: number) => void) | undefined;
  readonly #header = new Uint8Array(headerMax);
  #headerSize = 0;
  /** Of the frame at hand; undefined between frames and for types that are skipped. */
  #name: FrameName | undefined;
  #left = 0;
  #inPayload = false;
  #whole: Uint8Array | undefined;
  #idle = 0;

  /** `unknown` hears of each frame that is skipped, and may throw. */
  constructor(sink: FrameSink, unknown?: (type: number) => void) {
    this.#sink = sink;
    this.#unknown = unknown;
  }

  take(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (!this.#inPayload) {
        at = this.#readHeader(bytes, at);
        continue;
      }
      const piece = bytes.subarray(at, at + this.#left);
      at += piece.length;
      this.#left -= piece.length;
      this.#payload(piece);
    }
  }

  /** The stream ended: between two frames, or that is an error (RFC 9114 §7.1). */
  end(): void {
    if (this.#inPayload || this.#headerSize > 0) {
      throw http3Failure("malformed-frame", "the stream ends within a frame", { at: this.#name ?? "frame" });
    }
  }

  /** Gathers bytes until both integers are there; answers where it stopped. */
  #readHeader(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      this.#header[this.#headerSize++] = bytes[at++]!;
      const header = this.#header.subarray(0, this.#headerSize);
      const typeSize = 1 << (header[0]! >> 6);
      if (header.length <= typeSize || header.length < typeSize + (1 << (header[typeSize]! >> 6))) continue;
      const reader = new Reader(header);
      this.#begin(readVarint(reader), readVarint(reader));
      break;
    }
    return at;
  }

  #begin(type: number, length: number): void {
    this.#headerSize = 0;
    if (forbidden.has(type)) {
      throw http3Failure("unexpected-frame", `a frame of HTTP/2's type ${type}`, { at: `0x${type.toString(16)}` });
    }
    const name = names.get(type);
    if (name === undefined) this.#unknown?.(type);
    if (name !== undefined && length > this.#sink.admit(name)) {
      throw http3Failure(
        name === "HEADERS" ? "field-section-too-large" : name === "SETTINGS" ? "malformed-settings" : "malformed-frame",
        `${length} bytes of ${name}`,
        { at: name },
      );
    }
    if (name === undefined || (name === "DATA" && length === 0)) {
      if (++this.#idle > http3Limits.idleFramesMax) {
        throw http3Failure("excessive-load", `${this.#idle} frames in a row that bring nothing`);
      }
    } else this.#idle = 0;
    this.#name = name;
    this.#left = length;
    this.#inPayload = true;
    this.#whole = undefined;
    if (length === 0) this.#payload(nothing);
  }

  #payload(piece: Uint8Array): void {
    const name = this.#name;
    const isLast = this.#left === 0;
    if (isLast) this.#inPayload = false;
    if (name === undefined) return;
    if (name === "DATA") {
      if (piece.length > 0) this.#sink.data(piece);
      return;
    }
    if (isLast && this.#whole === undefined) {
      this.#sink.frame(name, piece);
      return;
    }
    // In pieces: memory grows with what has come, not with what was announced.
    const held = this.#whole;
    const joined = new Uint8Array((held?.length ?? 0) + piece.length);
    if (held !== undefined) joined.set(held);
    joined.set(piece, held?.length ?? 0);
    this.#whole = joined;
    if (isLast) {
      this.#whole = undefined;
      this.#sink.frame(name, joined);
    }
  }
}

const nothing = new Uint8Array(0);

/** A whole frame. */
export function writeFrame(frame: FrameName, payload: Uint8Array): Uint8Array {
  const to = new Writer(payload.length + headerMax);
  writeVarint(to, frameTypes[frame]);
  writeVarint(to, payload.length);
  return to.put(payload).take();
}

/** The beginning of a DATA frame whose payload goes out by itself, uncopied. */
export function dataHeader(size: number): Uint8Array {
  const to = new Writer(headerMax);
  writeVarint(to, frameTypes.DATA);
  writeVarint(to, size);
  return to.take();
}
