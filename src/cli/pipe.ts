import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Connection } from "../taps/index.js";
import type { Terminal } from "./terminal.js";

/** Bytes that passed a pipe between a Connection and this process. */
export interface Moved {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/**
 * Input to the Connection, the Connection to stdout, until the peer has ended its direction. The end of the input ends
 * ours alone: what the peer still has to say is heard. Where a Connection of Messages has no such end, `quietMs` without
 * one behind the end of the input is the end of all.
 */
export async function pipeBothWays(
  connection: Connection,
  input: Readable,
  terminal: Terminal,
  signal: AbortSignal,
  quietMs?: number,
): Promise<Moved> {
  const stop = () => {
    connection.abort(signal.reason);
    input.destroy();
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  const sending = send(connection, input);
  sending.catch(() => {});
  try {
    if (quietMs !== undefined && hasMessages(connection)) closeWhenQuiet(connection, sending, quietMs);
    await receive(connection, terminal);
  } finally {
    signal.removeEventListener("abort", stop);
    // The peer is done: nobody would hear what stdin still has.
    input.destroy();
  }
  signal.throwIfAborted();
  const { bytesSent, bytesReceived } = connection.statistics;
  return { bytesSent, bytesReceived };
}

/** Does it carry Messages rather than a stream, which has an end of its own? */
export const hasMessages = (connection: Connection): boolean => Number.isFinite(connection.get("sendMsgMaxLen"));

/** After the last of the input, and when nothing has come for a while. */
function closeWhenQuiet(connection: Connection, sending: Promise<void>, quietMs: number): void {
  let heard = -1;
  const look = (): void => {
    const { bytesReceived } = connection.statistics;
    if (bytesReceived === heard) connection.close().catch(() => {});
    else setTimeout(look, quietMs);
    heard = bytesReceived;
  };
  sending.then(look, () => {});
}

async function send(connection: Connection, input: Readable): Promise<void> {
  const isOfMessages = hasMessages(connection);
  for await (const chunk of input) {
    const bytes = new Uint8Array(chunk as Buffer);
    const step = isOfMessages ? connection.get("sendMsgMaxLen") : bytes.length;
    for (let at = 0; at < bytes.length; at += step) await connection.send(bytes.subarray(at, at + step));
  }
  if (!isOfMessages) await connection.send(new Uint8Array(0), { final: true });
}

async function receive(connection: Connection, terminal: Terminal): Promise<void> {
  for await (const { data, context } of connection) {
    if (data.length === 0) continue;
    if (terminal.json) {
      const early = context.metadata.early === true ? { early: true } : {};
      terminal.event("data", { base64: Buffer.from(data).toString("base64"), ...early });
    } else if (!process.stdout.write(data)) await once(process.stdout, "drain");
  }
}
