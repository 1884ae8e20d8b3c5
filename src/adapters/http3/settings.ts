import { DecodeError, Reader, readVarint, Writer, writeVarint } from "../../bytes/index.js";
import { http3Failure } from "./failure.js";

/** What a SETTINGS frame says that matters here (RFC 9114 §7.2.4.1, RFC 9204 §5). */
export interface Settings {
  readonly maxFieldSectionSize: number;
  readonly qpackMaxTableCapacity: number;
  readonly qpackBlockedStreams: number;
}

const ids = { maxFieldSectionSize: 0x06, qpackMaxTableCapacity: 0x01, qpackBlockedStreams: 0x07 } as const;

/** What holds until the peer's SETTINGS have come. */
export const initialSettings: Settings = {
  maxFieldSectionSize: Number.POSITIVE_INFINITY,
  qpackMaxTableCapacity: 0,
  qpackBlockedStreams: 0,
};

/** Settings of HTTP/2 that mean nothing here and may not come (RFC 9114 §7.2.4.1). */
const forbidden: ReadonlySet<number> = new Set([0x00, 0x02, 0x03, 0x04, 0x05]);

/** A setting that means nothing, so that peers stay used to what they do not know (RFC 9114 §7.2.4.1). */
const grease = 0x1f * 0x5ea1 + 0x21;

/** The payload of our SETTINGS: a dynamic table of no capacity and no blocked streams are the defaults, and not written. */
export function writeSettings(maxFieldSectionSize: number): Uint8Array {
  const to = new Writer(32);
  for (const [id, value] of [
    [ids.maxFieldSectionSize, maxFieldSectionSize],
    [grease, 0],
  ] as const) {
    writeVarint(to, id);
    writeVarint(to, value);
  }
  return to.take();
}

/** Reads the payload of a SETTINGS frame; throws an Http3Failure. */
export function readSettings(payload: Uint8Array): Settings {
  const from = new Reader(payload);
  const found = new Map<number, number>();
  try {
    while (from.left > 0) {
      const id = readVarint(from);
      const value = readVarint(from);
      if (found.has(id) || forbidden.has(id)) {
        throw http3Failure(
          "malformed-settings",
          `setting 0x${id.toString(16)} ${found.has(id) ? "twice" : "is HTTP/2's"}`,
          { at: "SETTINGS" },
        );
      }
      found.set(id, value);
    }
  } catch (error) {
    // An identifier or value cut short is the frame's fault (RFC 9114 §7.1).
    if (error instanceof DecodeError) throw http3Failure("malformed-frame", error.message, { at: "SETTINGS" });
    throw error;
  }
  const value = (name: keyof Settings) => found.get(ids[name]) ?? initialSettings[name];
  return {
    maxFieldSectionSize: value("maxFieldSectionSize"),
    qpackMaxTableCapacity: value("qpackMaxTableCapacity"),
    qpackBlockedStreams: value("qpackBlockedStreams"),
  };
}
