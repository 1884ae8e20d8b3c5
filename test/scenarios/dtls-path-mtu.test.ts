import assert from "node:assert/strict";
import { test } from "node:test";
import { seededEntropy } from "../../src/crypto/index.js";
import { batchOf, DtlsPair, type DtlsPairOptions, openDtls, type Passing } from "../support/dtls-pair.js";
import { startOfTime } from "../support/tls-pair.js";

const versions = ["1.2", "1.3"] as const;
/** What a packet of 600 bytes leaves for UDP's payload over IPv4. */
const hole = 572;

/** A path that carries so much, loses a few packets beside, and lets others overtake; the same for the same seed. */
function path(seed: string, lossPercent: number) {
  const entropy = seededEntropy(seed);
  const state = { carries: 65_507, lossPercent, tooLarge: 0 };
  const way = ({ bytes }: Passing) => {
    const [chance, late] = entropy.fill(new Uint8Array(2));
    if (bytes.length > state.carries) {
      state.tooLarge++;
      return [];
    }
    return chance! * 100 < state.lossPercent * 256 ? [] : [{ bytes, lateMs: late! < 64 ? late! : 0 }];
  };
  return Object.assign(state, { way });
}

const text = (size: number): string => "x".repeat(size);

/** Sends one message of the greatest size now and then, for so long. Answers how many arrived. */
async function talk(pair: DtlsPair, forMs: number, max = 65_507): Promise<number> {
  const before = pair.server.received.length;
  for (let at = 0; at < forMs; at += 250) {
    const batch = batchOf([text(Math.min(max, pair.client.live.messageMax))]);
    await pair.give("client", { kind: "send", association: 1, batch }, 250);
  }
  return pair.server.received.length - before;
}

for (const version of versions) {
  test(`${version}: a handshake through a path that swallows packets beyond 600 bytes ends, in smaller ones`, async () => {
    for (let seed = 0; seed < 20; seed++) {
      const way = path(`${version} ${seed}`, seed % 2 === 0 ? 0 : 10);
      way.carries = hole;
      const group = seed % 4 < 2 ? "x25519" : "X25519MLKEM768";
      const options: DtlsPairOptions = {
        client: { versions: [version], groups: [group, "secp256r1"] },
        way: way.way,
        seed,
      };
      const pair = await new DtlsPair(options).open(58_000);
      const replay = `seed ${seed}`;
      assert.equal(pair.client.failure?.message ?? pair.server.failure?.message, undefined, replay);
      assert.ok(pair.client.outcome !== undefined && pair.server.outcome !== undefined, replay);
      assert.ok(way.tooLarge > 0, "something was too large, or this shows nothing");
      // Where nothing else is lost: two waits and a third begun for either side's flight (RFC 6347 §4.2.4.1).
      if (way.lossPercent === 0) assert.ok(pair.client.confirmedAt! - startOfTime < 2 * 3_500, replay);
      assert.ok((await talk(pair, 4_000, 500)) > 8, replay);
    }
  });

  test(`${version}: what the path carries beyond that is looked for by heartbeats, and found`, async () => {
    for (const carries of [1_200, 1_300, 1_452, 9_000]) {
      const way = path(`${version} ${carries}`, 0);
      way.carries = carries;
      const mtu = { mtuMax: 1_452 };
      const pair = await openDtls({ client: { versions: [version], ...mtu }, server: mtu, way: way.way });
      await pair.run(60_000);
      for (const end of [pair.client, pair.server]) {
        const { pathSize } = end.live;
        assert.ok(
          pathSize <= carries && pathSize > Math.min(carries, 1_452) - 17,
          `${end.side}: ${pathSize} of ${carries}`,
        );
        assert.equal(end.told.includes("path-size"), carries > 1_216, end.side);
      }
      const before = pair.client.sent;
      await pair.run(300_000);
      assert.equal(pair.client.sent, before, "who has nothing to send asks nothing");
      assert.ok((await talk(pair, 1_000)) === 4, "and messages of that size arrive");
    }
  });

  test(`${version}: a path that narrows to 600 bytes in mid-connection is noticed, and when it widens again, too`, async () => {
    for (let seed = 0; seed < 8; seed++) {
      const way = path(`${version} narrows ${seed}`, 0);
      const mtu = { mtuMax: 1_452 };
      const pair = await openDtls({ client: { versions: [version], ...mtu }, server: mtu, way: way.way, seed });
      await pair.run(10_000);
      assert.equal(pair.client.live.pathSize, 1_452);
      way.carries = hole;
      way.lossPercent = seed;
      await talk(pair, 60_000);
      const { pathSize } = pair.client.live;
      assert.ok(pathSize <= hole && pathSize >= 548, `seed ${seed}: ${pathSize}`);
      assert.ok((await talk(pair, 10_000)) > 25, `seed ${seed}: what is sent arrives again`);
      way.carries = 65_507;
      await pair.run(600_000);
      await talk(pair, 5_000);
      assert.equal(pair.client.live.pathSize, 1_452, `seed ${seed}`);
    }
  });

  test(`${version}: even the base may be too much, and then the least is found`, async () => {
    const way = path(`${version} least`, 0);
    const pair = await openDtls({ client: { versions: [version], mtuMax: 1_452 }, way: way.way });
    await pair.run(10_000);
    way.carries = 400;
    await talk(pair, 90_000);
    const { pathSize } = pair.client.live;
    assert.ok(pathSize <= 400 && pathSize > 380, `${pathSize}`);
  });

  test(`${version}: chance alone makes no datagram smaller`, async () => {
    for (let seed = 0; seed < 10; seed++) {
      const way = path(`${version} chance ${seed}`, 0);
      const pair = await openDtls({ client: { versions: [version], mtuMax: 1_452 }, way: way.way, seed });
      await pair.run(10_000);
      way.lossPercent = 10;
      await talk(pair, 60_000);
      assert.equal(pair.client.live.pathSize, 1_452, `seed ${seed}`);
    }
  });

  test(`${version}: who does not want to know offers nothing, and answers who does`, async () => {
    const sides = [
      { client: {}, server: { mtuMax: 1_452 }, found: [1_200, 1_200] },
      { client: { mtuMax: 1_452 }, server: {}, found: [1_452, 1_200] },
    ];
    for (const { client, server, found } of sides) {
      const pair = await openDtls({ client: { versions: [version], ...client }, server });
      await pair.run(10_000);
      assert.deepEqual([pair.client.live.pathSize, pair.server.live.pathSize], found);
    }
  });

  test(`${version}: the network's word that a datagram was too large sends a flight again at once, smaller`, async () => {
    const way = path(`${version} word`, 0);
    way.carries = hole;
    const pair = await new DtlsPair({ client: { versions: [version] }, way: way.way }).open(400);
    await pair.give("server", { kind: "too-big" }, 500);
    assert.ok(pair.client.outcome !== undefined && pair.server.outcome !== undefined, "no timer had to pass");
    assert.equal(pair.server.live.pathSize, 548);
    for (let i = 0; i < 5; i++) await pair.give("server", { kind: "too-big" }, 500);
    assert.equal(pair.server.live.pathSize, 548, "nobody proves it, so it makes nothing smaller than every host takes");
  });
}

test("an established session that cannot ask leaves the network's word to the application", async () => {
  const pair = await openDtls();
  await pair.give("client", { kind: "too-big" }, 500);
  assert.equal(pair.client.live.pathSize, 1_200);
});

test("options that make no sense are misuse: mtuMax below mtu", async () => {
  const pair = await new DtlsPair({ client: { mtu: 1_300, mtuMax: 1_200 } }).open(100);
  assert.equal(pair.client.failure?.reason, "misuse");
});
