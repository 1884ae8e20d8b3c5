import assert from "node:assert/strict";
import { test } from "node:test";
import { seededEntropy } from "../../src/crypto/index.js";
import { clientAddress, DtlsPair, openDtls, type Passing } from "../support/dtls-pair.js";

const versions = ["1.2", "1.3"] as const;

/** Loses, repeats and delays by chance, the same for the same seed. */
function badWay(seed: string, lossPercent: number) {
  const entropy = seededEntropy(seed);
  const draw = (below: number): number => {
    const [high, low] = entropy.fill(new Uint8Array(2));
    return ((high! << 8) | low!) % below;
  };
  return ({ bytes }: Passing) => {
    if (draw(100) < lossPercent) return [];
    const first = { bytes, lateMs: draw(100) < 30 ? draw(120) : 0 };
    return draw(100) < 15 ? [first, { bytes: bytes.slice(), lateMs: draw(300) }] : [first];
  };
}

for (const version of versions) {
  for (const mtu of [1_200, 300]) {
    test(`${version}, datagrams of ${mtu}: loss, reordering and repetition slow a handshake down, and nothing else`, async () => {
      for (let seed = 0; seed < 25; seed++) {
        const way = badWay(`${version} ${mtu} ${seed}`, 20);
        const options = { client: { versions: [version], mtu }, server: { mtu }, way, seed };
        const pair = await new DtlsPair(options).open(58_000);
        const replay = `seed ${seed}`;
        assert.equal(pair.client.failure?.message ?? pair.server.failure?.message, undefined, replay);
        assert.ok(pair.client.outcome !== undefined && pair.server.outcome !== undefined, replay);
        const words = Array.from({ length: 40 }, (_, i) => `message ${i}`);
        for (const word of words) await pair.say("client", word);
        await pair.run(2_000);
        const { received } = pair.server;
        assert.equal(new Set(received).size, received.length, `${replay}: nothing comes twice`);
        assert.ok(received.length > 20 && received.every((word) => words.includes(word)), replay);
      }
    });
  }

  test(`${version}: a client that moves in mid-transfer is followed by its connection ID, once it has answered there`, async () => {
    const pair = await openDtls({
      client: { versions: [version], connectionIdSize: 0 },
      server: { connectionIdSize: 8 },
    });
    await pair.say("client", "here");
    pair.clientAt = { ...clientAddress, port: 6_000 };
    await pair.say("client", "there");
    await pair.run(500);
    assert.deepEqual(pair.server.live.remote, pair.clientAt);
    assert.equal(pair.server.told.filter((kind) => kind === "moved").length, 1);
    await pair.say("server", "to there");
    assert.deepEqual([pair.server.received, pair.client.received], [["here", "there"], ["to there"]]);
    // Again, and an old datagram from the first place does not bring it back.
    pair.clientAt = { ...clientAddress, port: 7_000 };
    await pair.say("client", "and there");
    await pair.run(500);
    assert.deepEqual(pair.server.live.remote, pair.clientAt);
  });

  test(`${version}: a copied record from an attacker's address moves nobody`, async () => {
    const sent: Passing[] = [];
    let holding = false;
    const way = (passing: Passing) => {
      sent.push(passing);
      return holding && passing.by === "client" ? [] : [{ bytes: passing.bytes.slice() }];
    };
    const pair = await openDtls({
      client: { versions: [version], connectionIdSize: 0 },
      server: { connectionIdSize: 8 },
      way,
    });
    holding = true;
    await pair.say("client", "stolen on the way");
    const stolen = sent.at(-1)!.bytes;
    holding = false;
    pair.deliver("server", stolen, { address: "10.6.6.6", port: 666 });
    await pair.run(5_000);
    assert.deepEqual(pair.server.live.remote, clientAddress, "who does not answer there is not there");
    await pair.say("server", "still to you");
    assert.deepEqual(pair.client.received, ["still to you"]);
  });

  test(`${version}: a second client from the same address replaces the first, behind its cookie`, async () => {
    const pair = await openDtls({ client: { versions: [version] } });
    await pair.say("client", "first");
    const options = { versions: [version], serverName: "server.test" } as const;
    await pair.give("client", { kind: "abort", association: 1 });
    pair.client.association = 3;
    const remote = { address: "10.0.0.2", port: 4433 };
    await pair.give("client", { kind: "connect", association: 3, remote, options }, 1_000);
    await pair.say("client", "second");
    assert.deepEqual(pair.server.received, ["first", "second"]);
    assert.equal(pair.server.endpoint.size, 1);
  });

  test(`${version}: close_notify that is lost is said again to a peer that goes on`, async () => {
    let losing = false;
    const way = ({ by, bytes }: Passing) => {
      if (losing && by === "client") {
        losing = false;
        return [];
      }
      return [{ bytes }];
    };
    const pair = await openDtls({ client: { versions: [version] }, way });
    losing = true;
    await pair.give("client", { kind: "close", association: 1 }, 500);
    assert.ok(!pair.server.told.includes("ended"));
    await pair.say("server", "are you there?");
    assert.ok(pair.server.told.includes("ended"));
    assert.equal(pair.server.failure, undefined);
  });
}

test("1.3: connection IDs are asked for, given, and changed at once", async () => {
  const pair = await openDtls({
    client: { versions: ["1.3"], connectionIdSize: 4 },
    server: { connectionIdSize: 8 },
  });
  const before = pair.client.live.ids.theirs;
  await pair.give("client", { kind: "request-connection-ids", association: 1, count: 3 }, 500);
  assert.equal(pair.server.live.ids.ours.length, 4);
  await pair.give("server", { kind: "renew-connection-id", association: 2, immediate: true }, 500);
  assert.notDeepEqual(pair.client.live.ids.theirs, before);
  await pair.say("client", "by the new name");
  assert.deepEqual(pair.server.received, ["by the new name"]);
});

test("1.3: keys are updated by themselves before they are worn out, however much is sent", async () => {
  const pair = await openDtls({ client: { versions: ["1.3"], recordsPerKeyMax: 100 } });
  for (let i = 0; i < 30; i++) await pair.say("client", ...Array.from({ length: 20 }, (_, j) => `${i} ${j}`));
  assert.equal(pair.server.received.length, 600);
  assert.ok(pair.client.live.keyGenerationSent >= 4, `${pair.client.live.keyGenerationSent}`);
});

test("what happens is traced under DTLS's name: messages, what is dropped, a move", async () => {
  const names: string[] = [];
  const trace = ({ protocol, name }: { readonly protocol: string; readonly name: string }) => {
    names.push(name);
    assert.equal(protocol, "DTLS");
  };
  const sent: Passing[] = [];
  const way = (passing: Passing) => {
    sent.push(passing);
    return [{ bytes: passing.bytes.slice() }];
  };
  const pair = await openDtls({
    client: { connectionIdSize: 0 },
    server: { connectionIdSize: 8, trace },
    way,
  });
  await pair.say("client", "here");
  pair.deliver("server", sent.at(-1)!.bytes, clientAddress);
  pair.clientAt = { ...clientAddress, port: 6_000 };
  await pair.say("client", "there");
  await pair.run(500);
  for (const name of ["message_received", "message_sent", "dropped", "moved"]) {
    assert.ok(names.includes(`dtls:${name}`), `${name} in ${names.join()}`);
  }
});

test("1.2: keys cannot be changed, and asking for it is misuse", async () => {
  const pair = await openDtls({ client: { versions: ["1.2"] } });
  assert.throws(() => pair.client.live.updateKeys(false, pair.now), { reason: "misuse" });
  await pair.say("client", "goes on");
  assert.deepEqual(pair.server.received, ["goes on"]);
});

test("nobody there: the client gives up in the time that its timers allow", async () => {
  const pair = await new DtlsPair({ way: () => [] }).open(70_000);
  assert.ok(["connection-lost", "handshake-timeout"].includes(pair.client.failure?.reason ?? ""));
  assert.ok(pair.client.sent >= 6 && pair.client.sent <= 14, `${pair.client.sent} datagrams`);
});
