import assert from "node:assert/strict";
import { test } from "node:test";
import { disabled, EstablishmentError, secure } from "../../../src/taps/index.js";
import { leaves, type Neighbours, neighbours, serverAddress, serverAddress6, vouchedFor } from "../../support/taps.js";

const remote = { host: "example.test", service: "_imaps._tcp" };
const at = "_imaps._tcp.example.test";

function world(
  services: readonly (readonly [priority: number, weight: number, target: string, port: number])[],
): Neighbours {
  const both = neighbours();
  const records = services.map(([priority, weight, target, port]) => ({ priority, weight, target, port }));
  both.world.name(at, { services: records });
  both.world.name("down.test", { addresses: ["203.0.113.9"] });
  return both;
}

test("an SRV name is looked up when an action is called, and stands for its targets and their ports", async () => {
  const both = world([
    [20, 0, "server.test", 9_930],
    [10, 0, "down.test", 993],
  ]);
  await both.world.finish(
    (async () => {
      await both.server.preconnection({ local: { port: 9_930 }, security: disabled() }).listen();
      const pre = both.client.preconnection({ remote, security: disabled() });
      const connection = await pre.connect({ timeout: 10_000 });
      assert.equal(connection.remoteEndpoint?.port, 9_930);
      assert.deepEqual(
        leaves(connection.candidates!).map(({ name }) => name),
        ["203.0.113.9:993", `[${serverAddress6}]:9930`],
        "low priorities first",
      );
      const { remotes } = await pre.resolve();
      assert.deepEqual(
        remotes.map(({ address, port }) => `${address} ${port}`),
        ["203.0.113.9 993", `${serverAddress6} 9930`, `${serverAddress} 9930`],
      );
    })(),
  );
});

test("targets of equal priority share by their weights", async () => {
  const counts = { "a.test": 0, "b.test": 0 };
  const both = world([
    [1, 1, "a.test", 1],
    [1, 3, "b.test", 2],
  ]);
  both.world.name("a.test", { addresses: ["198.51.100.1"] });
  both.world.name("b.test", { addresses: ["198.51.100.2"] });
  await both.world.finish(
    (async () => {
      for (let i = 0; i < 400; i++) {
        const { remotes } = await both.client.preconnection({ remote, security: disabled() }).resolve();
        counts[remotes[0]!.address === "198.51.100.1" ? "a.test" : "b.test"]++;
        assert.equal(remotes.length, 2);
      }
    })(),
  );
  // RFC 2782 draws from 0 … the sum, so that nobody is left out: about 2 of 5 and 3 of 5 here.
  assert.ok(counts["a.test"] > 60 && counts["b.test"] > 180, JSON.stringify(counts));
});

test("whom an SRV target must prove to be is the domain that was asked for", async () => {
  const both = world([[1, 1, "server.test", 993]]);
  await both.world.finish(
    (async () => {
      for (const [name, isRight] of [
        ["example.test", true],
        ["server.test", false],
      ] as const) {
        const { root, identity } = vouchedFor(name);
        const listener = await both.server
          .preconnection({ local: { port: 993 }, security: secure({ identity }) })
          .listen();
        const connection = both.client.preconnection({ remote, security: secure({ trust: [root] }) }).initiate();
        if (isRight) (await connection.ready).abort();
        else
          await assert.rejects(
            connection.ready,
            (error) => error instanceof EstablishmentError && error.fault === "authentication",
          );
        await listener.stop();
      }
    })(),
  );
});

test("a service that is not offered, or of which nobody knows, fails as not resolved", async () => {
  for (const both of [world([[0, 0, ".", 0]]), neighbours()]) {
    const connection = both.client.preconnection({ remote, security: disabled() }).initiate();
    await both.world.finish(
      assert.rejects(
        connection.ready,
        (error) => error instanceof EstablishmentError && error.reason === "resolution-failed",
      ),
    );
  }
  const { client } = neighbours();
  assert.throws(() => client.preconnection({ remote: { ...remote, port: 1 }, security: disabled() }), /not both/);
  assert.throws(
    () => client.preconnection({ remote: { service: "_x", host: "a" }, security: disabled() }),
    /no SRV name/,
  );
});
