import { execFileSync } from "node:child_process";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import type { DatagramInput, SocketAddress } from "../src/contract/index.js";
import { chooseCrypto } from "../src/hosts/node/crypto.js";
import { nodeEntropy } from "../src/hosts/node/entropy.js";
import type { Algorithms } from "../src/protocols/zrtp/algorithms.js";
import { Zrtp } from "../src/protocols/zrtp/machine.js";
import { compiled } from "../test/interop/peers/c-peer.js";

const turnMs = 2_000;
const rounds = 3;
const measured = ["X255", "DH3k"] as const satisfies readonly Algorithms["keyAgreements"][number][];

/**
 * Both ends of ZRTP's key agreement in one process, from the first Hello to both being secure, in turns with libbzrtp. Processor time is
 * what counts, all threads together, so that other work on the machine weighs less.
 */
export async function run(): Promise<readonly BenchRow[]> {
  const { provider: crypto } = chooseCrypto();
  const bzrtp = compiledOrNothing();
  if (bzrtp === undefined) return [];
  return measured.map((keyAgreement) => {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let i = 0; i < rounds; i++) {
      ours.push(handshakesASecond(keyAgreement));
      const said = String(execFileSync(bzrtp, ["bench", keyAgreement, String(turnMs / 1_000)]));
      const { handshakes, seconds } = JSON.parse(said) as { readonly handshakes: number; readonly seconds: number };
      theirs.push(handshakes / seconds);
    }
    const what = `ZRTP key agreements, both ends, ${keyAgreement} (${crypto.name})`;
    return row(what, "handshakes a processor second", median(ours), median(theirs), "libbzrtp (C)");
  });
}

function compiledOrNothing(): string | undefined {
  try {
    return compiled("zrtp-peer", ["-lbzrtp", "-lsqlite3", "-lsrtp2"]);
  } catch {
    return undefined;
  }
}

function handshakesASecond(keyAgreement: (typeof measured)[number]): number {
  const start = processorMs();
  let count = 0;
  while (processorMs() - start < turnMs) {
    handshake(keyAgreement);
    count++;
  }
  return (1_000 * count) / (processorMs() - start);
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

const addresses: readonly SocketAddress[] = [
  { address: "192.0.2.1", port: 5004 },
  { address: "192.0.2.2", port: 5004 },
];

/** What libbzrtp offers too: SHA-256, AES-128, the short tag. */
function handshake(keyAgreement: (typeof measured)[number]): void {
  const { provider: crypto } = chooseCrypto();
  const algorithms: Algorithms = {
    hashes: ["S256"],
    ciphers: ["AES1"],
    authTags: ["HS32"],
    keyAgreements: [keyAgreement],
    sas: ["B32"],
  };
  const ends = [0, 1].map(
    (i) =>
      new Zrtp(
        {
          crypto,
          entropy: nodeEntropy,
          zid: nodeEntropy.fill(new Uint8Array(12)),
          remote: addresses[1 - i]!,
          passive: i === 1,
          algorithms,
        },
        0,
      ),
  );
  const buffer = new Uint8Array(4_096);
  for (const end of ends) end.handle({ kind: "opened" }, 0);
  for (let isMoving = true; isMoving; ) {
    isMoving = false;
    for (const [i, end] of ends.entries()) {
      for (let sent = end.transmit(buffer); sent !== undefined; sent = end.transmit(buffer)) {
        isMoving = true;
        const bytes = buffer.slice(0, sent.size);
        const input: DatagramInput = {
          kind: "datagrams",
          bytes,
          from: addresses[i]!,
          to: addresses[1 - i]!,
          segmentSize: bytes.length,
          ecn: 0,
        };
        ends[1 - i]!.handle(input, 0);
      }
    }
  }
  if (!ends.every(({ isSecure }) => isSecure)) throw new Error("no handshake");
  for (const end of ends) end.handle({ kind: "close" }, 0);
}
