import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratch } from "../interop/peers/certificates.js";
import { program, sealport } from "./sealport.js";

test("keygen, connect and listen speak minimalt:, with key files and keys in hexadecimal", async () => {
  const folder = scratch();
  const [server, user] = [join(folder, "server"), join(folder, "user")];
  for (const path of [server, user]) {
    const made = await sealport(["keygen", "minimalt", "--out", path, "--json"]);
    assert.equal(made.code, 0, made.err);
    const { publicKey } = JSON.parse(made.out.trim()) as { publicKey: string };
    assert.equal(readFileSync(`${path}.pub`, "utf8"), `${publicKey}\n`);
    assert.equal(statSync(`${path}.key`).mode & 0o777, 0o600);
  }
  const key = readFileSync(`${server}.pub`, "utf8").trim();
  const listening = ["listen", "minimalt://127.0.0.1:0?server-name=a.example", "--identity", `${server}.key`];
  const more = ["--peer-key", `${user}.pub`, "--echo", "--once", "--json"];
  const child = spawn(process.execPath, [program, ...listening, ...more]);
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
  const url = `minimalt://127.0.0.1:${port}?server-name=a.example`;
  const ran = await sealport(["connect", url, "--peer-key", key, "--identity", `${user}.key`, "--json"], {
    input: "hello\n",
  });
  assert.equal(ran.code, 0, ran.err);
  const [connected] = ran.out.split("\n").map((line) => line && (JSON.parse(line) as Record<string, unknown>));
  assert.ok(typeof connected === "object");
  assert.equal(connected["protocol"], "MinimaLT");
  assert.equal(connected["serverName"], "a.example");
  assert.deepEqual(connected["peer"], { kind: "static-key", key: key.slice(0, 64) });
  assert.match(ran.out, new RegExp(Buffer.from("hello\n").toString("base64")));
  assert.equal(await ended, 0);
  const events = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; publicKey?: string });
  assert.deepEqual(
    events.map(({ event }) => event),
    ["listening", "accepted", "closed"],
  );
  assert.equal(events[0]?.publicKey, key);
});

test("minimalt: says what is missing, and where nobody listens", async () => {
  const noKey = await sealport(["connect", "minimalt://127.0.0.1:1"]);
  assert.equal(noKey.code, 2);
  assert.match(noKey.err, /--peer-key/);
  const noIdentity = await sealport(["listen", "minimalt://127.0.0.1:0"]);
  assert.equal(noIdentity.code, 2);
  assert.match(noIdentity.err, /keygen minimalt/);
  const wrong = await sealport(["connect", "minimalt://127.0.0.1:1", "--peer-key", "/nowhere"]);
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /nowhere/);
  const suite = await sealport(["connect", "minimalt://127.0.0.1:1?suites=none", "--peer-key", "09".repeat(64)]);
  assert.equal(suite.code, 2);
  assert.match(suite.err, /XSalsa20/);
  const refused = await sealport(["connect", "minimalt://127.0.0.1:1", "--peer-key", "09".repeat(64)]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /nobody listens/);
});
