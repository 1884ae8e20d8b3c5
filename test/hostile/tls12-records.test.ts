import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../../src/bytes/index.js";
import type { SuiteName, TlsClientOptions } from "../../src/protocols/tls/index.js";
import {
  concatAll,
  identityFor,
  type PairOptions,
  resumption,
  type Side,
  shake,
  TlsPair,
} from "../support/tls-pair.js";

/*
 * What an attacker can do to records of TLS 1.2: ChangeCipherSpec where it does not belong, records altered, repeated or
 * left out, and a CBC suite asked whether padding or MAC was wrong.
 */

const changeCipherSpec = Uint8Array.of(20, 3, 3, 0, 1, 1);
const suites = {
  gcm: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  chacha: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  cbc: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
} as const satisfies Record<string, SuiteName>;
const speaking = (suite: SuiteName, more: PairOptions = {}): PairOptions => {
  const both: TlsClientOptions = { versions: ["1.2"], suites: [suite] };
  return { ...more, client: { ...both, ...more.client }, server: { ...both, ...more.server } };
};

/** Records of a flight, one by one. */
function records(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + ((bytes[at + 3]! << 8) | bytes[at + 4]!);
    found.push(bytes.slice(at, end));
    at = end;
  }
  return found;
}

/** Changes the records of one side, counted from the first. */
function onTheWay(side: Side, change: (record: Uint8Array, index: number) => readonly Uint8Array[]) {
  let index = 0;
  return (from: Side, bytes: Uint8Array): Uint8Array =>
    from === side ? concat(...records(bytes).flatMap((record) => change(record, index++))) : bytes;
}

for (const [kind, suite] of Object.entries(suites)) {
  test(`1.2 with ${kind}: data goes both ways, whole, also when the stream comes byte by byte`, async () => {
    const data = new Uint8Array(40_000).map((_, i) => i * 7);
    for (const pieceMax of [1, 1 << 17]) {
      const pair = await shake(speaking(suite, { pieceMax }));
      await pair.send("client", data);
      await pair.send("server", data);
      assert.deepEqual(pair.server.bytesReceived, data);
      assert.deepEqual(pair.client.bytesReceived, data);
      await pair.give("client", { kind: "close" });
      await pair.give("server", { kind: "close" });
      assert.ok(pair.server.told.includes("ended") && pair.client.told.includes("ended"));
    }
  });

  test(`1.2 with ${kind}: a record that is altered anywhere is refused, always in the same words`, async () => {
    const good = await shake(speaking(suite));
    await good.send("client", "attack at dawn");
    const record = good.client.sent.at(-1)!;
    const told = new Set<string>();
    for (let at = 5; at < record.length; at++) {
      const pair = await shake(speaking(suite));
      const before = pair.server.sent.length;
      const altered = record.slice();
      altered[at]! ^= 1 << (at & 7);
      await pair.give("client", { kind: "send", bytes: new Uint8Array() });
      pair.server.machine.handle({ kind: "bytes", bytes: altered }, pair.now);
      await pair.settle();
      assert.equal(pair.server.failure?.reason, "bad-record", `byte ${at}`);
      assert.equal(pair.server.text, "");
      told.add(`${pair.server.failure.message} ${pair.server.sent.slice(before).map(({ length }) => length)}`);
    }
    assert.equal(told.size, 1, "padding, MAC and content cannot be told apart");
  });

  test(`1.2 with ${kind}: a record that comes again, or out of its turn, is refused`, async () => {
    const pair = await shake(speaking(suite));
    await pair.send("client", "once");
    const record = pair.client.sent.at(-1)!;
    await pair.server.machine.handle({ kind: "bytes", bytes: record.slice() }, pair.now);
    await pair.settle();
    assert.equal(pair.server.text, "once");
    assert.equal(pair.server.failure?.reason, "bad-record");
  });
}

test("ChangeCipherSpec before there are keys to change to ends the handshake", async () => {
  const server = await shake(
    speaking(suites.gcm, { onTheWay: onTheWay("client", (r, i) => (i === 0 ? [r, changeCipherSpec] : [r])) }),
  );
  assert.equal(server.server.failure?.reason, "unexpected-record");
  assert.equal(server.server.outcome, undefined);
  const client = await shake(
    speaking(suites.gcm, { onTheWay: onTheWay("server", (r, i) => (i === 0 ? [changeCipherSpec, r] : [r])) }),
  );
  assert.equal(client.client.failure?.reason, "unexpected-record");
  const first = await shake(
    speaking(suites.gcm, { onTheWay: onTheWay("client", (r, i) => (i === 0 ? [changeCipherSpec, r] : [r])) }),
  );
  assert.equal(first.server.failure?.reason, "unexpected-record");
});

test("ChangeCipherSpec twice, left out, or after the handshake, ends it", async () => {
  const isIt = (record: Uint8Array): boolean => record[0] === 20;
  for (const side of ["client", "server"] as const) {
    const victim = side === "client" ? "server" : "client";
    const twice = await shake(speaking(suites.gcm, { onTheWay: onTheWay(side, (r) => (isIt(r) ? [r, r] : [r])) }));
    assert.equal(twice[victim].failure?.reason, "unexpected-record");
    const missing = await shake(speaking(suites.gcm, { onTheWay: onTheWay(side, (r) => (isIt(r) ? [] : [r])) }));
    assert.equal(missing[victim].outcome, undefined);
    assert.ok(missing[victim].failure, "Finished came without new keys");
    const after = await shake(speaking(suites.gcm));
    after[victim].machine.handle({ kind: "bytes", bytes: changeCipherSpec.slice() }, after.now);
    await after.settle();
    assert.equal(after[victim].failure?.reason, "unexpected-record");
  }
});

test("no bit of a whole 1.2 conversation can be turned on the wire without its end", async () => {
  const identity = identityFor("Ed25519");
  const options = speaking(suites.gcm, { server: { identity } });
  const plain = await shake(options);
  for (const side of ["client", "server"] as const) {
    const victim = side === "client" ? "server" : "client";
    const total = concatAll(plain[side].sent).length;
    for (let target = 0; target < total; target += 7) {
      let seen = 0;
      const turn = (from: Side, bytes: Uint8Array): Uint8Array => {
        if (from !== side) return bytes;
        if (target >= seen && target < seen + bytes.length) bytes[target - seen]! ^= 1 << (target % 8);
        seen += bytes.length;
        return bytes;
      };
      const pair = await shake({ ...options, onTheWay: turn });
      assert.equal(pair[victim].outcome?.version, undefined, `byte ${target} of the ${side}'s`);
      assert.notEqual(pair[victim].failure?.reason, "internal-error");
    }
  }
});

test("data in the clear before the handshake is over is refused", async () => {
  const data = Uint8Array.of(23, 3, 3, 0, 2, 104, 105);
  for (const side of ["client", "server"] as const) {
    const victim = side === "client" ? "server" : "client";
    const pair = await shake(speaking(suites.gcm, { onTheWay: onTheWay(side, (r, i) => (i === 0 ? [r, data] : [r])) }));
    assert.equal(pair[victim].failure?.reason, "unexpected-record");
    assert.equal(pair[victim].text, "");
  }
});

test("a resumed 1.2 session carries data", async () => {
  const { client, server } = resumption();
  const options = speaking(suites.gcm, { client, server });
  await shake(options);
  const pair = await new TlsPair({ ...options, seed: 2 }).open();
  assert.equal(pair.client.outcome?.mode, "resumed");
  await pair.send("client", "again");
  assert.equal(pair.server.text, "again");
});
