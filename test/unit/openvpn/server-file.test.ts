import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, formatPrefix } from "../../../src/bytes/index.js";
import { parseOvpnServer } from "../../../src/protocols/openvpn/config/server-file.js";

const base = "server 10.8.0.0 255.255.255.0\n<ca>\nA\n</ca>\n<cert>\nC\n</cert>\n<key>\nK\n</key>\n";

test("a server's file says where it listens, what clients get and whom it lets in", () => {
  const file = parseOvpnServer(`${base}
    server-ipv6 fd08::/64
    local 192.0.2.1
    port 1195
    proto tcp-server
    keepalive 5 30
    topology subnet
    ifconfig-pool 10.8.0.10 10.8.0.20
    push "route 10.9.0.0 255.255.0.0"
    push "dhcp-option DNS 10.8.0.1"
    route 10.81.0.0 255.255.0.0
    client-to-client
    max-clients 7
    verify-client-cert optional
    remote-cert-tls client
    reneg-sec 60
    tun-mtu 1400
    unheard-of 1\n`);
  assert.deepEqual([file.localAddress, file.port, file.transport], ["192.0.2.1", 1195, "tcp"]);
  assert.deepEqual(file.addresses.map(formatPrefix), ["10.8.0.1/24", "fd08::1/64"]);
  assert.deepEqual(file.pool?.map(formatAddress), ["10.8.0.10", "10.8.0.20"]);
  assert.deepEqual(file.push, ["route 10.9.0.0 255.255.0.0", "dhcp-option DNS 10.8.0.1"]);
  assert.deepEqual(file.routes.map(formatPrefix), ["10.81.0.0/16"]);
  assert.deepEqual([file.pingMs, file.pingRestartMs, file.mtu], [5_000, 30_000, 1_400]);
  assert.deepEqual([file.clientToClient, file.duplicateNames, file.clientsMax], [true, false, 7]);
  assert.deepEqual([file.clientCertificate, file.checksClientRole], ["request", true]);
  assert.equal(file.renewal.afterMs, 60_000);
  assert.deepEqual(
    file.warnings.map(({ message }) => message),
    ["unheard-of is not known and was passed over"],
  );
});

test("mode server with ifconfig is the long way to say server", () => {
  const text = base.replace(
    "server 10.8.0.0 255.255.255.0",
    "mode server\ntls-server\nifconfig 10.8.0.5 255.255.255.0",
  );
  assert.deepEqual(parseOvpnServer(text).addresses.map(formatPrefix), ["10.8.0.5/24"]);
});

test("what is said of a client is read by its name, which leads nowhere else", () => {
  const asked: string[] = [];
  const file = parseOvpnServer(`${base}client-config-dir ccd\n`, (name) => {
    asked.push(name);
    return name === "ccd/ada"
      ? "ifconfig-push 10.8.0.7 255.255.255.0\niroute 10.9.1.0 255.255.255.0\npush-reset\n"
      : undefined;
  });
  const ada = file.configurationOf("ada")!;
  assert.deepEqual(ada.addresses.map(formatPrefix), ["10.8.0.7/24"]);
  assert.deepEqual(ada.routes.map(formatPrefix), ["10.9.1.0/24"]);
  assert.deepEqual([ada.isReset, ada.isDisabled], [true, false]);
  for (const name of ["../../etc/passwd", ".hidden", "a/b", "", "a\0b", "x".repeat(300), "eve"]) {
    assert.equal(file.configurationOf(name), undefined);
  }
  assert.deepEqual(asked, ["ccd/ada", "ccd/eve"]);
});

const refusals: readonly (readonly [line: string, reason: string, message: RegExp])[] = [
  ["server 10.8.0.0", "bad-configuration", /netmask/],
  ["server 10.8.0.0 255.255.255.254", "bad-configuration", /room for clients/],
  ["server-ipv6 10.8.0.0/24", "bad-configuration", /IPv6/],
  ["proto sctp", "bad-configuration", /none of udp/],
  ["port 70000", "bad-configuration", /no port/],
  ["push", "bad-configuration", /quotes/],
  ['push "route 10.0.0.0,cipher none"', "bad-configuration", /cannot be pushed/],
  ['push "comp-lzo yes"', "not-supported", /VORACLE/],
  ["comp-lzo no", "not-supported", /VORACLE/],
  ["compress lz4", "bad-configuration", /VORACLE/],
  ["up /bin/true", "not-supported", /would run a command/],
  ["auth-user-pass-verify /bin/true via-file", "not-supported", /would run a command/],
  ["client", "bad-configuration", /both/],
  ["remote example.net", "not-supported", /no remote/],
  ["mode p2p", "not-supported", /p2p/],
  ["dev tap0", "not-supported", /tap/],
  ["secret static.key", "not-supported", /forward secrecy/],
  ["max-clients 100000", "bad-configuration", /number/],
  ["verify-client-cert maybe", "bad-configuration", /optional/],
  ["ifconfig-pool 10.8.0.1 x", "bad-configuration", /two IPv4/],
];

test("what cannot be is refused with its line", () => {
  const line = base.split("\n").length;
  for (const [text, reason, message] of refusals) {
    assert.throws(
      () => parseOvpnServer(`${base}${text}\n`),
      { reason, message, fault: "misuse", at: atOf(text, line) },
      text,
    );
  }
  for (const name of ["cert", "ca"]) {
    const without = base.replace(new RegExp(`<${name}>[^]*</${name}>\\n`), "");
    assert.throws(() => parseOvpnServer(without), { reason: "bad-configuration" });
  }
  assert.throws(() => parseOvpnServer(base.replace(/^server.*\n/, "")), { reason: "not-supported" });
});

/** Compression is found out at the end of the file, everything else on its line. */
const atOf = (text: string, line: number): string => (text === "comp-lzo no" ? "comp-lzo" : `line ${line}`);
