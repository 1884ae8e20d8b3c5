import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratch } from "../interop/peers/certificates.js";
import { program, sealport } from "./sealport.js";

test("keygen, connect and listen speak curvecp:, with key directories and keys in hexadecimal", async () => {
  const folder = scratch();
  const [server, client] = [join(folder, "server"), join(folder, "client")];
  for (const path of [server, client]) {
    const made = await sealport(["keygen", "curvecp", "--out", path, "--json"]);
    assert.equal(made.code, 0, made.err);
    const { publicKey } = JSON.parse(made.out.slice(0, made.out.lastIndexOf("}") + 1)) as { publicKey: string };
    assert.equal(readFileSync(join(path, "publickey")).toString("hex"), publicKey);
    assert.equal(statSync(join(path, ".expertsonly/secretkey")).mode & 0o777, 0o600);
    assert.ok(existsSync(join(path, ".expertsonly/noncekey")));
  }
  assert.equal((await sealport(["keygen", "curvecp", "--out", server])).code, 3, "it never overwrites");
  const key = (path: string) => readFileSync(join(path, "publickey")).toString("hex");

  const listening = ["listen", "curvecp://127.0.0.1:0?server-name=a.example", "--identity", server];
  const child = spawn(process.execPath, [program, ...listening, "--peer-key", client, "--echo", "--once", "--json"]);
  let out = "";
  child.stdout.setEncoding("utf8");
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (text: string) => {
      out += text;
      const [, digits] = /"listening","address":"127\.0\.0\.1:(\d+)"/.exec(out) ?? [];
      if (digits !== undefined) resolve(digits);
    });
    ended.then((code) => reject(new Error(`ended with ${code}: ${out}`)));
  });
  const url = `curvecp://127.0.0.1:${port}?server-name=a.example`;
  const ran = await sealport(["connect", url, "--peer-key", key(server), "--identity", client, "--json"], {
    input: "hello\n",
  });
  assert.equal(ran.code, 0, ran.err);
  const [connected] = ran.out.split("\n").map((line) => line && (JSON.parse(line) as Record<string, unknown>));
  assert.ok(typeof connected === "object");
  assert.equal(connected["protocol"], "CurveCP");
  assert.deepEqual(connected["peer"], { kind: "static-key", key: key(server) });
  assert.match(ran.out, new RegExp(Buffer.from("hello\n").toString("base64")));
  assert.equal(await ended, 0);
  const events = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; publicKey?: string; peer?: { key: string } });
  assert.deepEqual(
    events.map(({ event }) => event),
    ["listening", "accepted", "closed"],
  );
  assert.equal(events[0]?.publicKey, key(server));
  assert.equal(events[1]?.peer?.key, key(client));
});

test("curvecp: says what is missing, and where nobody listens", async () => {
  const noKey = await sealport(["connect", "curvecp://127.0.0.1:1"]);
  assert.equal(noKey.code, 2);
  assert.match(noKey.err, /--peer-key/);
  const noIdentity = await sealport(["listen", "curvecp://127.0.0.1:0"]);
  assert.equal(noIdentity.code, 2);
  assert.match(noIdentity.err, /keygen curvecp/);
  const elsewhere = await sealport(["connect", "tls://127.0.0.1:1", "--peer-key", "00".repeat(32)]);
  assert.equal(elsewhere.code, 2);
  const wrong = await sealport(["connect", "curvecp://127.0.0.1:1", "--peer-key", "/nowhere"]);
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /nowhere/);
  const refused = await sealport(["connect", "curvecp://127.0.0.1:1", "--peer-key", "09".repeat(32)]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /nobody listens/);
});
