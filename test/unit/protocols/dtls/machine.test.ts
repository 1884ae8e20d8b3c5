import assert from "node:assert/strict";
import { test } from "node:test";
import { openDtls } from "../../../support/dtls-pair.js";

for (const version of ["1.2", "1.3"] as const) {
  test(`DTLS ${version}: a handshake behind a cookie, messages both ways, an exporter, and a clean end`, async () => {
    const pair = await openDtls({ client: { versions: [version] }, trace: process.env["TRACE"] !== undefined });
    const { client, server } = pair;
    assert.equal(client.failure?.message ?? server.failure?.message, undefined);
    assert.equal(client.outcome?.version, version);
    assert.equal(server.outcome?.version, version);
    await pair.say("client", "one", "two", "three is longer");
    await pair.say("server", "four");
    assert.deepEqual(server.received, ["one", "two", "three is longer"]);
    assert.deepEqual(client.received, ["four"]);
    assert.deepEqual(
      client.live.handshake.exportKey("EXPORTER-test", 32),
      server.live.handshake.exportKey("EXPORTER-test", 32),
    );
    await pair.give("client", { kind: "close", association: 1 }, 10_000);
    assert.deepEqual(client.told.slice(-2), ["ended", "gone"]);
    assert.deepEqual(server.told.slice(-2), ["ended", "gone"]);
    assert.equal(client.failure ?? server.failure, undefined);
    assert.equal(server.endpoint.size, 0);
  });
}
