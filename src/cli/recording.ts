import type { KeyLog, Network } from "../contract/index.js";
import { keyLogFile } from "../hosts/node/index.js";

/** Where secrets and packets of a run are written to, if anywhere. */
export interface Recording extends AsyncDisposable {
  readonly network: Network;
  readonly keyLog: KeyLog | undefined;
}

export function openRecording(
  { "key-log": keyLog }: { readonly "key-log": string | undefined },
  network: Network,
): Recording {
  const warn = (error: unknown) => process.emitWarning(`the key log cannot be written: ${String(error)}`);
  return {
    network,
    keyLog: keyLog === undefined ? undefined : keyLogFile(keyLog, warn),
    [Symbol.asyncDispose]: async () => {},
  };
}
