import type { Host } from "../contract/index.js";
import { captureToFile } from "../hosts/node/capture.js";
import { nodeHost } from "../hosts/node/index.js";
import { host as shared } from "./host.js";

/** The host of a run that is recorded: its secrets in a key log, its packets in a capture, or neither. */
export interface Recording extends AsyncDisposable {
  readonly host: Host;
}

export function openRecording({
  "key-log": keyLogPath,
  pcapng,
}: {
  readonly "key-log": string | undefined;
  readonly pcapng: string | undefined;
}): Recording {
  const host = keyLogPath === undefined ? shared() : nodeHost({ keyLogPath });
  if (pcapng === undefined) return { host, [Symbol.asyncDispose]: async () => {} };
  const capture = captureToFile(host, pcapng);
  return { host: capture.host, [Symbol.asyncDispose]: () => capture.close() };
}
