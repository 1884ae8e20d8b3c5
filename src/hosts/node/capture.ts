import type { Host } from "../../contract/index.js";
import { captured, Pcapng, secretsKindOf } from "../../mechanisms/capture/index.js";
import { fileSink } from "./sinks.js";

export interface Capture {
  /** The host that was given, with a network that is recorded and a key log that goes into the file as well. */
  readonly host: Host;
  /** Blocks that a slow disk did not take. */
  readonly dropped: number;
  /** When all is on its way to the disk; rejects if something could not be written. */
  close(): Promise<void>;
}

/**
 * Records what passes a host's ports in a pcapng file, mode 0600, with the secrets that decrypt it: Wireshark opens it
 * as it is.
 */
export function captureToFile(host: Host, path: string): Capture {
  const sink = fileSink(path);
  const pcapng = new Pcapng((block) => sink.write(block), [{ name: host.network.name, link: "ip" }]);
  const network = captured(host.network, host, pcapng);
  return {
    host: {
      name: host.name,
      entropy: host.entropy,
      get crypto() {
        return host.crypto;
      },
      network,
      keyLog: (line) => {
        pcapng.secrets(secretsKindOf(line), line);
        host.keyLog?.(line);
      },
      get trace() {
        return host.trace;
      },
      roots: () => host.roots(),
      now: () => host.now(),
      wakeAt: (at, call) => host.wakeAt(at, call),
      soon: (call) => host.soon(call),
    },
    get dropped() {
      return sink.dropped;
    },
    close: () => sink.close(),
  };
}
