import type { Host } from "../contract/index.js";
import { captureToFile } from "../hosts/node/capture.js";
import { diagnosticsTrace, nodeHost, qlogFile } from "../hosts/node/index.js";
import { host as shared } from "./host.js";
import type { SessionValues } from "./session-options.js";
import type { Terminal } from "./terminal.js";

/**
 * The host of `connect` and `listen`: its secrets in a key log, its packets in a capture, QUIC's doings in a qlog, or none; and
 * its network the inside of a tunnel where one is named, so that no protocol has to know of it.
 */
export interface SessionHost extends AsyncDisposable {
  readonly host: Host;
}

export type SessionHostValues = Pick<
  SessionValues,
  "key-log" | "pcapng" | "qlog" | "tunnel" | "tunnel-key" | "tunnel-login"
>;

export async function openSessionHost(
  values: SessionHostValues,
  vantage: "client" | "server",
  terminal: Terminal,
): Promise<SessionHost> {
  const { "key-log": keyLogPath, pcapng, qlog: qlogPath, tunnel: file } = values;
  const qlog = qlogPath === undefined ? undefined : qlogFile(qlogPath, vantage);
  const own =
    keyLogPath === undefined && qlog === undefined
      ? shared()
      : nodeHost({
          ...(keyLogPath !== undefined && { keyLogPath }),
          ...(qlog !== undefined && {
            trace: (event) => {
              if (event.protocol === "QUIC") qlog.trace(event);
              diagnosticsTrace()?.(event);
            },
          }),
        });
  if (file !== undefined) {
    const { openNamed, tellOpen } = await import("./tunnel-options.js");
    const named = { file, key: values["tunnel-key"], login: values["tunnel-login"] };
    const office = await openNamed(named, "--tunnel", terminal, pcapng, own);
    tellOpen(office, terminal);
    // Who waits has to be known where it is.
    if (vantage === "server") office.handshake();
    return {
      host: office.host,
      async [Symbol.asyncDispose]() {
        // What was said last is still on its way down.
        await new Promise<void>((done) => own.soon(done));
        await office.close();
        await qlog?.close();
      },
    };
  }
  const capture = pcapng === undefined ? undefined : captureToFile(own, pcapng);
  return {
    host: capture?.host ?? own,
    async [Symbol.asyncDispose]() {
      await capture?.close();
      await qlog?.close();
    },
  };
}
