import assert from "node:assert/strict";
import type { Socket } from "node:dgram";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { utf8 } from "../../../../src/bytes/index.js";
import type { Failure, Trace } from "../../../../src/contract/index.js";
import { captureToFile } from "../../../../src/hosts/node/capture.js";
import { NodeDatagramPort } from "../../../../src/hosts/node/datagrams.js";
import { nodeHost, nodeNetwork } from "../../../../src/hosts/node/index.js";
import { datagramQueueMark } from "../../../../src/hosts/node/limits.js";
import { Recorder } from "../../../laws/port.js";
import { blocksOf } from "../../../support/pcapng.js";

const folder = mkdtempSync(join(tmpdir(), "sealport-"));
after(() => rmSync(folder, { recursive: true }));
const here = { address: "127.0.0.1", port: 0 };
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
};

test("a datagram to a port where nobody listens comes back as a soft error to a fixed peer", async () => {
  const soft: Failure[] = [];
  const port = await nodeNetwork().bindDatagrams(
    here,
    { datagrams: () => {}, softError: (failure) => void soft.push(failure), closed: () => {} },
    { remote: { address: "127.0.0.1", port: 1 } },
  );
  port.send(utf8("x"));
  await until(() => soft.length > 0);
  assert.equal(soft[0]!.reason, "refused-connection");
  port.close();
});

test("a datagram that no interface can carry is a soft error, not a throw", async () => {
  const soft: Failure[] = [];
  const port = await nodeNetwork().bindDatagrams(here, {
    datagrams: () => {},
    softError: (failure) => void soft.push(failure),
    closed: () => {},
  });
  port.send(new Uint8Array(65_530), { address: "127.0.0.1", port: 9 });
  await until(() => soft.length > 0);
  assert.equal(soft[0]!.reason, "message-too-big");
  port.close();
});

test("an IPv6 wildcard hears IPv4, tells its address as IPv4, and answers it", async () => {
  const network = nodeNetwork();
  const got: string[] = [];
  const wide = await network.bindDatagrams(
    { address: "::", port: 0 },
    {
      datagrams: (_, from) => {
        got.push(from.address);
        wide.send(utf8("back"), from);
      },
      closed: () => {},
    },
  );
  const narrow = await network.bindDatagrams(here, {
    datagrams: (_, from) => void got.push(from.address),
    closed: () => {},
  });
  narrow.send(utf8("x"), { address: "127.0.0.1", port: wide.local.port });
  await until(() => got.length === 2);
  assert.deepEqual(got, ["127.0.0.1", "127.0.0.1"]);
  wide.close();
  narrow.close();
});

test("a group's datagrams reach its members on an interface", async () => {
  const network = nodeNetwork();
  const loopback = network.interfaces().find(({ type }) => type === "loopback")!.name;
  const got: Uint8Array[] = [];
  const multicast = { group: "239.255.7.7", hopLimit: 1 };
  const sink = { datagrams: (bytes: Uint8Array) => void got.push(bytes.slice()), closed: () => {} };
  const member = await network.bindDatagrams({ address: "0.0.0.0", port: 0 }, sink, { interface: loopback, multicast });
  const sender = await network.bindDatagrams(
    { address: "0.0.0.0", port: 0 },
    { ...sink, datagrams: () => {} },
    { interface: loopback, multicast },
  );
  assert.equal(member.set("hopLimit", 3), true);
  assert.equal(member.set("dscp", 46), false);
  sender.send(utf8("all"), { address: multicast.group, port: member.local.port });
  await until(() => got.length > 0);
  assert.deepEqual(got, [utf8("all")]);
  member.close();
  sender.close();
});

test("a datagram port whose queue is long is blocked, and tells when it takes more", () => {
  let queued = 0;
  const callbacks: (((error: Error | null) => void) | undefined)[] = [];
  const fake = {
    address: () => ({ address: "127.0.0.1", port: 5, family: "IPv4" }),
    on: () => fake,
    getSendQueueSize: () => queued,
    send: (bytes: Uint8Array, ...rest: unknown[]) => {
      queued += bytes.length;
      callbacks.push(rest.at(-1) as undefined);
    },
    close: () => {},
  };
  let writable = 0;
  const port = new NodeDatagramPort(fake as unknown as Socket, "udp4");
  port.open({ datagrams: () => {}, writable: () => void writable++, closed: () => {} }, undefined);
  const to = { address: "127.0.0.1", port: 9 };
  const shared = new Uint8Array(1000);
  while (!port.blocked) port.send(shared, to);
  assert.ok(queued > datagramQueueMark && queued < datagramQueueMark + 5000);
  for (const callback of callbacks) {
    queued -= 1000;
    callback?.(null);
  }
  assert.equal(port.blocked, false);
  assert.equal(writable, 1);
});

test("options of a stream act or say that they cannot", async () => {
  const network = nodeNetwork();
  const accepted: Recorder[] = [];
  const listener = await network.listenStreams(here, (port) => {
    accepted.push(new Recorder().attach(port));
    return accepted[0]!;
  });
  const client = new Recorder();
  client.attach(network.connectStream(listener.local, client, { keepAliveMs: 1000, local: { address: "127.0.0.2" } }));
  await until(() => client.told.includes("opened") && accepted.length > 0);
  assert.equal(client.port.local.address, "127.0.0.2");
  assert.equal(client.port.set("noDelay", 0), true);
  assert.equal(client.port.set("keepAliveMs", 5000), true);
  assert.equal(client.port.set("dscp", 46), false);
  assert.equal(client.port.set("userTimeoutMs", 1), false);
  client.port.abort();
  await until(() => client.isClosed && accepted[0]!.isClosed);
  await listener.close();
});

test("many small writes of one tick leave together", async () => {
  const network = nodeNetwork();
  const accepted: Recorder[] = [];
  const listener = await network.listenStreams(here, (port) => {
    accepted.push(new Recorder().attach(port));
    return accepted[0]!;
  });
  const client = new Recorder();
  client.attach(network.connectStream(listener.local, client));
  await until(() => client.told.includes("opened") && accepted.length > 0);
  for (let i = 0; i < 100; i++) client.port.write(Uint8Array.of(i));
  await until(() => accepted[0]!.size === 100);
  assert.ok(accepted[0]!.chunks.length <= 3, `${accepted[0]!.chunks.length} chunks`);
  client.port.abort();
  await until(() => accepted[0]!.isClosed);
  await listener.close();
});

test("traces go to the diagnostics channel while somebody listens", () => {
  const host = nodeHost();
  const trace = (): Trace | undefined => host.trace;
  assert.equal(trace(), undefined);
  const heard: unknown[] = [];
  const listen = (event: unknown): void => void heard.push(event);
  subscribe("sealport:trace", listen);
  const event = { at: host.now(), protocol: "TLS", name: "tls:key_updated", data: {} };
  trace()?.(event);
  unsubscribe("sealport:trace", listen);
  assert.deepEqual(heard, [event]);
  assert.equal(trace(), undefined);
});

test("a capture to a file holds the packets and the secrets of a host", async () => {
  const path = join(folder, "capture.pcapng");
  const capture = captureToFile(nodeHost({ keyLogPath: undefined }), path);
  const got: string[] = [];
  const port = await capture.host.network.bindDatagrams(here, {
    datagrams: (bytes) => void got.push(new TextDecoder().decode(bytes)),
    closed: () => {},
  });
  capture.host.keyLog?.("CLIENT_RANDOM 00 11");
  port.send(utf8("to myself"), port.local);
  await until(() => got.length === 1);
  port.close();
  await capture.close();
  assert.equal(capture.dropped, 0);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const blocks = blocksOf(new Uint8Array(readFileSync(path)));
  assert.deepEqual(
    blocks.map(({ type }) => type),
    [0x0a0d0d0a, 1, 10, 6, 6],
  );
});
