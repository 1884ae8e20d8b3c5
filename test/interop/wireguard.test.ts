import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { test } from "node:test";
import { forwardRemote, openTunnel } from "../../src/adapters/index.js";
import { toBase64 } from "../../src/bytes/index.js";
import { listening } from "./peers/namespaces.js";
import { Program } from "./peers/program.js";
import { WireGuardGo } from "./peers/wireguard-go.js";
import { clockAhead, fileOf, flood, host, newKey, open, publicKeyOf, stream } from "./wireguard-ends.js";

const megabytes = 1_000;
/** What the private network serves: bytes that both sides can make, and that no accident does. */
const keystream = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${"0".repeat(32)}`;
const serve = "socat -u STDIN TCP6-LISTEN:7002,reuseaddr,ipv6only=0";

for (const withPsk of [false, true]) {
  test(`wireguard-go answers our handshake and our echo${withPsk ? ", with a pre-shared key" : ""}`, async () => {
    const [key, psk] = [newKey(), withPsk ? newKey() : undefined];
    await using peer = await WireGuardGo.start({
      peerPublicKey: publicKeyOf(key),
      ...(psk && { preSharedKey: toBase64(psk) }),
    });
    const { tunnel, events } = await open(peer, key, { psk });
    assert.ok((await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 })) > 0);
    assert.ok((await tunnel.ping("fd99::1")) > 0);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["session"],
    );
    assert.ok(events[0]?.kind === "session" && events[0].initiator);
    assert.match(peer.show("latest-handshakes"), /\t[1-9]\d+$/);
    tunnel.close();
  });
}

test("the tunnel goes over IPv6 outside, too", async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  const { tunnel } = await open(peer, key, { endpoint: `[::1]:${peer.port}` });
  assert.ok((await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 })) > 0);
  assert.match(peer.show("endpoints"), /\[::1\]:\d+$/);
  tunnel.close();
});

test("iperf3 goes from the kernel's TCP through wireguard-go to our stack, and on to a server here", async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  const file = fileOf(peer, key, `127.0.0.1:${peer.port}`);
  await using office = await openTunnel(host, file);
  const port = 20_000 + ((process.pid + 23) % 20_000);
  await using server = new Program("iperf3", "iperf3", ["-s", "-1", "-B", "127.0.0.1", "-p", String(port)]);
  await listening(undefined, port);
  const to = { host: "127.0.0.1", port };
  const forward = await forwardRemote(office, { bind: undefined, port: 5201, to, isUdp: false });
  await office.ping("10.99.0.1", { timeoutMs: 20_000 });
  const client = peer.inside("iperf3", "iperf3", "-c", "fd99::2", "-t", "1", "-J");
  assert.equal(await client.ends(), "exited with 0", client.said);
  const { end } = JSON.parse(client.said) as { end: { sum_received: { bytes: number } } };
  assert.ok(end.sum_received.bytes > 1_000_000);
  await server.ends();
  await forward.close();
});

test("we answer wireguard-go's handshake and its echo", async () => {
  const key = newKey();
  const tunnelPort = 20_000 + (process.pid % 20_000);
  await using peer = await WireGuardGo.start({
    peerPublicKey: publicKeyOf(key),
    endpoint: `127.0.0.1:${tunnelPort}`,
  });
  const { tunnel, events } = await open(peer, key, { more: `ListenPort = ${tunnelPort}` });
  const ping = peer.inside("ping", "ping", "-c", "3", "-i", "0.2", "-w", "20", "10.99.0.2");
  assert.equal(await ping.ends(), "exited with 0", ping.said);
  assert.ok(events.some((event) => event.kind === "session" && !event.initiator));
  tunnel.close();
});

test(`${megabytes} MB go each way through the tunnel, intact, with new keys in the middle of it`, async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  const clock = clockAhead();
  const { tunnel, events } = await open(peer, key, { host: clock.host });
  const chunk = newKey();
  const megabyte = new Uint8Array(1_000_000).map((_, i) => chunk[i % 31]! ^ (i >> 5));

  await using sink = peer.inside("sink", "sh", "-c", "socat -u -b 262144 TCP-LISTEN:7001,reuseaddr STDOUT | sha256sum");
  await using source = peer.inside(
    "source",
    "sh",
    "-c",
    `head -c ${megabytes * 1_000_000} /dev/zero | ${keystream} | ${serve}`,
  );
  await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  await listening(peer.namespace, 7001);
  await listening(peer.namespace, 7002);
  const up = stream(tunnel.network, { address: "10.99.0.1", port: 7001 });
  const digest = await up.send(megabyte, megabytes, async (sent) => {
    // Two minutes later the initiator of a session wants a new one, and sends on under the old keys meanwhile (§6.2).
    if (sent === megabytes / 2) await clock.advance(121_000, up.port);
  });
  const [, told] = await sink.says(/([0-9a-f]{64})/);
  assert.equal(told, digest);
  await up.closed;
  assert.equal(events.filter(({ kind }) => kind === "session").length, 2);

  const down = stream(tunnel.network, { address: "fd99::1", port: 7002 });
  down.port.finish();
  await down.closed;
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const expected = createHash("sha256");
  for (let i = 0; i < megabytes; i++) expected.update(cipher.update(Buffer.alloc(1_000_000)));
  assert.equal(down.heard.size, megabytes * 1_000_000);
  assert.equal(down.heard.digest, expected.digest("hex"));
  assert.equal(await source.ends(), "exited with 0");
  tunnel.close();
});

test("wireguard-go forgets us in the middle of a transfer, shakes hands anew, and nothing is lost", async () => {
  const key = newKey();
  const tunnelPort = 20_000 + ((process.pid + 13) % 20_000);
  const publicKey = publicKeyOf(key);
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKey, endpoint: `127.0.0.1:${tunnelPort}` });
  const { tunnel, events } = await open(peer, key, { more: `ListenPort = ${tunnelPort}` });
  await using source = peer.inside("source", "sh", "-c", `head -c 100000000 /dev/zero | ${keystream} | ${serve}`);
  await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  await listening(peer.namespace, 7002);
  const down = stream(tunnel.network, { address: "fd99::1", port: 7002 });
  down.port.finish();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = down.heard.size;
  peer.set("peer", publicKey, "remove");
  const known = ["allowed-ips", "10.99.0.2/32,fd99::2/128", "endpoint", `127.0.0.1:${tunnelPort}`];
  peer.set("peer", publicKey, ...known);
  await down.closed;
  assert.ok(before < 100_000_000);
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const expected = createHash("sha256")
    .update(cipher.update(Buffer.alloc(100_000_000)))
    .digest("hex");
  assert.equal(down.heard.digest, expected);
  assert.ok(events.some((event) => event.kind === "session" && !event.initiator));
  assert.equal(await source.ends(), "exited with 0");
  tunnel.close();
});

test("wireguard-go follows us to another port in the middle of a transfer, and nothing is lost", async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  const { tunnel } = await open(peer, key);
  await using sink = peer.inside("sink", "sh", "-c", "socat -u TCP-LISTEN:7001,reuseaddr STDOUT | sha256sum");
  await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  await listening(peer.namespace, 7001);
  const before = peer.show("endpoints");
  const up = stream(tunnel.network, { address: "10.99.0.1", port: 7001 });
  const sending = up.send(new Uint8Array(1 << 20).fill(5), 20);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const moved = await tunnel.rebind();
  const digest = await sending;
  assert.equal((await sink.says(/([0-9a-f]{64})/))[1], digest);
  await up.closed;
  assert.notEqual(peer.show("endpoints"), before);
  assert.match(peer.show("endpoints"), new RegExp(`:${moved.port}$`));
  tunnel.close();
});

test("we follow wireguard-go to another port, and nothing is lost", async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  const { tunnel, events } = await open(peer, key);
  await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  peer.set("listen-port", "0");
  // It speaks first from its new place: only then can we know of it.
  const ping = peer.inside("ping", "ping", "-c", "2", "-i", "0.2", "-w", "20", "10.99.0.2");
  assert.equal(await ping.ends(), "exited with 0", ping.said);
  const moved = events.find(({ kind }) => kind === "moved");
  assert.ok(moved?.kind === "moved");
  assert.equal(moved.to.port, Number(peer.show("listen-port")));
  assert.ok((await tunnel.ping("10.99.0.1")) > 0);
  tunnel.close();
});

test("under load wireguard-go wants a cookie of us, and we come in with it", async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  // What comes while it sleeps is there all at once when it wakes, and that is load if it falls behind: so, until it does.
  for (let attempt = 0; attempt < 20 && !/[Cc]ookie/.test(peer.said); attempt++) {
    const { tunnel } = await open(peer, key);
    peer.stop();
    await flood(peer.publicKey, peer.port, 240);
    peer.goOn();
    assert.ok((await tunnel.ping("10.99.0.1", { timeoutMs: 12_000 })) > 0);
    tunnel.close();
  }
  assert.match(peer.said.match(/.*[Cc]ookie.*/)?.[0] ?? "it never felt the load", /[Cc]ookie/);
});

test("under load we want a cookie of wireguard-go, and it comes in with it", async () => {
  const key = newKey();
  const tunnelPort = 20_000 + ((process.pid + 7) % 20_000);
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key), endpoint: `127.0.0.1:${tunnelPort}` });
  const { tunnel } = await open(peer, key, { more: `ListenPort = ${tunnelPort}` });
  // Enough in each second to be load, few enough at once that none of them pushes the peer's out of the queue.
  const loading = setInterval(() => void flood(publicKeyOf(key), tunnelPort, 40), 100);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const ping = peer.inside("ping", "ping", "-c", "1", "-W", "18", "10.99.0.2");
  await peer.says(/Receiving cookie response/).finally(() => clearInterval(loading));
  assert.equal(await ping.ends(), "exited with 0");
  assert.ok(tunnel.status().drops["cookie-wanted"]! > 0);
  tunnel.close();
});
