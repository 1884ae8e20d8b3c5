import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/bytes/index.js";
import { Secret, type SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { MinimaltEndpoint } from "../../src/protocols/minimalt/index.js";
import { TunnelKey } from "../../src/protocols/minimalt/keys.js";
import { limits } from "../../src/protocols/minimalt/limits.js";
import { PacketView } from "../../src/protocols/minimalt/wire/packet.js";
import {
  approachOf,
  clientAddress,
  type Flying,
  MinimaltPair,
  pattern,
  type Side,
  serverAddress,
  userIdentity,
} from "../support/minimalt-pair.js";
import { provider as crypto } from "../support/provider.js";

const other = (side: Side): Side => (side === "client" ? "server" : "client");
const view = new PacketView();

/** A conversation in which somebody gets each packet before it arrives. */
function intercepted(meddler: (pair: MinimaltPair, packet: Flying) => void): MinimaltPair {
  const pair = new MinimaltPair({ client: { user: userIdentity } });
  pair.meddle = (packet) => {
    pair.meddle = (next) => [next];
    pair.drain(other(packet.from)); // what it had to say anyway
    const before = { client: pair.events.client.length, server: pair.events.server.length };
    meddler(pair, packet);
    const after = { client: pair.events.client.length, server: pair.events.server.length };
    assert.deepEqual(after, before, "nothing is told");
    pair.meddle = again;
    return [packet];
  };
  const again = pair.meddle;
  return pair;
}

function converse(pair: MinimaltPair): void {
  pair.connect().send("client", utf8("first")).run(100);
  pair.send("server", utf8("answer")).run(100);
  pair.say("client", { kind: "update-keys" }).send("client", utf8("more")).run(100);
  pair.finish("client").finish("server").run(100);
  pair.say("client", { kind: "close" }).run(100);
  assert.deepEqual(pair.received("server"), utf8("firstmore"));
  assert.deepEqual(pair.received("client"), utf8("answer"));
  for (const side of ["client", "server"] as const) {
    assert.ok(pair.kinds(side).includes("key-updated"));
    assert.equal(pair.kinds(side).filter((kind) => kind === "over").length, 1);
  }
}

test("each byte of each packet flipped: nothing is told, nothing is kept, and the conversation goes on", () => {
  let flips = 0;
  converse(
    intercepted((pair, packet) => {
      const to = other(packet.from);
      const size = pair[to].size;
      for (let at = 0; at < packet.bytes.length; at += at < 180 ? 1 : 17) {
        const wrong = packet.bytes.slice();
        wrong[at]! ^= 1 << (at & 7);
        const before = pair.sent.length;
        pair.deliver(to, wrong, packet.source);
        assert.equal(pair.sent.length, before, `byte ${at} of ${packet.bytes.length}: no answer`);
        flips++;
      }
      assert.equal(pair[to].size, size);
    }),
  );
  // Fewer than a burst of beginnings, which would be answered with puzzles.
  assert.ok(flips > 1_000, `${flips}`);
});

test("each packet cut short, at any length, or longer than it is: nothing comes of it", () => {
  converse(
    intercepted((pair, packet) => {
      const to = other(packet.from);
      const before = pair.sent.length;
      for (let size = 0; size < packet.bytes.length; size += size < 300 ? 1 : 11) {
        pair.deliver(to, packet.bytes.subarray(0, size), packet.source);
      }
      for (const more of [1, 16, 64]) {
        pair.deliver(to, new Uint8Array([...packet.bytes, ...new Uint8Array(more)]), packet.source);
      }
      assert.equal(pair.sent.length, before);
    }),
  );
});

test("each packet again, at any later time, from anywhere: nothing at all", () => {
  const pair = new MinimaltPair();
  converse(pair);
  const all = [...pair.sent];
  for (const when of [0, 3_000, 400_000, 4_000_000]) {
    pair.run(when);
    for (const packet of all) {
      const to = other(packet.from);
      const [sent, told, size] = [pair.sent.length, pair.events[to].length, pair[to].size];
      pair.deliver(to, packet.bytes, { address: "203.0.113.9", port: 99 });
      assert.deepEqual([pair.sent.length, pair.events[to].length, pair[to].size], [sent, told, size], `after ${when}`);
    }
  }
  assert.ok(pair.server.drops["spent-key"] > 0, "the first packets were known");
});

test("during a conversation, packets again and from elsewhere move nobody", () => {
  const pair = new MinimaltPair();
  pair.connect().send("client", pattern(20_000)).run(500);
  const all = pair.sent.filter(({ from }) => from === "client");
  const before = pair.events.server.length;
  for (const packet of all) pair.deliver("server", packet.bytes, { address: "203.0.113.9", port: 99 });
  assert.equal(pair.events.server.length, before);
  assert.deepEqual(pair.server.tunnel(2)!.remote, clientAddress);
});

/** First packets of strangers, each from a client of its own that never hears anything. */
function* strangers(pair: MinimaltPair, count: number): Generator<{ bytes: Uint8Array; from: SocketAddress }> {
  for (let i = 0; i < count; i++) {
    const client = new MinimaltEndpoint({ crypto, entropy: seededEntropy(`stranger ${i}`) });
    client.handle({ kind: "opened" }, pair.now);
    client.handle({ kind: "connect", tunnel: 1, approach: approachOf(pair.server, {}, pair.now) }, pair.now);
    const into = new Uint8Array(65_536);
    const { size } = client.transmit(into, pair.now)!;
    yield { bytes: into.slice(0, size), from: { address: `203.0.113.${i % 250}`, port: 1_000 + i } };
  }
}

test("a flood of first packets from forged sources: puzzles turn on, memory is bounded, and no answer is longer", () => {
  const pair = new MinimaltPair({ server: { tunnelsPerSecond: 1 } });
  let posed = 0;
  for (const { bytes, from } of strangers(pair, limits.tunnelBurst + 150)) {
    const before = pair.sent.length;
    pair.deliver("server", bytes, from);
    const answers = pair.sent.slice(before);
    const size = answers.reduce((sum, packet) => sum + packet.bytes.length, 0);
    assert.ok(size <= bytes.length, `${size} for ${bytes.length}`);
    for (const { bytes: answer, to } of answers) {
      assert.deepEqual(to, from);
      if (view.read(answer, 0, answer.length) && view.isPuzzle) {
        posed++;
        assert.equal(answer.length, 164);
      }
    }
  }
  assert.ok(posed >= 140, `${posed}`);
  assert.ok(pair.server.size <= limits.tunnelBurst + 10, `${pair.server.size}`);
  // Tunnels that nobody uses end, and what they were sent in all is no more than they sent.
  const sizes = new Map<string, number>();
  for (const { from, to, bytes } of pair.run(400_000).sent) {
    if (from === "server")
      sizes.set(`${to.address} ${to.port}`, (sizes.get(`${to.address} ${to.port}`) ?? 0) + bytes.length);
  }
  for (const [to, size] of sizes) assert.ok(size <= 1_024, `${to} got ${size} bytes`);
  assert.equal(pair.server.size, 0);
});

test("puzzles wait in a bounded queue, garbage costs no memory, and an honest client gets in all the while", () => {
  const pair = new MinimaltPair({ server: { tunnelsPerSecond: 0, puzzleBits: 6 } });
  const garbage = seededEntropy("garbage");
  for (let i = 0; i < 2_000; i++) {
    const bytes = garbage.fill(new Uint8Array(1_024));
    bytes.set([0x80 | (i & 0x3f)]);
    bytes.set([0, 0, 0, 0, 0, 0, 0, 1], 8);
    pair.server.handle(
      {
        kind: "datagrams",
        bytes,
        from: { address: "203.0.113.1", port: i + 1 },
        to: serverAddress,
        segmentSize: 1_024,
        ecn: 0,
      },
      pair.now,
    );
  }
  assert.ok(pair.server.drops["too-many-puzzles"] > 0);
  assert.equal(pair.server.size, 0);
  pair.run(10);
  pair.connect().send("client", utf8("honest")).run(2_000);
  assert.deepEqual(pair.received("server"), utf8("honest"));
});

test("puzzles of others are not solved for long, and not at all above the client's bound", () => {
  for (const [bits, solves] of [
    [24, false],
    [6, true],
  ] as const) {
    const pair = new MinimaltPair({ server: { tunnelsPerSecond: 0, puzzleBits: bits }, client: { puzzleBitsMax: 8 } });
    pair.connect().send("client", utf8("x")).run(20_000);
    assert.equal(pair.kinds("client").includes("confirmed"), solves);
    if (!solves) assert.ok(pair.client.drops["puzzle-refused"] === 0 && pair.kinds("client").includes("over"));
  }
});

test("a solution is for its own keys, once, and not for long", () => {
  const pair = new MinimaltPair({ server: { tunnelsPerSecond: 0, puzzleBits: 4 } });
  pair.connect().send("client", utf8("x")).run(2_000);
  const solved = pair.sent.find(({ bytes }) => view.read(bytes, 0, bytes.length) && view.hasKey && view.hasPuzzle)!;
  assert.ok(solved);
  const wrong = solved.bytes.slice();
  wrong[4]! ^= 1; // a tunnel of its own
  wrong[20]! ^= 1; // and another C'
  pair.deliver("server", wrong);
  assert.equal(pair.server.drops["bad-solution"], 1);
  const late = new MinimaltPair({ server: { tunnelsPerSecond: 0, puzzleBits: 4 } });
  let held: Flying | undefined;
  late.meddle = (packet) => {
    if (packet.from === "client" && view.read(packet.bytes, 0, packet.bytes.length) && view.hasPuzzle) {
      held ??= packet;
      return [];
    }
    return [packet];
  };
  late.connect().run(40_000);
  late.deliver("server", held!.bytes);
  assert.equal(late.server.drops["bad-solution"], 1);
});

test("a rekeying packet whose key in clear was changed looks like any failed beginning (§7.4)", () => {
  const pair = new MinimaltPair();
  pair.connect().send("client", utf8("x")).run(200);
  pair.meddle = (packet) => {
    if (packet.from === "server" || !view.read(packet.bytes, 0, packet.bytes.length) || !view.hasKey) return [packet];
    const wrong = packet.bytes.slice();
    wrong[view.keyAt]! ^= 1;
    return [{ ...packet, bytes: wrong }];
  };
  const before = pair.sent.length;
  pair.say("client", { kind: "update-keys" }).run(500);
  assert.ok(!pair.kinds("server").includes("key-updated"));
  assert.ok(
    pair.sent.slice(before).every(({ from }) => from === "client"),
    "no answer",
  );
  pair.meddle = (packet) => [packet];
  pair.run(5_000);
  assert.ok(pair.kinds("server").includes("key-updated"), "and the true one is taken");
});

test("an authentic peer that breaks the rules ends its tunnel, and nothing else", () => {
  const bad: Readonly<Record<string, (sealed: number) => Uint8Array>> = {
    "an unknown function": () => Uint8Array.from([0, 0, 0, 0, 0, 1, 99]),
    "an RPC that is cut off": () => Uint8Array.from([0, 0, 0, 0, 0, 9, 3]),
    "data of a connection that never was": () => Uint8Array.from([0, 0, 0, 77, 0, 1, 1]),
    "an answer that only servers give": () => Uint8Array.from([0, 0, 0, 0, 0, 1, 8]),
    "a connection with a number of ours": () => Uint8Array.from([0, 0, 0, 0, 0, 6, 1, 0, 0, 0, 2, 0]),
    "padding with something in it": () => Uint8Array.from([0, 0, 0, 0, 0, 2, 0, 1]),
  };
  for (const [what, rpc] of Object.entries(bad)) {
    const pair = new MinimaltPair();
    pair.connect().send("client", utf8("x")).run(200);
    const key = keyOf(pair);
    pair.deliver("server", seal(key, pair, rpc(0)));
    const over = pair.events.server.find(({ kind }) => kind === "over");
    assert.ok(
      over?.kind === "over" && over.failure?.fault === "misbehaviour",
      `${what}: ${over?.kind} ${pair.kinds("server")}`,
    );
    assert.equal(over.failure.byPeer, false);
    pair.run(3_000);
    // The true client hears of it, or first of a packet that it never sent.
    assert.ok(pair.kinds("client").includes("over"), what);
    assert.equal(pair.server.size, 0);
  }
});

test("windows are kept: who sends beyond what it was allowed ends its tunnel", () => {
  const pair = new MinimaltPair({ server: { receiveBuffer: limits.receiveBufferMin }, decide: () => undefined });
  pair.connect().run(200);
  pair.say("server", { kind: "pause", connection: 1 });
  const key = keyOf(pair);
  const piece = new Uint8Array(1_006);
  piece.set([0, 0, 0, 1, 3, 232]);
  for (let i = 0; i < 70; i++) pair.deliver("server", seal(key, pair, piece, i));
  const over = pair.events.server.find(({ kind }) => kind === "over");
  assert.ok(over?.kind === "over" && over.failure?.reason === "flow-control");
});

/** The client's own key of its first generation: what only it could do is done with it. */
function keyOf(pair: MinimaltPair): TunnelKey {
  const tunnel = pair.client.tunnel(1) as unknown as { key: TunnelKey };
  return tunnel.key;
}

/** A packet as the client would seal it, behind all that it has sent. */
function seal(key: TunnelKey, pair: MinimaltPair, rpcs: Uint8Array, ahead = 0): Uint8Array {
  const tunnel = pair.client.tunnel(1) as unknown as { tid: Uint8Array; number: number };
  const { segments } = pair.client.tunnel(1)!.connections.outgoing;
  const first = new DataView(key.derive("client sequence").buffer).getUint32(0);
  const plain = new Uint8Array(8 + rpcs.length + 16);
  const body = new DataView(plain.buffer);
  body.setUint32(0, first + segments.next + ahead);
  const server = new DataView(key.derive("server sequence").buffer).getUint32(0);
  body.setUint32(4, server);
  plain.set(rpcs, 8);
  const nonce = new Uint8Array(24);
  nonce.set(utf8("minimaLT"));
  nonce.set(tunnel.tid, 8);
  new DataView(nonce.buffer).setBigUint64(16, BigInt(2 * (tunnel.number + ahead) + 1));
  key.sealer.seal(plain, 0, 8 + rpcs.length, nonce, new Uint8Array(0));
  const packet = new Uint8Array(16 + plain.length);
  packet.set(tunnel.tid);
  packet.set(nonce.subarray(16), 8);
  packet.set(plain.subarray(8 + rpcs.length), 16);
  packet.set(plain.subarray(0, 8 + rpcs.length), 32);
  return packet;
}

test("keys and secrets are never printed", () => {
  const secret = new Secret(new Uint8Array(32).fill(7));
  const key = new TunnelKey(
    crypto,
    { code: 1, name: "X25519-XSalsa20-Poly1305", aead: "XSalsa20-Poly1305", hash: "SHA-256" },
    secret,
  );
  assert.ok(!JSON.stringify(key).includes("7,7"));
  key.wipe();
  assert.ok(secret.wiped);
});
