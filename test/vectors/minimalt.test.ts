import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { x25519 } from "@noble/curves/ed25519.js";
import { fromHex, toHex, utf8 } from "../../src/bytes/index.js";
import type { Entropy } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { type Flying, MinimaltPair, serverIdentity, userIdentity } from "../support/minimalt-pair.js";
import {
  beforenm,
  firstSequence,
  nextKey,
  readPacket,
  readPuzzlePacket,
  readSigned,
  solve,
} from "../support/minimalt-reader.js";

// Vectors of our own: no other implementation exists. What they hold to is a second reading of the paper, beside the room's.

interface Vectors {
  readonly clientSecret: string;
  readonly serverSecret: string;
  readonly packets: readonly { readonly from: "client" | "server"; readonly bytes: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../test/vectors/data/minimalt/session.json", import.meta.url), "utf8"),
) as Vectors;

/** Entropy that remembers its draws. */
function remembering(seed: string): { entropy: Entropy; draws: Uint8Array[] } {
  const inner = seededEntropy(seed);
  const draws: Uint8Array[] = [];
  return {
    draws,
    entropy: {
      fill: (into) => {
        inner.fill(into);
        draws.push(into.slice());
        return into;
      },
    },
  };
}

export function session(): { pair: MinimaltPair; clientSecret: Uint8Array; serverSecret: Uint8Array } {
  const [client, server] = [remembering("vector client"), remembering("vector server")];
  const pair = new MinimaltPair({
    client: { user: userIdentity },
    entropy: { client: client.entropy, server: server.entropy },
  });
  pair.connect().send("client", utf8("hello")).run(100);
  pair.send("server", utf8("and hello to you")).run(100);
  pair.say("client", { kind: "update-keys" }).run(100);
  pair.say("client", { kind: "close" }).run(3_000);
  // A key pair is the first that either side draws.
  return { pair, clientSecret: client.draws[0]!, serverSecret: server.draws[0]! };
}

test("the same entropy makes the packets that were written down", () => {
  const { pair, clientSecret, serverSecret } = session();
  const packets = pair.sent.map(({ from, bytes }) => ({ from, bytes: toHex(bytes) }));
  assert.deepEqual({ clientSecret: toHex(clientSecret), serverSecret: toHex(serverSecret), packets }, vectors);
});

test("another reading opens every packet and finds in it what was said", () => {
  const k1 = beforenm(fromHex(vectors.clientSecret), x25519.getPublicKey(fromHex(vectors.serverSecret)));
  const k2 = nextKey(k1);
  const tids: string[] = [];
  let announced = "";
  const said = { client: new Map<number, string>(), server: new Map<number, string>() };
  const functions = { client: new Set<number>(), server: new Set<number>() };
  for (const { from, bytes } of vectors.packets) {
    const packet = fromHex(bytes);
    const tid = toHex(Uint8Array.from([packet[0]! & 0x3f, ...packet.subarray(1, 8)]));
    if (!tids.includes(tid)) {
      if (tids.length > 0) assert.equal(tid, announced, "the identifier that was announced");
      tids.push(tid);
    }
    const read = readPacket(packet, tids.indexOf(tid) === 0 ? k1 : k2);
    assert.equal(read.nonce % 2n, from === "client" ? 1n : 0n, "client odd, server even (§4.2)");
    if (read.key !== undefined) {
      assert.ok(packet.length >= 1_024);
      const [first] = read.rpcs;
      assert.equal(first?.f, 9, "a packet that begins a tunnel or a key begins with nextTid");
      announced = toHex(first!.body.subarray(0, 8));
      assert.equal(toHex(first!.body.subarray(8)), toHex(read.key), "the key in clear, once more in the box (§7.4)");
    }
    for (const { connection, f, body } of read.rpcs) {
      if (f !== undefined) functions[from].add(f);
      else said[from].set(connection, (said[from].get(connection) ?? "") + Buffer.from(body).toString());
      if (f === 2) {
        assert.equal(Buffer.from(body).readUInt32BE(0), 1);
        assert.equal(Buffer.from(body.subarray(5, 5 + body[4]!)).toString(), "echo");
        assert.equal(toHex(body.subarray(9, 41)), toHex(userIdentity.publicKey));
      }
    }
  }
  assert.deepEqual(
    [...said.client, ...said.server],
    [
      [1, "hello"],
      [1, "and hello to you"],
    ],
  );
  assert.equal(tids.length, 2, "a tunnel, and its second key");
  for (const f of [2, 5, 9, 13, 32]) assert.ok(functions.client.has(f), `client ${f}`);
  for (const f of [3, 13, 32]) assert.ok(functions.server.has(f), `server ${f}`);
  const first = readPacket(fromHex(vectors.packets[0]!.bytes), k1);
  assert.equal(first.sequence, firstSequence(k1, "client"));
  assert.equal(first.acknowledgement, firstSequence(k1, "server"));
});

test("another reading solves our puzzles, and finds the solution in our packet", () => {
  const pair = new MinimaltPair({ server: { tunnelsPerSecond: 0, puzzleBits: 6 } });
  pair.connect().run(2_000);
  const is = (flags: number) => (packet: Flying) => (packet.bytes[0]! & 0xc0) === flags;
  const puzzle = readPuzzlePacket(pair.sent.find(is(0x40))!.bytes);
  assert.equal(puzzle.w, 6);
  const r = solve(puzzle)!;
  const solved = pair.sent.find(is(0xc0))!.bytes.subarray(48, 196);
  assert.equal(toHex(solved), toHex(Uint8Array.from([...r, ...new Uint8Array(36), ...puzzle.n, ...new Uint8Array(8)])));
});

test("another reading finds a record signed, and in it what a client needs (§3.4)", () => {
  const { certS, ecertS } = new MinimaltPair().server.record!;
  const key = serverIdentity.publicKey;
  const cert = readSigned(certS, "minimaLT certificate", key);
  const ecert = readSigned(ecertS, "minimaLT ephemeral certificate", key);
  assert.ok(cert.isSigned && ecert.isSigned);
  assert.ok(!readSigned(ecertS, "minimaLT certificate", key).isSigned, "neither is taken for the other");
  // version, revision, suite, address, port, smallest first packet, S, S', end, lifetime
  assert.deepEqual([...ecert.body.subarray(0, 8)], [0, 1, 1, 4, 198, 51, 100, 1]);
  assert.deepEqual([ecert.body.readUInt16BE(8), ecert.body.readUInt16BE(10)], [4_433, 1_024]);
  assert.equal(toHex(ecert.body.subarray(12, 44)), toHex(key));
  assert.equal(ecert.body.length, 12 + 64 + 8);
  assert.equal(ecert.body.readUInt32BE(76), 1_700_000_000 + 1_200);
  assert.equal(toHex(cert.body.subarray(3, 35)), toHex(key));
  assert.equal(toHex(cert.body.subarray(35, 67)), toHex(serverIdentity.box.publicKey));
});
