import type { Trace } from "../../contract/index.js";
import { fileSink } from "./sinks.js";

/** A qlog of one end, being written. */
export interface Qlog extends AsyncDisposable {
  /** Give it to a host or a session as its trace. */
  readonly trace: Trace;
  /** Events dropped because the file was too slow. */
  readonly dropped: number;
  /** When all is on its way to the disk; rejects if something could not be written. */
  close(): Promise<void>;
}

/** Before each record, RFC 7464. */
const recordSeparator = "\u001e";

/**
 * A qlog file in JSON text sequences (draft-ietf-quic-qlog-main-schema), mode 0600; by custom its name ends with `.sqlog`.
 * Events of several connections share it: each event names its connection as its `group_id`.
 */
export function qlogFile(path: string, vantage: "client" | "server"): Qlog {
  const sink = fileSink(path);
  const encoder = new TextEncoder();
  const write = (record: object) => sink.write(encoder.encode(`${recordSeparator}${JSON.stringify(record, plain)}\n`));
  write({
    file_schema: "urn:ietf:params:qlog:file:sequential",
    serialization_format: "application/qlog+json-seq",
    title: "Sealport",
    trace: {
      common_fields: {
        time_format: "relative_to_epoch",
        reference_time: { clock_type: "system", epoch: "1970-01-01T00:00:00.000Z" },
      },
      vantage_point: { type: vantage },
      event_schemas: ["urn:ietf:params:qlog:events:quic-13"],
    },
  });
  return {
    trace: ({ at, name, data: { connection, ...data } }) => {
      write({ time: at, name, ...(connection !== undefined && { group_id: String(connection) }), data });
    },
    get dropped() {
      return sink.dropped;
    },
    close: () => sink.close(),
    [Symbol.asyncDispose]: () => sink.close(),
  };
}

/** Bytes in hexadecimal, as qlog has them; no number that JSON lacks. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString("hex");
  return typeof value === "bigint" ? String(value) : value;
}
