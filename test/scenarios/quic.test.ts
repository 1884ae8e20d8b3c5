import assert from "node:assert/strict";
import { equal } from "../../src/bytes/index.js";
import { pattern } from "../laws/port.js";
import { quicPair, startOfTime } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";

const options = { start: startOfTime };

scenario(
  "two ends shake hands, and what one writes the other reads",
  3,
  async (world, seed) => {
    const { client, servers, listener } = await quicPair(world, { echoes: true });
    await world.until(() => client.outcome !== undefined && servers[0]?.outcome !== undefined);
    assert.equal(client.outcome?.alpn, "test");
    assert.equal(client.outcome?.version, "1");
    const stream = client.open();
    const sent = pattern(100_000, seed);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.isEnded);
    assert.ok(equal(stream.all(), sent));
    client.session.close();
    await world.until(() => servers[0]!.isClosed && client.isClosed);
    assert.equal(servers[0]!.failure, undefined);
    assert.equal(client.failure, undefined);
    await world.finish(listener.closeAll());
  },
  options,
);

for (const end of ["close", "abort"] as const) {
  scenario(
    `a client that ends as soon as it is confirmed leaves a server that is, too: ${end}`,
    3,
    async (world) => {
      const pair = await quicPair(world);
      // In the turn in which it is told: its Finished has left by then.
      pair.client.confirmed = (outcome) => {
        pair.client.outcome = outcome;
        pair.client.session[end]();
      };
      await world.until(() => pair.client.isClosed && pair.servers[0]?.isClosed === true);
      assert.ok(pair.client.outcome !== undefined && pair.server.outcome !== undefined);
      assert.equal(pair.server.failure?.reason, end === "close" ? undefined : "idle-timeout");
      await world.finish(pair.listener.closeAll());
    },
    options,
  );
}
