import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { program, sealport } from "./sealport.js";

test("explore writes a scene as JSON, or two beside each other as a page", async () => {
  const json = await sealport(["explore", "--scene", "wireguard", "--delay", "50", "--json"]);
  assert.equal(json.code, 0, json.err);
  const { scene, packets, failure } = JSON.parse(json.out);
  assert.equal(scene, "wireguard");
  assert.equal(failure, undefined);
  assert.deepEqual([packets[0].label, packets[0].at, packets[0].arrival], ["Handshake Initiation", 0, 50]);
  const page = await sealport(["explore", "--scene", "tls13", "--beside", "tls12", "--html"]);
  assert.equal(page.code, 0, page.err);
  assert.match(page.out, /<h2>TLS 1\.3<\/h2>[\s\S]*<h2>TLS 1\.2<\/h2>/);
});

test("explore refuses what it cannot play, by name", async () => {
  for (const [args, told] of [
    [["--scene", "sslv2"], /--scene is one of tls13,/],
    [["--loss", "99"], /--loss is a whole number from 0 to 50/],
    [["--html", "--json"], /exclude each other/],
  ] as const) {
    const { code, out, err } = await sealport(["explore", ...args]);
    assert.equal(code, 2);
    assert.match(out + err, told);
  }
});

test("explore serves its pages until it is interrupted", async () => {
  const child = spawn(process.execPath, [program, "explore", "--scene", "curvecp"]);
  const [said] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const address = said.trim();
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/\?scene=curvecp$/);
  const response = await fetch(address);
  assert.equal(response.status, 200);
  assert.match(await response.text(), /Initiate/);
  child.kill("SIGINT");
  const [code] = await once(child, "close");
  assert.equal(code, 0);
});
