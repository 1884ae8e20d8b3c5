import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { clientsHalfOpenMax } from "../../src/protocols/openvpn/limits.js";
import { arriving, ends, inner, makeServer, OpenVpnPair, wrappings } from "../support/openvpn-pair.js";
import { ipPacket } from "../unit/wireguard/pair.js";

const isUp = (pair: OpenVpnPair) => () => pair.count("a", "up") === 1 && pair.count("b", "joined") === 1;
const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((all, each) => all + each, 0);

function opened(seed: number): OpenVpnPair {
  const pair = new OpenVpnPair({ seed });
  return pair.open().run(isUp(pair));
}

test("everything that was ever sent, sent again, delivers nothing and changes nobody", () => {
  const pair = opened(1);
  pair.send("a", ipPacket(inner.a, inner.b, 60, 1)).send("b", ipPacket(inner.b, inner.a, 60, 2));
  pair.run(() => pair.received.a.length === 1 && pair.received.b.length === 1, 5_000);
  const before = [pair.client.status.handshakes, pair.server.clients[0]!.address];
  for (const { from, bytes } of [...pair.sent]) {
    pair.deliver(from, bytes);
    pair.deliver(from, bytes, { address: "203.0.113.66", port: 666 });
  }
  pair.run(() => false, 1_000);
  assert.deepEqual([pair.received.a.length, pair.received.b.length], [1, 1]);
  assert.deepEqual([pair.client.status.handshakes, pair.server.clients[0]!.address], before);
  assert.equal(pair.server.clients.length, 1);
  pair.send("a", ipPacket(inner.a, inner.b, 60, 3));
  pair.run(() => pair.received.b.length === 2, 5_000);
  assert.equal(pair.received.b.length, 2, "the tunnel still works");
});

for (const [wrapping, keys] of Object.entries(wrappings)) {
  // Without a wrapping nothing protects what TLS has not finished yet: who is in between can end it, and no more than that.
  const isBare = wrapping === "bare TLS";
  test(`${wrapping}: any bit of any ${isBare ? "data packet" : "message"} turned, and it counts as dropped and changes nothing`, () => {
    const { a, b } = keys();
    const pair = new OpenVpnPair({ seed: 5 }, { control: a }, { control: b });
    const into = new Uint8Array(65_536);
    let messages = 0;
    let flips = 0;
    pair.arrives = (from, bytes) => {
      const opcode = bytes[0]! >> 3;
      if (isBare && opcode !== 6 && opcode !== 9) return;
      messages++;
      const machine = from === "a" ? pair.server : pair.client;
      const before = sum(machine.drops);
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const turned = bytes.slice();
        turned[bit >> 3]! ^= 1 << (bit & 7);
        machine.handle(arriving(turned, from), pair.now);
      }
      flips += 8 * bytes.length;
      assert.equal(sum(machine.drops) - before, 8 * bytes.length, `opcode ${opcode} from ${from}`);
      assert.equal(machine.transmit(into, pair.now), undefined, `opcode ${opcode} from ${from} was answered`);
      assert.equal(machine.event(), undefined, `opcode ${opcode} from ${from} was told`);
    };
    pair.open().run(isUp(pair));
    assert.ok(isUp(pair)());
    pair.send("a", ipPacket(inner.a, inner.b, 60, 1)).send("b", ipPacket(inner.b, inner.a, 60, 2));
    pair.client.handle({ kind: "renegotiate" }, pair.now);
    pair.drain().run(() => pair.count("a", "renewed") === 1 && pair.count("b", "renewed") === 1);
    pair.send("a", ipPacket(inner.a, inner.b, 60, 3)).run(() => pair.received.b.length === 2, 5_000);
    assert.deepEqual([pair.received.a, pair.received.b], [[2], [1, 3]]);
    assert.ok(messages >= (isBare ? 3 : 20), `${messages} messages`);
    assert.ok(flips > 0);
  });
}

test("a stranger's resets leave nothing behind, and every answer is smaller than three of its questions", () => {
  const server = makeServer(2);
  const entropy = seededEntropy("strangers");
  const into = new Uint8Array(65_536);
  let answered = 0;
  for (let i = 0; i < 5_000; i++) {
    const reset = new Uint8Array(14);
    reset[0] = 7 << 3;
    entropy.fill(reset.subarray(1, 9));
    const from: SocketAddress = { address: `198.51.${i >> 8}.${i & 255}`, port: 1_000 + i };
    server.handle({ ...arriving(reset, "a"), from }, 0);
    for (let t = server.transmit(into, 0); t !== undefined; t = server.transmit(into, 0)) {
      answered++;
      assert.ok(t.size <= 3 * reset.length);
      assert.deepEqual(t.to, from);
    }
  }
  assert.equal(answered, 5_000);
  assert.equal(server.clients.length, 0);
  assert.equal(server.deadline(), undefined, "nobody is waited for");
  assert.equal(server.event(), undefined);
});

test("answers that the port does not take do not pile up", () => {
  const server = makeServer(3);
  const reset = Uint8Array.of(7 << 3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0);
  for (let i = 0; i < 10_000; i++) server.handle({ ...arriving(reset.slice(), "a"), from: { ...ends.a, port: i } }, 0);
  assert.equal(server.drops["table-full"], 10_000 - clientsHalfOpenMax);
});

test("the third packet counts only from where the second went, and not for ever", () => {
  const pair = new OpenVpnPair({ seed: 4 });
  pair.open().run(() => pair.sent.filter(({ from }) => from === "a").length >= 2, 1_000);
  const third = pair.sent.filter(({ from }) => from === "a")[1]!.bytes;
  const fresh = new OpenVpnPair({ seed: 4 });
  fresh.now = pair.now;
  fresh.server.handle({ kind: "opened" }, fresh.now);
  fresh.deliver("a", third, { address: "203.0.113.1", port: 5_000 });
  assert.equal(fresh.server.drops["bad-cookie"], 1);
  fresh.now += 300_000;
  fresh.deliver("a", third);
  assert.equal(fresh.server.drops["bad-cookie"], 2);
  fresh.now -= 300_000;
  fresh.deliver("a", third);
  assert.equal(fresh.server.drops["bad-cookie"], 2, "from there and then it is good");
});

test("half-open clients are bounded, and what is too much is dropped and counted", () => {
  const pair = new OpenVpnPair({ seed: 5 });
  pair.server.handle({ kind: "opened" }, pair.now);
  const into = new Uint8Array(65_536);
  for (let i = 0; i < clientsHalfOpenMax + 50; i++) {
    const id = Uint8Array.of(1, 2, 3, 4, 5, 6, i >> 8, i);
    const from = { address: "203.0.113.5", port: 2_000 + i };
    pair.server.handle({ ...arriving(Uint8Array.of(7 << 3, ...id, 0, 0, 0, 0, 0), "a"), from }, pair.now);
    const size = pair.server.transmit(into, pair.now)!.size;
    const cookie = into.slice(1, 9);
    assert.ok(size > 0);
    // P_ACK_V1 of packet 0.
    const ack = Uint8Array.of(5 << 3, ...id, 1, 0, 0, 0, 0, ...cookie);
    pair.server.handle({ ...arriving(ack, "a"), from }, pair.now);
    while (pair.server.transmit(into, pair.now) !== undefined);
  }
  assert.equal(pair.server.drops["table-full"], 50);
  // They are given up when their time is over.
  pair.now += 120_000;
  pair.server.handle({ kind: "wake" }, pair.now);
  while (pair.server.transmit(into, pair.now) !== undefined);
  assert.equal(pair.server.deadline(), undefined);
});

test("a client inside may not speak for addresses that it was not given", () => {
  const pair = opened(6);
  pair.send("a", ipPacket("10.79.0.77", inner.b, 60, 1));
  pair.send("a", ipPacket(inner.a, inner.b, 60, 2));
  pair.run(() => pair.received.b.length === 1, 5_000);
  assert.deepEqual(pair.received.b, [2]);
  assert.equal(pair.server.drops["source-not-allowed"], 1);
});

test("nobody but the server's address is heard by a client", () => {
  const pair = opened(7);
  const before = sum(pair.client.drops);
  for (const { bytes } of pair.sent.filter(({ from }) => from === "b")) {
    pair.deliver("b", bytes, { address: "203.0.113.7", port: 1_194 });
  }
  assert.equal(pair.client.drops["wrong-source"], sum(pair.client.drops) - before);
  assert.ok(pair.client.drops["wrong-source"] > 0);
});
