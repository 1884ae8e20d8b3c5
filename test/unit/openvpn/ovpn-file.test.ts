import assert from "node:assert/strict";
import { test } from "node:test";
import { looksLikeOvpn } from "../../../src/adapters/tunnel/source.js";
import { toHex } from "../../../src/bytes/index.js";
import { insideOf } from "../../../src/protocols/openvpn/config/inside.js";
import { parseOvpn } from "../../../src/protocols/openvpn/config/ovpn.js";
import { PushReply } from "../../../src/protocols/openvpn/config/push.js";
import { wordsOf } from "../../../src/protocols/openvpn/config/words.js";

const ca = "<ca>\n-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n</ca>\n";
const base = `client\ndev tun\nremote vpn.example 1194\n${ca}`;
const hex = "0f".repeat(256);
const staticKey = `#\n# 2048 bit OpenVPN static key\n#\n-----BEGIN OpenVPN Static key V1-----\n${hex.replace(/.{32}/g, "$&\n")}-----END OpenVPN Static key V1-----\n`;

test("words are split as openvpn splits them", () => {
  const cases: Record<string, string[] | undefined> = {
    "remote  vpn.example 1194 # the office": ["remote", "vpn.example", "1194"],
    ";commented out": [],
    'verify-x509-name "C=DE, CN=a b"': ["verify-x509-name", "C=DE, CN=a b"],
    "setenv UV_A 'it''s'": ["setenv", "UV_A", "its"],
    "a\\ b c": ["a b", "c"],
    '""': [""],
    "open 'quote": undefined,
    "with#inside": ["with#inside"],
  };
  for (const [line, words] of Object.entries(cases)) assert.deepEqual(wordsOf(line), words, line);
});

test("a file as providers send it is understood", () => {
  const file = parseOvpn(`${base}
proto udp4
port 443
remote backup.example 8443 tcp
remote-random
<connection>
remote third.example
proto tcp6
port 992
</connection>
nobind
persist-key
auth SHA512
cipher AES-256-CBC
data-ciphers AES-128-GCM:?NOBODY:CHACHA20-POLY1305
tls-version-min 1.2
remote-cert-tls server
verify-x509-name vpn.example name
key-direction 1
<tls-auth>
${staticKey}</tls-auth>
auth-user-pass
reneg-sec 600
hand-window 30
keepalive 10 60
tun-mtu 1400
route 10.1.0.0 255.255.0.0
route-ipv6 fd00::/48
dhcp-option DNS 10.1.0.53
dhcp-option DOMAIN office.example
redirect-gateway def1 ipv6
pull-filter ignore "dhcp-option DNS"
setenv UV_ROLE laptop
ignore-unknown-option future-thing
future-thing 1
other-thing 2
`);
  assert.deepEqual(file.remotes, [
    { host: "vpn.example", port: 1194, transport: "udp", family: 4 },
    { host: "backup.example", port: 8443, transport: "tcp", family: undefined },
    { host: "third.example", port: 992, transport: "tcp", family: 6 },
  ]);
  assert.ok(file.remoteRandom && file.checksServerRole);
  assert.equal(file.auth, "SHA-512");
  assert.deepEqual(file.dataCiphers, ["AES-128-GCM", "CHACHA20-POLY1305"]);
  assert.equal(file.fallbackCipher, "AES-256-CBC");
  assert.ok(file.control.kind === "tls-auth" && file.control.direction === 1 && file.control.hash === "SHA-512");
  assert.equal(toHex(file.control.key.expose()), hex);
  assert.equal(file.credentials, "ask");
  assert.deepEqual(file.peerInfo, ["UV_ROLE=laptop"]);
  assert.deepEqual([file.renewAfterMs, file.handshakeWindowMs], [600_000, 30_000]);
  const { inside } = file;
  assert.deepEqual([inside.pingMs, inside.pingRestartMs, inside.mtu], [10_000, 60_000, 1_400]);
  assert.ok(inside.redirect4 && inside.redirect6);
  assert.equal(inside.routes.length, 2);
  assert.deepEqual(inside.searchDomains, ["office.example"]);
  const [warning, ...more] = file.warnings;
  assert.deepEqual(more, []);
  assert.match(warning!.message, /other-thing is not known/);
});

test("what must not be is refused with its line, and says what to do", () => {
  const cases: readonly (readonly [string, RegExp, string?])[] = [
    ["up /etc/openvpn/up.sh", /line 9: up would run a command/, "not-supported"],
    ["plugin x.so", /line 9: plugin would load code/, "not-supported"],
    ["dev tap", /line 9: dev tap carries Ethernet/, "not-supported"],
    ["secret static.key", /line 9: static keys without TLS/, "not-supported"],
    ["comp-lzo", /line 9: nothing is compressed/],
    ["comp-lzo yes", /line 9: nothing is compressed/],
    ["compress lz4", /line 9: nothing is compressed/],
    ["fragment 1300", /line 9: fragment/, "not-supported"],
    ["auth MD4", /line 9: auth MD4/, "not-supported"],
    ["remote-cert-tls client", /line 9: remote-cert-tls/],
    ["proto sctp", /line 9: proto sctp/],
    ["remote a 70000", /line 9: 70000 is no port/],
    ["tls-version-min 1.4", /line 9/],
    ["peer-fingerprint 00:11", /line 9: peer-fingerprint wants SHA-256/],
    ["verify-x509-name a b", /line 9/],
    ["<tls-crypt>\nnothing\n</tls-crypt>", /line 9: tls-crypt: this is no OpenVPN static key/],
    ["<tls-crypt>", /line 9: <tls-crypt> is not closed/],
    ["<connection>\nproto udp\n</connection>", /line 9: this <connection> has no remote/],
    ["cert client.crt", /line 9: cert: client.crt cannot be read/],
    ["tls-server", /line 9: the file is a server's/, "not-supported"],
    ['setenv UV_A "x', /line 9: a quote is not closed/],
  ];
  for (const [line, message, reason = "bad-configuration"] of cases) {
    assert.throws(() => parseOvpn(`${base}${line}\n`), { message, reason, fault: "misuse" }, line);
  }
  assert.throws(() => parseOvpn(`dev tun\nremote a\n${ca}`), { reason: "not-supported" });
  assert.throws(() => parseOvpn(`tls-client\nremote a\n${ca}`), { reason: "not-supported" });
  assert.throws(() => parseOvpn(`client\n${ca}`), { message: /no remote/ });
  assert.throws(() => parseOvpn("client\nremote a\n"), { message: /neither ca nor peer-fingerprint/ });
});

test("a secret in a file never stands in what is said of it", () => {
  const secret = "correct horse battery staple";
  const text = `${base}<auth-user-pass>\nada\n${secret}\n</auth-user-pass>\n<key>\n${secret}\n</key>\n`;
  assert.ok(!JSON.stringify(parseOvpn(text)).includes(secret));
});

test("which files are OpenVPN's is told by what stands in them", () => {
  assert.ok(looksLikeOvpn(base));
  assert.ok(looksLikeOvpn("# comment\nremote a 1194\n"));
  assert.ok(!looksLikeOvpn("[Interface]\nPrivateKey = x\n[Peer]\nEndpoint = remote:1\n"));
  assert.ok(!looksLikeOvpn("nothing of the kind"));
});

const pushed = (...messages: string[]) => {
  const reply = new PushReply();
  for (const message of messages.slice(0, -1)) assert.equal(reply.add(message), false);
  assert.equal(reply.add(messages.at(-1)!), true);
  return reply;
};

test("a PUSH_REPLY in parts becomes one inside, on top of the file's", () => {
  const { inside, pullFilters } = parseOvpn(`${base}pull-filter ignore "route 10.2."\nping 30\n`);
  const reply = pushed(
    "PUSH_REPLY,route-gateway 10.79.0.1,topology subnet,ping 2,ping-restart 10,push-continuation 2",
    "PUSH_REPLY,ifconfig 10.79.0.2 255.255.255.0,ifconfig-ipv6 fd79::1000/64 fd79::1,route 10.2.0.0 255.255.0.0,route 10.3.0.0 255.255.0.0,push-continuation 2",
    "PUSH_REPLY,peer-id 7,cipher AES-128-GCM,protocol-flags cc-exit tls-ekm dyn-tls-crypt,unheard of,push-continuation 1",
  ).apply(inside, pullFilters);
  assert.ok("inside" in reply);
  const { addresses, routes, pingMs, peerId, cipher, tlsExport, dynamicTlsCrypt, controlExit } = reply.inside;
  assert.deepEqual(
    addresses.map(({ address, length }) => [toHex(address), length]),
    [
      ["0a4f0002", 24],
      ["fd790000000000000000000000001000", 64],
    ],
  );
  assert.deepEqual(
    routes.map(({ address, length }) => [toHex(address), length]),
    [["0a030000", 16]],
  );
  assert.deepEqual([pingMs, peerId, cipher], [2_000, 7, "AES-128-GCM"]);
  assert.ok(tlsExport && dynamicTlsCrypt && controlExit);
  assert.deepEqual(reply.ignored, ["unheard"]);
  // The file's own is left as it was.
  assert.equal(insideOf(inside).pingMs, 30_000);
});

test("a push that a filter rejects, that compresses, or that makes no sense ends the attempt", () => {
  const { inside } = parseOvpn(base);
  const fails = (option: string) =>
    pushed(`PUSH_REPLY,${option}`).apply(inside, [{ action: "reject", text: "route " }]);
  for (const [option, reason] of [
    ["route 10.0.0.0 255.0.0.0", "push-refused"],
    ["comp-lzo yes", "bad-push"],
    ["compress lz4-v2", "bad-push"],
    ["ifconfig 10.0.0.1 nonsense", "bad-push"],
    ["peer-id 16777216", "bad-push"],
    ["protocol-flags aead-epoch", "bad-push"],
  ] as const) {
    const answer = fails(option);
    assert.ok(!("inside" in answer) && answer.reason === reason, option);
  }
});
