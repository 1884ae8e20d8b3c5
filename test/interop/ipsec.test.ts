import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nodeHost } from "../../src/hosts/node/index.js";
import { tunnel } from "../../src/index.js";
import type { TunnelNotice } from "../../src/tunnels/index.js";
import { type IpsecTunnel, openIpsec } from "../../src/tunnels/ipsec.js";
import { program, sealport } from "../cli/sealport.js";
import { authority, identity, scratch } from "./peers/certificates.js";
import { Namespace } from "./peers/namespaces.js";
import { Program } from "./peers/program.js";
import { StrongSwan } from "./peers/strongswan.js";
import { stream } from "./wireguard-ends.js";

const host = nodeHost();

const gateway = (more: { local?: string; remote?: string; child?: string; connection?: string } = {}): string => `
connections {
  office {
    version = 2
    local_addrs = LOCAL
    encap = yes
    proposals = aes128gcm16-prfsha256-x25519,aes256-sha256-x25519
    pools = inside
    ${more.connection ?? ""}
    local { ${more.local ?? "auth = psk"}
      id = server.taps.test }
    remote { ${more.remote ?? "auth = psk"}
      id = %any }
    children { lan { local_ts = 10.2.0.0/24
      remote_ts = dynamic
      ${more.child ?? "esp_proposals = aes128gcm16-x25519,aes256-sha256-x25519,chacha20poly1305-x25519"} } }
  }
}
secrets { ike { secret = "test-psk-not-secret" } }
pools { inside { addrs = 10.3.0.0/28
  dns = 10.2.0.1 } }
`;

/** What an administrator would hand out. */
const client = (
  address: string,
  { esp = "aes128gcm16-x25519", local = "auth = psk", remote = "auth = psk", more = "" } = {},
): string => `
connections {
  office {
    version = 2
    remote_addrs = ${address}
    proposals = aes128gcm16-prfsha256-x25519
    vips = 0.0.0.0
    ${more}
    local { ${local}
      id = client.taps.test }
    remote { ${remote}
      id = server.taps.test }
    children { lan { remote_ts = 10.2.0.0/24
      esp_proposals = ${esp} } }
  }
}
secrets { ike-office { id-1 = client.taps.test
  secret = "test-psk-not-secret" } }
`;

interface Ours extends AsyncDisposable {
  readonly tunnel: IpsecTunnel;
  readonly notices: TunnelNotice[];
}

async function open(text: string, options: Parameters<typeof openIpsec>[2] = {}): Promise<Ours> {
  const notices: TunnelNotice[] = [];
  const tunnel = await openIpsec(host, text, { ...options, on: (notice) => notices.push(notice) });
  return { tunnel, notices, [Symbol.asyncDispose]: async () => tunnel.close() };
}

const inside = (peer: StrongSwan, name: string, ...args: readonly string[]): Program =>
  new Program(name, "ip", ["netns", "exec", peer.namespace, ...args]);

const size = 10 << 20;

/** Ten megabytes to the gateway and as many back, by their hashes. */
async function transfer(peer: StrongSwan, tunnel: IpsecTunnel, midway?: () => Promise<void>): Promise<void> {
  await using sink = inside(
    peer,
    "sink",
    "sh",
    "-c",
    "socat -u TCP-LISTEN:7001,reuseaddr,bind=10.2.0.1 STDOUT | sha256sum",
  );
  await listens(peer, 7001);
  const up = stream(tunnel.network, { address: "10.2.0.1", port: 7001 });
  const digest = await up.send(host.entropy.fill(new Uint8Array(1 << 16)), size >> 16, async (sent) => {
    if (sent === size >> 17) await midway?.();
  });
  await up.closed;
  await sink.ends();
  assert.equal(sink.said.match(/[0-9a-f]{64}/)?.[0], digest);
  const file = join(scratch(), "give");
  writeFileSync(file, host.entropy.fill(new Uint8Array(size)));
  await using source = inside(
    peer,
    "source",
    "sh",
    "-c",
    `sha256sum ${file}; exec socat -u OPEN:${file} TCP-LISTEN:7002,reuseaddr,bind=10.2.0.1`,
  );
  await listens(peer, 7002);
  const down = stream(tunnel.network, { address: "10.2.0.1", port: 7002 });
  down.port.finish();
  await down.closed;
  assert.equal(down.heard.size, size);
  assert.equal(down.heard.digest, source.said.match(/[0-9a-f]{64}/)?.[0]);
}

async function listens(peer: StrongSwan, port: number): Promise<void> {
  const look = `until ss -ltnH 'sport = :${port}' | grep -q .; do sleep 0.05; done; echo up`;
  await using probe = inside(peer, "ss", "sh", "-c", look);
  await probe.says(/up/);
}

for (const esp of ["aes128gcm16-x25519", "aes256-sha256-x25519", "chacha20poly1305-x25519"]) {
  test(`strongSwan's file opens a tunnel to strongSwan with ${esp}: an address, a name server, echoes, 10 MB each way`, async () => {
    await using peer = await StrongSwan.start({ conf: gateway() });
    await using ours = await open(client(peer.address, { esp }));
    const { tunnel } = ours;
    assert.deepEqual(tunnel.inside().dns, ["10.2.0.1"]);
    assert.equal(tunnel.network.interfaces()[0]!.addresses[0]!.address, "10.3.0.1");
    assert.ok((await tunnel.ping("10.2.0.1", { timeoutMs: 10_000 })) > 0);
    await using ping = inside(peer, "ping", "ping", "-c", "2", "-i", "0.2", "-W", "5", "-I", "10.2.0.1", "10.3.0.1");
    assert.equal(await ping.ends(), "exited with 0", ping.said);
    await transfer(peer, tunnel);
    assert.ok(tunnel.status().isUp);
    assert.ok(tunnel.status().peers[0]!.bytesReceived > size);
    assert.equal(tunnel.status().drops["bad-tag"], 0);
  });
}

test("with certificates by path on both sides", async () => {
  const remote = "auth = pubkey";
  await using peer = await StrongSwan.start({
    conf: gateway({ local: "auth = pubkey\n certs = p256.crt", remote }).replace("server.taps.test", "localhost"),
    identities: ["p256"],
  });
  const read = (name: string): string | undefined => {
    const files: Readonly<Record<string, string>> = {
      "x509ca/ca.crt": authority(),
      "x509/client.crt": identity("client").certificate,
      "private/client.key": identity("client").key,
    };
    return files[name] === undefined ? undefined : readFileSync(files[name], "utf8");
  };
  const text = client(peer.address, {
    local: "auth = pubkey\n certs = client.crt",
    remote: "auth = pubkey\n cacerts = ca.crt",
  })
    .replace("id = client.taps.test }", "}")
    .replace("server.taps.test", "localhost");
  await using ours = await open(text, { read });
  assert.ok((await ours.tunnel.ping("10.2.0.1", { timeoutMs: 10_000 })) > 0);
  assert.equal(ours.tunnel.publicKey.length, 32);
  assert.equal(ours.tunnel.status().peers[0]!.publicKey.length, 32);
});

test("new keys under traffic, of packets and of IKE, asked for by either side: nothing is lost or refused", async () => {
  await using peer = await StrongSwan.start({ conf: gateway() });
  await using ours = await open(client(peer.address));
  const { tunnel } = ours;
  const renewals: readonly (() => unknown)[] = [
    () => tunnel.handshake(),
    () => peer.swanctl("--rekey", "--child", "lan"),
    () => tunnel.rekey(),
    () => peer.swanctl("--rekey", "--ike", "office"),
    () => tunnel.handshake(),
  ];
  const spiOf = (): number | undefined => tunnel.pairs().findLast(({ sends }) => sends)?.spiIn;
  for (const [i, renew] of renewals.entries()) {
    const before = spiOf();
    await transfer(peer, tunnel, async () => {
      await renew();
      if (i === 2 || i === 3) return;
      await until(() => spiOf() !== before);
    });
  }
  assert.equal(ours.notices.filter(({ kind }) => kind === "session").length, 4);
  for (const reason of ["bad-tag", "unknown-spi", "selector-mismatch", "replayed"]) {
    assert.equal(tunnel.status().drops[reason], 0, reason);
  }
  assert.match(peer.said, /IKE_SA office\[\d+\] rekeyed between/);
});

test("MOBIKE: the gateway follows us to another port with a transfer under way", async () => {
  await using peer = await StrongSwan.start({ conf: gateway() });
  await using ours = await open(client(peer.address));
  const { tunnel } = ours;
  await tunnel.ping("10.2.0.1", { timeoutMs: 10_000 });
  await transfer(peer, tunnel, async () => {
    const { port } = await tunnel.rebind();
    await until(() => peer.swanctl("--list-sas", "--raw").includes(`remote-port=${port}`));
  });
  assert.ok(tunnel.status().isUp);
});

test("a gateway that closes and comes back is connected to again", async () => {
  await using peer = await StrongSwan.start({ conf: gateway() });
  await using ours = await open(client(peer.address));
  const { tunnel, notices } = ours;
  await tunnel.ping("10.2.0.1", { timeoutMs: 10_000 });
  await using ending = peer.asks("--terminate", "--ike", "office");
  assert.equal(await ending.ends(), "exited with 0", ending.said);
  await until(() => notices.some(({ kind }) => kind === "retrying"));
  await until(() => tunnel.status().isUp);
  assert.ok((await tunnel.ping("10.2.0.1", { timeoutMs: 10_000 })) > 0);
});

for (const [what, text, reason] of [
  [
    "the wrong secret",
    (address: string) => client(address).replace("test-psk-not-secret", "another"),
    "authentication-refused",
  ],
  ["no proposal in common", (address: string) => client(address, { esp: "aes192gcm16" }), "no-proposal-chosen"],
] as const) {
  test(`with ${what} the tunnel does not open, and says why`, async () => {
    await using peer = await StrongSwan.start({ conf: gateway() });
    await assert.rejects(open(text(peer.address)), { reason });
  });
}

test("tunnel() and the command line take the file: fetch inside, a server of ours there, ping", async () => {
  await using peer = await StrongSwan.start({ conf: gateway() });
  const path = join(scratch(), "office.swanctl.conf");
  writeFileSync(path, client(peer.address), { mode: 0o600 });
  await using office = await tunnel(path);
  assert.equal(office.name, "ipsec:office");
  assert.equal(office.protocol, "IPsec");
  const serve = 'require("http").createServer((_, r) => r.end("hello")).listen(8080, "10.2.0.1")';
  await using _ = inside(peer, "web", process.execPath, "-e", serve);
  await listens(peer, 8080);
  assert.equal(await (await office.fetch("http://10.2.0.1:8080/")).text(), "hello");
  await office.listen(8088, (socket) => void socket.resume().end(`served to ${socket.remoteAddress}`));
  const own = office.status().addresses[0]!;
  await using back = inside(peer, "nc", "socat", "-u", `TCP:${own}:8088,bind=10.2.0.1`, "STDOUT");
  assert.equal(await back.ends(), "exited with 0", back.said);
  assert.equal(back.said, "served to 10.2.0.1");
  const ping = await sealport(["ping", path, "10.2.0.1", "--count", "2", "--json"]);
  assert.equal(ping.code, 0, ping.err);
  assert.equal(ping.out.match(/"reply"/g)?.length, 2, ping.out);
  const doctor = await sealport(["doctor", path]);
  assert.match(doctor.out, /file: IPsec, 1 peers/);
});

test("as a device, every program of this host goes through it", async () => {
  // A namespace of its own, for the route to the gateway's network is everybody's.
  using home = new Namespace();
  await using peer = await StrongSwan.start({ conf: gateway(), within: home.name });
  const path = join(scratch(), "office.swanctl.conf");
  writeFileSync(path, client(peer.address), { mode: 0o600 });
  await using ours = home.run("sealport", process.execPath, program, "tunnel", path, "--tun", "tun0");
  await ours.says(/tun0 is open/);
  await using ping = home.run("ping", "ping", "-c", "2", "-i", "0.2", "-W", "5", "10.2.0.1");
  assert.equal(await ping.ends(), "exited with 0", ping.said);
  ours.kill("SIGINT");
  assert.equal(await ours.ends(), "exited with 130");
});

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !holds(); ) {
    if (Date.now() > end) assert.fail(`never: ${holds}`);
    await new Promise((again) => setTimeout(again, 20));
  }
}
