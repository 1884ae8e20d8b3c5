import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/bytes/index.js";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { limits } from "../../src/protocols/curvecp/limits.js";
import { packetType } from "../../src/protocols/curvecp/messages/packets.js";
import {
  boxes,
  CurveCpPair,
  clientAddress,
  clientIdentity,
  type Flying,
  pattern,
  type Side,
  serverAddress,
} from "../support/curvecp-pair.js";

const typeOf = ({ bytes }: Flying) => packetType(bytes, 0, bytes.length)!;
const other = (side: Side): Side => (side === "client" ? "server" : "client");

/** A conversation in which somebody gets each packet before it arrives. */
function intercepted(meddler: (pair: CurveCpPair, packet: Flying) => void): CurveCpPair {
  const pair = new CurveCpPair();
  pair.meddle = (packet) => {
    pair.meddle = (next) => [next];
    pair.drain(other(packet.from)); // what it had to say anyway
    const before = { client: pair.events.client.length, server: pair.events.server.length };
    meddler(pair, packet);
    assert.deepEqual(
      { client: pair.events.client.length, server: pair.events.server.length },
      before,
      `${typeOf(packet)}: nothing is told`,
    );
    pair.meddle = again;
    return [packet];
  };
  const again = pair.meddle;
  return pair;
}

function converse(pair: CurveCpPair): void {
  pair.connect().send("client", utf8("first")).run(50);
  pair.send("server", utf8("answer")).send("client", utf8("more")).finish("client").finish("server").run(50);
  assert.deepEqual(pair.received("server"), utf8("firstmore"));
  assert.deepEqual(pair.received("client"), utf8("answer"));
  for (const side of ["client", "server"] as const) assert.ok(pair.kinds(side).includes("over"));
}

/**
 * What no box covers: the sender's extension, which only says where an answer is to go; a Hello's zeros; and the bit of C' that
 * X25519 does not look at, so that a Hello with it is another client's.
 */
const uncovered = (type: string, at: number): boolean =>
  (at >= 24 && at < 40 && type !== "cookie" && type !== "server-message") || (type === "hello" && at >= 71 && at < 136);

test("each byte of each packet flipped: nothing is told, nothing is kept, and the conversation goes on", () => {
  let flips = 0;
  converse(
    intercepted((pair, packet) => {
      const to = other(packet.from);
      const type = typeOf(packet);
      const size = pair[to].size;
      for (let at = 0; at < packet.bytes.length; at++) {
        if (uncovered(type, at)) continue;
        const wrong = packet.bytes.slice();
        wrong[at]! ^= 1 << (at & 7);
        const before = pair.sent.length;
        pair.deliver(to, wrong, packet.source);
        assert.equal(pair.sent.length, before, `${type}, byte ${at}: no answer`);
        flips++;
      }
      assert.equal(pair[to].size, size);
    }),
  );
  assert.ok(flips > 2_000);
});

test("each packet cut short, at any length, or longer than it is: nothing comes of it", () => {
  converse(
    intercepted((pair, packet) => {
      const to = other(packet.from);
      for (let size = 0; size < packet.bytes.length; size += size < 48 ? 1 : 5) {
        const before = pair.sent.length;
        pair.deliver(to, packet.bytes.subarray(0, size), packet.source);
        assert.equal(pair.sent.length, before, `${typeOf(packet)}, ${size} bytes`);
      }
      for (const more of [1, 16, 64]) {
        const before = pair.sent.length;
        pair.deliver(to, new Uint8Array([...packet.bytes, ...new Uint8Array(more)]), packet.source);
        assert.equal(pair.sent.length, before);
      }
    }),
  );
});

test("each packet again, at any later time: a Hello gets a Cookie, and nothing else gets anything", () => {
  const pair = new CurveCpPair();
  converse(pair);
  const all = [...pair.sent];
  const replay = (when: string) => {
    for (const packet of all) {
      const to = other(packet.from);
      const [sent, told, size] = [pair.sent.length, pair.events[to].length, pair[to].size];
      pair.deliver(to, packet.bytes, packet.source);
      const answers = pair.sent.slice(sent).map(typeOf);
      assert.deepEqual(answers, typeOf(packet) === "hello" ? ["cookie"] : [], `${typeOf(packet)} ${when}`);
      assert.equal(pair.events[to].length, told);
      assert.equal(pair[to].size, size);
    }
  };
  replay("while it lingers");
  pair.run(5_000);
  assert.equal(pair.server.size, 0);
  // Its cookie is still good by its minute key, and would begin the connection, its keys and its counters again.
  replay("when it is forgotten");
  assert.ok(pair.server.drops["spent-cookie"] > 0);
  pair.now += 130_000;
  replay("when its minute keys are gone");
  assert.ok(pair.server.drops["bad-cookie"] > 0);
});

test("a client's extension is nobody's word but the packet's: the newest authentic one counts", () => {
  const pair = new CurveCpPair().connect().send("client", utf8("a")).run(50);
  const message = pair.sent.findLast(({ from }) => from === "server")!;
  assert.ok(message.bytes.subarray(8, 24).every((byte) => byte === 0));
  pair.meddle = (packet) => {
    if (packet.from === "client") packet.bytes.fill(7, 24, 40);
    return [packet];
  };
  pair.send("client", utf8("b")).run(50);
  const answered = pair.sent.findLast(({ from }) => from === "server")!;
  assert.ok(answered.bytes.subarray(8, 24).every((byte) => byte === 7));
  assert.deepEqual(pair.received("server"), utf8("ab"));
});

test("a hundred thousand spoofed Hellos beside a transfer: it goes on, answers are few and shorter, nothing is kept", () => {
  const pair = new CurveCpPair().connect().send("client", utf8("here")).run(50);
  const hello = pair.sent.find((packet) => typeOf(packet) === "hello")!.bytes;
  const data = pattern(300_000);
  pair.send("client", data).finish("client");
  let [asked, answered, largest] = [0, 0, 0];
  pair.meddle = (packet) => {
    if (typeOf(packet) !== "cookie") return [packet];
    answered += packet.bytes.length;
    largest = Math.max(largest, packet.bytes.length);
    return [];
  };
  const from: { address: string; port: number } = { address: "", port: 1 };
  for (let i = 0; i < 100_000; i++) {
    from.address = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
    asked += hello.length;
    pair.now += 0.01;
    pair.deliver("server", hello, from);
    if (i % 200 === 0) pair.run(1);
  }
  pair.run(500);
  assert.deepEqual(pair.received("server"), new Uint8Array([...utf8("here"), ...data]));
  assert.equal(pair.server.size, 1);
  assert.ok(answered <= asked && largest < hello.length, "never more than was sent");
  const seconds = 100_000 * 0.01 * 1e-3 + 1;
  assert.ok(answered / 200 <= limits.helloBurst + limits.hellosPerSecond * seconds * 2);
  assert.ok(pair.server.drops["too-many-hellos"] > 90_000);
});

test("strangers that come faster than cookies leave find a bounded queue", () => {
  const pair = new CurveCpPair().connect();
  pair.drain("client");
  const hello = pair.sent[0]!.bytes;
  for (let i = 0; i < 1_000; i++) {
    const from: SocketAddress = { address: "10.0.0.1", port: i + 1 };
    const input = { kind: "datagrams" as const, bytes: hello.slice(), from, to: serverAddress, ecn: 0 as const };
    pair.server.handle({ ...input, segmentSize: hello.length }, pair.now);
  }
  pair.drain("server");
  assert.equal(pair.sent.filter((packet) => typeOf(packet) === "cookie").length, limits.cookiesWaitingMax);
  assert.equal(pair.server.drops["too-many-hellos"], 1_000 - limits.cookiesWaitingMax);
});

/** A conversation that is stopped right before its first Initiate arrives. */
function upToInitiate(seed: string): { pair: CurveCpPair; initiate: Uint8Array } {
  const pair = new CurveCpPair({ seed, client: { identity: clientIdentity } }).connect().send("client", utf8("hi"));
  let initiate: Uint8Array | undefined;
  pair.meddle = (packet) => {
    if (typeOf(packet) !== "initiate") return [packet];
    initiate ??= packet.bytes;
    return [];
  };
  pair.run(20);
  return { pair, initiate: initiate! };
}

test("a cookie is another client's, another server's, or too old: it opens nothing", () => {
  const one = upToInitiate("one");
  const two = upToInitiate("two");
  const dropped = (pair: CurveCpPair) => pair.server.drops["bad-cookie"];
  // The other client's cookie in an Initiate of ours.
  const mixed = one.initiate.slice();
  mixed.set(two.initiate.subarray(72, 168), 72);
  one.pair.deliver("server", mixed);
  assert.equal(dropped(one.pair), 1);
  // The other's whole Initiate at our server, which has the same long-term key and another minute key.
  one.pair.deliver("server", two.initiate);
  assert.equal(dropped(one.pair), 2);
  one.pair.now += 120_001;
  one.pair.deliver("server", one.initiate);
  assert.equal(dropped(one.pair), 3);
  assert.equal(one.pair.server.size, 0);
  // Within its time it is good, from wherever.
  two.pair.now += 59_000;
  two.pair.deliver("server", two.initiate, { address: "203.0.113.9", port: 9 });
  assert.equal(two.pair.server.size, 1);
});

test("a public key that gives nothing gets no cookie, and opens no box", () => {
  const pair = new CurveCpPair().connect();
  pair.drain("client");
  for (const first of [0, 1]) {
    const hello = pair.sent[0]!.bytes.slice();
    hello.fill(0, 40, 72);
    hello[40] = first;
    pair.deliver("server", hello);
  }
  assert.equal(pair.server.drops["bad-box"], 2);
  assert.equal(pair.sent.length, 1);
  const wrong = new CurveCpPair({ client: { serverKey: new Uint8Array(32) } }).connect();
  wrong.drain("client");
  assert.deepEqual(wrong.kinds("client"), ["over", "gone"]);
});

test("one client more than may be is dropped, and gets in when another has left", () => {
  const pair = new CurveCpPair({ server: { clientsMax: 1 } }).connect().send("client", utf8("one")).run(50);
  const options = { serverKey: boxes.keyPair(new Uint8Array(32).fill(9)).publicKey };
  assert.equal(options.serverKey.length, 32);
  const second = upToInitiate("second");
  // The second speaks to the first's server.
  pair.server.handle({ kind: "abort", connection: 2 }, pair.now);
  assert.equal(pair.server.size, 1, "it lingers");
  pair.deliver("server", second.initiate);
  assert.equal(pair.server.drops["too-many-clients"], 1);
  pair.run(5_000);
  assert.equal(pair.server.size, 0);
});

test("who is undecided waits, who is refused is not asked about again, and neither is told anything", () => {
  const questions: number[] = [];
  const pair = new CurveCpPair({
    server: { clients: () => true },
    decide: (event) => {
      questions.push(event.id);
      return undefined;
    },
  }).connect();
  pair.send("client", utf8("may I?")).run(5_000);
  assert.equal(questions.length, 1);
  assert.equal(pair.server.size, 0);
  assert.ok(pair.server.drops.undecided > 0);
  pair.server.handle({ kind: "answer", id: questions[0]!, answer: false }, pair.now);
  pair.run(20_000);
  assert.equal(questions.length, 1);
  assert.ok(pair.server.drops["refused-client"] > 1);
  assert.ok(!pair.kinds("client").includes("confirmed"));
  pair.run(100_000);
  const over = pair.events.client.find(({ kind }) => kind === "over");
  assert.ok(over?.kind === "over" && over.failure?.reason === "no-answer");
});

test("the last counter ends a connection rather than being used twice", () => {
  const pair = new CurveCpPair().connect().send("client", utf8("a")).run(50);
  Object.assign(pair.client.connection(1)!, { counter: limits.countersMax - 3 });
  pair.send("client", pattern(100_000)).run(1_000);
  const over = pair.events.client.find(({ kind }) => kind === "over");
  assert.ok(over?.kind === "over" && over.failure?.reason === "counter-exhausted");
  assert.equal(over.failure.fault, "expired");
  assert.equal(pair.client.size, 0, "not even a failure is said under that key");
});

test("secrets of the handshake are wiped at the server's first Message", () => {
  const entropy = seededEntropy("watched");
  const drawn: Uint8Array[] = [];
  const pair = new CurveCpPair({
    entropy: {
      client: {
        fill(into) {
          drawn.push(into);
          return entropy.fill(into);
        },
      },
    },
  });
  pair.connect().send("client", utf8("x")).run(50);
  assert.ok(pair.kinds("client").includes("confirmed"));
  const privateKeys = drawn.filter(({ length }) => length === 32);
  assert.equal(privateKeys.length, 2, "short-term and, for want of an identity, long-term");
  for (const key of privateKeys) assert.ok(key.every((byte) => byte === 0));
});

test("a stream that is held back at both ends holds what its buffer may, and loses nothing", () => {
  const receiveBuffer = 16_384;
  const pair = new CurveCpPair({ server: { receiveBuffer } }).connect().send("client", utf8("0")).run(50);
  pair.server.handle({ kind: "pause", connection: 2 }, pair.now);
  const data = pattern(200_000);
  pair.send("client", data).finish("client").run(180_000);
  assert.equal(pair.received("server").length, 1);
  assert.ok(!pair.kinds("client").includes("over"), "a peer that is full is not gone");
  assert.ok(pair.server.connection(2)!.receiver.next <= receiveBuffer + 1);
  pair.server.handle({ kind: "resume", connection: 2 }, pair.now);
  pair.run(2_000);
  assert.deepEqual(pair.received("server").subarray(1), data);
  assert.ok(pair.kinds("server").includes("ended"));
  assert.equal(clientAddress.port, 5_000);
});
