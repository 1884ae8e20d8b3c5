import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatPrefix } from "../../../src/bytes/index.js";
import { Failure } from "../../../src/contract/index.js";
import { parseWgQuick } from "../../../src/protocols/wireguard/wg-quick.js";

const key = (fill: number): string => Buffer.alloc(32, fill).toString("base64");

const office = `
# from the network team
[Interface]
PrivateKey = ${key(1)}
Address = 10.9.0.2/24, fd00:9::2/64
address=10.9.1.2
DNS = 10.9.0.1, office.example, fd00:9::1
MTU = 1380
ListenPort = 51821
Table = off
Colour = green

[Peer] # head office
PublicKey = ${key(2)}
PresharedKey = ${key(3)}
AllowedIPs = 10.9.0.0/16, fd00:9::/48
Endpoint = vpn.office.example:51820
PersistentKeepalive = 25

[Peer]
PublicKey = ${key(4)}
PresharedKey = ${key(0)}
AllowedIPs = 0.0.0.0/0
Endpoint = [2001:db8::7]:51820
PersistentKeepalive = off
`;

test("a file is read as it is", () => {
  const file = parseWgQuick(office);
  assert.deepEqual(file.interface.privateKey?.expose(), new Uint8Array(32).fill(1));
  assert.deepEqual(file.interface.addresses.map(formatPrefix), ["10.9.0.2/24", "fd00:9::2/64", "10.9.1.2/32"]);
  assert.deepEqual(file.interface.dns, ["10.9.0.1", "fd00:9::1"]);
  assert.deepEqual(file.interface.searchDomains, ["office.example"]);
  assert.equal(file.interface.mtu, 1380);
  assert.equal(file.interface.listenPort, 51_821);
  const [head, other] = file.peers;
  assert.deepEqual(head?.endpoint, { host: "vpn.office.example", port: 51_820 });
  assert.equal(head?.persistentKeepaliveMs, 25_000);
  assert.equal(head?.preSharedKey?.size, 32);
  assert.deepEqual(other?.endpoint, { host: "2001:db8::7", port: 51_820 });
  assert.equal(other?.preSharedKey, undefined, "all zeros is none");
  assert.equal(other?.persistentKeepaliveMs, undefined);
  assert.deepEqual(
    file.warnings.map(({ line, message }) => [line, message.split(" ")[0]]),
    [
      [10, "Table"],
      [11, "Colour"],
    ],
  );
});

test("what is wrong is refused with its line, and no key is repeated", () => {
  const secret = "c2VjcmV0c2VjcmV0";
  for (const [text, line] of [
    ["", 1],
    ["[Peer]\n", 1],
    ["PrivateKey = x", 1],
    ["[Interface]\nPrivateKey", 2],
    [`[Interface]\nPrivateKey = ${secret}`, 2],
    ["[Interface]\n[Interface]", 2],
    ["[Interface]\n[Pear]", 2],
    ["[Interface]\nAddress = 10.0.0.256/8", 2],
    ["[Interface]\nMTU = big", 2],
    ["[Interface]\n\nPostUp = iptables -A FORWARD", 3],
    ["[Interface]\n[Peer]\nAllowedIPs = 10.0.0.0/8", 2],
    [`[Interface]\n[Peer]\nPublicKey = ${key(1)}\nEndpoint = example.com`, 4],
    [`[Interface]\n[Peer]\nPublicKey = ${key(1)}\nEndpoint = ::1:51820`, 4],
    [`[Interface]\n[Peer]\nPublicKey = ${key(1)}\nEndpoint = a:70000`, 4],
  ] as const) {
    assert.throws(
      () => parseWgQuick(text),
      (error) => {
        assert.ok(error instanceof Failure);
        assert.equal(error.reason, "bad-configuration");
        assert.equal(error.at, `line ${line}`);
        assert.ok(!error.message.includes(secret));
        return true;
      },
      text,
    );
  }
});

test("any text is read or refused, never worse", () => {
  const words = fc.constantFrom(
    "[Interface]",
    "[Peer]",
    "\n",
    " = ",
    "PublicKey",
    "AllowedIPs",
    key(1),
    "#",
    "10.0.0.0/8",
    "__proto__",
    "constructor",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(words).map((parts) => parts.join("")),
        fc.string(),
      ),
      (text) => {
        try {
          parseWgQuick(text);
        } catch (error) {
          assert.ok(error instanceof Failure);
        }
      },
    ),
    { seed: 31, numRuns: 2_000 },
  );
});
