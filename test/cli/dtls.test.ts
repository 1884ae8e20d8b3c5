import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { authority, identity, scratch } from "../interop/peers/certificates.js";
import { program, sealport } from "./sealport.js";

test("connect and listen speak dtls:, say what was agreed on, and end with 0", async () => {
  const folder = scratch();
  const pem = join(folder, "server.pem");
  const { certificate, key } = identity("p256");
  writeFileSync(pem, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), { mode: 0o600 });
  const keyLog = join(folder, "keys.log");
  const listening = ["listen", "dtls://127.0.0.1:0", "--identity", pem, "--echo", "--once", "--json"];
  const server = spawn(process.execPath, [program, ...listening]);
  let out = "";
  server.stdout.setEncoding("utf8");
  const ended = new Promise<number | null>((resolve) => server.on("close", resolve));
  const port = await new Promise<string>((resolve, reject) => {
    server.stdout.on("data", (text: string) => {
      out += text;
      const [, digits] = /"listening","address":"127\.0\.0\.1:(\d+)"/.exec(out) ?? [];
      if (digits !== undefined) resolve(digits);
    });
    ended.then((code) => reject(new Error(`ended with ${code}: ${out}`)));
  });
  const url = `dtls://localhost:${port}?versions=1.3`;
  const client = await sealport(["connect", url, "--trust", authority(), "--key-log", keyLog], { input: "hello\n" });
  assert.equal(client.code, 0, client.err);
  assert.equal(client.out, "hello\n");
  assert.match(client.err, /DTLS 1\.3, TLS_AES_128_GCM_SHA256/);
  assert.equal(await ended, 0);
  const events = out.trim().split("\n");
  assert.deepEqual(
    events.map((line) => (JSON.parse(line) as { event: string }).event),
    ["listening", "accepted", "closed"],
  );
  assert.match(readFileSync(keyLog, "utf8"), /^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{64}$/m);
});

test("a dtls: URL knows its options, and says where nobody listens", async () => {
  const wrong = await sealport(["connect", "dtls://localhost:1?alpm=x"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /alpn/);
});
