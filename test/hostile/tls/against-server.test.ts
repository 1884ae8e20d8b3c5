import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { alertName } from "../../../src/protocols/tls/index.js";
import { versions } from "../../interop/conversation.js";
import { Program, runFolder, strangers } from "../../interop/peers/index.js";
import { clientHello, ext, ordinary, record, records, types, u8, vec16 } from "./bytes.js";
import { flights, flights12 } from "./flights.js";
import { RawSocket } from "./raw.js";

// One server takes all of it, and is asked in the end whether it still serves.

/** Bytes of resident memory that a half-open session may cost, the kernel's share apart. */
const halfOpenMax = 64_000;
const path = new URL("server-program.js", import.meta.url).pathname;

async function start(handshakeTimeoutMs: number): Promise<{ server: Program; port: number }> {
  const args = ["--expose-gc", "--enable-source-maps", path, String(handshakeTimeoutMs)];
  const server = new Program("our server", process.execPath, args, { SEALPORT_TEST_FOLDER: runFolder });
  const [, port] = await server.says(/^LISTENING (\d+)$/m);
  return { server, port: Number(port) };
}

interface Memory {
  readonly open: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly arrayBuffers: number;
}

async function memory(server: Program): Promise<Memory> {
  const from = server.said.length;
  await server.write("memory\n");
  const [, json] = await server.says(/^MEMORY (.*)$/m, from);
  return JSON.parse(json!);
}

/** Asks the server how it is until that holds; a server that never comes to it ends the test by its own time. */
async function until(server: Program, holds: (memory: Memory) => boolean): Promise<Memory> {
  for (;;) {
    const now = await memory(server);
    if (holds(now)) return now;
  }
}

describe("our server, attacked", () => {
  let server: Program;
  let port: number;
  before(async () => {
    ({ server, port } = await start(30_000));
  });
  // What became of one attacker is read before the next comes.
  beforeEach(async () => {
    await until(server, ({ open }) => open === 0);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  for (const { what, send, answer, sealed } of [...flights, ...(versions.includes("1.2") ? flights12 : [])]) {
    test(`${what} is answered with ${answer}`, async () => {
      const from = server.said.length;
      await using raw = await RawSocket.to(port);
      raw.send(...send());
      assert.equal(await raw.verdict(), sealed ? "sealed" : answer);
      raw.socket.destroy();
      const [, json] = await server.says(/^GONE (.*)$/m, from);
      if (answer === "close") return;
      const { code, byPeer } = JSON.parse(json!);
      assert.equal(alertName(code), answer);
      assert.equal(byPeer, false);
    });
  }

  test("a ClientHello in records of one byte is answered", async () => {
    await using raw = await RawSocket.to(port);
    const hello = clientHello().subarray(5);
    raw.send(...[...hello].map((byte) => record(types.handshake, u8(byte), 0x0301)));
    await raw.until("ServerHello", () => records(raw.received).some(({ type, body }) => type === 22 && body[0] === 2));
  });

  test("every cut of an ordinary ClientHello leaves the server waiting, and unhurt", async () => {
    const hello = clientHello();
    for (let size = 1; size < hello.length; size += 7) {
      await using raw = await RawSocket.to(port);
      raw.send(hello.subarray(0, size));
      raw.socket.end();
      assert.equal(await raw.verdict(), "close");
    }
  });

  test("a retry that comes back changed is refused", async () => {
    const known = { random: Buffer.alloc(32, 1), sessionId: Buffer.alloc(32, 2) };
    const p256 = { ...ordinary(), groups: ext.groups(0x9999, 0x17), shares: ext.shares() };
    for (const [second, alert] of [
      [{ ...known, extensions: Object.values(p256) }, "illegal_parameter"],
      [{ ...known, suites: [0x1303], extensions: Object.values(p256) }, "illegal_parameter"],
      [{ ...known, sessionId: Buffer.alloc(32, 3), extensions: Object.values(p256) }, "illegal_parameter"],
    ] as const) {
      await using raw = await RawSocket.to(port);
      raw.send(clientHello({ ...known, extensions: Object.values(p256) }));
      await raw.until("HelloRetryRequest", () => records(raw.received).some(({ type }) => type === 22));
      raw.send(clientHello(second));
      assert.equal(await raw.verdict(), alert);
    }
  });

  test("after the handshake's first half, plain handshake messages and alerts are refused", async () => {
    for (const then of [record(22, Buffer.concat([u8(20), Buffer.alloc(35)])), record(23, Buffer.alloc(40, 7))]) {
      await using raw = await RawSocket.to(port);
      const from = server.said.length;
      raw.send(clientHello());
      await raw.until("ServerHello", () => records(raw.received).some(({ type }) => type === types.applicationData));
      raw.send(record(types.changeCipherSpec, u8(1)), then);
      assert.equal(await raw.verdict(), "sealed");
      raw.socket.destroy();
      const [, json] = await server.says(/^GONE (.*)$/m, from);
      assert.match(JSON.parse(json!).reason, /^(bad-record|unexpected-record|unexpected-message)$/);
    }
  });

  test("random bytes in every shape of record never hurt it", async () => {
    let seed = 0x5ea;
    const random = () => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 8;
    for (let round = 0; round < 200; round++) {
      await using raw = await RawSocket.to(port);
      const body = Buffer.from(Array.from({ length: random() % 300 }, () => random() & 0xff));
      const bytes =
        round % 2 === 0 ? record(20 + (random() % 5), body) : record(22, Buffer.concat([u8(1), u8(0), vec16(body)]));
      raw.send(bytes);
      raw.socket.end();
      await raw.verdict();
    }
  });

  test("a ClientHello with any one bit flipped is answered, refused or left waiting, and the server lives", async () => {
    const hello = clientHello({ random: Buffer.alloc(32, 1), sessionId: Buffer.alloc(32, 2) });
    for (let bit = 0; bit < hello.length * 8; bit += 5) {
      await using raw = await RawSocket.to(port);
      const flipped = Buffer.from(hello);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      raw.send(flipped);
      raw.socket.end();
      await raw.verdict();
    }
  });

  test("after all of it an honest client is served", async () => {
    await using client = strangers["OpenSSL 3.0"].connect(port, {});
    await client.say("are you still there");
    await client.hears("are you still there");
    assert.equal(server.status, undefined);
  });
});

test("a client that drips its hello is cut off by the handshake's timeout, and so is one that says nothing", async () => {
  const { server, port } = await start(500);
  await using _ = server;
  await using silent = await RawSocket.to(port);
  await using slow = await RawSocket.to(port);
  const hello = clientHello();
  let at = 0;
  const drip = setInterval(() => slow.send(hello.subarray(at, ++at)), 20);
  await Promise.all([slow.verdict(), silent.verdict()]);
  clearInterval(drip);
  assert.ok(at < hello.length);
  await server.says(/handshake-timeout[\s\S]*handshake-timeout/);
});

test("10,000 clients that stop after their hello hold little memory, and an honest one is served beside them", async () => {
  const { server, port } = await start(240_000);
  await using _ = server;
  const idle = await memory(server);
  const crowd: RawSocket[] = [];
  const hello = clientHello();
  try {
    while (crowd.length < 10_000) {
      const more = await Promise.all(Array.from({ length: 250 }, () => RawSocket.to(port)));
      crowd.push(...more);
      for (const raw of more) raw.send(hello);
      await Promise.all(more.map((raw) => raw.until("ServerHello", () => raw.received.length > 100)));
    }
    const full = await until(server, ({ open }) => open >= crowd.length);
    const each = (full.rss - idle.rss) / crowd.length;
    assert.ok(each < halfOpenMax, `${Math.round(each)} bytes for each half-open session`);
    await using client = strangers["OpenSSL 3.0"].connect(port, {});
    await client.say("is there room for me");
    await client.hears("is there room for me");
  } finally {
    for (const raw of crowd) raw.socket.resetAndDestroy();
  }
  // What was held is given back: the server tells of each that is gone, and in the end holds none.
  await until(server, ({ open }) => open <= 1);
  assert.equal(server.status, undefined);
});
