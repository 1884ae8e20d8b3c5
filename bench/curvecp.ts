import { fileURLToPath } from "node:url";
import { fromHex } from "../src/bytes/index.js";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { nodeHost } from "../src/hosts/node/index.js";
import { type ControllerName, connect } from "../src/protocols/curvecp/index.js";
import { extension, NaclKeys, naclClient, naclServer, serverName } from "../test/interop/peers/curvecp.js";
import { Program } from "../test/interop/peers/program.js";
import type { CurveCpEndAnswer } from "./programs/curvecp-end.js";

const rounds = 3;
/** The reference is slow: what it carries is little, and what we carry between ourselves enough to be measured. */
const naclBytes = 4_000_000;
const ourBytes = 32_000_000;
const host = nodeHost();
const nacl = "NaCl 20110221 at both ends";

/** One stream over the loopback, a process for each end: ours at both ends, NaCl's at both ends, one of each. */
export async function run(): Promise<readonly BenchRow[]> {
  const ours: Record<ControllerName, CurveCpEndAnswer[]> = { chicago: [], cubic: [], "new-reno": [], bbr: [] };
  const theirs: number[] = [];
  const toThem: number[] = [];
  // In turns, so that what else the machine does falls on all of them.
  for (let i = 0; i < rounds; i++) {
    for (const name of ["cubic", "bbr"] as const) ours[name].push(await betweenOurs(name));
    toThem.push(await fromUsToNacl());
    theirs.push(await betweenNacls());
  }
  const theirRate = median(theirs.map((ms) => naclBytes / ms / 1e3));
  const rate = (of: readonly CurveCpEndAnswer[]) => median(of.map(({ bytes, ms }) => bytes / ms / 1e3));
  return [
    row("CurveCP, one stream, cubic, receiver's clock", "MB/s", rate(ours.cubic), theirRate, nacl),
    row("CurveCP, one stream, bbr, receiver's clock", "MB/s", rate(ours.bbr), theirRate, nacl),
    row(
      "CurveCP, our client to NaCl's server, from the first write to its answer",
      "MB/s",
      median(toThem.map((ms) => naclBytes / ms / 1e3)),
      theirRate,
      nacl,
    ),
  ];
}

export async function betweenOurs(congestionControl: ControllerName): Promise<CurveCpEndAnswer> {
  const file = fileURLToPath(new URL("./programs/curvecp-end.js", import.meta.url));
  await using server = new Program("CurveCP end", process.execPath, [file, congestionControl]);
  const [, port, publicKey] = await server.says(/"port":(\d+),"publicKey":"([0-9a-f]+)"/);
  await send(Number(port), fromHex(publicKey!), ourBytes, congestionControl);
  const [answer] = await server.says(/\{"bytes".*\}/);
  return JSON.parse(answer) as CurveCpEndAnswer;
}

async function fromUsToNacl(): Promise<number> {
  using keys = new NaclKeys();
  const { program, port } = await naclServer(keys, "wc -c");
  await using _ = program;
  return await send(port, keys.publicKey, naclBytes, "cubic");
}

/** Both ends are NaCl's: from the start of the client to its end. */
async function betweenNacls(): Promise<number> {
  using keys = new NaclKeys();
  const { program, port } = await naclServer(keys, "wc -c");
  await using _ = program;
  const started = performance.now();
  const shell = `(head -c ${naclBytes} /dev/zero >&7; exec 7>&-) & exec 7>&-; cat <&6; wait`;
  await using client = naclClient(port, keys.publicKey, shell);
  await client.says(String(naclBytes));
  return performance.now() - started;
}

/** Sends so many bytes and waits for the other's end; answers how long that took. */
function send(port: number, serverKey: Uint8Array, bytes: number, congestionControl: ControllerName): Promise<number> {
  const chunk = new Uint8Array(65_536);
  let left = bytes;
  return new Promise((resolve, reject) => {
    const options = { serverKey, serverName, congestionControl, ...(bytes === naclBytes && extensions) };
    const pump = (): void => {
      while (left > 0) {
        const size = Math.min(left, chunk.length);
        left -= size;
        if (!session.write(size === chunk.length ? chunk : chunk.subarray(0, size))) return;
      }
      session.finish();
    };
    let started = 0;
    const session = connect(host, { address: "127.0.0.1", port }, options, {
      confirmed() {
        started = performance.now();
        pump();
      },
      bytes() {},
      ended: () => resolve(performance.now() - started),
      drained: pump,
      closed: (failure) => (failure === undefined ? undefined : reject(failure)),
    });
  });
}

const extensions = { extension, serverExtension: extension };
