import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { fromBase64, toBase64 } from "../../src/bytes/index.js";
import {
  type Network,
  Secret,
  type SocketAddress,
  type StreamPort,
  type StreamSink,
} from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { CookieKeeper } from "../../src/protocols/wireguard/cookies.js";
import { WireGuard, type WireGuardEvent } from "../../src/protocols/wireguard/index.js";
import { Suite } from "../../src/protocols/wireguard/noise.js";
import { openWireGuard, type WireGuardTunnel } from "../../src/tunnels/index.js";
import { WireGuardGo } from "./peers/wireguard-go.js";

const host = nodeHost();
const megabytes = 100;
/** What the private network serves: bytes that both sides can make, and that no accident does. */
const keystream = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${"0".repeat(32)}`;
const serve = "socat -u STDIN TCP6-LISTEN:7002,reuseaddr,ipv6only=0";

interface Ours {
  readonly tunnel: WireGuardTunnel;
  readonly events: Exclude<WireGuardEvent, { kind: "question" }>[];
}

/** A file as a network team would send it, and the tunnel that it opens. */
async function open(peer: WireGuardGo, key: Uint8Array, psk?: Uint8Array, more = ""): Promise<Ours> {
  const file = `
    [Interface]
    PrivateKey = ${toBase64(key)}
    Address = 10.99.0.2/24, fd99::2/64
    ${more}
    [Peer]
    PublicKey = ${peer.publicKey}
    ${psk ? `PresharedKey = ${toBase64(psk)}` : ""}
    AllowedIPs = 10.99.0.0/24, fd99::/64
    Endpoint = 127.0.0.1:${peer.port}
  `;
  const events: Ours["events"] = [];
  const tunnel = await openWireGuard(host, file, { on: (event) => void events.push(event) });
  return { tunnel, events };
}

const newKey = (): Uint8Array => host.entropy.fill(new Uint8Array(32));

function publicKeyOf(key: Uint8Array): string {
  const { crypto, entropy } = host;
  return toBase64(new WireGuard({ crypto, entropy, privateKey: Secret.copy(key) }, host.now()).publicKey);
}

/** One stream through the tunnel, with promises. */
function stream(network: Network, remote: SocketAddress) {
  const hash = createHash("sha256");
  const heard = { size: 0, digest: "" };
  let settle: { resolve: () => void; reject: (failure: unknown) => void };
  const closed = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  let drained = (): void => {};
  const sink: StreamSink = {
    bytes: (bytes) => {
      heard.size += bytes.length;
      hash.update(bytes);
    },
    ended: () => {
      heard.digest = hash.digest("hex");
    },
    drained: () => drained(),
    closed: (failure) => (failure ? settle.reject(failure) : settle.resolve()),
  };
  const port: StreamPort = network.connectStream(remote, sink);
  const send = async (chunk: Uint8Array, times: number): Promise<string> => {
    const sent = createHash("sha256");
    for (let i = 0; i < times; i++) {
      sent.update(chunk);
      if (!port.write(chunk)) await new Promise<void>((resolve) => (drained = resolve));
    }
    port.finish();
    return sent.digest("hex");
  };
  return { port, heard, closed, send };
}

for (const withPsk of [false, true]) {
  test(`wireguard-go answers our handshake and our echo${withPsk ? ", with a pre-shared key" : ""}`, async () => {
    const [key, psk] = [newKey(), withPsk ? newKey() : undefined];
    await using peer = await WireGuardGo.start({
      peerPublicKey: publicKeyOf(key),
      ...(psk && { preSharedKey: toBase64(psk) }),
    });
    const { tunnel, events } = await open(peer, key, psk);
    assert.ok((await tunnel.ping("10.99.0.1", { timeoutMs: 5_000 })) > 0);
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

test("we answer wireguard-go's handshake and its echo", async () => {
  const key = newKey();
  const tunnelPort = 20_000 + (process.pid % 20_000);
  await using peer = await WireGuardGo.start({
    peerPublicKey: publicKeyOf(key),
    endpoint: `127.0.0.1:${tunnelPort}`,
  });
  const { tunnel, events } = await open(peer, key, undefined, `ListenPort = ${tunnelPort}`);
  const ping = peer.inside("ping", "ping", "-c", "3", "-i", "0.2", "10.99.0.2");
  assert.equal(await ping.ends(), "exited with 0");
  assert.match(ping.said, /3 received/);
  assert.ok(events.some((event) => event.kind === "session" && !event.initiator));
  tunnel.close();
});

test(`${megabytes} MB go each way through the tunnel, intact`, async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  const { tunnel } = await open(peer, key);
  const chunk = newKey();
  const megabyte = new Uint8Array(1 << 20).map((_, i) => chunk[i % 31]! ^ (i >> 5));

  await using sink = peer.inside("sink", "sh", "-c", "socat -u TCP-LISTEN:7001,reuseaddr STDOUT | sha256sum");
  await using source = peer.inside(
    "source",
    "sh",
    "-c",
    `head -c ${megabytes << 20} /dev/zero | ${keystream} | ${serve}`,
  );
  await tunnel.ping("10.99.0.1", { timeoutMs: 5_000 });
  await listening(peer, 7001);
  await listening(peer, 7002);
  const up = stream(tunnel.network, { address: "10.99.0.1", port: 7001 });
  const digest = await up.send(megabyte, megabytes);
  const [, told] = await sink.says(/([0-9a-f]{64})/);
  assert.equal(told, digest);
  await up.closed;

  const down = stream(tunnel.network, { address: "fd99::1", port: 7002 });
  down.port.finish();
  await down.closed;
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const expected = createHash("sha256");
  for (let i = 0; i < megabytes; i++) expected.update(cipher.update(Buffer.alloc(1 << 20)));
  assert.equal(down.heard.size, megabytes << 20);
  assert.equal(down.heard.digest, expected.digest("hex"));
  assert.equal(await source.ends(), "exited with 0");
  tunnel.close();
});

test("wireguard-go follows us to another port in the middle of a transfer, and nothing is lost", async () => {
  const key = newKey();
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKeyOf(key) });
  const { tunnel } = await open(peer, key);
  await using sink = peer.inside("sink", "sh", "-c", "socat -u TCP-LISTEN:7001,reuseaddr STDOUT | sha256sum");
  await tunnel.ping("10.99.0.1", { timeoutMs: 5_000 });
  await listening(peer, 7001);
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
  await tunnel.ping("10.99.0.1", { timeoutMs: 5_000 });
  peer.set("listen-port", "0");
  // It speaks first from its new place: only then can we know of it.
  const ping = peer.inside("ping", "ping", "-c", "2", "-i", "0.2", "10.99.0.2");
  assert.equal(await ping.ends(), "exited with 0");
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
    await flood(peer.publicKey, peer.port, 600);
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
  const { tunnel } = await open(peer, key, undefined, `ListenPort = ${tunnelPort}`);
  // Enough in each second to be load, few enough at once that none of them pushes the peer's out of the queue.
  const loading = setInterval(() => void flood(publicKeyOf(key), tunnelPort, 40), 100);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const ping = peer.inside("ping", "ping", "-c", "1", "-W", "18", "10.99.0.2");
  await peer.says(/Receiving cookie response/).finally(() => clearInterval(loading));
  assert.equal(await ping.ends(), "exited with 0");
  assert.ok(tunnel.status().drops["cookie-wanted"]! > 0);
  tunnel.close();
});

/** Initiations that know the public key and nothing else. */
async function flood(publicKey: string, port: number, count: number): Promise<void> {
  const suite = new Suite(host.crypto);
  const keeper = new CookieKeeper(suite, fromBase64(publicKey)!);
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const messages = Array.from({ length: count }, () => {
    const message = host.entropy.fill(new Uint8Array(148));
    message.set([1, 0, 0, 0]);
    keeper.sign(message, 0);
    return message;
  });
  for (const message of messages) socket.send(message, port, "127.0.0.1");
  await new Promise<void>((resolve) => socket.send(new Uint8Array(1), port, "127.0.0.1", () => resolve()));
  socket.close();
}

/** Waits until something listens on a port behind the tunnel. */
async function listening(peer: WireGuardGo, port: number): Promise<void> {
  const probe = peer.inside(
    "ss",
    "sh",
    "-c",
    `until ss -ltnH 'sport = :${port}' | grep -q .; do sleep 0.05; done; echo up`,
  );
  await probe.says(/up/);
}
