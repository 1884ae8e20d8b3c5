import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { forwardRemote, openTunnel } from "../../src/adapters/index.js";
import { toBase64 } from "../../src/bytes/index.js";
import { scratch } from "./peers/certificates.js";
import { Guest } from "./peers/guest.js";
import { listening } from "./peers/namespaces.js";
import { Program } from "./peers/program.js";
import { clockAhead, fileOf, flood, host, newKey, type Ours, open, publicKeyOf, stream } from "./wireguard-ends.js";

/** A Linux kernel's own WireGuard, in an emulated machine: it gets through about 40 Mbit/s there, hence the small sizes. */
let guest: Guest;
before(async () => {
  guest = await Guest.boot();
});
after(() => guest[Symbol.asyncDispose]());

const megabytes = 16;

interface KernelEnd {
  readonly publicKey: string;
  readonly port: 51820;
}

interface KernelOptions {
  readonly psk?: Uint8Array;
  /** Where we are, if it is to speak first. */
  readonly endpoint?: string;
  readonly keepaliveS?: number;
}

/** A fresh wg0 in the guest, 10.99.0.1 and fd99::1, that knows us as 10.99.0.2 and fd99::2. */
async function kernel(key: Uint8Array, { psk, endpoint, keepaliveS }: KernelOptions = {}): Promise<KernelEnd> {
  const own = newKey();
  const peer = [
    `peer ${publicKeyOf(key)} allowed-ips 10.99.0.2/32,fd99::2/128`,
    psk && "preshared-key /tmp/psk",
    endpoint && `endpoint ${endpoint}`,
    keepaliveS && `persistent-keepalive ${keepaliveS}`,
  ];
  await guest.run("ip link del wg0 2>/dev/null; ip link add wg0 type wireguard");
  await guest.run(`echo ${toBase64(own)} > /tmp/key; echo ${psk ? toBase64(psk) : ""} > /tmp/psk`);
  await guest.run(`wg set wg0 listen-port 51820 private-key /tmp/key ${peer.filter(Boolean).join(" ")}`);
  await guest.run("ip addr add 10.99.0.1/24 dev wg0; ip addr add fd99::1/64 dev wg0; ip link set wg0 up");
  return { publicKey: publicKeyOf(own), port: 51820 };
}

const v4 = (): string => `${guest.address.v4}:51820`;
const v6 = (): string => `[${guest.address.v6}]:51820`;
const hashIn = (said: string): string | undefined => said.match(/[0-9a-f]{64}/)?.[0];
/** With a deadline `ping` goes on until it has had its answers; without one it waits for two round trips. */
const answered = /\b3 (packets )?received/;
const kinds = ({ events }: Ours): string[] => events.map(({ kind }) => kind);

for (const [outside, endpoint] of [
  ["IPv4", v4],
  ["IPv6", v6],
] as const) {
  for (const withPsk of [false, true]) {
    test(`the kernel answers our handshake over ${outside}${withPsk ? ", with a pre-shared key" : ""}`, async () => {
      const [key, psk] = [newKey(), withPsk ? newKey() : undefined];
      const peer = await kernel(key, psk && { psk });
      const ours = await open(peer, key, { psk, endpoint: endpoint() });
      assert.ok((await ours.tunnel.ping("10.99.0.1", { timeoutMs: 20_000 })) > 0);
      assert.ok((await ours.tunnel.ping("fd99::1", { timeoutMs: 20_000 })) > 0);
      assert.deepEqual(kinds(ours), ["session"]);
      assert.match(await guest.run("wg show wg0 latest-handshakes"), /\t[1-9]\d+$/);
      ours.tunnel.close();
    });
  }
}

test("we answer the kernel's handshake, and its echoes over IPv4 and IPv6", async () => {
  const [key, psk] = [newKey(), newKey()];
  const port = 20_000 + (process.pid % 20_000);
  const peer = await kernel(key, { psk, endpoint: `${guest.host.v4}:${port}` });
  const ours = await open(peer, key, { psk, endpoint: v4(), more: `ListenPort = ${port}` });
  assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 10.99.0.2"), answered);
  assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 fd99::2"), answered);
  assert.ok(ours.events.some((event) => event.kind === "session" && !event.initiator));
  ours.tunnel.close();
});

test("without the pre-shared key there is no session with the kernel", async () => {
  const key = newKey();
  const ours = await open(await kernel(key, { psk: newKey() }), key, { psk: newKey(), endpoint: v4() });
  await assert.rejects(ours.tunnel.ping("10.99.0.1", { timeoutMs: 1_500 }), { reason: "timed-out" });
  assert.deepEqual(kinds(ours), []);
  ours.tunnel.close();
});

/** Waits in the guest until a program there listens on a port. */
const listens = (port: number): string =>
  `until grep -q ":${port.toString(16).toUpperCase()} [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done`;

test(`${megabytes} MiB go each way between our TCP and the kernel's, intact, with new keys in the middle`, async () => {
  const [key, psk] = [newKey(), newKey()];
  const clock = clockAhead();
  const ours = await open(await kernel(key, { psk }), key, { psk, endpoint: v4(), host: clock.host });
  await ours.tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  await guest.run(`socat -u TCP6-LISTEN:7001,ipv6only=0 CREATE:/tmp/got & ${listens(7001)}`);
  const up = stream(ours.tunnel.network, { address: "fd99::1", port: 7001 });
  const digest = await up.send(host.entropy.fill(new Uint8Array(1 << 16)), megabytes * 16, async (sent) => {
    if (sent === megabytes * 8) await clock.advance(121_000, up.port);
  });
  await up.closed;
  assert.equal(hashIn(await guest.run("wait; sha256sum < /tmp/got")), digest);
  assert.deepEqual(kinds(ours), ["session", "session"]);
  const expected = await guest.run(
    `head -c ${megabytes << 20} /dev/urandom > /tmp/give; sha256sum < /tmp/give; socat -u OPEN:/tmp/give TCP-LISTEN:7002 & ${listens(7002)}`,
  );
  const down = stream(ours.tunnel.network, { address: "10.99.0.1", port: 7002 });
  down.port.finish();
  await down.closed;
  assert.equal(down.heard.size, megabytes << 20);
  assert.equal(down.heard.digest, hashIn(expected));
  ours.tunnel.close();
});

test("our TCP and the kernel's get their data through netem's delay, loss, reordering and duplication", async () => {
  const key = newKey();
  const ours = await open(await kernel(key), key, { endpoint: v4() });
  await ours.tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  await guest.run("/bin/tc qdisc add dev wg0 root netem delay 10ms 3ms loss 1% reorder 90% duplicate 1%");
  const size = 2 << 20;
  await guest.run(`socat -u TCP6-LISTEN:7001,ipv6only=0 CREATE:/tmp/got & ${listens(7001)}`);
  const up = stream(ours.tunnel.network, { address: "fd99::1", port: 7001 });
  const digest = await up.send(host.entropy.fill(new Uint8Array(1 << 16)), size >> 16);
  await up.closed;
  assert.equal(hashIn(await guest.run("wait; sha256sum < /tmp/got")), digest);
  const made = await guest.run(`head -c ${size} /dev/urandom > /tmp/give; sha256sum < /tmp/give`);
  await guest.run(`socat -u OPEN:/tmp/give TCP-LISTEN:7002 & ${listens(7002)}`);
  const down = stream(ours.tunnel.network, { address: "10.99.0.1", port: 7002 });
  down.port.finish();
  await down.closed;
  assert.equal(down.heard.digest, hashIn(made));
  assert.match(await guest.run("/bin/tc -s qdisc show dev wg0"), /dropped [1-9]/);
  ours.tunnel.close();
});

test("the kernel follows us to another port, and we follow it, with a transfer under way", async () => {
  const key = newKey();
  const ours = await open(await kernel(key), key, { endpoint: v4() });
  await ours.tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  await guest.run(`socat -u TCP-LISTEN:7001 STDOUT | sha256sum > /tmp/hash & ${listens(7001)}`);
  const up = stream(ours.tunnel.network, { address: "10.99.0.1", port: 7001 });
  const digest = await up.send(new Uint8Array(1 << 16).fill(5), 64, async (sent) => {
    if (sent === 16) {
      const { port } = await ours.tunnel.rebind();
      await ours.tunnel.ping("10.99.0.1");
      assert.match(await guest.run("wg show wg0 endpoints"), new RegExp(`:${port}$`));
    }
    if (sent === 32) {
      // It speaks first from its new place: only then can we know of it.
      await guest.run("wg set wg0 listen-port 51999; ping -c 1 10.99.0.2");
    }
  });
  await up.closed;
  assert.equal(hashIn(await guest.run("wait; cat /tmp/hash")), digest);
  const moved = ours.events.find(({ kind }) => kind === "moved");
  assert.ok(moved?.kind === "moved" && moved.to.port === 51999);
  ours.tunnel.close();
});

test("under load the kernel wants a cookie of us, and we come in with it", async () => {
  const key = newKey();
  const peer = await kernel(key);
  let cookies = 0;
  // More initiations than it gets through, all the time: without a cookie nobody comes in.
  const loading = setInterval(async () => {
    cookies += await flood(peer.publicKey, peer.port, 1_500, guest.address.v4);
  }, 200);
  const until = Date.now() + 30_000;
  while (cookies === 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  const ours = await open(peer, key, { endpoint: v4() });
  try {
    assert.ok((await ours.tunnel.ping("10.99.0.1", { timeoutMs: 40_000 })) > 0);
  } finally {
    clearInterval(loading);
  }
  assert.ok(cookies > 0, "it felt the load");
  ours.tunnel.close();
});

test("under load we want a cookie of the kernel, and it comes in with it", async () => {
  const key = newKey();
  const port = 20_000 + ((process.pid + 7) % 20_000);
  const peer = await kernel(key, { endpoint: `${guest.host.v4}:${port}` });
  const ours = await open(peer, key, { endpoint: v4(), more: `ListenPort = ${port}` });
  const loading = setInterval(() => void flood(publicKeyOf(key), port, 40), 100);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  try {
    assert.match(await guest.run("ping -c 1 -W 18 10.99.0.2"), /1 packets received/);
  } finally {
    clearInterval(loading);
  }
  assert.ok(ours.tunnel.status().drops["cookie-wanted"]! > 0);
  assert.ok(ours.events.some((event) => event.kind === "session" && !event.initiator));
  ours.tunnel.close();
});

// Any authenticated packet, sent or received, puts a persistent keepalive off (the kernel's timers say so), so two sides
// with one interval may leave it all to the quicker: each is asked alone.
for (const by of ["the kernel", "us"] as const)
  test(`keepalives of ${by} arrive without traffic`, async () => {
    const key = newKey();
    const peer = await kernel(key, by === "us" ? {} : { keepaliveS: 1 });
    const ours = await open(peer, key, { endpoint: v4(), ofPeer: by === "us" ? "PersistentKeepalive = 1" : "" });
    const received = async (): Promise<number> =>
      by === "us"
        ? Number((await guest.run("wg show wg0 transfer")).split("\t")[1]) / 32
        : ours.tunnel.status().peers[0]!.packetsReceived;
    await ours.tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
    const before = await received();
    const until = Date.now() + 20_000;
    while ((await received()) < before + 2 && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 200));
    assert.ok((await received()) >= before + 2);
    ours.tunnel.close();
  });

test("the kernel's iperf3 goes through its WireGuard to our stack, and on to a server here", async () => {
  const key = newKey();
  const peer = await kernel(key);
  await using office = await openTunnel(host, fileOf(peer, key, v4()));
  const port = 20_000 + ((process.pid + 23) % 20_000);
  await using server = new Program("iperf3", "iperf3", ["-s", "-1", "-B", "127.0.0.1", "-p", String(port)]);
  await using _ = { [Symbol.asyncDispose]: () => forward.close() };
  const forward = await forwardRemote(office, {
    bind: undefined,
    port: 5201,
    to: { host: "127.0.0.1", port },
    isUdp: false,
  });
  await office.ping("10.99.0.1", { timeoutMs: 20_000 });
  const said = await guest.run("iperf3 -c 10.99.0.2 -t 1");
  assert.match(said, /receiver/);
  await server.ends();
});

test("the kernel's ping and iperf3 go through its WireGuard to our device", async () => {
  const key = newKey();
  const peer = await kernel(key);
  const path = join(scratch(), "device.conf");
  writeFileSync(path, fileOf(peer, key, v4()), { mode: 0o600 });
  const program = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
  const device = `spw${process.pid}`;
  await using ours = new Program("sealport", process.execPath, [program, "tunnel", path, "--tun", device]);
  await ours.says(/handshake done/);
  assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 10.99.0.2; ping -c 3 -i 0.1 -w 20 fd99::2"), answered);
  await using server = new Program("iperf3", "iperf3", ["-s", "-1", "-B", "10.99.0.2"]);
  await listening(undefined, 5201);
  assert.match(await guest.run("iperf3 -c 10.99.0.2 -t 1"), /receiver/);
  await server.ends();
  ours.kill("SIGINT");
  assert.equal(await ours.ends(), "exited with 130");
});
