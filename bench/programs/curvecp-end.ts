// One end of a CurveCP transfer in a process of its own: it listens, takes a stream, gives nothing back, and tells when and at
// what cost.
import { toHex } from "../../src/bytes/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { Boxes, type ControllerName, listen } from "../../src/protocols/curvecp/index.js";

/** What it says of each stream, as JSON, one a line. */
export interface CurveCpEndAnswer {
  readonly bytes: number;
  /** From the first byte to the last, by this end's clock. */
  readonly ms: number;
  readonly cpuMs: number;
}

const host = nodeHost();
const identity = new Boxes(host.crypto).newKeyPair(host.entropy);
const congestionControl = process.argv[2] as ControllerName;
const listener = await listen(host, { address: "127.0.0.1", port: 0 }, { identity, congestionControl }, (session) => {
  let [bytes, first, cpu] = [0, 0, process.cpuUsage()];
  return {
    bytes(part) {
      if (bytes === 0) [first, cpu] = [performance.now(), process.cpuUsage()];
      bytes += part.length;
    },
    ended() {
      const { user, system } = process.cpuUsage(cpu);
      const answer: CurveCpEndAnswer = { bytes, ms: performance.now() - first, cpuMs: (user + system) / 1_000 };
      console.log(JSON.stringify(answer));
      session.finish();
    },
    drained() {},
    closed() {},
  };
});
console.log(JSON.stringify({ port: listener.local.port, publicKey: toHex(identity.publicKey) }));
