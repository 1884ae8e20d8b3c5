import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { utf8 } from "../../../../../src/bytes/index.js";
import type { DatagramOptions, Ecn, Failure, SocketAddress } from "../../../../../src/contract/index.js";
import { chooseDatagrams } from "../../../../../src/hosts/node/index.js";
import { datagramQueueMax } from "../../../../../src/hosts/node/limits.js";
import { NativeDatagrams } from "../../../../../src/hosts/node/native/datagrams.js";
import { linux, openLibc } from "../../../../../src/hosts/node/native/libc.js";
import { pattern } from "../../../../laws/port.js";

const native = new NativeDatagrams();
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
};

function bind(address: string, options?: DatagramOptions, from = native) {
  const heard = {
    got: [] as { bytes: Uint8Array; from: SocketAddress; segmentSize: number; ecn: Ecn }[],
    soft: [] as Failure[],
    writable: 0,
    size: 0,
  };
  const port = from.bind(
    { address, port: 0 },
    {
      datagrams: (bytes, from, segmentSize, ecn) => {
        heard.got.push({ bytes: bytes.slice(), from, segmentSize, ecn });
        heard.size += bytes.length;
      },
      writable: () => void heard.writable++,
      softError: (failure) => void heard.soft.push(failure),
      closed: () => {},
    },
    options,
  );
  return { ...heard, heard, port };
}

test("the native path is chosen here, and says so", async () => {
  assert.equal((await chooseDatagrams()).name, "native");
});

for (const [from, to, reached] of [
  ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
  ["::1", "::1", "::1"],
  ["::", "127.0.0.1", "127.0.0.1"],
  ["127.0.0.1", "::", "127.0.0.1"],
] as const) {
  test(`ECN travels from ${from} to ${to} and DSCP beside it does not disturb it`, async () => {
    const [a, b] = [bind(from), bind(to)];
    const there = { address: reached, port: b.port.local.port };
    for (const dscp of [0, 46]) {
      assert.equal(a.port.set("dscp", dscp), true);
      for (const ecn of [0, 1, 2, 3] as const) a.port.send(pattern(100, ecn), there, 100, ecn);
    }
    await until(() => b.heard.size === 800);
    assert.deepEqual(
      b.got.map(({ ecn }) => ecn),
      [0, 1, 2, 3, 0, 1, 2, 3],
    );
    assert.equal(b.got[0]!.from.port, a.port.local.port);
    assert.equal(b.got[0]!.from.address.includes(":"), to === "::1");
    a.port.close();
    b.port.close();
  });
}

test("a batch larger than the kernel takes at once, and one of a thousand small ones, arrive whole and in batches", async () => {
  const [a, b] = [bind("127.0.0.1"), bind("127.0.0.1")];
  for (const [size, segment] of [
    [200_000, 1_400],
    [10_000, 10],
  ] as const) {
    b.got.length = b.heard.size = 0;
    const sent = pattern(size, 1);
    a.port.send(sent, b.port.local, segment, 2);
    await until(() => b.heard.size === size);
    assert.deepEqual(Buffer.concat(b.got.map(({ bytes }) => bytes)), Buffer.from(sent));
    assert.ok(b.got.length < size / segment / 4, `in ${b.got.length} pieces`);
    assert.ok(b.got.every((each) => each.segmentSize === segment || each.bytes.length < segment));
    assert.ok(b.got.every((each) => each.ecn === 2));
  }
  a.port.close();
  b.port.close();
});

test("properties act, or say that they cannot", () => {
  for (const address of ["127.0.0.1", "::1"]) {
    const { port } = bind(address, { dontFragment: true, receiveBuffer: 100_000 });
    assert.equal(port.set("dontFragment", 0), true);
    assert.equal(port.set("dontFragment", 1), true);
    assert.equal(port.set("hopLimit", 3), true);
    assert.equal(port.set("hopLimit", 1_000), false);
    assert.equal(port.set("dscp", 64), false);
    port.close();
    assert.equal(port.set("dscp", 1), false);
  }
});

test("after a refusal a fixed peer's port goes on: it hears who comes to listen there", async () => {
  const gone = bind("127.0.0.1");
  const there = gone.port.local;
  gone.port.close();
  const a = bind("127.0.0.1", { remote: there });
  for (let round = 1; round <= 3; round++) {
    a.port.send(utf8("anyone?"));
    await until(() => a.soft.length >= round);
  }
  assert.ok(a.soft.every(({ reason }) => reason === "refused-connection"));
  const got: string[] = [];
  const late = native.bind(there, {
    datagrams: (bytes, from) => {
      got.push(Buffer.from(bytes).toString());
      late.send(utf8("yes"), from);
    },
    closed: () => {},
  });
  a.port.send(utf8("and now?"));
  await until(() => a.got.length > 0);
  assert.deepEqual(got, ["and now?"]);
  a.port.close();
  late.close();
});

test("a full socket makes the port blocked; what waits is sent in order, and beyond the limit it is dropped and counted", async () => {
  const libc = openLibc();
  let isFull = true;
  const narrow = new NativeDatagrams({
    ...libc,
    call: { ...libc.call, sendmsg: (...given) => (isFull ? -1 : libc.call.sendmsg(...given)) },
    errno: () => (isFull ? linux.EAGAIN : libc.errno()),
  });
  const [a, b] = [bind("127.0.0.1", undefined, narrow), bind("127.0.0.1")];
  const shared = new Uint8Array(1_000);
  for (let i = 0; i < 50; i++) a.port.send(shared.fill(i), b.port.local);
  assert.equal(a.port.blocked, true);
  a.port.send(new Uint8Array(datagramQueueMax), b.port.local, 1_000);
  assert.equal(a.port.dropped, Math.ceil(datagramQueueMax / 1_000));
  isFull = false;
  await until(() => b.heard.size === 50_000);
  const first = b.got.flatMap(({ bytes, segmentSize }) =>
    Array.from({ length: bytes.length / segmentSize }, (_, i) => bytes[i * segmentSize]),
  );
  assert.deepEqual(
    first,
    Array.from({ length: 50 }, (_, i) => i),
  );
  assert.equal(a.port.blocked, false);
  assert.equal(a.heard.writable, 1);
  a.port.close();
  b.port.close();
});

test("memory that was given away is refused, not read", () => {
  const { port } = bind("127.0.0.1");
  const bytes = new Uint8Array(10_000);
  const view = bytes.subarray(0, 5_000);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  port.send(view, port.local, 5_000);
  assert.equal(view.length, 0);
  port.close();
});

test("what a sink throws is the process's uncaught exception, and the port goes on", async () => {
  let thrown = 0;
  let heard = 0;
  const b = native.bind(
    { address: "127.0.0.1", port: 0 },
    {
      datagrams: () => {
        if (heard++ === 0) throw new Error("of the sink");
      },
      closed: () => {},
    },
  );
  const caught = (): void => void thrown++;
  const before = process.rawListeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", caught);
  const a = bind("127.0.0.1");
  a.port.send(utf8("1"), b.local);
  await until(() => thrown === 1);
  a.port.send(utf8("2"), b.local);
  await until(() => heard === 2);
  process.removeAllListeners("uncaughtException");
  for (const listener of before) process.on("uncaughtException", listener as () => void);
  a.port.close();
  b.close();
});

test("a process may end while datagrams are on their way, and a worker has the portable path", () => {
  const door = new URL("../../../../../src/hosts/node/index.js", import.meta.url).href;
  const run = (source: string) =>
    spawnSync(process.execPath, ["--input-type=module", "--eval", source], { timeout: 20_000, encoding: "utf8" });
  const busy = run(`
    import { nodeNetwork } from ${JSON.stringify(door)};
    let heard = 0;
    const sink = { datagrams() { if (++heard === 100) process.exit(7); port.send(new Uint8Array(3000), port.local, 1000); }, closed() {} };
    const port = await nodeNetwork("system", "native").bindDatagrams({ address: "127.0.0.1", port: 0 }, sink);
    port.send(new Uint8Array(3000), port.local, 1000);`);
  assert.deepEqual([busy.signal, busy.status, busy.stderr], [null, 7, ""]);
  const worker = run(`
    import { Worker } from "node:worker_threads";
    const source = 'import(' + JSON.stringify(${JSON.stringify(door)}) + ').then(async ({ chooseDatagrams }) => console.log((await chooseDatagrams()).name))';
    new Worker(source, { eval: true });`);
  assert.equal(worker.stdout.trim(), "portable", worker.stderr);
  const off = spawnSync(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { chooseDatagrams } from ${JSON.stringify(door)}; console.log((await chooseDatagrams()).reason)`,
    ],
    { timeout: 20_000, encoding: "utf8", env: { ...process.env, SEALPORT_NATIVE: "off" } },
  );
  assert.equal(off.stdout.trim(), "SEALPORT_NATIVE=off");
});
