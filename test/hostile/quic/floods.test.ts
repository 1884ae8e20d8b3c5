import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../../../src/bytes/index.js";
import { limits } from "../../../src/protocols/quic/limits.js";
import { readFirstFlight, withParameters, writeFirstFlight } from "./client-hello.js";
import { addresses, type Datagram, Duel } from "./duel.js";
import { Forger, frame } from "./forger.js";

const bytes = (size: number, value = 0): Uint8Array => new Uint8Array(size).fill(value);
const sum = (datagrams: readonly Datagram[]): number => datagrams.reduce((all, each) => all + each.bytes.length, 0);

test("streams that are opened and reset by the ten thousand leave nothing", async () => {
  const duel = await Duel.confirmed();
  const forger = new Forger(duel, "client");
  const { now } = duel;
  const { streams } = duel.server.connection!.core;
  let opened = 0;
  let most = 0;
  for (let round = 0; round < 100; round++) {
    const frames: Uint8Array[] = [];
    for (let i = 0; i < 100; i++) frames.push(frame(4, 4 * opened++ + 2, 0, 0));
    duel.server.hear(forger.packet("1-rtt", concat(...frames)), now);
    await duel.server.drain(now);
    most = Math.max(most, streams.count);
    if (duel.server.tells("closed")) break;
  }
  assert.equal(duel.server.failure, undefined);
  assert.equal(opened, 10_000);
  assert.ok(most <= 128, `${most} at a time`);
});

test("streams that are opened and left are bounded by the limit that was told", async () => {
  const duel = await Duel.confirmed();
  const forger = new Forger(duel, "client");
  for (let id = 0; !duel.server.tells("closed") && id < 10_000; id += 4) {
    duel.server.hear(forger.packet("1-rtt", frame(0x0a, id, 1, bytes(1))), duel.now);
    await duel.server.drain(duel.now);
  }
  assert.equal(duel.server.failure?.reason, "stream-limit");
});

test("PATH_CHALLENGE by the thousand: few are answered, and never with more than came", async () => {
  const duel = await Duel.confirmed();
  const forger = new Forger(duel, "client");
  const { now } = duel;
  const elsewhere = { address: "203.0.113.7", port: 7 };
  const challenges = Array.from({ length: 100 }, (_, i) => frame(0x1a, bytes(8, i)));
  let received = 0;
  let sentThere = 0;
  for (let i = 0; i < 50; i++) {
    const packet = { ...forger.packet("1-rtt", concat(...challenges)), from: elsewhere };
    received += packet.bytes.length;
    duel.server.hear(packet, now);
    const answers = (await duel.server.drain(now)).filter(({ to }) => to.port === elsewhere.port);
    assert.ok(answers.length <= limits.pathResponsesMax + 1, `${answers.length} answers to a packet`);
    sentThere += sum(answers);
    assert.ok(sentThere <= 3 * received, `${sentThere} of ${received}`);
  }
  assert.ok(sentThere > 0);
  assert.equal(duel.server.failure, undefined);
});

test("a peer that is heard from ever other places makes no more than a few paths", async () => {
  const duel = await Duel.confirmed();
  const forger = new Forger(duel, "client");
  for (let port = 10_000; port < 11_000; port++) {
    const packet = { ...forger.packet("1-rtt", frame(1)), from: { address: "203.0.113.7", port } };
    duel.server.hear(packet, duel.now);
    await duel.server.drain(duel.now);
  }
  assert.equal(duel.server.failure, undefined);
  assert.ok([...duel.server.connection!.core.paths.all()].length <= limits.pathsMax + 3);
});

test("acknowledgements of everything, received or not, are found out (RFC 9000 §21.4)", async () => {
  const duel = await Duel.confirmed({ server: { congestion: "newreno" } });
  const forger = new Forger(duel, "client");
  const { core } = duel.server.connection!;
  const id = core.streams.open("unidirectional");
  core.streams.onMaxStreamData(id, 100_000_000);
  core.streams.onMaxData(100_000_000);
  core.streams.write(id, bytes(10_000_000));
  let packets = 0;
  while (!duel.server.tells("closed") && packets < 5_000) {
    duel.now += 10;
    duel.server.endpoint.handle({ kind: "ping", connection: 1 }, duel.now);
    packets += (await duel.server.drain(duel.now)).length;
    // Nothing of it has arrived anywhere.
    const largest = core.spaces[2].next - 1;
    duel.server.hear(forger.packet("1-rtt", frame(2, largest, 0, 0, largest)), duel.now);
    await duel.server.drain(duel.now);
  }
  assert.equal(duel.server.failure?.reason, "ack-of-unsent");
});

test("attempts that end in an error hold no half-open place, and are gone after three probe timeouts (§10.2)", async () => {
  const duel = new Duel({ server: { halfOpenMax: 64, retry: "never" } });
  const { endpoint } = duel.server;
  for (let i = 0; i < 200; i++) {
    const other = new Duel({ seed: 3_000 + i });
    other.connect();
    const first = readFirstFlight(await other.client.drain(duel.now));
    // Transport parameters that do not say where they come from.
    const hello = withParameters(first.hello, bytes(0));
    const like = { bytes: bytes(0), from: { address: "192.0.2.9", port: 2_000 + i }, to: addresses.server };
    for (const datagram of writeFirstFlight({ ...first, hello }, like)) {
      duel.server.hear(datagram, duel.now);
      await duel.server.drain(duel.now);
    }
  }
  assert.equal(duel.server.events.filter(({ kind }) => kind === "closed").length, 200);
  assert.equal(endpoint.halfOpenCount, 0);
  assert.ok(endpoint.connectionCount <= 200);
  const began = duel.now;
  for (let at = endpoint.deadline(); at !== undefined; at = endpoint.deadline()) {
    duel.now = Math.max(duel.now, at);
    endpoint.handle({ kind: "wake" }, duel.now);
    await duel.server.drain(duel.now);
    assert.ok(duel.now - began < 10_000, "it comes to an end");
  }
  assert.equal(endpoint.connectionCount, 0);
});

test("a hundred thousand beginnings that nobody means take a bounded number of places and bytes", async () => {
  const duel = new Duel({ server: { halfOpenMax: 256 } });
  const { now } = duel;
  // Enough real ones, half open, that it asks the others to prove their address.
  for (let i = 0; i < 80; i++) {
    const other = new Duel({ seed: 1_000 + i });
    other.connect();
    for (const datagram of await other.client.drain(now)) {
      duel.server.hear({ ...datagram, from: { address: "192.0.2.9", port: 1_000 + i } }, now);
      await duel.server.drain(now);
    }
  }
  const { endpoint } = duel.server;
  const { halfOpenCount } = endpoint;
  assert.ok(halfOpenCount >= 64 && halfOpenCount <= 256, `${halfOpenCount}`);
  const spoofed = bytes(1_200, 0x11);
  spoofed.set([0xc3, 0, 0, 0, 1, 8], 0);
  // Its own id is empty, its token too; the length is that of the rest.
  spoofed.set([0, 0, 0x44, 0x9e], 14);
  const view = new DataView(spoofed.buffer);
  duel.server.sent.length = duel.server.events.length = 0;
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  let answers = 0;
  let answered = 0;
  for (let i = 0; i < 100_000; i++) {
    view.setUint32(6, i);
    duel.server.hear(
      { bytes: spoofed, from: { address: "203.0.113.7", port: 1 + (i % 60_000) }, to: addresses.server },
      now,
    );
    const out = await duel.server.drain(now);
    duel.server.sent.length = 0;
    answers += out.length;
    answered += sum(out);
  }
  globalThis.gc?.();
  const grown = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers - before;
  assert.equal(endpoint.halfOpenCount, halfOpenCount);
  assert.ok(endpoint.connectionCount <= halfOpenCount, `${endpoint.connectionCount}`);
  assert.ok(answers > 0 && answers <= 100_000 && answered <= 3 * 1_200 * 100_000);
  assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes more`);
  assert.equal(duel.server.events.filter(({ kind }) => kind === "accepted").length, 0);
});
