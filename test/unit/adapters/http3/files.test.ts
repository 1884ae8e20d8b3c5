import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { byProtocol, fileHandlers, hqGet, hqServer, http3Server } from "../../../../src/adapters/http3/index.js";
import { scratch } from "../../../interop/peers/certificates.js";
import { http3Pair } from "../../../support/http3.js";
import { sessionPair } from "../../../support/stream-pair.js";

const folder = scratch();
mkdirSync(join(folder, "www/sub"), { recursive: true });
writeFileSync(join(folder, "secret"), "not for you");
writeFileSync(join(folder, "www/index.html"), "<p>root");
writeFileSync(join(folder, "www/sub/index.html"), "<p>sub");
writeFileSync(join(folder, "www/a b.txt"), "spaces");
writeFileSync(join(folder, "www/large"), Buffer.alloc(1_000_000, "x"));
execFileSync("mkfifo", [join(folder, "www/pipe")]);
const handlers = fileHandlers(join(folder, "www"));

test("files: content, size and type; index pages; HEAD", async () => {
  const { client } = http3Pair(handlers.http3);
  const get = async (path: string) => {
    const response = await client.request({ path });
    return [response.status, response.headers.get("content-type"), await response.text()];
  };
  assert.deepEqual(await get("/"), [200, "text/html; charset=utf-8", "<p>root"]);
  assert.deepEqual(await get("/sub/?query=/../../secret"), [200, "text/html; charset=utf-8", "<p>sub"]);
  assert.deepEqual(await get("/a%20b.txt"), [200, "text/plain; charset=utf-8", "spaces"]);
  const large = await client.request({ path: "/large" });
  assert.equal(large.headers.get("content-length"), "1000000");
  assert.equal((await large.bytes()).length, 1_000_000);
  const head = await client.request({ path: "/large", method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "1000000");
  assert.equal((await client.request({ path: "/", method: "POST", body: "x" })).status, 405);
});

test("files: nothing outside the folder, no folders, no pipes", async () => {
  const { client } = http3Pair(handlers.http3);
  for (const path of [
    "/../secret",
    "/%2e%2e/secret",
    "/sub/../../secret",
    "/sub/%2e%2e%2f%2e%2e%2fsecret",
    "/..%5csecret",
    "/none",
    "/sub",
    "/pipe",
    "/%00",
    "/%zz",
  ]) {
    const response = await client.request({ path });
    assert.equal(response.status, 404, path);
    assert.doesNotMatch(await response.text(), /not for you/);
  }
});

test("by protocol: hq and h3 on one port, told apart by ALPN", async () => {
  const { client, server } = sessionPair();
  const accept = byProtocol({ h3: hqServer(handlers.hq), other: http3Server(handlers.http3) });
  server.sink = accept(server);
  assert.equal(await hqGet(client, "/").text(), "<p>root");
  await assert.rejects(hqGet(client, "/none").bytes());
});
