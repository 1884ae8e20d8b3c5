import type { CryptoProvider, Host, Network, Trace } from "../../contract/index.js";
import { zlib } from "../zlib.js";
import { Alarms } from "./alarms.js";
import { NodeClock } from "./clock.js";
import { chooseCrypto } from "./crypto.js";
import { bindDatagrams, type DatagramPath } from "./datagram-path.js";
import { nodeEntropy } from "./entropy.js";
import { interfaces } from "./interfaces.js";
import { type NameService, resolveName, resolveServiceName } from "./names.js";
import { loadRoots, type RootSource } from "./roots.js";
import { diagnosticsTrace, keyLogFile } from "./sinks.js";
import { connectStream, listenStreams } from "./streams.js";

export { chooseDatagrams, type DatagramChoice, type DatagramPath } from "./datagram-path.js";
export { isOpenToOthers, readWhole, replaceWhole } from "./files.js";
export type { NameService } from "./names.js";
export { policyFile } from "./policy.js";
export { type Qlog, qlogFile } from "./qlog.js";
export type { RootSource } from "./roots.js";
export { diagnosticsTrace, type FileSink, fileSink, keyLogFile } from "./sinks.js";

export interface NodeHostOptions {
  /** Default what `chooseCrypto` chooses, when it is first asked for. */
  readonly crypto?: CryptoProvider;
  /** Default `system`. */
  readonly names?: NameService;
  /** Default the quickest that works here. */
  readonly datagrams?: DatagramPath;
  /** Default `system`. */
  readonly roots?: RootSource;
  /** Where session secrets are written. Default the file that SSLKEYLOGFILE names; undefined for none. */
  readonly keyLogPath?: string | undefined;
  /** Default the diagnostics channel `sealport:trace`, while it has subscribers. */
  readonly trace?: Trace;
}

/** The host that a Node process is: its clock, its entropy, its sockets. */
export function nodeHost(options: NodeHostOptions = {}): Host {
  const clock = new NodeClock();
  const alarms = new Alarms(clock);
  const keyLogPath = "keyLogPath" in options ? options.keyLogPath : process.env["SSLKEYLOGFILE"];
  let roots: readonly Uint8Array[] | undefined;
  return {
    name: "node",
    entropy: nodeEntropy,
    get crypto() {
      return options.crypto ?? chooseCrypto().provider;
    },
    zlib,
    network: nodeNetwork(options.names, options.datagrams),
    keyLog: keyLogPath ? keyLogFile(keyLogPath, warn) : undefined,
    get trace() {
      return options.trace ?? diagnosticsTrace();
    },
    now: () => clock.now(),
    wakeAt: (at, call) => alarms.wakeAt(at, call),
    soon: (call) => queueMicrotask(call),
    roots: () => (roots ??= loadRoots(options.roots ?? "system")),
  };
}

/** The operating system's network over `node:net`, `node:dns`, and `node:dgram` or the native path beside it. */
export function nodeNetwork(names: NameService = "system", datagrams: DatagramPath = "quickest"): Network {
  return {
    name: "system",
    resolve: (name, options = {}) => resolveName(name, names, options),
    resolveService: (name, options) => resolveServiceName(name, names, options),
    connectStream,
    listenStreams,
    bindDatagrams: (local, sink, bindOptions) => bindDatagrams(datagrams, local, sink, bindOptions),
    interfaces,
  };
}

function warn(error: unknown): void {
  process.emitWarning(`the key log cannot be written: ${error instanceof Error ? error.message : error}`, {
    type: "SealportWarning",
    code: "SEALPORT_KEY_LOG",
  });
}
