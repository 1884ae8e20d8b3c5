import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toBase64 } from "../../src/bytes/index.js";
import { makeEchKey, writeEchConfigs } from "../../src/protocols/tls/index.js";
import { host, OurServer } from "./ours.js";
import { nssClient } from "./peers/index.js";

const keyOf = (configId: number) =>
  makeEchKey({ crypto: host.crypto, entropy: host.entropy, publicName: "front.sealport.test", configId });

describe("Encrypted Client Hello with NSS, the one other implementation at hand", () => {
  test("its client reaches our server by a name that nobody sees", async () => {
    const key = keyOf(1);
    await using server = await OurServer.start({}, { server: { echKeys: [key] } });
    await using client = nssClient(server.port, "localhost", toBase64(writeEchConfigs([key.config])));
    const ours = await server.next();
    const outcome = await ours.outcome();
    assert.equal(outcome.encryptedClientHello, "accepted");
    assert.equal(outcome.serverName, "localhost");
    await client.write("NSS speaks\n");
    await ours.hears("NSS speaks");
    await ours.say("ours speaks");
    await client.says("ours speaks");
  });

  test("and through a HelloRetryRequest", async () => {
    const key = keyOf(2);
    await using server = await OurServer.start({ groups: ["secp384r1"] }, { server: { echKeys: [key] } });
    await using _client = nssClient(server.port, "localhost", toBase64(writeEchConfigs([key.config])));
    const outcome = await (await server.next()).outcome();
    assert.equal(outcome.encryptedClientHello, "accepted");
    assert.equal(outcome.retried, true);
  });

  test("with a configuration that is no longer good it verifies our public name, takes our new one, and says so", async () => {
    const [old, current] = [keyOf(3), keyOf(3)];
    await using server = await OurServer.start({}, { server: { echKeys: [current] } });
    await using client = nssClient(server.port, "localhost", toBase64(writeEchConfigs([old.config])));
    await client.says("verification succeeded and compatible retry_configs are available");
    const failure = await (await server.next()).ending();
    assert.equal(failure?.at, "ech_required");
    assert.equal(failure?.byPeer, true);
  });
});
