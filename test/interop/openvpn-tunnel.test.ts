import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeHost } from "../../src/hosts/node/index.js";
import { tunnel } from "../../src/index.js";
import type { TunnelNotice } from "../../src/tunnels/index.js";
import { openOpenVpn } from "../../src/tunnels/openvpn.js";
import { program, sealport } from "../cli/sealport.js";
import { scratch } from "./peers/certificates.js";
import { ip, listening, Namespaces } from "./peers/namespaces.js";
import { OpenVpnServer, startOpenVpnOffice } from "./peers/openvpn.js";
import { Program } from "./peers/program.js";
import { stream } from "./wireguard-ends.js";

const host = nodeHost();
const megabytes = 100;
const keystream = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${"0".repeat(32)}`;
const intranet = "http://intranet.office.test:8080/";
const said = "office saw intranet.office.test:8080 from 10.79.0.2";

/** What the server makes of a keystream of so many megabytes. */
function keystreamDigest(): string {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const expected = createHash("sha256");
  for (let i = 0; i < megabytes; i++) expected.update(cipher.update(Buffer.alloc(1_000_000)));
  return expected.digest("hex");
}

test("tunnel() takes an .ovpn file: fetch, names, echoes, a server of ours inside, the status", async () => {
  await using behind = await startOpenVpnOffice("office");
  await using office = await tunnel(behind.conf, { name: "office" });
  assert.equal(office.protocol, "OpenVPN");
  assert.equal(await (await office.fetch(intranet)).text(), said);
  assert.deepEqual(await office.resolve("intranet"), ["10.79.0.1"]);
  assert.ok((await office.ping("intranet", { timeoutMs: 5_000 })) > 0);
  const server = await office.listen(8088, (socket) => {
    socket.resume().end(`served to ${socket.remoteAddress}`);
  });
  await using curl = behind.peer.inside("nc", "socat", "-u", "TCP:10.79.0.2:8088", "STDOUT");
  assert.equal(await curl.ends(), "exited with 0", curl.said);
  assert.equal(curl.said, "served to 10.79.0.1");
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  const status = office.status();
  assert.ok(status.isUp);
  assert.equal(status.name, "ovpn:office");
  assert.equal(status.addresses[0], "10.79.0.2");
  assert.equal(status.peers.length, 1);
  assert.match(status.peers[0]!.publicKey, /^[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual(status.peers[0]!.endpoint, { address: "127.0.0.1", port: behind.peer.port });
  assert.ok(status.peers[0]!.bytesReceived > 0);
});

test("ping, exec, doctor and -W take the same file, beside which its keys may lie", async () => {
  await using behind = await startOpenVpnOffice("office");
  const folder = join(scratch(), "conf");
  mkdirSync(folder);
  const file = join(folder, "office.ovpn");
  // The key in a file of its own, named as openvpn(8) names it: beside the configuration.
  const [whole, key] = /<key>\n([\s\S]*?)<\/key>\n/.exec(behind.conf)!;
  writeFileSync(join(folder, "client.key"), key!, { mode: 0o600 });
  writeFileSync(file, `verb 3\nunheard-of yes\n${behind.conf.replace(whole, "key client.key\n")}`, { mode: 0o600 });
  const ping = await sealport(["ping", file, "intranet", "--count", "2", "--json"]);
  assert.equal(ping.code, 0, ping.err);
  assert.equal(ping.out.match(/"event":"reply"|"reply"/g)?.length, 2, ping.out);
  assert.match(ping.err + ping.out, /2.*unheard-of is not known/);
  const byCurl = await sealport(["exec", file, "--", "curl", "-sS", "--max-time", "15", intranet]);
  assert.equal(byCurl.out, said, byCurl.err);
  const doctor = await sealport(["doctor", file]);
  assert.equal(doctor.code, 0, doctor.out + doctor.err);
  assert.match(doctor.out, /file: OpenVPN, 1 peers/);
  assert.match(doctor.out, /handshake: [\d.]+ ms/);
  const example = fileURLToPath(new URL("../../examples/tunnel.js", import.meta.url));
  await using shown = new Program("examples/tunnel", process.execPath, [example, file, intranet]);
  await shown.says(said);
  await shown.says(/reachable inside on port 8080; 1 handshake/);
  const input = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
  const stdio = await sealport(["tunnel", file, "-W", "intranet:8080"], { input });
  assert.match(stdio.out, /office saw a from 10\.79\.0\.2$/, stdio.err);
});

test("--tun: a device with the addresses and routes that the server pushed, for the kernel's own programs", async () => {
  using wires = new Namespaces();
  const within = { namespace: wires.b, address: "10.77.0.2" };
  await using server = await OpenVpnServer.start({ within, more: ['push "route 10.80.0.0 255.255.0.0"'] });
  const file = join(scratch(), "device.ovpn");
  writeFileSync(file, server.file().replace("remote 127.0.0.1", "remote 10.77.0.2"), { mode: 0o600 });
  await using tun = wires.run(wires.a, "sealport", process.execPath, program, "tunnel", file, "--tun", "tun0");
  await tun.says(/tun0 is open/);
  for (const address of ["10.79.0.1", "fd79::1"]) {
    await using ping = wires.run(wires.a, "ping", "ping", "-c", "3", "-i", "0.1", "-W", "5", address);
    assert.equal(await ping.ends(), "exited with 0", ping.said);
  }
  assert.match(ip("-n", wires.a, "route"), /10\.80\.0\.0\/16 dev tun0/);
  tun.kill("SIGINT");
  assert.equal(await tun.ends(), "exited with 130", tun.said);
  await server.says(/exit message received/);
});

test("--tun as the default route by TCP: the tunnel's own connections stay outside, the next one too", async () => {
  using wires = new Namespaces();
  // The server is behind the default route, as it is for most.
  ip("-n", wires.a, "route", "add", "default", "via", "10.77.0.2");
  for (const address of ["192.0.2.1/32", "192.0.2.9/32"]) ip("-n", wires.b, "addr", "add", address, "dev", "lo");
  const within = { namespace: wires.b, address: "192.0.2.1" };
  const more = ['push "redirect-gateway def1"', "persist-tun", "persist-key"];
  await using server = await OpenVpnServer.start({ within, transport: "tcp", more });
  const file = join(scratch(), "default.ovpn");
  const text = server.file("connect-retry 1 1").replace("remote 127.0.0.1", "remote 192.0.2.1");
  writeFileSync(file, text, { mode: 0o600 });
  const rules = ip("-n", wires.a, "rule");
  await using tun = wires.run(wires.a, "sealport", process.execPath, program, "tunnel", file, "--tun", "tun0");
  await tun.says(/tun0 is open/);
  const reaches = async () => {
    await using ping = wires.run(wires.a, "ping", "ping", "-c", "1", "-W", "30", "192.0.2.9");
    assert.equal(await ping.ends(), "exited with 0", ping.said);
  };
  assert.match(ip("-n", wires.a, "route", "get", "192.0.2.9"), /dev tun0/);
  await reaches();
  const before = [server.said.length, tun.said.length] as const;
  server.signal("SIGUSR1");
  await server.says(/Initialization Sequence Completed/, before[0]);
  await tun.says(/handshake done with/, before[1]);
  await reaches();
  tun.kill("SIGINT");
  assert.equal(await tun.ends(), "exited with 130", tun.said);
  assert.equal(ip("-n", wires.a, "rule"), rules);
});

for (const transport of ["udp", "tcp"] as const) {
  test(`${megabytes} MB go each way over ${transport}, intact, while keys are renewed by bytes`, async () => {
    await using server = await OpenVpnServer.start({ transport, more: ["topology subnet"] });
    const told: TunnelNotice[] = [];
    const office = await openOpenVpn(host, server.file("reneg-bytes 30000000"), { on: (notice) => told.push(notice) });
    const chunk = host.entropy.fill(new Uint8Array(31));
    const megabyte = new Uint8Array(1_000_000).map((_, i) => chunk[i % 31]! ^ (i >> 5));
    await using sink = server.inside(
      "sink",
      "sh",
      "-c",
      "socat -u -b 262144 TCP-LISTEN:7001,reuseaddr STDOUT | sha256sum",
    );
    const made = `head -c ${megabytes * 1_000_000} /dev/zero | ${keystream} | socat -u STDIN TCP6-LISTEN:7002,reuseaddr,ipv6only=0`;
    await using source = server.inside("source", "sh", "-c", made);
    await listening(server.namespace, 7001);
    await listening(server.namespace, 7002);
    const up = stream(office.network, { address: "10.79.0.1", port: 7001 });
    const digest = await up.send(megabyte, megabytes, async (sent) => {
      // A change of network in the middle: the server follows by the peer ID.
      if (transport === "udp" && sent === megabytes / 2) await office.rebind();
    });
    assert.equal((await sink.says(/([0-9a-f]{64})/))[1], digest);
    await up.closed;
    const down = stream(office.network, { address: "fd79::1", port: 7002 });
    down.port.finish();
    await down.closed;
    assert.equal(down.heard.size, megabytes * 1_000_000);
    assert.equal(down.heard.digest, keystreamDigest());
    assert.equal(await source.ends(), "exited with 0");
    // How often depends on how long a handshake takes beside so much traffic: one that began is done in the end.
    await until(() => told.filter(({ kind }) => kind === "session").length >= 2);
    if (transport === "udp") assert.match(server.said, /peer 0 \(.*\) floated|floated from/);
    assert.deepEqual([office.status().drops["bad-tag"], office.status().drops["replayed"]], [0, 0]);
    office.close();
  });
}

async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!holds()) {
    assert.ok(Date.now() < end, "it never came");
    await new Promise((again) => setTimeout(again, 20));
  }
}
