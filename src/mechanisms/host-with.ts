import type { Host, KeyLog, Network } from "../contract/index.js";

/** A host on another network, or with another key log; all else is the host's own, asked of it each time. */
export function hostWith(
  host: Host,
  { network, keyLog }: { readonly network?: Network; readonly keyLog?: KeyLog },
): Host {
  return {
    name: host.name,
    entropy: host.entropy,
    ...(host.zlib && { zlib: host.zlib }),
    get crypto() {
      return host.crypto;
    },
    get network() {
      return network ?? host.network;
    },
    get keyLog() {
      return keyLog ?? host.keyLog;
    },
    get trace() {
      return host.trace;
    },
    roots: () => host.roots(),
    now: () => host.now(),
    wakeAt: (at, call) => host.wakeAt(at, call),
    soon: (call) => host.soon(call),
  };
}
