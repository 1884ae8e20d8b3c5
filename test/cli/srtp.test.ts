import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FramedPackets, frameHeaderSize, putFrameHeader } from "../../src/mechanisms/framed-packets.js";
import { scratch } from "../interop/peers/certificates.js";
import { rtcpPacket, rtpPacket } from "../support/rtp.js";
import { program, sealport } from "./sealport.js";

const folder = scratch();
const call = join(folder, "call");

test("keygen srtp, listen and connect: packets go there and come back, keys are in files that only their owner reads", async () => {
  const made = await sealport(["keygen", "srtp", "--out", call]);
  assert.equal(made.code, 0, made.err);
  assert.equal(statSync(`${call}.near.sdes`).mode & 0o777, 0o600);
  assert.deepEqual(
    readFileSync(`${call}.near.sdes`, "utf8").trim().split("\n").reverse(),
    readFileSync(`${call}.far.sdes`, "utf8").trim().split("\n"),
  );
  const server = spawn(process.execPath, [
    program,
    "listen",
    "srtp://127.0.0.1:0",
    "--srtp-keys",
    `@${call}.far.sdes`,
    "--echo",
    "--json",
  ]);
  try {
    let said = "";
    const port = await new Promise<string>((resolve, reject) => {
      server.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const [, digits] = /"listening","address":"127\.0\.0\.1:(\d+)"/.exec(said) ?? [];
        if (digits !== undefined) resolve(digits);
      });
      server.on("close", (code) => reject(new Error(`ended with ${code}: ${said}`)));
    });
    const sent = Array.from({ length: 20 }, (_, i) =>
      i % 7 === 6 ? rtcpPacket({ ssrc: 9, words: 3 + i }) : rtpPacket({ sequence: i, ssrc: 9, payload: `packet ${i}` }),
    );
    const client = spawn(process.execPath, [
      program,
      "connect",
      `srtp://127.0.0.1:${port}`,
      "--srtp-keys",
      `@${call}.near.sdes`,
    ]);
    const back: Uint8Array[] = [];
    const frames = new FramedPackets((packet) => void back.push(packet.slice()));
    client.stdout.on("data", (bytes: Buffer) => frames.push(Uint8Array.from(bytes)));
    for (const packet of sent) {
      const frame = new Uint8Array(frameHeaderSize + packet.length);
      putFrameHeader(frame, 0, packet.length);
      frame.set(packet, frameHeaderSize);
      client.stdin.write(frame);
    }
    client.stdin.end();
    let noted = "";
    client.stderr.setEncoding("utf8").on("data", (text: string) => (noted += text));
    const code = await new Promise((resolve) => client.on("close", resolve));
    assert.equal(code, 0, noted);
    assert.deepEqual(back, sent);
    assert.match(noted, /20 packets sent, 20 received/);
    assert.ok(!`${noted}${said}`.includes("inline:"));
  } finally {
    server.kill("SIGKILL");
  }
});

test("srtp: without keys, with one line, or with one key for both directions says what is wanted", async () => {
  const line = readFileSync(`${call}.near.sdes`, "utf8").split("\n")[0]!;
  writeFileSync(join(folder, "one"), line);
  writeFileSync(join(folder, "same"), `${line}\n${line}\n`);
  for (const [keys, pattern] of [
    [[], /needs keys/],
    [["--srtp-keys", line], /takes a source, not a value/],
    [["--srtp-keys", `@${join(folder, "one")}`], /two lines are wanted/],
    [["--srtp-keys", `@${join(folder, "same")}`], /a key of its own/],
  ] as const) {
    const ran = await sealport(["connect", "srtp://127.0.0.1:9", ...keys]);
    assert.notEqual(ran.code, 0);
    assert.match(ran.err, pattern);
    assert.ok(!ran.err.includes("inline:"), "and never shows a key");
  }
});
