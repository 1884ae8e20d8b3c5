import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { authority, identity, Program, scratch } from "../interop/peers/index.js";
import { program, sealport } from "./sealport.js";

const folder = scratch();
const { certificate, key } = identity("p256");
const both = join(folder, "both.pem");
writeFileSync(both, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), { mode: 0o600 });

const server = new Program("sealport listen", process.execPath, [
  program,
  ...["listen", "gquic://127.0.0.1:0", "--echo", "--identity", both, "--json"],
]);
after(() => server[Symbol.asyncDispose]());
const [, port] = await server.says(/"listening","address":"127\.0\.0\.1:(\d+)"/);

test("connect and listen speak gquic:, in each version that is named", async () => {
  for (const version of ["Q043", "Q046", "Q050"]) {
    const ran = await sealport(
      ["connect", `gquic://localhost:${port}`, "--trust", authority(), "--versions", version, "--json"],
      { input: "hello\n" },
    );
    assert.equal(ran.code, 0, ran.err);
    const [connected] = ran.out.split("\n").map((line) => line && (JSON.parse(line) as Record<string, unknown>));
    assert.ok(typeof connected === "object");
    assert.equal(connected["protocol"], "gQUIC");
    assert.equal(connected["version"], version);
    assert.equal(connected["roundTrips"], 2);
    assert.match(ran.out, new RegExp(Buffer.from("hello\n").toString("base64")));
  }
});

test("gquic: says what is wrong", async () => {
  const unknown = await sealport(["connect", `gquic://localhost:${port}`, "--versions", "Q001"]);
  assert.equal(unknown.code, 2);
  const untrusted = await sealport(["connect", `gquic://localhost:${port}`]);
  assert.notEqual(untrusted.code, 0);
  const nobody = await sealport(["listen", "gquic://127.0.0.1:0"]);
  assert.notEqual(nobody.code, 0);
  assert.match(nobody.err, /identity/);
});
