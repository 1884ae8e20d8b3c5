import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { witness } from "../../src/survey/probes/tls/witness.js";
import { secretOf } from "../../src/survey/stage/witness.js";
import { Wire } from "../../src/survey/wire.js";
import { scratch } from "../interop/peers/certificates.js";
import { openssl } from "../interop/peers/openssl.js";

for (const suite of ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] as const) {
  test(`a witness follows OpenSSL through a key update with ${suite}, and old keys do not open what follows`, async () => {
    const keyLog = join(scratch(), "keys.log");
    const stranger = openssl("OpenSSL 3.0");
    await using server = await stranger.serve({ version: "1.3", suites: [suite] });
    await using wire = await Wire.to(server.port);
    await using client = stranger.connect(wire.port, { version: "1.3", suites: [suite], keyLog });
    await client.say("before");
    await server.hears("before");
    await client.updateKeys(false);
    await client.program.says(/KEYUPDATE/);
    await client.say("after");
    await server.hears("after");

    const secret = secretOf(readFileSync(keyLog, "utf8").split("\n"), "CLIENT_TRAFFIC_SECRET_0");
    const records = witness(wire.toServer, suite, secret);
    const data = records.filter(({ contentType }) => contentType === 23);
    assert.deepEqual(
      data.map(({ generation, content }) => [generation, Buffer.from(content).toString()]),
      [
        [0, "before\n"],
        [1, "after\n"],
      ],
    );
    assert.ok(records.every(({ opensUnderOldKeys }) => !opensUnderOldKeys));
    assert.ok(
      records.some(
        ({ generation, contentType, content }) => generation === 0 && contentType === 22 && content[0] === 24,
      ),
    );
  });
}

test("a wire that is cut ends both directions, and neither end has said goodbye", async () => {
  const stranger = openssl("OpenSSL 3.0");
  await using server = await stranger.serve({ version: "1.3" });
  await using wire = await Wire.to(server.port);
  await using client = stranger.connect(wire.port, { version: "1.3" });
  await client.say("hello");
  await server.hears("hello");
  wire.cut();
  await client.program.says(/unexpected eof/);
});
