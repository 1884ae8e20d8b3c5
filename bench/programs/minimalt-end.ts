// A server of a MinimaLT benchmark in a process of its own: it takes connections, answers each with its end, and tells of those with
// more than a request when and at what cost they came.
import { toHex } from "../../src/bytes/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { hostIdentity, hostSecretSize, listen } from "../../src/protocols/minimalt/index.js";

/** What it says of each long stream, as JSON, one a line. */
export interface MinimaltEndAnswer {
  readonly bytes: number;
  /** From the first byte to the last, by this end's clock. */
  readonly ms: number;
}

const requestMax = 1_024;
const host = nodeHost();
const identity = hostIdentity(host.crypto, host.entropy.fill(new Uint8Array(hostSecretSize)));
// No puzzles: what is measured is what a server does for who needs none.
const options = { identity, tunnelsPerSecond: 1e6 };
const listener = await listen(host, { address: "127.0.0.1", port: 0 }, options, () => ({
  stream(stream) {
    let [bytes, first] = [0, 0];
    return {
      bytes(part) {
        if (bytes === 0) first = performance.now();
        bytes += part.length;
      },
      ended() {
        const answer: MinimaltEndAnswer = { bytes, ms: performance.now() - first };
        if (bytes > requestMax) console.log(JSON.stringify(answer));
        stream.finish();
      },
      drained() {},
      closed() {},
    };
  },
  closed() {},
}));
const { certS, ecertS } = listener.record;
const { port } = listener.local;
const about = { port, key: toHex(identity.publicKey), certS: toHex(certS), ecertS: toHex(ecertS) };
console.log(JSON.stringify(about));
