import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parsePrefix } from "../../src/bytes/index.js";
import { type CryptoProvider, Secret } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { WireGuard } from "../../src/protocols/wireguard/index.js";

/** Two machines that know each other, and nothing between them: what the protocol itself costs. */
class Pair {
  readonly a: WireGuard;
  readonly b: WireGuard;
  now = 1_700_000_000_000;
  readonly #buffer = new Uint8Array(128 * 1024);
  readonly #addresses = [
    { address: "192.0.2.1", port: 1 },
    { address: "192.0.2.2", port: 2 },
  ] as const;

  constructor(crypto: CryptoProvider) {
    const entropy = seededEntropy(1);
    const keys = [entropy.fill(new Uint8Array(32)), entropy.fill(new Uint8Array(32))] as const;
    const publicKeyOf = (key: Uint8Array): Uint8Array =>
      new WireGuard({ crypto, entropy, privateKey: Secret.copy(key) }, this.now).publicKey;
    const make = (own: 0 | 1): WireGuard => {
      const other = own === 0 ? 1 : 0;
      const allowedIps = [parsePrefix(`10.0.0.${other + 1}/32`)!];
      const peer = { publicKey: publicKeyOf(keys[other]), endpoint: this.#addresses[other], allowedIps };
      return new WireGuard({ crypto, entropy, privateKey: Secret.copy(keys[own]), peers: [peer] }, this.now);
    };
    this.a = make(0);
    this.b = make(1);
  }

  /** Lets `from` send all that it has. */
  pass(from: WireGuard): number {
    const [to, address] = from === this.a ? [this.b, this.#addresses[0]] : [this.a, this.#addresses[1]];
    let packets = 0;
    for (let t = from.transmit(this.#buffer, this.now); t; t = from.transmit(this.#buffer, this.now)) {
      const bytes = this.#buffer.subarray(0, t.size);
      to.handle(
        { kind: "datagrams", bytes, from: address, to: address, segmentSize: t.segmentSize ?? 0, ecn: 0 },
        this.now,
      );
      for (let event = to.event(); event; event = to.event()) if (event.kind === "packets") packets += event.count;
    }
    return packets;
  }

  shake(): void {
    // Beyond the limits of both sides on how often.
    this.now += 10_000;
    this.a.handle({ kind: "initiate", publicKey: this.b.publicKey }, this.now);
    this.pass(this.a);
    this.pass(this.b);
    this.pass(this.a);
    for (const end of [this.a, this.b]) while (end.event() !== undefined);
  }
}

const measureMs = 700;

export function packetsPerSecond(crypto: CryptoProvider): number {
  const pair = new Pair(crypto);
  pair.shake();
  const packet = new Uint8Array(1_420);
  packet.set([0x45, 0, 1_420 >> 8, 1_420 & 255]);
  packet.set([10, 0, 0, 1, 10, 0, 0, 2], 12);
  return perSecond(() => {
    for (let i = 0; i < 64; i++) pair.a.handle({ kind: "packet", bytes: packet }, pair.now);
    return pair.pass(pair.a);
  });
}

export function handshakesPerSecond(crypto: CryptoProvider): number {
  const pair = new Pair(crypto);
  const made = (): number => pair.b.status()[0]!.handshakes;
  return perSecond(() => {
    const before = made();
    pair.shake();
    return made() - before;
  });
}

/** Bytes that the machine grows by for each peer that it is told of. */
export function peerBytes(crypto: CryptoProvider, count: number): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const weigh = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const entropy = seededEntropy(2);
  const newKey = (): Uint8Array => entropy.fill(new Uint8Array(32));
  const machine = new WireGuard({ crypto, entropy, privateKey: Secret.copy(newKey()) }, 0);
  const before = weigh();
  for (let i = 0; i < count; i++) {
    const allowedIps = [parsePrefix(`10.100.${i >> 8}.${i & 255}/32`)!];
    machine.handle({ kind: "add-peer", peer: { publicKey: newKey(), allowedIps } }, 0);
  }
  const grown = weigh() - before;
  return machine.status().length === 0 ? Number.NaN : grown / count;
}

/** `work` answers how many it did. */
function perSecond(work: () => number): number {
  for (const until = performance.now() + measureMs / 4; performance.now() < until; ) work();
  let count = 0;
  const start = performance.now();
  while (performance.now() - start < measureMs) count += work();
  return (count * 1000) / (performance.now() - start);
}
