import assert from "node:assert/strict";
import { test } from "node:test";
import type { TraceEvent } from "../../src/contract/index.js";
import { ends, inner, OpenVpnPair } from "../support/openvpn-pair.js";
import { ipPacket } from "../unit/wireguard/pair.js";

const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const replay = (seed: number): string => `seed ${seed}; node scripts/test.mjs scenarios/openvpn`;
const isUp = (pair: OpenVpnPair) => () => pair.count("a", "up") === 1 && pair.count("b", "joined") === 1;

test("a tunnel comes up and renews its keys over a line that loses, repeats and turns round every tenth datagram", () => {
  for (const seed of seeds) {
    const pair = new OpenVpnPair({ seed, loss: 0.1, repeats: 0.1, jitterMs: 100 });
    pair.open().run(isUp(pair));
    assert.ok(isUp(pair)(), replay(seed));
    pair.client.handle({ kind: "renegotiate" }, pair.now);
    pair.drain().run(() => pair.count("a", "renewed") === 1 && pair.count("b", "renewed") === 1);
    assert.deepEqual([pair.count("a", "renewed"), pair.count("b", "renewed")], [1, 1], replay(seed));
    assert.equal(pair.count("a", "failed") + pair.count("a", "restarting"), 0, replay(seed));
  }
});

test("both sides say what happens, in its order, with the time of the input that it came of, and no secret", () => {
  const told: { readonly a: TraceEvent[]; readonly b: TraceEvent[] } = { a: [], b: [] };
  const trace = (end: "a" | "b") => (event: TraceEvent) => void told[end].push(event);
  const pair = new OpenVpnPair({ seed: 9 }, { trace: trace("a") }, { trace: trace("b") });
  pair.open().run(isUp(pair));
  pair.client.handle({ kind: "renegotiate" }, pair.now);
  pair.drain().run(() => pair.count("b", "renewed") === 1 && pair.count("a", "renewed") === 1);
  pair.deliver("a", new Uint8Array(20), ends.b);
  pair.client.handle({ kind: "close" }, pair.now);
  pair.drain().run(() => pair.count("b", "left") === 1, 5_000);
  const names = (end: "a" | "b") => told[end].map(({ name }) => name.replace("openvpn:", ""));
  assert.deepEqual(names("a"), ["connecting", "session_started", "keys_negotiated", "configured", "keys_negotiated"]);
  assert.deepEqual(names("b"), ["client_joined", "keys_renewed", "dropped", "client_left"]);
  assert.deepEqual(told.b.map(({ data }) => data["reason"]).filter(Boolean), ["unknown-opcode", "exited-by-peer"]);
  for (const end of ["a", "b"] as const) {
    const times = told[end].map(({ at }) => at);
    assert.deepEqual(
      times,
      [...times].sort((x, y) => x - y),
    );
    assert.ok(times[0]! >= Date.UTC(2026, 0, 3) && told[end].every(({ protocol }) => protocol === "OpenVPN"));
  }
});

test("keys are renewed in the middle of traffic, and no packet is lost or opened twice", () => {
  for (const seed of seeds) {
    const pair = new OpenVpnPair({ seed, jitterMs: 30 });
    pair.open().run(isUp(pair));
    const count = 200;
    for (let i = 0; i < count; i++) {
      if (i === 50) pair.client.handle({ kind: "renegotiate" }, pair.now);
      // Both at once: each hears the other's reset while its own is on its way.
      if (i === 120) {
        pair.client.handle({ kind: "renegotiate" }, pair.now);
        pair.server.handle({ kind: "renegotiate" }, pair.now);
      }
      pair.send("a", ipPacket(inner.a, inner.b, 100, i));
      pair.send("b", ipPacket(inner.b, inner.a, 100, i));
      const until = pair.now + 5;
      pair.run(() => pair.now >= until, 5);
      pair.now = Math.max(pair.now, until);
    }
    pair.run(() => pair.received.a.length === count && pair.received.b.length === count, 5_000);
    const all = Array.from({ length: count }, (_, i) => i & 0xff).sort((x, y) => x - y);
    for (const end of ["a", "b"] as const) {
      assert.deepEqual(
        [...pair.received[end]].sort((x, y) => x - y),
        all,
        replay(seed),
      );
    }
    assert.deepEqual([pair.count("a", "renewed"), pair.count("b", "renewed")], [2, 2], replay(seed));
  }
});

test("eight renewals take the key IDs round, and each works", () => {
  const pair = new OpenVpnPair({ seed: 1 });
  pair.open().run(isUp(pair));
  for (let i = 1; i <= 9; i++) {
    pair.client.handle({ kind: "renegotiate" }, pair.now);
    pair.drain().run(() => pair.count("a", "renewed") === i && pair.count("b", "renewed") === i);
    pair.send("a", ipPacket(inner.a, inner.b, 60, i));
    pair.run(() => pair.received.b.length === i, 5_000);
  }
  assert.deepEqual(pair.received.b, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("keys are renewed by age on either side, and old ones end with their window", () => {
  const pair = new OpenVpnPair({ seed: 3 }, { renewal: { afterMs: 60_000 }, transitionWindowMs: 20_000 });
  pair.open().run(isUp(pair));
  pair.run(() => pair.count("a", "renewed") === 3, 400_000);
  assert.equal(pair.count("a", "renewed"), 3);
  assert.ok(pair.count("b", "renewed") >= 2);
});

test("a client that moves is followed by its peer ID, and nobody floats onto another", () => {
  const pair = new OpenVpnPair({ seed: 4 });
  pair.open().run(isUp(pair));
  pair.clientAt = { address: "198.51.100.7", port: 40_000 };
  pair.send("a", ipPacket(inner.a, inner.b, 60, 1));
  pair.run(() => pair.received.b.length === 1, 5_000);
  const [moved] = pair.told.b.filter((event) => event.kind === "moved");
  assert.deepEqual(moved?.kind === "moved" && moved.to, pair.clientAt);
  // What is not authentic moves nobody.
  const last = pair.sent.findLast(({ from }) => from === "a")!.bytes.slice();
  last[last.length - 1]! ^= 1;
  pair.deliver("a", last, { address: "203.0.113.9", port: 9 });
  assert.equal(pair.count("b", "moved"), 1);
  assert.equal(pair.server.drops["bad-tag"] + pair.server.drops["replayed"], 1);
});

test("a server that falls silent is left for another try, which comes to the same inside", () => {
  const pair = new OpenVpnPair({ seed: 5 }, { retryMs: 1_000 }, { pingMs: 10_000, pingRestartMs: 30_000 });
  pair.open().run(isUp(pair));
  // Nothing reaches the server any more for a while.
  const away = pair.now + 40_000;
  pair.clientAt = { address: "198.51.100.8", port: 1 };
  while (pair.now < away && pair.count("a", "restarting") === 0) {
    pair.now += 1_000;
    if ((pair.client.deadline() ?? Number.POSITIVE_INFINITY) <= pair.now) {
      pair.client.handle({ kind: "wake" }, pair.now);
      for (let event = pair.client.event(); event !== undefined; event = pair.client.event()) {
        if (event.kind !== "question") pair.told.a.push(event);
      }
    }
  }
  assert.equal(pair.count("a", "restarting"), 1);
  pair.run(() => pair.count("a", "connect") === 2, 10_000);
  pair.client.handle({ kind: "connected", to: { address: "192.0.2.2", port: 1_194 }, transport: "udp" }, pair.now);
  pair.drain().run(() => pair.count("a", "up") === 2);
  assert.equal(pair.count("a", "up"), 2);
  pair.run(() => pair.server.clients.length === 1, 200_000);
  assert.equal(pair.server.clients.length, 1, "the client that was is forgotten");
});
