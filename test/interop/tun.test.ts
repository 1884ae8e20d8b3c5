import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { toBase64 } from "../../src/bytes/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { publicKeyOf } from "../../src/protocols/wireguard/index.js";
import { scratch } from "./peers/certificates.js";
import { ip, listening, Namespaces } from "./peers/namespaces.js";
import type { Program } from "./peers/program.js";
import { WireGuardGo } from "./peers/wireguard-go.js";

const host = nodeHost();
const sealport = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
/** Between devices of ours, and with wireguard-go, which takes three times as long for as much. */
const bulk = 1_000_000_000;
const bulkOfStrangers = 200_000_000;
/** Bytes that both sides can make, and that no accident does. */
const keystream = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${"0".repeat(32)}`;

interface End {
  readonly key: Uint8Array;
  readonly publicKey: string;
}

function newEnd(): End {
  const key = host.entropy.fill(new Uint8Array(32));
  return { key, publicKey: toBase64(publicKeyOf(host.crypto, key)) };
}

let files = 0;
function fileOf(
  own: End,
  number: 1 | 2,
  peerKey: string,
  endpoint: string,
  allowed?: string,
  more = "",
  port = 51_820,
): string {
  const path = join(scratch(), `tun${files++}.conf`);
  const text = `[Interface]
    PrivateKey = ${toBase64(own.key)}
    Address = 10.99.0.${number}/24, fd99::${number}/64
    ListenPort = ${port}
    ${more}
    [Peer]
    PublicKey = ${peerKey}
    AllowedIPs = ${allowed ?? `10.99.0.${3 - number}/32, fd99::${3 - number}/128`}
    Endpoint = ${endpoint}`;
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** `sealport tunnel FILE --tun tun0` in a namespace. */
async function device(wires: Namespaces, namespace: string, file: string): Promise<Program> {
  const program = wires.run(namespace, "sealport", process.execPath, sealport, "tunnel", file, "--tun", "tun0");
  await program.says(/tun0 is open/);
  return program;
}

async function pings(wires: Namespaces, namespace: string, address: string): Promise<void> {
  await using ping = wires.run(namespace, "ping", "ping", "-c", "3", "-i", "0.1", "-w", "20", address);
  assert.equal(await ping.ends(), "exited with 0", ping.said);
}

/** Sends the keystream from one namespace's TCP to the other's and compares the hashes. */
async function carries(wires: Namespaces, from: string, to: string, address: string, size: number): Promise<void> {
  const family = address.includes(":") ? "TCP6" : "TCP4";
  const name = family === "TCP6" ? `[${address}]` : address;
  await using sink = wires.run(to, "sink", "sh", "-c", `socat -u -b 262144 ${family}-LISTEN:7001 STDOUT | sha256sum`);
  await listening(to, 7001);
  await using source = wires.run(
    from,
    "source",
    "bash",
    "-c",
    `head -c ${size} /dev/zero | ${keystream} | tee >(sha256sum >&2) | socat -u -b 262144 STDIN ${family}:${name}:7001`,
  );
  const digest = /([0-9a-f]{64})/;
  while (!digest.test(sink.said) && sink.status === undefined) await new Promise((next) => setTimeout(next, 50));
  assert.equal((await sink.says(digest))[1], (await source.says(digest))[1]);
}

async function iperf(wires: Namespaces, from: string, to: string, address: string): Promise<number> {
  await using server = wires.run(to, "iperf3", "iperf3", "-s", "-1", "-B", address);
  await listening(to, 5201);
  await using client = wires.run(from, "iperf3", "iperf3", "-c", address, "-t", "1", "-J");
  assert.equal(await client.ends(), "exited with 0", client.said);
  await server.ends();
  const { end } = JSON.parse(client.said) as { end: { sum_received: { bytes: number } } };
  return end.sum_received.bytes;
}

test("two devices of ours carry the kernels' TCP over each other, both ways, and are gone when they end", async () => {
  using wires = new Namespaces();
  const [one, two] = [newEnd(), newEnd()];
  await using a = await device(wires, wires.a, fileOf(one, 1, two.publicKey, "10.77.0.2:51820"));
  await using b = await device(wires, wires.b, fileOf(two, 2, one.publicKey, "[fd77::1]:51820"));
  await pings(wires, wires.a, "10.99.0.2");
  await pings(wires, wires.b, "fd99::1");
  await carries(wires, wires.a, wires.b, "10.99.0.2", bulk);
  await carries(wires, wires.b, wires.a, "fd99::1", bulk);
  assert.match(ip("-n", wires.a, "route"), /10\.99\.0\.2 dev tun0/);
  assert.match(ip("-n", wires.a, "link", "show", "tun0"), /mtu 1420/);
  for (const program of [a, b]) program.kill("SIGINT");
  for (const program of [a, b]) assert.equal(await program.ends(), "exited with 130");
  assert.doesNotMatch(ip("-n", wires.a, "link"), /tun0/);
  assert.doesNotMatch(ip("-n", wires.a, "route"), /10\.99/);
});

test("a device of ours and wireguard-go carry each other's TCP, and iperf3 through both", async () => {
  using wires = new Namespaces();
  const ours = newEnd();
  await using theirs = await WireGuardGo.start({
    within: wires.a,
    listenPort: 51821,
    peerPublicKey: ours.publicKey,
    endpoint: "10.77.0.2:51820",
  });
  await using _ = await device(wires, wires.b, fileOf(ours, 2, theirs.publicKey, "10.77.0.1:51821"));
  await pings(wires, wires.a, "10.99.0.2");
  await pings(wires, wires.b, "fd99::1");
  await carries(wires, wires.a, wires.b, "fd99::2", bulkOfStrangers);
  await carries(wires, wires.b, wires.a, "10.99.0.1", bulkOfStrangers);
  assert.ok((await iperf(wires, wires.a, wires.b, "10.99.0.2")) > 1_000_000);
  assert.ok((await iperf(wires, wires.b, wires.a, "fd99::1")) > 1_000_000);
});

test("a device that is the default route leaves the tunnel's own packets outside, and takes its rules back", async () => {
  using wires = new Namespaces();
  const [one, two] = [newEnd(), newEnd()];
  const all = "0.0.0.0/0, ::/0";
  ip("-n", wires.a, "route", "add", "default", "via", "10.77.0.2");
  const rules = ip("-n", wires.a, "rule");
  await using a = await device(wires, wires.a, fileOf(one, 1, two.publicKey, "10.77.0.2:51820", all));
  await using _ = await device(wires, wires.b, fileOf(two, 2, one.publicKey, "10.77.0.1:51820"));
  ip("-n", wires.b, "addr", "add", "192.0.2.9/32", "dev", "tun0");
  ip("-n", wires.b, "addr", "add", "2001:db8::9/128", "dev", "tun0", "nodad");
  await pings(wires, wires.a, "192.0.2.9");
  await pings(wires, wires.a, "2001:db8::9");
  // What the main table knows better than by its default route stays there.
  await pings(wires, wires.a, "10.77.0.2");
  assert.match(ip("-n", wires.a, "route", "get", "192.0.2.9"), /dev tun0/);
  assert.match(ip("-n", wires.a, "route", "get", "10.77.0.2"), /dev wire/);
  a.kill("SIGTERM");
  await a.ends();
  assert.equal(ip("-n", wires.a, "rule"), rules);
});

test("what a killed process left in the rules of routing is gone at the next start, and nothing of anybody else's", async () => {
  using wires = new Namespaces();
  const [one, two] = [newEnd(), newEnd()];
  const all = "0.0.0.0/0, ::/0";
  // Somebody else's rules look much like ours.
  ip("-n", wires.a, "rule", "add", "pref", "31002", "lookup", "151821");
  ip("-n", wires.a, "rule", "add", "pref", "31000", "ipproto", "udp", "sport", "51821", "lookup", "main");
  const rules = (): string => `${ip("-n", wires.a, "-4", "rule")}${ip("-n", wires.a, "-6", "rule")}`;
  const before = rules();
  const file = fileOf(one, 1, two.publicKey, "10.77.0.2:51820", all);
  await using killed = await device(wires, wires.a, file);
  assert.equal(rules().split("\n").length, before.split("\n").length + 8);
  const stranger = fileOf(two, 2, one.publicKey, "10.77.0.2:51820", all, "", 51_830);
  await using second = wires.run(wires.a, "sealport", process.execPath, sealport, "tunnel", stranger, "--tun", "tun1");
  await second.says(/tun0 is the default route already/);
  assert.match(await second.ends(), /exited with [1-9]/);
  killed.kill("SIGKILL");
  await killed.ends();
  assert.notEqual(rules(), before, "the rules are left behind");
  // Another port, so other rules.
  const next = fileOf(one, 1, two.publicKey, "10.77.0.2:51820", all, "", 51_831);
  await using again = await device(wires, wires.a, next);
  assert.doesNotMatch(rules(), /port 51820/);
  again.kill("SIGTERM");
  await again.ends();
  assert.equal(rules(), before);
});

for (const [way, programs, said] of [
  [
    "systemd-resolved",
    { resolvectl: "" },
    ["resolvectl dns tun0 10.99.0.53 fd99::53", "resolvectl domain tun0 ~. office.test", "resolvectl revert tun0"],
  ],
  [
    "resolvconf",
    { resolvectl: "exit 1", resolvconf: "cat >&3" },
    [
      "resolvectl dns tun0 10.99.0.53 fd99::53",
      "resolvconf -a tun0 -m 0 -x",
      "nameserver 10.99.0.53",
      "nameserver fd99::53",
      "search office.test",
      "resolvconf -d tun0 -f",
    ],
  ],
  [
    "nobody",
    { resolvectl: "exit 1", resolvconf: "exit 1" },
    ["resolvectl dns tun0 10.99.0.53 fd99::53", "resolvconf -a tun0 -m 0 -x"],
  ],
] as const) {
  test(`the system is told of the file's name servers by ${way}, and told when that is over`, async () => {
    using wires = new Namespaces();
    const folder = mkdtempSync(join(scratch(), "resolver"));
    const log = join(folder, "log");
    // The system's own programs are played, so that the machine that tests keeps its name servers.
    for (const [name, more] of Object.entries(programs)) {
      const lines = ["#!/bin/sh", `exec 3>>${log}`, `echo ${name} "$@" >&3`, more];
      writeFileSync(join(folder, name), `${lines.join("\n")}\n`, { mode: 0o755 });
    }
    const names = "DNS = 10.99.0.53, fd99::53, office.test";
    const file = fileOf(newEnd(), 1, newEnd().publicKey, "10.77.0.2:51820", undefined, names);
    const path = `PATH=${folder}:${process.env["PATH"]}`;
    const command = ["env", path, process.execPath, sealport, "tunnel", file, "--tun", "tun0"] as const;
    await using program = wires.run(wires.a, "sealport", ...command);
    await program.says(way === "nobody" ? /not asked of 10\.99\.0\.53, fd99::53: neither/ : new RegExp(`, by ${way}`));
    program.kill("SIGINT");
    assert.equal(await program.ends(), "exited with 130");
    assert.deepEqual(
      readFileSync(log, "utf8")
        .trim()
        .split("\n")
        .map((line) => line.replace("tun.tun0", "tun0")),
      said,
    );
  });
}

test("a device's packets, those outside and the secrets are captured, and tshark decrypts them", async () => {
  using wires = new Namespaces();
  const [one, two] = [newEnd(), newEnd()];
  const capture = join(scratch(), `device${process.pid}.pcapng`);
  const file = fileOf(one, 1, two.publicKey, "10.77.0.2:51820");
  const options = ["tunnel", file, "--tun", "tun0", "--pcapng", capture];
  await using a = wires.run(wires.a, "sealport", process.execPath, sealport, ...options);
  await a.says(/tun0 is open/);
  await using _ = await device(wires, wires.b, fileOf(two, 2, one.publicKey, "10.77.0.1:51820"));
  await pings(wires, wires.a, "10.99.0.2");
  await pings(wires, wires.b, "fd99::1");
  a.kill("SIGINT");
  assert.equal(await a.ends(), "exited with 130");
  const shown = (filter: string): string[] => {
    const options = ["-r", capture, "-Y", filter, "-T", "fields", "-e", "frame.interface_name"];
    const { stdout } = spawnSync("tshark", options, { encoding: "utf8", timeout: 60_000 });
    return stdout.split("\n").filter((line) => line !== "");
  };
  // Each echo and each answer, once as it is inside, and once decrypted from what is outside.
  const inside = shown("(icmp or icmpv6) and not wg");
  assert.ok(inside.length >= 12 && inside.every((name) => name === "tun0"), inside.join());
  const outside = shown("(icmp or icmpv6) and wg");
  assert.ok(outside.length >= 12 && outside.every((name) => name !== "tun0"), outside.join());
});

test("with Table = off there are addresses and no routes", async () => {
  using wires = new Namespaces();
  const [one, two] = [newEnd(), newEnd()];
  const file = fileOf(one, 1, two.publicKey, "10.77.0.2:51820", "192.0.2.0/24", "Table = off");
  await using _ = await device(wires, wires.a, file);
  assert.match(ip("-n", wires.a, "addr", "show", "tun0"), /10\.99\.0\.1\/24/);
  assert.doesNotMatch(ip("-n", wires.a, "route"), /192\.0\.2/);
});

test("without root, with a wrong name or one in use, a device is refused in a sentence", async () => {
  using wires = new Namespaces();
  const file = fileOf(newEnd(), 1, newEnd().publicKey, "10.77.0.2:51820");
  const refused = (name: string, ...before: readonly string[]): { status: number | null; said: string } => {
    const command = ["netns", "exec", wires.a, ...before, process.execPath, sealport, "tunnel", file, "--tun", name];
    const { status, stderr } = spawnSync("ip", command, { encoding: "utf8", timeout: 20_000 });
    return { status, said: stderr };
  };
  const unprivileged = refused("tun0", "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin");
  assert.equal(unprivileged.status, 10, unprivileged.said);
  assert.match(unprivileged.said, /a device needs root, or CAP_NET_ADMIN/);
  const wrong = refused("a/b");
  assert.equal(wrong.status, 2, wrong.said);
  assert.match(wrong.said, /no name of a device/);
  await using _ = await device(wires, wires.a, file);
  const taken = refused("tun0");
  assert.notEqual(taken.status, 0);
  assert.match(taken.said, /in use/);
});
