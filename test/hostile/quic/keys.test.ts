import assert from "node:assert/strict";
import { test } from "node:test";
import { addresses, Duel } from "./duel.js";

/** The limits of RFC 9001 §6.6, brought near by setting the counters; what is sealed and refused then is real. */

const suites = [
  ["TLS_AES_128_GCM_SHA256", 2 ** 23, 2 ** 52],
  ["TLS_AES_256_GCM_SHA384", 2 ** 23, 2 ** 52],
  ["TLS_CHACHA20_POLY1305_SHA256", undefined, 2 ** 36],
] as const;

for (const [suite, confidentiality, integrity] of suites) {
  test(`${suite}: packets that do not open are counted to the integrity limit, and end the connection there`, async () => {
    const duel = await Duel.confirmed({ client: { suites: [suite] }, server: { suites: [suite] } });
    const { oneRtt } = duel.server.connection!.core;
    duel.client.endpoint.handle({ kind: "ping", connection: 1 }, duel.now);
    const [genuine] = await duel.client.drain(duel.now);
    const forged = (i: number) => {
      const bytes = genuine!.bytes.slice();
      bytes[bytes.length - 1]! ^= i + 1;
      return { bytes, from: addresses.client, to: addresses.server };
    };
    oneRtt.failed = integrity - 2;
    duel.server.hear(forged(0), duel.now);
    await duel.settle();
    assert.equal(oneRtt.failed, integrity - 1);
    assert.ok(!duel.server.tells("closed"));
    duel.server.hear(forged(1), duel.now);
    await duel.settle();
    assert.equal(duel.server.failure?.reason, "keys-exhausted");
    assert.equal(duel.server.failure?.code, 0x0f);
    assert.equal(duel.client.failure?.code, 0x0f, "AEAD_LIMIT_REACHED at the peer");
  });

  if (confidentiality === undefined) continue;

  test(`${suite}: keys are updated before the confidentiality limit`, async () => {
    const duel = await Duel.confirmed({ client: { suites: [suite] }, server: { suites: [suite] } });
    const { core } = duel.client.connection!;
    core.oneRtt.sealed = 0.75 * confidentiality - 3;
    duel.client.endpoint.handle({ kind: "ping", connection: 1 }, duel.now);
    await duel.settle();
    assert.equal(core.oneRtt.generation, 0);
    for (let i = 0; i < 4; i++) {
      duel.client.endpoint.handle({ kind: "ping", connection: 1 }, duel.now);
      await duel.settle();
    }
    assert.equal(core.oneRtt.generation, 1);
    assert.ok(core.oneRtt.sealed < 10);
    assert.ok(duel.client.tells("key-expiring") && duel.client.tells("key-updated"));
    assert.equal(duel.server.connection!.core.oneRtt.generation, 1, "the peer follows");
  });

  test(`${suite}: where no update may begin, nothing is sealed beyond the limit`, async () => {
    let isDeaf = false;
    const duel = await Duel.confirmed({
      client: { suites: [suite] },
      server: { suites: [suite] },
      onTheWay: (from, datagram) => (isDeaf && from === "server" ? [] : [datagram]),
    });
    const { core } = duel.client.connection!;
    core.oneRtt.update();
    isDeaf = true; // The update is never answered, so another may not begin (§6.1).
    core.oneRtt.sealed = confidentiality - 1;
    duel.client.endpoint.handle({ kind: "ping", connection: 1 }, duel.now);
    await duel.settle();
    duel.client.endpoint.handle({ kind: "ping", connection: 1 }, duel.now);
    await duel.settle();
    assert.equal(core.oneRtt.generation, 1);
    assert.equal(duel.client.failure?.reason, "keys-exhausted");
    assert.equal(duel.client.failure?.code, 0x0f);
  });
}
