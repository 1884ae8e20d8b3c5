import type { Host } from "../contract/index.js";
import { captureToFile } from "../hosts/node/capture.js";
import { diagnosticsTrace, nodeHost, qlogFile } from "../hosts/node/index.js";
import { host as shared } from "./host.js";

/** The host of a run that is recorded: its secrets in a key log, its packets in a capture, QUIC's doings in a qlog, or none. */
export interface Recording extends AsyncDisposable {
  readonly host: Host;
}

export function openRecording(
  {
    "key-log": keyLogPath,
    pcapng,
    qlog: qlogPath,
  }: {
    readonly "key-log": string | undefined;
    readonly pcapng: string | undefined;
    readonly qlog: string | undefined;
  },
  vantage: "client" | "server",
): Recording {
  const qlog = qlogPath === undefined ? undefined : qlogFile(qlogPath, vantage);
  const host =
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
  const capture = pcapng === undefined ? undefined : captureToFile(host, pcapng);
  return {
    host: capture?.host ?? host,
    async [Symbol.asyncDispose]() {
      await capture?.close();
      await qlog?.close();
    },
  };
}
