import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { rootCertificates } from "node:tls";
import { decode, encode } from "dns-packet";
import { utf8 } from "../../../../src/bytes/index.js";
import type { Failure } from "../../../../src/contract/index.js";
import { Alarms } from "../../../../src/hosts/node/alarms.js";
import { NodeClock } from "../../../../src/hosts/node/clock.js";
import { nodeEntropy } from "../../../../src/hosts/node/entropy.js";
import {
  fileSink,
  isOpenToOthers,
  keyLogFile,
  nodeHost,
  nodeNetwork,
  readWhole,
  replaceWhole,
} from "../../../../src/hosts/node/index.js";
import { loadRoots } from "../../../../src/hosts/node/roots.js";

const folder = mkdtempSync(join(tmpdir(), "sealport-"));
after(() => rmSync(folder, { recursive: true }));

test("the clock follows the wall clock forward and never goes back", () => {
  let monotonic = 0;
  let wall = 1_000_000;
  const clock = new NodeClock(
    () => monotonic,
    () => wall,
  );
  assert.equal(clock.now(), 1_000_000);
  monotonic += 400;
  wall += 400;
  assert.equal(clock.now(), 1_000_400);
  // The machine slept for an hour.
  monotonic += 1000;
  wall += 3_600_000;
  assert.equal(clock.now(), 4_600_400);
  // Somebody set the wall clock back.
  monotonic += 1000;
  wall -= 10_000_000;
  assert.equal(clock.now(), 4_601_400);
});

test("alarms call in the order of their moments, then of their making", async () => {
  const clock = new NodeClock();
  const alarms = new Alarms(clock);
  const called: string[] = [];
  const now = clock.now();
  await new Promise<void>((resolve) => {
    alarms.wakeAt(now + 20, () => {
      called.push("last");
      resolve();
    });
    alarms.wakeAt(now + 5, () => void called.push("b"));
    alarms.wakeAt(now + 5, () => void called.push("c"));
    alarms.wakeAt(now - 5, () => void called.push("a"));
    alarms.wakeAt(now + 6, () => void called.push("never")).cancel();
    assert.deepEqual(called, [], "never at once");
  });
  assert.deepEqual(called, ["a", "b", "c", "last"]);
  assert.equal(alarms.waiting, 0);
});

test("an alarm never calls before its moment", async () => {
  const host = nodeHost();
  for (const ms of [0.3, 1.7, 4.5]) {
    const at = host.now() + ms;
    await new Promise<void>((resolve) => void host.wakeAt(at, resolve));
    assert.ok(host.now() >= at);
  }
});

test("an alarm set for the past from inside an alarm lets other things happen in between", async () => {
  const host = nodeHost();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    let left = 3;
    const again = (): void => {
      order.push("alarm");
      setImmediate(() => order.push("other"));
      if (--left === 0) setImmediate(resolve);
      else host.wakeAt(0, again);
    };
    host.wakeAt(0, again);
  });
  assert.deepEqual(order, ["alarm", "other", "alarm", "other", "alarm", "other"]);
});

test("`soon` runs in order, after the current work", async () => {
  const host = nodeHost();
  const order: number[] = [];
  host.soon(() => order.push(1));
  host.soon(() => order.push(2));
  order.push(0);
  await Promise.resolve();
  assert.deepEqual(order, [0, 1, 2]);
});

test("entropy does not repeat, in small pieces or large ones", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) seen.add(nodeEntropy.fill(new Uint8Array(16)).join());
  assert.equal(seen.size, 2000);
  assert.ok(nodeEntropy.fill(new Uint8Array(5000)).some((byte) => byte !== 0));
});

test("names resolve by the system, addresses are their own answer, and an abort is an abort", async () => {
  const network = nodeNetwork();
  assert.deepEqual(await network.resolve("127.0.0.1"), ["127.0.0.1"]);
  assert.ok((await network.resolve("localhost", { family: 4 })).includes("127.0.0.1"));
  await assert.rejects(network.resolve("127.0.0.1", { family: 6 }), (f: Failure) => f.reason === "name-not-found");
  const reason = new Error("enough");
  await assert.rejects(network.resolve("localhost", { signal: AbortSignal.abort(reason) }), reason);
});

test("a name server that nobody runs is told as such", async () => {
  const network = nodeNetwork({ servers: ["127.0.0.1:1"] });
  await assert.rejects(
    network.resolve("example.test"),
    (failure: Failure) => failure.fault === "unreachable" && failure.at === "example.test",
  );
});

test("SRV records are asked of a name server, and one that nobody runs is told as such", async () => {
  const server = createSocket("udp4");
  const said: string[] = [];
  server.on("message", (bytes, { port }) => {
    const query = decode(bytes);
    const { name, type } = query.questions![0]!;
    said.push(`${name} ${type}`);
    const data = { priority: 10, weight: 5, target: "host.example.test", port: 993 };
    const answers = [{ name, type: "SRV" as const, ttl: 1, data }];
    server.send(encode({ type: "response", id: query.id!, questions: query.questions!, answers }), port);
  });
  await new Promise<void>((bound) => server.bind(0, "127.0.0.1", bound));
  const network = nodeNetwork({ servers: [`127.0.0.1:${server.address().port}`] });
  const name = "_imaps._tcp.example.test";
  assert.deepEqual(await network.resolveService!(name), [
    { priority: 10, weight: 5, target: "host.example.test", port: 993 },
  ]);
  assert.deepEqual(said, [`${name} SRV`]);
  server.close();
  await assert.rejects(
    nodeNetwork({ servers: ["127.0.0.1:1"] }).resolveService!(name),
    (failure: Failure) => failure.fault === "unreachable" && failure.at === name,
  );
});

test("the loopback interface is there, with its type and prefix", () => {
  const loopback = nodeNetwork()
    .interfaces()
    .find(({ type }) => type === "loopback");
  assert.deepEqual(
    loopback?.addresses.find(({ address }) => address === "127.0.0.1"),
    { address: "127.0.0.1", prefixLength: 8, temporary: false },
  );
});

test("an interface that is not there cannot be bound to", async () => {
  await assert.rejects(
    nodeNetwork().listenStreams({ address: "0.0.0.0", port: 0 }, () => assert.fail(), { interface: "nosuch0" }),
    (failure: Failure) => failure.reason === "no-such-interface",
  );
});

test("roots: SSL_CERT_FILE wins, extra certificates are added, the bundled list is Node's", () => {
  const bundled = loadRoots("bundled", {});
  assert.equal(bundled.length, new Set(rootCertificates).size);
  assert.ok(bundled.every((der) => der[0] === 0x30));

  const own = join(folder, "own.pem");
  writeFileSync(own, `# mine\n${rootCertificates[0]}\n${rootCertificates[0]}\n`);
  const extra = join(folder, "extra.pem");
  writeFileSync(extra, rootCertificates[1]!);
  assert.deepEqual(loadRoots("system", { SSL_CERT_FILE: own }), bundled.slice(0, 1));
  assert.deepEqual(loadRoots("system", { SSL_CERT_FILE: own, NODE_EXTRA_CA_CERTS: extra }), bundled.slice(0, 2));
  assert.throws(() => loadRoots("system", { SSL_CERT_FILE: join(folder, "missing.pem") }), /ENOENT/);
  assert.ok(loadRoots("system", {}).length > 0);
});

test("files are replaced whole and only for their owner", async () => {
  const path = join(folder, "store");
  assert.equal(await readWhole(path), undefined);
  await replaceWhole(path, utf8("one"));
  await replaceWhole(path, utf8("two"));
  assert.deepEqual(await readWhole(path), utf8("two"));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(await isOpenToOthers(path), false);
  writeFileSync(join(folder, "open"), "", { mode: 0o644 });
  assert.equal(await isOpenToOthers(join(folder, "open")), true);
  await assert.rejects(replaceWhole(join(folder, "no", "such"), utf8("x")), /ENOENT/);
});

test("key log lines are in the file when the call returns; a log that cannot be written is told once", () => {
  const path = join(folder, "keys");
  const log = keyLogFile(path);
  log("CLIENT_RANDOM aa bb");
  log("CLIENT_RANDOM cc dd");
  assert.equal(readFileSync(path, "latin1"), "CLIENT_RANDOM aa bb\nCLIENT_RANDOM cc dd\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  let told = 0;
  const broken = keyLogFile(join(folder, "no", "such"), () => void told++);
  broken("x");
  broken("y");
  assert.equal(told, 1);
});

test("a file sink writes what it took, in order", async () => {
  const path = join(folder, "sink");
  const sink = fileSink(path);
  for (const word of ["a", "b", "c"]) sink.write(utf8(word));
  await sink.close();
  assert.equal(readFileSync(path, "latin1"), "abc");
  assert.equal(sink.dropped, 0);
  sink.write(utf8("d"));
  assert.equal(readFileSync(path, "latin1"), "abc");
  assert.equal(sink.dropped, 1, "what comes behind the end is dropped, and no error");
  const broken = fileSink(join(folder, "no", "such"));
  broken.write(utf8("x"));
  await assert.rejects(broken.close(), /ENOENT/);
});
