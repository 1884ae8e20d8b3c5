import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FramedPackets, frameHeaderSize, putFrameHeader } from "../../src/mechanisms/framed-packets.js";
import { scratch } from "../interop/peers/certificates.js";
import { rtpPacket } from "../support/rtp.js";
import { program, sealport } from "./sealport.js";

const folder = scratch();

/** Starts a command; `line` waits for one that it says. */
function start(args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args]);
  let said = "";
  let ended: number | null | undefined;
  const watchers = new Set<() => void>();
  const heard = (text: string): void => {
    said += text;
    for (const watcher of [...watchers]) watcher();
  };
  const output: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => {
    output.push(bytes);
    heard(bytes.toString("latin1"));
  });
  child.stderr.setEncoding("utf8").on("data", heard);
  const closed = new Promise<number | null>((resolve) =>
    child.on("close", (code) => {
      ended = code;
      heard("");
      resolve(code);
    }),
  );
  const line = (pattern: RegExp): Promise<RegExpMatchArray> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        const found = said.match(pattern);
        if (found === null && ended === undefined) return;
        watchers.delete(check);
        if (found) resolve(found);
        else reject(new Error(`ended with ${ended} and never said ${pattern}: ${said}`));
      };
      watchers.add(check);
      check();
    });
  return { child, closed, line, output: () => Buffer.concat(output), said: () => said };
}

async function call(number: number): Promise<{ readonly client: string; readonly server: string }> {
  const server = start(["listen", "zrtp://127.0.0.1:0", "--zrtp-cache", join(folder, "far.json"), "--echo", "--json"]);
  try {
    const [, port] = (await server.line(/"listening","address":"127\.0\.0\.1:(\d+)"/)) as [string, string];
    const [, hash] = (await server.line(/"zrtpHash":"a=zrtp-hash:(1\.10 [0-9a-f]{64})"/)) as [string, string];
    const client = start([
      "connect",
      `zrtp://127.0.0.1:${port}`,
      "--zrtp-cache",
      join(folder, "near.json"),
      "--zrtp-hash",
      hash,
    ]);
    const sent = Array.from({ length: 10 }, (_, i) =>
      rtpPacket({ sequence: i, ssrc: 9, payload: `call ${number}, packet ${i}` }),
    );
    for (const packet of sent) {
      const frame = new Uint8Array(frameHeaderSize + packet.length);
      putFrameHeader(frame, 0, packet.length);
      frame.set(packet, frameHeaderSize);
      client.child.stdin.write(frame);
    }
    client.child.stdin.end();
    assert.equal(await client.closed, 0, client.said());
    const back: Uint8Array[] = [];
    new FramedPackets((packet) => void back.push(packet.slice())).push(Uint8Array.from(client.output()));
    assert.deepEqual(back, sent);
    const [, words] = (await client.line(/ZRTP, X255, S384, AES_256_CM_HMAC_SHA1_80; the words are (\S{4})/)) as [
      string,
      string,
    ];
    await server.line(new RegExp(`"words":"${words}"`));
    return { client: client.said(), server: server.said() };
  } finally {
    server.child.kill("SIGKILL");
    await server.closed;
  }
}

test("listen and connect zrtp: the same words on both sides, packets there and back, and the peer known in the next call", async () => {
  const first = await call(1);
  assert.match(first.server, /"continuity":"none"/);
  assert.match(first.client, /10 packets sent, 10 received/);
  for (const name of ["near.json", "far.json"]) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
  const second = await call(2);
  assert.match(second.server, /"continuity":"matched"/);
});

test("zrtp: what cannot be is said before anything is sent", async () => {
  for (const [args, code, words] of [
    [["connect", "zrtp://localhost"], 2, /no zrtp:\/\/ URL/],
    [["connect", "zrtp://127.0.0.1:9", "--zrtp-hash", "1.10 beef"], undefined, /zrtp-hash/],
    [["listen", "zrtp://127.0.0.1:0", "--exec", "date"], 2, /not --exec/],
  ] as const) {
    const { code: ended, err } = await sealport([...args]);
    assert.notEqual(ended, 0);
    if (code !== undefined) assert.equal(ended, code, err);
    assert.match(err, words);
  }
});
