import { channel } from "node:diagnostics_channel";
import type { DatagramOptions, DatagramPort, DatagramSink, SocketAddress } from "../../contract/index.js";
import { bindDatagrams as bindPortable } from "./datagrams.js";
import { datagramProbeMs } from "./limits.js";
import { NativeDatagrams } from "./native/datagrams.js";

/** Which way down datagrams take: `native` rejects where it is not to be had. */
export type DatagramPath = "quickest" | "native" | "portable";

export interface DatagramChoice {
  readonly name: "native" | "portable";
  /** Why this one, in a sentence for people. */
  readonly reason: string;
  readonly native: NativeDatagrams | undefined;
}

/** Groups are joined through node:dgram on every path: they are few, and never the fast ones. */
export async function bindDatagrams(
  path: DatagramPath,
  local: SocketAddress,
  sink: DatagramSink,
  options?: DatagramOptions,
): Promise<DatagramPort> {
  if (path === "portable" || options?.multicast !== undefined) return bindPortable(local, sink, options);
  const { native, reason } = await chooseDatagrams();
  if (native !== undefined) return native.bind(local, sink, options);
  if (path === "native") throw new Error(reason);
  return bindPortable(local, sink, options);
}

let chosen: Promise<DatagramChoice> | undefined;

/**
 * `native` if libc and the event loop can be called and carry a known batch from one port to another, else `portable`; decided once a
 * process, when the first port is bound. `SEALPORT_NATIVE=off` in the environment turns native off. The choice is published
 * once on the diagnostics channel `sealport:datagrams`.
 */
export function chooseDatagrams(): Promise<DatagramChoice> {
  chosen ??= choose().then((choice) => {
    channel("sealport:datagrams").publish({ path: choice.name, reason: choice.reason });
    return choice;
  });
  return chosen;
}

async function choose(): Promise<DatagramChoice> {
  if (process.env["SEALPORT_NATIVE"] === "off") {
    return { name: "portable", reason: "SEALPORT_NATIVE=off", native: undefined };
  }
  try {
    const native = new NativeDatagrams();
    await probe(native);
    return { name: "native", reason: "libc's batches, on node's own event loop", native };
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { name: "portable", reason: `the native path is not to be had: ${why}`, native: undefined };
  }
}

/** A batch of three goes over loopback, with ECT(0), and must be heard as it was sent, by way of the event loop. */
async function probe(native: NativeDatagrams): Promise<void> {
  const here = { address: "127.0.0.1", port: 0 };
  const sent = Uint8Array.from({ length: 2_500 }, (_, i) => i * 7);
  const ports: DatagramPort[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const late = (): void => reject(new Error("its datagrams did not arrive"));
      // Who was busy all that time has not looked yet: one turn of the loop finds what is there, the next one tells it.
      timer = setTimeout(() => setImmediate(() => setImmediate(late)), datagramProbeMs);
      let heard = 0;
      const quiet: DatagramSink = { datagrams: () => {}, softError: reject, closed: () => {} };
      const to = native.bind(here, {
        ...quiet,
        datagrams: (bytes, from, segmentSize, ecn) => {
          const isSame = bytes.every((byte, i) => byte === sent[heard + i]);
          if (!isSame || ecn !== 2 || from.port !== ports[1]!.local.port || segmentSize > 1_000) {
            reject(new Error("its datagrams came out wrong"));
          }
          heard += bytes.length;
          if (heard === sent.length) resolve();
        },
      });
      ports.push(to, native.bind(here, quiet));
      ports[1]!.send(sent, to.local, 1_000, 2);
    });
  } finally {
    clearTimeout(timer);
    for (const port of ports) port.close();
  }
}
