import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { metricsServer, openMetrics, type TunnelStatus } from "../../../src/adapters/index.js";
import { readKeySource, readTunnelFile } from "../../../src/adapters/tunnel/source.js";
import { Secret } from "../../../src/contract/index.js";
import { scratch } from "../../interop/peers/certificates.js";

test("what has a section is a text, everything else a path, whose name is the tunnel's", () => {
  const path = join(scratch(), "branch office.conf");
  writeFileSync(path, "[Interface]\n");
  const { read, ...file } = readTunnelFile(path);
  assert.deepEqual(file, { text: "[Interface]\n", name: "branch office" });
  // What a file names lies beside it.
  assert.equal(read!("branch office.conf"), file.text);
  assert.equal(read!("absent.key"), undefined);
  assert.equal(readTunnelFile(new URL(`file://${path.replace(" ", "%20")}`)).name, "branch office");
  assert.equal(readTunnelFile("  [Interface]\nDNS = 10.0.0.1").name, "tunnel");
  assert.throws(() => readTunnelFile(join(scratch(), "absent.conf")), { code: "ENOENT" });
  writeFileSync(path, "#".repeat(1_048_577));
  assert.throws(() => readTunnelFile(path), { reason: "bad-configuration" });
});

test("a private key comes from a file, the environment or a Secret, and is never repeated", () => {
  const bytes = new Uint8Array(32).fill(7);
  const text = Buffer.from(bytes).toString("base64");
  const file = join(scratch(), "wg.key");
  writeFileSync(file, `${text}\n`);
  assert.deepEqual(readKeySource({ file }).expose(), bytes);
  process.env["SEALPORT_TEST_KEY"] = text;
  assert.deepEqual(readKeySource({ env: "SEALPORT_TEST_KEY" }).expose(), bytes);
  delete process.env["SEALPORT_TEST_KEY"];
  assert.throws(() => readKeySource({ env: "SEALPORT_TEST_KEY" }), { message: "$SEALPORT_TEST_KEY is not set" });
  writeFileSync(file, "precious but short");
  assert.throws(
    () => readKeySource({ file }),
    (error: Error) => !error.message.includes("precious"),
  );
  const secret = new Secret(bytes);
  assert.equal(readKeySource(secret), secret);
});

const status: TunnelStatus = {
  name: 'wg:"odd"\nname',
  isUp: true,
  mtu: 1_420,
  addresses: ["10.0.0.2"],
  peers: [
    {
      publicKey: "AAAA=",
      endpoint: undefined,
      lastHandshakeAt: 5_000,
      handshakes: 3,
      rekeys: 2,
      bytesSent: 10,
      bytesReceived: 20,
      packetsSent: 1,
      packetsReceived: 2,
    },
  ],
  lastHandshakeAt: 5_000,
  rttMs: 12.5,
  lossRatio: 0,
  connections: 4,
  drops: { "bad-checksum": 6 },
};

test("metrics are OpenMetrics: typed, labelled, escaped, counters with _total, ended by EOF", () => {
  const lines = openMetrics(status).split("\n");
  assert.deepEqual(lines.slice(-2), ["# EOF", ""]);
  const label = 'tunnel="wg:\\"odd\\"\\nname"';
  for (const line of [
    "# TYPE sealport_tunnel_handshakes counter",
    `sealport_tunnel_handshakes_total{${label},peer="AAAA="} 3`,
    `sealport_tunnel_last_handshake_timestamp_seconds{${label},peer="AAAA="} 5`,
    `sealport_tunnel_rtt_seconds{${label}} 0.0125`,
    `sealport_tunnel_dropped_packets_total{${label},reason="bad-checksum"} 6`,
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test("readyz is 200 with the handshake's age while the tunnel is up, and 503 when it is not", async () => {
  let shown: TunnelStatus = status;
  const server = metricsServer(
    () => shown,
    () => 9_000,
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = (path: string) =>
    new Promise<readonly [number | undefined, string]>((resolve) => {
      get(`http://127.0.0.1:${port}${path}`, { agent: false }, (response) => {
        let text = "";
        response.on("data", (chunk) => (text += chunk)).on("end", () => resolve([response.statusCode, text]));
      });
    });
  assert.deepEqual(await ask("/readyz"), [200, '{"isUp":true,"handshakeAgeMs":4000}\n']);
  shown = { ...status, isUp: false, lastHandshakeAt: undefined };
  assert.deepEqual(await ask("/readyz"), [503, '{"isUp":false,"handshakeAgeMs":null}\n']);
  assert.equal((await ask("/secrets"))[0], 404);
  server.close();
});
