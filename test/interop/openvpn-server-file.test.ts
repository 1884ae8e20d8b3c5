import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { nodeHost } from "../../src/hosts/node/index.js";
import { tunnel } from "../../src/index.js";
import { parseCertificate, readPrivateKey, writePem } from "../../src/pki/index.js";
import { makeRevocationList } from "../../src/pki/make/index.js";
import { program } from "../cli/sealport.js";
import { freePort } from "../support/free-port.js";
import { authority, der, identity, scratch } from "./peers/certificates.js";
import { Namespaces } from "./peers/namespaces.js";
import { OpenVpnClientPeer, openvpn } from "./peers/openvpn.js";
import { Program } from "./peers/program.js";

const host = nodeHost();

/** A server's file in a folder of its own, with what else is to lie there. */
function serverFile(lines: readonly string[], beside: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(scratch(), "server-"));
  for (const [name, text] of Object.entries(beside)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const { certificate, key } = identity("p256");
  const usual = [
    "server 10.79.0.0 255.255.255.0",
    "server-ipv6 fd79::/64",
    "topology subnet",
    "dev tun",
    "dh none",
    `ca ${authority()}`,
    `cert ${certificate}`,
    `key ${key}`,
    "keepalive 10 60",
  ];
  const file = join(folder, "server.conf");
  writeFileSync(file, `${[...usual, ...lines].join("\n")}\n`, { mode: 0o600 });
  return file;
}

const shown = (name: "p256" | "ed25519"): readonly string[] => {
  const { certificate, key } = identity(name);
  return [`cert ${certificate}`, `key ${key}`];
};

/** The authority's word that a certificate of its is good no more. */
function revoked(name: "p384"): string {
  const certificate = parseCertificate(der(authority())[0]!);
  const key = readPrivateKey(readFileSync(authority().replace(/crt$/, "key"), "utf8"), { provider: host.crypto });
  const leaf = parseCertificate(der(identity(name).certificate)[0]!);
  assert.ok("spki" in certificate && "spki" in leaf && "expose" in key);
  const privateKey = host.crypto.privateKey(key.expose())!;
  const list = makeRevocationList({
    issuer: { certificate, privateKey },
    thisUpdate: host.now() - 60_000,
    nextUpdate: host.now() + 3_600_000,
    revoked: [{ serial: leaf.serial, at: host.now() - 60_000 }],
  });
  return writePem("X509 CRL", list);
}

test("a server's file on the command line: pools, what is pushed, what is said of single clients, who stays out", async () => {
  const folder = mkdtempSync(join(scratch(), "keys-"));
  const [own, client] = [join(folder, "v2.key"), join(folder, "v2-client.key")];
  openvpn("--genkey", "tls-crypt-v2-server", own);
  openvpn("--tls-crypt-v2", own, "--genkey", "tls-crypt-v2-client", client);
  const port = await freePort();
  const file = serverFile(
    [
      "local 127.0.0.1",
      `port ${port}`,
      "proto udp",
      `tls-crypt-v2 ${own}`,
      "ifconfig-pool 10.79.0.100 10.79.0.200",
      'push "route 10.80.0.0 255.255.0.0"',
      "client-config-dir clients",
      "crl-verify revoked.pem",
      "unheard-of yes",
    ],
    {
      "clients/client.sealport.test": 'ifconfig-push 10.79.0.7 255.255.255.0\npush "dhcp-option DNS 10.79.0.1"\n',
      "clients/ed25519.sealport.test": "disable\n",
      "revoked.pem": revoked("p384"),
    },
  );
  const arguments_ = [program, "tunnel", file, "--json"];
  await using server = new Program("sealport tunnel", process.execPath, arguments_);
  await server.says(/"event":"open"/);
  assert.match(server.said, /unheard-of is not known/);
  const wrapped = `tls-crypt-v2 ${client}`;
  await using first = await OpenVpnClientPeer.start(port, [wrapped]);
  assert.match(
    first.said,
    /PUSH: Received control message:.*route 10\.80\.0\.0 255\.255\.0\.0,dhcp-option DNS 10\.79\.0\.1/,
  );
  assert.match(first.said, /ifconfig 10\.79\.0\.7 255\.255\.255\.0/);
  await using second = await OpenVpnClientPeer.start(port, [wrapped, ...shown("p256")]);
  assert.match(second.said, /ifconfig 10\.79\.0\.100 255\.255\.255\.0/);
  assert.doesNotMatch(second.said, /dhcp-option DNS/);
  for (const each of [first, second]) {
    for (const address of ["10.79.0.1", "fd79::1"]) {
      await using ping = each.inside("ping", "ping", "-c", "1", "-W", "30", address);
      assert.equal(await ping.ends(), "exited with 0", ping.said);
    }
  }
  await using disabled = new OpenVpnClientPeer(port, [wrapped, ...shown("ed25519")]);
  await disabled.says(/AUTH: Received control message: AUTH_FAILED/);
  const { certificate, key } = identity("p384");
  await using refused = new OpenVpnClientPeer(port, [wrapped, `cert ${certificate}`, `key ${key}`]);
  await refused.says(/certificate revoked|TLS Error: TLS handshake failed|alert/);
  assert.doesNotMatch(refused.said, /Initialization Sequence Completed/);
  await server.says(/client\.sealport\.test joined: 10\.79\.0\.7/);
  // One key is one client: it comes anew, to its own address, and the one before has to go.
  await using again = await OpenVpnClientPeer.start(port, [wrapped]);
  assert.match(again.said, /ifconfig 10\.79\.0\.7 255\.255\.255\.0/);
  await first.says(/HALT|SIGTERM\[soft/);
  await server.says(/client\.sealport\.test left: 10\.79\.0\.7/);
  server.kill("SIGINT");
  await server.ends();
  const [, status] =
    server.said.match(/^(\{.*"event":"status".*\})$/m) ?? server.said.match(/^(\{"event":"status".*)$/m)!;
  const { peers, isUp } = JSON.parse(status!) as {
    isUp: boolean;
    peers: { handshakes: number; bytesReceived: number }[];
  };
  assert.ok(isUp);
  assert.equal(peers.length, 2);
  assert.ok(peers.every(({ handshakes }) => handshakes === 1));
  // They are told to come again.
  await second.says(/SIGUSR1\[soft,server-pushed-connection-reset\]/);
});

test("a user's password is the application's to judge", async () => {
  const file = serverFile(["local 127.0.0.1", "port 0", "proto tcp-server", "verify-client-cert none"]);
  await assert.rejects(tunnel(file), { reason: "bad-configuration" });
  const asked: string[] = [];
  await using server = await tunnel(file, {
    acceptUser: (user, password) => {
      asked.push(user);
      return new TextDecoder().decode(password.expose()) === "correct horse";
    },
  });
  const login = (text: string): readonly string[] => {
    const path = join(mkdtempSync(join(scratch(), "login-")), "login");
    writeFileSync(path, text, { mode: 0o600 });
    return ["auth-user-pass", `auth-user-pass ${path}`];
  };
  const { port } = server.local;
  await using ada = await OpenVpnClientPeer.start(port, login("ada\ncorrect horse\n"), "tcp");
  await using wrong = new OpenVpnClientPeer(port, login("eve\nwrong\n"), "tcp");
  await wrong.says(/AUTH: Received control message: AUTH_FAILED/);
  assert.deepEqual(asked.slice(0, 2), ["ada", "eve"]);
  assert.equal(server.status().peers.length, 1);
  await using ping = ada.inside("ping", "ping", "-c", "1", "-W", "30", "10.79.0.1");
  assert.equal(await ping.ends(), "exited with 0", ping.said);
});

test("listen openvpn: prints a client's file, which openvpn and a tunnel of ours open", async () => {
  for (const scheme of ["openvpn", "openvpn+tcp"]) {
    const arguments_ = [program, "listen", `${scheme}://127.0.0.1:0`, "--echo"];
    await using server = new Program("sealport listen", process.execPath, arguments_);
    const [, text] = await server.says(/(client\n[\s\S]*<\/tls-crypt>\n)/);
    const [, address] = await server.says(/inside as (10\.\d+\.\d+\.1)/);
    const file = join(scratch(), "client.ovpn");
    writeFileSync(file, text!, { mode: 0o600 });
    await using theirs = new Program("openvpn", "openvpn", [
      "--config",
      file,
      "--dev",
      "null",
      "--route-noexec",
      "--ifconfig-noexec",
    ]);
    await theirs.says(/Initialization Sequence Completed/);
    await using opened = await tunnel(file);
    assert.ok((await opened.ping(address!, { timeoutMs: 30_000 })) > 0);
    const socket = opened.connect({ host: address!, port: 7 });
    socket.end("echoed");
    let said = "";
    for await (const chunk of socket) said += chunk;
    assert.equal(said, "echoed");
  }
});

test("--tun: a server whose inside is a device, with the kernel's own programs behind it", async () => {
  using wires = new Namespaces();
  const file = serverFile(["local 10.77.0.1", "port 1194", "client-to-client", "route 10.81.0.0 255.255.0.0"]);
  await using server = wires.run(wires.a, "sealport", process.execPath, program, "tunnel", file, "--tun", "tun0");
  await server.says(/tun0 is open/);
  const { certificate, key } = identity("client");
  const client = serverFile([]).replace("server.conf", "client.conf");
  const lines = ["client", "dev tun1", "dev-type tun", "remote 10.77.0.1 1194", "nobind", "remote-cert-tls server"];
  const all = [...lines, `ca ${authority()}`, `cert ${certificate}`, `key ${key}`, "verb 3"];
  writeFileSync(client, `${all.join("\n")}\n`, { mode: 0o600 });
  await using theirs = wires.run(wires.b, "openvpn", "openvpn", "--config", client);
  await theirs.says(/Initialization Sequence Completed/);
  for (const address of ["10.79.0.1", "fd79::1"]) {
    await using ping = wires.run(wires.b, "ping", "ping", "-c", "3", "-i", "0.1", "-W", "30", address);
    assert.equal(await ping.ends(), "exited with 0", ping.said);
  }
  await using back = wires.run(wires.a, "ping", "ping", "-c", "1", "-W", "30", "10.79.0.2");
  assert.equal(await back.ends(), "exited with 0", back.said);
  server.kill("SIGINT");
  assert.equal(await server.ends(), "exited with 130", server.said);
});
