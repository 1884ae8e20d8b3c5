import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { type TlsReason, tlsServer } from "../../src/protocols/tls/index.js";
import { limits } from "../../src/protocols/tls/limits.js";
import { frame } from "../../src/protocols/tls/messages/handshake.js";
import { suite13ByName } from "../../src/protocols/tls/parameters/suites13.js";
import { contentType } from "../../src/protocols/tls/record/content-type.js";
import { Sealer13 } from "../../src/protocols/tls/record/protection13.js";
import { provider as crypto } from "../support/provider.js";
import { identityFor, shake, startOfTime, TlsPair } from "../support/tls-pair.js";

const only13 = { versions: ["1.3"] } as const;
const suite = suite13ByName.get("TLS_AES_128_GCM_SHA256")!;

/** A client that has shaken hands and then seals whatever it likes: the keys are its own. */
class Rogue {
  readonly pair: TlsPair;
  readonly #sealer: Sealer13;

  private constructor(pair: TlsPair, secret: Uint8Array) {
    this.pair = pair;
    this.#sealer = new Sealer13(crypto, { version: "1.3", suite, secret: new Secret(secret) }, "tls13 ");
  }

  static async with(): Promise<Rogue> {
    const lines: string[] = [];
    const pair = await shake({ client: { ...only13, keyLog: (line) => lines.push(line) } });
    const secret = lines.find((line) => line.startsWith("CLIENT_TRAFFIC_SECRET_0"))!.split(" ")[2]!;
    return new Rogue(pair, fromHex(secret));
  }

  sealed(type: number, content: Uint8Array, paddedSize = content.length): Uint8Array {
    const bytes = new Uint8Array(this.#sealer.headroom + paddedSize + this.#sealer.tailroom);
    bytes.set(content, this.#sealer.headroom);
    return bytes.subarray(0, this.#sealer.seal(bytes, 0, content.length, type, paddedSize));
  }

  async say(...records: readonly Uint8Array[]): Promise<TlsReason | undefined> {
    await this.pair.give("server", { kind: "bytes", bytes: concat(...records) });
    return this.pair.server.failure?.reason;
  }
}

const { applicationData, handshake, alert } = contentType;
const nothing = new Uint8Array(0);
const plainRecord = (type: number, body: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(type, 3, 3, body.length >> 8, body.length & 255), body);

/** What a server says to sealed records. */
const rows: readonly (readonly [
  what: string,
  say: (rogue: Rogue) => readonly Uint8Array[],
  reason: TlsReason | undefined,
])[] = [
  ["ordinary data", (r) => [r.sealed(applicationData, Uint8Array.of(1, 2, 3))], undefined],
  [
    "a few empty records",
    (r) => Array.from({ length: limits.emptyRecordsMax }, () => r.sealed(applicationData, nothing)),
    undefined,
  ],
  [
    "a flood of empty records",
    (r) => Array.from({ length: limits.emptyRecordsMax + 1 }, () => r.sealed(applicationData, nothing)),
    "too-many-empty-records",
  ],
  ["a record of nothing but padding", (r) => [r.sealed(0, nothing, 50)], "unexpected-record"],
  ["a handshake record without content", (r) => [r.sealed(handshake, nothing)], "unexpected-record"],
  ["content of an unknown type", (r) => [r.sealed(24, Uint8Array.of(1))], "unexpected-record"],
  ["a sealed change_cipher_spec", (r) => [r.sealed(20, Uint8Array.of(1))], "unexpected-record"],
  ["16,385 bytes of content", (r) => [r.sealed(applicationData, new Uint8Array(16_385))], "record-overflow"],
  ["half an alert", (r) => [r.sealed(alert, Uint8Array.of(1))], "malformed-record"],
  ["two alerts in one record", (r) => [r.sealed(alert, Uint8Array.of(1, 90, 1, 90))], "malformed-record"],
  ["an alert without content", (r) => [r.sealed(alert, nothing)], "malformed-record"],
  ["an alert that nobody knows", (r) => [r.sealed(alert, Uint8Array.of(1, 200))], "alert-received"],
  [
    "user_canceled now and then",
    (r) => Array.from({ length: limits.warningsMax }, () => r.sealed(alert, Uint8Array.of(1, 90))),
    undefined,
  ],
  [
    "a flood of user_canceled",
    (r) => Array.from({ length: limits.warningsMax + 1 }, () => r.sealed(alert, Uint8Array.of(1, 90))),
    "too-many-warnings",
  ],
  [
    "a message that goes on behind a KeyUpdate",
    (r) => [r.sealed(handshake, concat(frame(24, Uint8Array.of(0)), frame(24, Uint8Array.of(0))))],
    "message-spans-key-change",
  ],
  [
    "half a message behind a KeyUpdate",
    (r) => [r.sealed(handshake, concat(frame(24, Uint8Array.of(0)), Uint8Array.of(24, 0)))],
    "message-spans-key-change",
  ],
  [
    "data between two pieces of a message",
    (r) => [r.sealed(handshake, Uint8Array.of(24, 0, 0)), r.sealed(applicationData, Uint8Array.of(1))],
    "unexpected-record",
  ],
  [
    "data under the old keys after a KeyUpdate",
    (r) => [r.sealed(handshake, frame(24, Uint8Array.of(0))), r.sealed(applicationData, Uint8Array.of(1))],
    "bad-record",
  ],
  ["data in the clear", () => [plainRecord(applicationData, Uint8Array.of(1))], "bad-record"],
  ["an alert in the clear", () => [plainRecord(alert, Uint8Array.of(2, 40))], "unexpected-record"],
  [
    "a handshake message in the clear",
    () => [plainRecord(handshake, frame(24, Uint8Array.of(0)))],
    "unexpected-record",
  ],
  ["change_cipher_spec after the handshake", () => [plainRecord(20, Uint8Array.of(1))], "unexpected-record"],
  ["a record of another protocol", () => [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")], "unknown-record-type"],
  ["a header that announces too much", () => [Uint8Array.of(23, 3, 3, 0x41, 0x01)], "record-overflow"],
];

for (const [what, say, reason] of rows) {
  test(`in a session, ${what}: ${reason ?? "is fine"}`, async () => {
    const rogue = await Rogue.with();
    assert.equal(await rogue.say(...say(rogue)), reason);
    const sent = rogue.pair.server.sent.length;
    await rogue.pair.send("server", "after that");
    assert.equal(rogue.pair.server.sent.length > sent, reason === undefined, "only the living speak");
  });
}

test("before a handshake, every wrong first record has its answer, and change_cipher_spec is no hello", async () => {
  const cases: readonly (readonly [Uint8Array, TlsReason])[] = [
    [plainRecord(20, Uint8Array.of(1)), "unexpected-record"],
    [plainRecord(20, Uint8Array.of(2)), "unexpected-record"],
    [plainRecord(handshake, nothing), "unexpected-record"],
    [plainRecord(applicationData, Uint8Array.of(1)), "unexpected-record"],
    [plainRecord(alert, Uint8Array.of(2, 40)), "alert-received"],
    [Uint8Array.of(22, 3, 1, 0x40, 0x01), "record-overflow"],
    [Uint8Array.of(22, 2, 0, 0, 1), "unknown-record-type"],
    [Uint8Array.of(128, 46, 1, 3, 1), "unknown-record-type"],
  ];
  for (const [bytes, reason] of cases) {
    const pair = new TlsPair();
    pair.server.machine.handle({ kind: "opened" }, startOfTime);
    await pair.give("server", { kind: "bytes", bytes: bytes.slice() });
    assert.equal(pair.server.failure?.reason, reason);
  }
});

test("more change_cipher_spec records than a handshake needs are a flood", async () => {
  const flood = concat(
    ...Array.from({ length: limits.changeCipherSpecsMax + 1 }, () => plainRecord(20, Uint8Array.of(1))),
  );
  const pair = new TlsPair({
    client: only13,
    onTheWay: (from, bytes) => (from === "client" && bytes[0] === 20 ? concat(flood, bytes) : bytes),
  });
  await pair.open();
  assert.equal(pair.server.failure?.reason, "unexpected-record");
});

test("for a client that offered no early data, nothing is skipped", async () => {
  const pair = new TlsPair({ client: { ...only13, middleboxCompatibility: false }, server: only13 });
  pair.server.machine.handle({ kind: "opened" }, startOfTime);
  pair.client.machine.handle({ kind: "opened" }, startOfTime);
  await pair.settle();
  assert.ok(pair.server.outcome);
  // This client offered none: nothing is skipped for it.
  await pair.give("server", { kind: "bytes", bytes: plainRecord(applicationData, new Uint8Array(100)) });
  assert.equal(pair.server.failure?.reason, "bad-record");
});

test("10,000 half-open handshakes take bounded memory, and are over when their time is", () => {
  const identity = identityFor("P-256");
  const entropy = seededEntropy("half-open");
  // A record that announces 16 KiB, and the first hundred bytes of it.
  const hello = concat(Uint8Array.of(22, 3, 1, 0x40, 0x00, 1, 0, 0x3f, 0xfc), new Uint8Array(100));
  const before = memory();
  const machines = Array.from({ length: 10_000 }, () => {
    const machine = tlsServer({ crypto, entropy }, { identity, handshakeTimeoutMs: 1000 });
    machine.handle({ kind: "opened" }, startOfTime);
    machine.handle({ kind: "bytes", bytes: hello.slice() }, startOfTime);
    return machine;
  });
  const each = (memory() - before) / machines.length;
  assert.ok(each < 12_000, `${Math.round(each)} bytes each`);
  for (const machine of machines) {
    machine.handle({ kind: "wake" }, startOfTime + 1000);
    assert.equal(machine.failure?.reason, "handshake-timeout");
    assert.equal(machine.deadline(), undefined);
  }
});

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test("what waits for an answer is bounded: a peer that floods a server in thought is cut off", async () => {
  const pair = new TlsPair({
    client: only13,
    server: { ...only13, identity: () => new Promise(() => undefined) },
  });
  const { machine } = pair.server;
  machine.handle({ kind: "opened" }, startOfTime);
  pair.client.machine.handle({ kind: "opened" }, startOfTime);
  const buffer = new Uint8Array(1 << 17);
  const { size } = pair.client.machine.transmit(buffer, startOfTime)!;
  machine.handle({ kind: "bytes", bytes: buffer.slice(0, size) }, startOfTime);
  const chunk = new Uint8Array(65_536);
  for (let i = 0; i <= limits.recordsWaitingMax / chunk.length; i++) {
    machine.handle({ kind: "bytes", bytes: chunk.slice() }, startOfTime);
  }
  assert.equal(machine.failure?.reason, "too-much-unread");
});
