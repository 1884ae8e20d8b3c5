import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress, parsePrefix } from "../../src/bytes/index.js";
import { type Instant, Secret } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { CookieKeeper } from "../../src/protocols/wireguard/cookies.js";
import { SentInitiation } from "../../src/protocols/wireguard/handshake.js";
import type { WireGuardEvent, WireGuardInput } from "../../src/protocols/wireguard/interfaces.js";
import { WireGuard } from "../../src/protocols/wireguard/machine.js";
import { responseLayout, u32le } from "../../src/protocols/wireguard/messages/layout.js";
import { Suite } from "../../src/protocols/wireguard/noise.js";
import { Session } from "../../src/protocols/wireguard/session.js";
import { tai64n } from "../../src/protocols/wireguard/timestamp.js";
import { writeIcmp } from "../../src/stack/icmp/icmp.js";
import { Stack } from "../../src/stack/index.js";
import { fragment } from "../../src/stack/ip/fragment.js";
import { writeUdp } from "../../src/stack/udp/socket.js";
import { PacketTunnel } from "../../src/tunnels/index.js";
import { Ack, forge, Syn } from "../support/packets.js";
import { provider } from "../support/provider.js";

/**
 * A peer that has its keys and seals whatever it likes, which no WireGuard of ours would, and a tunnel with a stack that
 * has to live with it.
 */
class Insider {
  now: Instant = 1_700_000_000_000;
  readonly stack: Stack;
  readonly machine: WireGuard;
  readonly tunnel: PacketTunnel<WireGuardInput, WireGuardEvent>;
  readonly #session: Session;
  readonly #from = { address: "192.0.2.66", port: 6_666 };
  readonly #to = { address: "192.0.2.2", port: 51_820 };

  constructor() {
    const entropy = seededEntropy(8_922);
    const suite = new Suite(provider);
    const own = suite.newKeyPair(entropy);
    this.stack = new Stack({
      crypto: provider,
      entropy,
      addresses: ["10.0.0.2/24", "fd00::2/64"].map((text) => parsePrefix(text)!),
      mtu: 1_420,
    });
    this.machine = new WireGuard(
      {
        crypto: provider,
        entropy,
        privateKey: new Secret(entropy.fill(new Uint8Array(32))),
        peers: [{ publicKey: own.publicKey, allowedIps: [parsePrefix("10.0.0.1/32")!, parsePrefix("fd00::1/128")!] }],
        source: this.stack,
      },
      this.now,
    );
    this.tunnel = new PacketTunnel<WireGuardInput, WireGuardEvent>(this.machine, this.stack);
    const peer = { publicKey: this.machine.publicKey, preSharedKey: undefined };
    const sent = SentInitiation.create(suite, own, peer, suite.newKeyPair(entropy), 77, tai64n(this.now))!;
    new CookieKeeper(suite, peer.publicKey).sign(sent.message, this.now);
    this.give(sent.message.slice(), sent.message.length);
    const [response] = this.drain();
    const keys = sent.accept(response!)!;
    this.#session = new Session(suite, keys, 77, u32le(response!, responseLayout.sender), true, this.now);
  }

  give(bytes: Uint8Array, segmentSize: number): void {
    this.tunnel.handle({ kind: "datagrams", bytes, from: this.#from, to: this.#to, segmentSize, ecn: 0 }, this.now);
  }

  /** Everything to send now. */
  drain(): Uint8Array[] {
    const buffer = new Uint8Array(65_535);
    const out: Uint8Array[] = [];
    for (let t = this.tunnel.transmit(buffer, this.now); t; t = this.tunnel.transmit(buffer, this.now)) {
      out.push(buffer.slice(0, t.size));
      assert.ok(out.length < 1_000, "it stops");
    }
    while (this.tunnel.event() !== undefined) {}
    return out;
  }

  /** Seals these bytes as they are, and sends them. */
  seal(inner: Uint8Array): void {
    const message = new Uint8Array(16 + inner.length + 16);
    message.set(inner, 16);
    this.give(message.subarray(0, this.#session.seal(message, 0, inner.length)), message.length);
  }

  /** Does an echo still come back? */
  isWell(): boolean {
    this.now += 1_000;
    this.drain();
    const [from, to] = ["10.0.0.1", "10.0.0.2"].map((text) => parseAddress(text)!);
    this.seal(writeIcmp("echo-request", 1, new Uint8Array(8), from!, to!));
    return this.drain().length === 1;
  }
}

const [a4, b4, a6, b6] = ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"].map((text) => parseAddress(text)!);
const segment = { from: "10.0.0.1", to: "10.0.0.2", sourcePort: 9, destinationPort: 80, sequence: 7 } as const;
const seeds: readonly Uint8Array[] = [
  writeUdp(a4!, 9, b4!, 53, new Uint8Array(100), 0, 0),
  writeUdp(a6!, 9, b6!, 53, new Uint8Array(100), 0, 0),
  writeIcmp("echo-request", 1, new Uint8Array(40), a6!, b6!),
  writeIcmp("port-unreachable", 0, writeUdp(b4!, 53, a4!, 9, new Uint8Array(8), 0, 0), a4!, b4!),
  forge({ ...segment, flags: Syn }),
  forge({ ...segment, flags: Ack, acknowledgment: 99, payload: new Uint8Array(50) }),
  forge({ ...segment, from: "fd00::1", to: "fd00::2", flags: Syn }),
  ...fragment(writeUdp(a4!, 9, b4!, 53, new Uint8Array(3_000), 0, 0), 1_400, 5),
  ...fragment(writeUdp(a6!, 9, b6!, 53, new Uint8Array(3_000), 0, 0), 1_400, 5),
];
const mutated = fc
  .record({
    seed: fc.nat(seeds.length - 1),
    edits: fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 }),
    cut: fc.oneof(fc.nat(100), fc.constant(9_999)),
    padding: fc.nat(20),
  })
  .map(({ seed, edits, cut, padding }) => {
    const packet = seeds[seed]!.slice(0, cut);
    for (const [at, value] of edits) if (at < packet.length) packet[at] = value;
    const padded = new Uint8Array(packet.length + padding);
    padded.set(packet);
    return padded;
  });

test("whatever a peer with keys seals inside, nothing throws, and the tunnel serves on", () => {
  const insider = new Insider();
  insider.stack.listen(80);
  insider.stack.bind(53);
  assert.ok(insider.isWell());
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), (inner) => {
      insider.seal(inner);
      insider.drain();
      insider.now += 1;
    }),
    { seed: 1, numRuns: 10_000 },
  );
  const { drops } = insider.machine;
  assert.ok(drops["not-ip"] > 500 && drops["source-not-allowed"] > 100, JSON.stringify(drops));
  assert.ok(insider.isWell());
});

test("a length inside that promises more than was sealed reads nobody's bytes", () => {
  const insider = new Insider();
  insider.stack.bind(53);
  for (const packet of seeds.slice(0, 3)) {
    for (const more of [1, 40, 60_000]) {
      const lying = packet.slice();
      const at = lying[0]! >> 4 === 4 ? 2 : 4;
      const view = new DataView(lying.buffer);
      view.setUint16(at, view.getUint16(at) + more);
      insider.seal(lying);
    }
  }
  assert.equal(insider.machine.drops["not-ip"], 9);
  assert.ok(insider.isWell());
});

test("sources that are not the peer's are not believed, whatever they say", () => {
  const insider = new Insider();
  insider.stack.bind(53);
  for (const from of ["10.0.0.2", "10.0.0.3", "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"]) {
    insider.seal(writeUdp(parseAddress(from)!, 9, b4!, 53, new Uint8Array(8), 0, 0));
  }
  for (const from of ["fd00::2", "fd00::3", "::1", "::", "ff02::1", "::ffff:10.0.0.1"]) {
    insider.seal(writeUdp(parseAddress(from)!, 9, b6!, 53, new Uint8Array(8), 0, 0));
  }
  assert.equal(insider.machine.drops["source-not-allowed"], 12);
  assert.deepEqual(insider.drain(), []);
});
