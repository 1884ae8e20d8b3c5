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
 * ours alone: what the peer still has to say is heard.
 */
export async function pipeBothWays(
  connection: Connection,
  input: Readable,
  terminal: Terminal,
  signal: AbortSignal,
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

async function send(connection: Connection, input: Readable): Promise<void> {
  for await (const chunk of input) await connection.send(new Uint8Array(chunk as Buffer));
  await connection.send(new Uint8Array(0), { final: true });
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
