import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { FragmentHeader, writeFragmentHeader } from "../../src/protocols/dtls/handshake/fragment.js";
import { IncomingMessages } from "../../src/protocols/dtls/handshake/incoming.js";
import { limits } from "../../src/protocols/dtls/limits.js";
import { DtlsEndpoint } from "../../src/protocols/dtls/machine.js";
import { clientAddress, DtlsPair, openDtls, type Passing, serverAddress } from "../support/dtls-pair.js";
import { provider } from "../support/provider.js";
import { identityFor, startOfTime } from "../support/tls-pair.js";

const versions = ["1.2", "1.3"] as const;
const identity = identityFor("P-256");
const server = () =>
  new DtlsEndpoint({ crypto: provider, entropy: seededEntropy("flooded") }, { server: { identity } });

const arriving = (bytes: Uint8Array, from: SocketAddress) =>
  ({ kind: "datagrams", bytes, from, to: serverAddress, segmentSize: bytes.length, ecn: 0 }) as const;

/** All datagrams of one session, in order, with who sent them. */
async function recorded(version: "1.2" | "1.3") {
  const sent: Passing[] = [];
  const way = (passing: Passing) => {
    sent.push(passing);
    return [{ bytes: passing.bytes.slice() }];
  };
  const pair = await openDtls({ client: { versions: [version] }, way });
  await pair.say("client", "one", "two");
  await pair.say("server", "three");
  return { pair, sent };
}

for (const version of versions) {
  test(`${version}: a hundred thousand spoofed ClientHellos get a hundred thousand small answers, and leave nothing`, async () => {
    const { sent } = await recorded(version);
    const hello = sent[0]!.bytes;
    const flooded = server();
    const buffer = new Uint8Array(65_536);
    let received = 0;
    let answered = 0;
    let answers = 0;
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 100_000; i++) {
      const from = { address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, port: 1024 + (i % 60_000) };
      received += hello.length;
      flooded.handle(arriving(hello.slice(), from), startOfTime);
      for (let t = flooded.transmit(buffer, startOfTime); t; t = flooded.transmit(buffer, startOfTime)) {
        answers++;
        answered += t.size;
        assert.deepEqual(t.to, from);
      }
      assert.equal(flooded.event(), undefined);
    }
    assert.equal(answers, 100_000);
    assert.ok(answered < received, `${answered} bytes for ${received}`);
    assert.equal(flooded.size, 0);
    assert.equal(flooded.deadline(), undefined, "nothing is waited for");
    assert.ok(process.memoryUsage().heapUsed - before < 64 << 20, "memory does not grow with the flood");
  });

  test(`${version}: every datagram again, to both ends, delivers nothing twice and changes nothing`, async () => {
    const { pair, sent } = await recorded(version);
    const { client, server: far } = pair;
    const told = [...far.told.filter((kind) => kind !== "data")];
    for (const { by, bytes } of sent) {
      pair.deliver(by === "client" ? "server" : "client", bytes, by === "client" ? clientAddress : serverAddress);
      await pair.run(200);
    }
    assert.deepEqual([far.received, client.received], [["one", "two"], ["three"]]);
    assert.deepEqual(
      far.told.filter((kind) => kind !== "data"),
      told,
    );
    assert.ok(far.live.drops.replayed >= 2, "those that are protected are known for replays");
    await pair.say("client", "still there");
    assert.deepEqual(far.received.at(-1), "still there");
  });

  test(`${version}: a bit flipped anywhere is made up for, or ends it with a typed failure, and is never believed`, async () => {
    const { sent } = await recorded(version);
    let finished = 0;
    let ended = 0;
    for (const [nth, { by, bytes }] of sent.slice(0, 6).entries()) {
      const index = sent.slice(0, nth).filter((each) => each.by === by).length;
      for (let at = nth % 5; at < bytes.length; at += 17) {
        const way = (passing: Passing) => {
          const damaged = passing.bytes.slice();
          if (passing.by === by && passing.index === index) damaged[at]! ^= 1 << (at % 8);
          return [{ bytes: damaged }];
        };
        const pair = await new DtlsPair({ client: { versions: [version] }, way }).open(5_000);
        const { client, server: far } = pair;
        if (client.outcome !== undefined && far.outcome !== undefined && client.failure === undefined) {
          await pair.say("client", "whole");
          await pair.say("client", "whole");
          if (far.failure === undefined) assert.ok(far.received.includes("whole"), `${by} ${index} at ${at}`);
          finished++;
        } else {
          assert.ok(client.failure !== undefined || far.failure !== undefined || client.outcome === undefined);
          ended++;
        }
        for (const text of [...far.received, ...client.received]) assert.equal(text, "whole");
      }
    }
    // What goes in the clear can be made to end a handshake, by whoever can change it on its way.
    assert.ok(finished > 30, `${finished} finished, ${ended} ended`);
  });

  test(`${version}: every prefix of every datagram is swallowed`, async () => {
    const { sent } = await recorded(version);
    const way = (passing: Passing) => {
      const prefixes = Array.from({ length: Math.ceil(passing.bytes.length / 9) }, (_, i) => ({
        bytes: passing.bytes.slice(0, i * 9),
      }));
      return [...prefixes, { bytes: passing.bytes }];
    };
    const pair = await openDtls({ client: { versions: [version] }, way });
    assert.ok(pair.client.outcome !== undefined && pair.server.outcome !== undefined);
    await pair.say("client", "after all that");
    assert.deepEqual(pair.server.received, ["after all that"]);
    assert.ok(sent.length > 0 && pair.server.endpoint.drops["malformed-record"] > 0);
  });
}

/** The pieces of a first ClientHello as a browser sends it, with a hybrid's key share. */
async function pieces(mtu = 600): Promise<readonly Uint8Array[]> {
  const sent: Passing[] = [];
  const way = (passing: Passing) => {
    sent.push(passing);
    return [{ bytes: passing.bytes.slice() }];
  };
  await openDtls({ client: { versions: ["1.3"], groups: ["X25519MLKEM768"], mtu }, way });
  return sent.filter(({ by, at }) => by === "client" && at === startOfTime).map(({ bytes }) => bytes);
}

test("pieces of hellos from a hundred thousand addresses fill a table of fixed size, beside which everybody else is served", async () => {
  const first = (await pieces())[0]!;
  const batch = 50;
  let strangers = 0;
  let flooding = false;
  const flood = () => {
    for (let i = 0; i < batch; i++, strangers++) {
      const from = { address: `172.${strangers >> 16}.${(strangers >> 8) & 255}.${strangers & 255}`, port: 2000 };
      pair.deliver("server", first, from);
    }
  };
  // Before every datagram that comes to the server, so between the pieces of an honest hello too.
  const way = ({ by, bytes }: Passing) => {
    if (flooding && by === "client") flood();
    return [{ bytes }];
  };
  const pair = await openDtls({ client: { versions: ["1.3"] }, way });
  flooding = true;
  const { endpoint } = pair.server;
  const before = process.memoryUsage().heapUsed;
  // One session stays; one after another begins from elsewhere on the same port, each with a hello in pieces.
  const options = {
    versions: ["1.3"],
    groups: ["X25519MLKEM768", "x25519"],
    serverName: "server.test",
    mtu: 600,
  } as const;
  const remote = { address: "10.0.0.2", port: 4433 };
  let said = 0;
  for (let other = 0; strangers < 100_000; other++) {
    for (let i = 0; i < 100; i++, said++) await pair.say("client", `message ${said}`);
    assert.ok(endpoint.halves <= limits.partialHellosMax);
    const association = 3 + 2 * other;
    pair.clientAt = { ...clientAddress, port: 6_000 + other };
    await pair.give("client", { kind: "connect", association, remote, options }, 500);
    assert.ok(pair.client.endpoint.association(association)?.isConfirmed, `client ${other}, ${strangers} strangers`);
    assert.equal(pair.client.endpoint.association(association)!.retransmissions, 0, "at the first attempt");
    pair.clientAt = clientAddress;
  }
  assert.equal(pair.server.received.length, said, "not one message of the session that stays is missing");
  assert.ok(said > 1_500, `${said} messages`);
  assert.equal(endpoint.drops["partial-hello-evicted"], strangers - endpoint.halves);
  assert.ok(process.memoryUsage().heapUsed - before < 64 << 20, "memory does not grow with the flood");
});

test("half a hello is not answered, one address fills a few places only, and crumbs none", async () => {
  const [first] = await pieces();
  const flooded = server();
  const give = (bytes: Uint8Array, from: SocketAddress) => {
    flooded.handle(arriving(bytes.slice(), from), startOfTime);
    assert.equal(flooded.transmit(new Uint8Array(2048), startOfTime), undefined, "half a hello is not answered");
  };
  for (let port = 1; port <= 1_000; port++) give(first!, { address: "10.6.6.6", port });
  assert.equal(flooded.halves, limits.partialHellosOfAddressMax);
  assert.equal(flooded.drops["partial-hello-evicted"], 1_000 - limits.partialHellosOfAddressMax);
  const crumb = first!.slice(0, 13 + 12 + 8);
  crumb.set([0, 20], 11);
  crumb.set([0, 0, 8], 13 + 9);
  const wrong = first!.slice();
  wrong[13 + 12] = 3; // no version of DTLS
  for (let i = 0; i < 100; i++) {
    give(crumb, { address: `10.7.0.${i}`, port: 1 });
    give(wrong, { address: `10.8.0.${i}`, port: 1 });
  }
  assert.equal(flooded.halves, limits.partialHellosOfAddressMax);
  assert.equal(flooded.drops["bad-hello"], 200);
  // Places are free again when what was in them is whole, or too late.
  const other = server();
  const address = "10.9.9.9";
  const whole = await pieces();
  for (let port = 1; port <= 3 * limits.partialHellosOfAddressMax; port++) {
    for (const piece of whole) other.handle(arriving(piece.slice(), { address, port }), startOfTime);
    assert.ok(other.transmit(new Uint8Array(2048), startOfTime) !== undefined, `whole, from port ${port}`);
  }
  assert.equal(other.halves, 0);
});

test("a cookie is good for its address, for its ClientHello, and for a while", async () => {
  for (const version of versions) {
    const { sent } = await recorded(version);
    const second = sent.filter(({ by }) => by === "client")[1]!.bytes;
    const fresh = new DtlsPair({ seed: 1 }).server.endpoint;
    fresh.handle(arriving(second.slice(), { ...clientAddress, port: 9 }), startOfTime + 30);
    assert.equal(fresh.size, 0, "another address");
    fresh.handle(arriving(second.slice(), clientAddress), startOfTime + 60_000);
    assert.equal(fresh.size, 0, "a minute later");
    fresh.handle(arriving(second.slice(), clientAddress), startOfTime + 30);
    assert.equal(fresh.size, 1, "its own address, in time");
  }
});

test("records of an epoch long gone open nothing", async () => {
  const sent: Passing[] = [];
  const way = (passing: Passing) => {
    sent.push(passing);
    return [{ bytes: passing.bytes.slice() }];
  };
  const pair = await openDtls({ client: { versions: ["1.3"] }, way });
  await pair.say("client", "old");
  const old = sent.findLast(({ by }) => by === "client")!.bytes;
  for (let i = 0; i < 5; i++) {
    await pair.give("client", { kind: "update-keys", association: 1, requestPeer: true }, 500);
  }
  assert.equal(pair.server.live.keyGenerationReceived, 5);
  pair.deliver("server", old, clientAddress);
  await pair.run(100);
  await pair.say("client", "new");
  assert.deepEqual(pair.server.received, ["old", "new"]);
});

test("pieces that overlap make one message, and pieces that lie are dropped", () => {
  const body = Uint8Array.from({ length: 100 }, (_, i) => i);
  const head = new FragmentHeader();
  const piece = (from: number, to: number, size = 100, type = 11): Uint8Array => {
    const bytes = new Uint8Array(12 + to - from);
    writeFragmentHeader(bytes, 0, type, size, 0, from, to - from);
    bytes.set(body.subarray(from, to), 12);
    return bytes;
  };
  const add = (messages: IncomingMessages, bytes: Uint8Array, epoch = 0) =>
    head.read(bytes, 0, bytes.length) ? messages.add(head, bytes, 0, epoch) : "unreadable";
  const messages = new IncomingMessages();
  assert.equal(add(messages, piece(40, 70)), "new");
  assert.equal(add(messages, piece(40, 70)), "known");
  assert.equal(add(messages, piece(0, 50)), "new");
  assert.equal(add(messages, piece(0, 10, 99)), "fragment-mismatch");
  assert.equal(add(messages, piece(0, 10, 100, 12)), "fragment-mismatch");
  assert.equal(add(messages, piece(60, 100)), "new");
  assert.deepEqual(messages.take()?.bytes.subarray(4), body);
  assert.equal(add(messages, piece(0, 10)), "old");
  // Beyond its message, or without bytes.
  assert.equal(add(new IncomingMessages(), piece(90, 100, 95)), "unreadable");
  assert.equal(add(new IncomingMessages(), piece(5, 5)), "unreadable");
  // A protected piece takes the place of one that anybody could write.
  const spoofed = new IncomingMessages();
  assert.equal(add(spoofed, piece(0, 10, 50), 0), "new");
  assert.equal(add(spoofed, piece(0, 100), 2), "new");
  assert.equal(spoofed.take()?.epoch, 2);
});

test("whatever comes, in whatever order, a listener throws nothing and keeps nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (datagrams) => {
      const flooded = server();
      for (const bytes of datagrams) {
        if (bytes.length === 0) continue;
        bytes[0] = 20 + (bytes[0]! % 44);
        flooded.handle(arriving(bytes, clientAddress), startOfTime);
        assert.equal(flooded.transmit(new Uint8Array(4096), startOfTime), undefined);
      }
      assert.equal(flooded.size, 0);
    }),
    { seed: 1, numRuns: 300 },
  );
});
