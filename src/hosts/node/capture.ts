import type { Host, Network } from "../../contract/index.js";
import { captured, Pcapng, secretsKindOf } from "../../mechanisms/capture/index.js";
import { hostWith } from "../../mechanisms/host-with.js";
import { captureHoldBytesMax, captureHoldMs } from "./limits.js";
import { fileSink } from "./sinks.js";

export interface CaptureOptions {
  /** The network to record. Default: the host's. */
  readonly network?: Network;
  /** Name of a second interface, for the packets inside a tunnel: `inside` writes them. */
  readonly inside?: string;
}

export interface Capture {
  /** The host that was given, with a network that is recorded and a key log that goes into the file as well. */
  readonly host: Host;
  /** Records an IP packet on the interface inside. */
  inside(direction: "in" | "out", packet: Uint8Array): void;
  /** Blocks that a slow disk did not take. */
  readonly dropped: number;
  /** When all is on its way to the disk; rejects if something could not be written. */
  close(): Promise<void>;
}

/**
 * Records what passes a host's ports in a pcapng file, mode 0600, with the secrets that decrypt it: Wireshark opens it
 * as it is. It reads a file from the front, so secrets have to stand before the packets that they decrypt: packets are
 * held back for a moment, in which whoever receives them comes to their secrets.
 */
export function captureToFile(host: Host, path: string, options: CaptureOptions = {}): Capture {
  const outside = options.network ?? host.network;
  const sink = fileSink(path);
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isHolding = false;
  const flush = (): void => {
    for (const block of held) sink.write(block);
    held = [];
    heldBytes = 0;
  };
  const write = (block: Uint8Array): void => {
    if (!isHolding) {
      sink.write(block);
      return;
    }
    if (held.length === 0) host.wakeAt(host.now() + captureHoldMs, flush).unref();
    held.push(block);
    heldBytes += block.length;
    if (heldBytes > captureHoldBytesMax) flush();
  };
  const pcapng = new Pcapng(write, [
    { name: outside.name, link: "ip" },
    ...(options.inside === undefined ? [] : [{ name: options.inside, link: "ip" } as const]),
  ]);
  isHolding = true;
  const network = captured(outside, host, pcapng);
  const keyLog = (line: string): void => {
    isHolding = false;
    pcapng.secrets(secretsKindOf(line), line);
    isHolding = true;
    host.keyLog?.(line);
  };
  return {
    host: hostWith(host, { network, keyLog }),
    inside: (direction, bytes) => pcapng.packet({ at: host.now(), on: 1, bytes, direction }),
    get dropped() {
      return sink.dropped;
    },
    close: () => {
      flush();
      return sink.close();
    },
  };
}
