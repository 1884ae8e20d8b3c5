import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import { portableCrypto as crypto } from "../../src/hosts/node/crypto-portable/index.js";
import { controlWrap, type Role } from "../../src/protocols/openvpn/control/wrap.js";
import { dataCipher } from "../../src/protocols/openvpn/data/ciphers.js";
import { DataKeys } from "../../src/protocols/openvpn/data/keys.js";
import { type KeyExchange, prfKeyBlock } from "../../src/protocols/openvpn/key-exchange.js";

type Values = Readonly<Record<string, Readonly<Record<string, string | number>>>>;
const file = new URL("../../../test/vectors/data/openvpn/values.json", import.meta.url);
const values = JSON.parse(readFileSync(file, "utf8")) as Values;
const hex = (group: string, name: string): Uint8Array => fromHex(String(values[group]![name]));
const noEntropy = { fill: (): never => assert.fail("no entropy is wanted here") };

/** Seconds of the packet ID in the vectors, as a moment. */
const moment = 0x6553f100 * 1_000;

/** A static key whose pair `index` holds these. */
function staticKey(index: 0 | 1, cipher: Uint8Array | undefined, hmac: Uint8Array): Secret {
  const key = new Uint8Array(256);
  if (cipher !== undefined) key.set(cipher, 128 * index);
  key.set(hmac, 128 * index + 64);
  return new Secret(key);
}

test("the PRF of key method 2 gives the key block of the vectors", () => {
  const exchange = (side: "client" | "server"): KeyExchange => ({
    preMaster: side === "client" ? hex("keyMethod2Prf", "preMaster") : undefined,
    random1: hex("keyMethod2Prf", `${side}Random1`),
    random2: hex("keyMethod2Prf", `${side}Random2`),
    options: "",
    user: undefined,
    password: undefined,
    peerInfo: "",
  });
  const ids = [hex("keyMethod2Prf", "clientSessionId"), hex("keyMethod2Prf", "serverSessionId")] as const;
  const block = prfKeyBlock(crypto, exchange("client"), exchange("server"), ...ids);
  assert.equal(toHex(block.expose()), values["keyMethod2Prf"]!["keyBlock256"]);
});

const plain = hex("tlsCrypt", "plaintextPacket");

for (const role of ["client", "server"] as const satisfies readonly Role[]) {
  test(`tls-crypt of a ${role} seals the vectors' packet, and the other side opens it`, () => {
    const [ke, ka] = [hex("tlsCrypt", "Ke"), hex("tlsCrypt", "Ka")];
    const index = role === "server" ? 0 : 1;
    const key = { kind: "tls-crypt", key: staticKey(index, ke, ka) } as const;
    const sealed = controlWrap(crypto, key, role).seal(plain.subarray(0, 9), plain.subarray(9), moment);
    assert.equal(toHex(sealed), values["tlsCrypt"]!["wire"]);
    const other = controlWrap(crypto, key, role === "client" ? "server" : "client");
    const opened = other.open(sealed);
    assert.ok(typeof opened !== "string", String(opened));
    assert.equal(toHex(opened), toHex(plain.subarray(9)));
    assert.equal(other.open(sealed), "replayed-control");
  });
}

test("tls-auth opens the vectors' packet, and refuses it a second time and with any bit changed", () => {
  const hmac = hex("tlsAuthSha1", "hmacKey");
  const key = { kind: "tls-auth", key: staticKey(0, undefined, hmac), direction: undefined, hash: "SHA-1" } as const;
  const wire = hex("tlsAuthSha1", "wire");
  const open = controlWrap(crypto, key, "server");
  for (let bit = 0; bit < 8 * wire.length; bit++) {
    const bent = wire.slice();
    bent[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(open.open(bent), "bad-control-tag", `bit ${bit}`);
  }
  const opened = open.open(wire);
  assert.ok(typeof opened !== "string");
  assert.equal(toHex(opened), toHex(plain.subarray(9)));
  assert.equal(open.open(wire), "replayed-control");
});

test("P_DATA_V2 under AES-256-GCM is the vectors' packet, both ways", () => {
  const block = () => new Secret(hex("dataV2AeadAes256Gcm", "keyBlock256"));
  const parameters = { cipher: dataCipher("AES-256-GCM")!, auth: "SHA-1", peerId: 5 } as const;
  const client = new DataKeys(crypto, noEntropy, parameters, block(), "client", 0, 0);
  const server = new DataKeys(crypto, noEntropy, parameters, block(), "server", 0, 0);
  const payload = hex("dataV2AeadAes256Gcm", "plaintext");
  const bytes = new Uint8Array(128);
  bytes.set(payload, client.head);
  const size = client.seal(bytes, 0, payload.length);
  assert.equal(toHex(bytes.subarray(0, size)), values["dataV2AeadAes256Gcm"]!["wire"]);
  const span = { at: 0, size: 0 };
  const again = bytes.slice();
  assert.equal(server.open(bytes, 0, size, span), undefined);
  assert.equal(toHex(bytes.subarray(span.at, span.at + span.size)), toHex(payload));
  assert.equal(server.open(again, 0, size, span), "replayed");
});
