import assert from "node:assert/strict";
import { test } from "node:test";
import { type DtlsPair, type DtlsPairOptions, type DtlsSide, DtlsPair as Pair } from "../support/dtls-pair.js";
import { startOfTime } from "../support/tls-pair.js";
import { forms, prepared } from "./dtls-forms.js";

const run = async (options: DtlsPairOptions, forMs: number): Promise<DtlsPair> => new Pair(options).open(forMs);

/** Both have confirmed, and data go both ways. */
async function checkAlive(pair: DtlsPair, name: string): Promise<void> {
  const { client, server } = pair;
  assert.equal(client.failure?.message ?? server.failure?.message, undefined, name);
  assert.ok(client.outcome !== undefined && server.outcome !== undefined, `${name}: not confirmed in time`);
  await pair.say("client", "there");
  await pair.say("server", "and back");
  assert.deepEqual([server.received, client.received], [["there"], ["and back"]], name);
}

for (const name of Object.keys(forms)) {
  for (const mtu of [1_200, 256]) {
    test(`${name}, datagrams of ${mtu}: any one of them is lost, and one wait makes up for it`, async () => {
      const sizes = { client: { mtu }, server: { mtu } };
      const whole = await run(await prepared(name, sizes), 900);
      await checkAlive(whole, name);
      assert.equal(
        whole.client.endpoint.association(1)?.retransmissions,
        0,
        "nothing goes twice where nothing is lost",
      );
      for (const side of ["client", "server"] as const satisfies readonly DtlsSide[]) {
        for (let lost = 0; lost < whole[side].sent; lost++) {
          const way = ({ by, index, bytes }: { by: DtlsSide; index: number; bytes: Uint8Array }) =>
            by === side && index === lost ? [] : [{ bytes }];
          // RFC 6347 §4.2.4.1: one second, and the round trips.
          const pair = await run(await prepared(name, { ...sizes, way }), 1_300);
          const what = `${name}, mtu ${mtu}, ${side}'s datagram ${lost} lost`;
          const last = Math.max(pair.client.confirmedAt ?? Infinity, pair.server.confirmedAt ?? Infinity);
          if (pair.client.sent > lost && last - startOfTime > 1_300) assert.fail(`${what}: not confirmed in time`);
          await pair.run(3_000);
          await checkAliveAfter(pair, what);
        }
      }
    });
  }
}

/** As `checkAlive`, when what is lost may be the data themselves: they are sent once more. */
async function checkAliveAfter(pair: DtlsPair, what: string): Promise<void> {
  const { client, server } = pair;
  assert.equal(client.failure?.message ?? server.failure?.message, undefined, what);
  await pair.say("client", "there");
  await pair.say("client", "there");
  await pair.say("server", "back");
  await pair.say("server", "back");
  assert.ok(server.received.includes("there") && client.received.includes("back"), what);
}
