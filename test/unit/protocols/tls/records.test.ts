import assert from "node:assert/strict";
import { test } from "node:test";
import { contentType } from "../../../../src/protocols/tls/record/content-type.js";
import { type End, identityFor, shake, startOfTime, TlsPair } from "../../../support/tls-pair.js";

const only13 = { versions: ["1.3"] } as const;
const pattern = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 255);

/** Sizes of the records that an end transmitted, headers included; with their outer types. */
function records(end: End): { readonly type: number; readonly size: number }[] {
  const all: { type: number; size: number }[] = [];
  for (const sent of end.sent) {
    for (let at = 0; at < sent.length; ) {
      const size = 5 + ((sent[at + 3]! << 8) | sent[at + 4]!);
      all.push({ type: sent[at]!, size });
      at += size;
    }
  }
  return all;
}

test("a megabyte arrives whole in both directions, in records of 16,384 bytes", async () => {
  const pair = await shake({ client: only13 });
  const before = records(pair.client).length;
  const data = pattern(1_000_003);
  await pair.send("client", data);
  await pair.send("server", data);
  assert.deepEqual(pair.server.bytesReceived, data);
  assert.deepEqual(pair.client.bytesReceived, data);
  const sizes = records(pair.client)
    .slice(before)
    .map(({ size }) => size);
  assert.equal(sizes.length, Math.ceil(data.length / 16_384));
  assert.equal(Math.max(...sizes), 5 + 16_384 + 1 + 16);
});

test("many small buffers share records", async () => {
  const pair = await shake({ client: only13 });
  const before = records(pair.client).length;
  for (let i = 0; i < 1000; i++) {
    pair.client.machine.handle({ kind: "send", bytes: pattern(10) }, startOfTime);
  }
  await pair.settle();
  assert.equal(pair.server.bytesReceived.length, 10_000);
  assert.equal(records(pair.client).length - before, 1);
  const released = pair.client.events.reduce((sum, event) => sum + (event.kind === "sent" ? event.count : 0), 0);
  assert.equal(released, 1000);
});

test("the largest record of the peer's choice is kept to, on both sides", async () => {
  const pair = await shake({
    client: { ...only13, recordSizeLimit: 100 },
    server: { recordSizeLimit: 512, identity: identityFor("Ed25519") },
  });
  assert.equal(pair.client.failure, undefined, pair.client.failure?.message);
  const [c, s] = [records(pair.client).length, records(pair.server).length];
  const data = pattern(5_000);
  await pair.send("client", data);
  await pair.send("server", data);
  assert.deepEqual(pair.server.bytesReceived, data);
  assert.deepEqual(pair.client.bytesReceived, data);
  assert.equal(
    Math.max(
      ...records(pair.client)
        .slice(c)
        .map(({ size }) => size),
    ),
    5 + 512 + 16,
  );
  assert.equal(
    Math.max(
      ...records(pair.server)
        .slice(s)
        .map(({ size }) => size),
    ),
    5 + 100 + 16,
  );
});

test("max_fragment_length holds for both directions", async () => {
  const pair = await shake({ client: { ...only13, maxFragmentLength: 1024 } });
  const before = records(pair.server).length;
  await pair.send("server", pattern(5_000));
  assert.equal(pair.client.bytesReceived.length, 5_000);
  assert.equal(
    Math.max(
      ...records(pair.server)
        .slice(before)
        .map(({ size }) => size),
    ),
    5 + 1024 + 1 + 16,
  );
});

test("padding hides sizes: every record of application data is as long as the policy says", async () => {
  const padding = (size: number): number => Math.ceil(size / 256) * 256;
  const pair = await shake({ client: { ...only13, padding } });
  const before = records(pair.client).length;
  for (const size of [1, 100, 256]) await pair.send("client", pattern(size));
  assert.equal(pair.server.bytesReceived.length, 357);
  assert.deepEqual(
    records(pair.client)
      .slice(before)
      .map(({ size }) => size),
    [278, 278, 278],
  );
});

test("keys are updated by the application in the middle of a transfer, for one direction or both", async () => {
  const pair = await shake({ client: only13 });
  await pair.send("client", "one ");
  await pair.give("client", { kind: "update-keys", requestPeer: false });
  await pair.send("client", "two ");
  assert.equal(pair.server.machine.keyGenerationReceived, 1);
  assert.equal(pair.server.machine.keyGenerationSent, 0);
  await pair.give("server", { kind: "update-keys", requestPeer: true });
  await pair.send("client", "three");
  await pair.send("server", "answer");
  assert.equal(pair.server.text, "one two three");
  assert.equal(pair.client.text, "answer");
  assert.equal(pair.client.machine.keyGenerationSent, 2);
  assert.equal(pair.client.machine.keyGenerationReceived, 1);
  assert.equal(pair.server.machine.keyGenerationReceived, 2);
});

test("requests that cross in flight make two generations of each direction", async () => {
  const pair = await shake({ client: only13 });
  pair.client.machine.handle({ kind: "update-keys", requestPeer: true }, startOfTime);
  pair.server.machine.handle({ kind: "update-keys", requestPeer: true }, startOfTime);
  await pair.settle();
  await pair.send("client", "still here");
  assert.equal(pair.server.text, "still here");
  assert.equal(pair.client.machine.keyGenerationSent, 2);
  assert.equal(pair.server.machine.keyGenerationSent, 2);
});

test("keys are updated by themselves before they are worn out", async () => {
  const pair = await shake({ client: { ...only13, recordsPerKeyMax: 10 } });
  const data = pattern(100 * 16_384);
  await pair.send("client", data);
  assert.deepEqual(pair.server.bytesReceived, data);
  assert.ok(pair.server.machine.keyGenerationReceived >= 9, `${pair.server.machine.keyGenerationReceived}`);
});

test("1.2 has no way to new keys: asking for them is misuse", async () => {
  const pair = await shake({ client: { versions: ["1.2"] } });
  assert.equal(pair.client.outcome?.version, "1.2");
  assert.throws(() => pair.client.machine.handle({ kind: "update-keys", requestPeer: false }, startOfTime), {
    reason: "misuse",
  });
});

test("a close is told to the peer, who may go on sending and close later", async () => {
  const pair = await shake({ client: only13 });
  pair.client.machine.handle({ kind: "send", bytes: pattern(20_000) }, startOfTime);
  await pair.give("client", { kind: "close" });
  assert.equal(pair.server.bytesReceived.length, 20_000);
  assert.ok(pair.server.told.includes("ended"));
  assert.ok(pair.client.told.includes("finished"));
  await pair.send("server", "last words");
  assert.equal(pair.client.text, "last words");
  await pair.give("server", { kind: "close" });
  assert.ok(pair.client.told.includes("ended"));
  assert.equal(pair.client.failure, undefined);
  await pair.give("client", { kind: "end" });
  await pair.give("client", { kind: "closed" });
  assert.equal(pair.client.failure, undefined, "a stream that ends after close_notify is no truncation");
});

test("a stream that ends without close_notify is a failure: data may be missing", async () => {
  const pair = await shake({ client: only13 });
  await pair.send("server", "half of it");
  await pair.give("client", { kind: "end" });
  assert.equal(pair.client.failure?.reason, "truncated-stream");
  assert.equal(pair.client.failure?.fault, "unreachable");
});

test("nothing is heard after close_notify, and nothing said after a failure", async () => {
  const pair = await shake({ client: only13 });
  await pair.give("client", { kind: "close" });
  const told = pair.server.events.length;
  await pair.give("server", { kind: "bytes", bytes: pattern(100) });
  assert.equal(pair.server.events.length, told);
  const broken = await shake({ client: only13 });
  await broken.give("server", { kind: "bytes", bytes: pattern(100) });
  assert.equal(broken.server.failure?.reason, "unknown-record-type");
  const sent = broken.server.sent.length;
  await broken.send("server", "anyone?");
  assert.equal(broken.server.sent.length, sent);
});

test("a record that was changed on the way ends the session with bad_record_mac", async () => {
  let change = false;
  const pair = await shake({
    client: only13,
    onTheWay: (from, bytes) => {
      if (change && from === "client") bytes[bytes.length - 1]! ^= 1;
      return bytes;
    },
  });
  change = true;
  await pair.send("client", "data");
  assert.equal(pair.server.failure?.reason, "bad-record");
  assert.equal(pair.client.failure?.at, "bad_record_mac");
});

test("a handshake that takes too long is over", async () => {
  const pair = new TlsPair({ server: { handshakeTimeoutMs: 1000 } });
  pair.server.machine.handle({ kind: "opened" }, startOfTime);
  assert.equal(pair.server.machine.deadline(), startOfTime + 1000);
  pair.now = startOfTime + 999;
  await pair.give("server", { kind: "wake" });
  assert.equal(pair.server.told.length, 0);
  pair.now = startOfTime + 1000;
  await pair.give("server", { kind: "wake" });
  assert.equal(pair.server.failure?.reason, "handshake-timeout");
  assert.equal(pair.server.machine.deadline(), undefined);
});

test("for middleboxes a 1.3 session looks like one of 1.2, unless that is switched off", async () => {
  const count = (end: End) => records(end).filter(({ type }) => type === contentType.changeCipherSpec).length;
  const on = await shake({ client: only13 });
  assert.deepEqual([count(on.client), count(on.server)], [1, 1]);
  const off = await shake({ client: { ...only13, middleboxCompatibility: false } });
  assert.deepEqual([count(off.client), count(off.server)], [0, 0]);
});

test("session secrets are logged in the format of SSLKEYLOGFILE, the same on both ends", async () => {
  const lines: { readonly client: string[]; readonly server: string[] } = { client: [], server: [] };
  await shake({
    client: { ...only13, keyLog: (line) => lines.client.push(line) },
    server: { keyLog: (line) => lines.server.push(line) },
  });
  assert.deepEqual([...lines.client].sort(), [...lines.server].sort());
  assert.deepEqual(lines.client.map((line) => line.split(" ")[0]).sort(), [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_TRAFFIC_SECRET_0",
  ]);
  for (const line of lines.client) assert.match(line, /^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64}$/);
});

test("channel bindings are the same on both ends and differ between sessions", async () => {
  const one = await shake({ client: only13, seed: 1 });
  const two = await shake({ client: only13, seed: 2 });
  const binding = ({ machine }: End) => machine.handshake.channelBinding("tls-exporter");
  assert.deepEqual(binding(one.client), binding(one.server));
  assert.notDeepEqual(binding(one.client), binding(two.client));
  assert.equal(one.client.machine.handshake.channelBinding("tls-unique"), undefined);
  const endPoint = one.client.machine.handshake.channelBinding("tls-server-end-point");
  assert.equal(endPoint?.length, 32);
  assert.deepEqual(endPoint, one.server.machine.handshake.channelBinding("tls-server-end-point"));
});
