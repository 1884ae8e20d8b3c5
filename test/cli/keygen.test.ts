import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keyTypes } from "../../src/cli/kinds.js";
import { scratch } from "../interop/peers/certificates.js";
import { peer } from "../interop/peers/find.js";
import { sealport } from "./sealport.js";

const folder = scratch();
const at = (name: string): string => join(folder, name);

test("an authority and a certificate by it, which OpenSSL accepts under its names", async () => {
  assert.deepEqual(await sealport(["keygen", "authority", "--name", "Test authority", "--out", at("ca")]), {
    code: 0,
    out: `${at("ca.crt")}\n${at("ca.key")}\n`,
    err: "",
  });
  const names = ["--name", "server.test", "--name", "127.0.0.1"];
  const made = await sealport(["keygen", "certificate", ...names, "--issuer", at("ca"), "--out", at("server")]);
  assert.equal(made.code, 0, made.err);
  const { command, prefix } = peer("OpenSSL 3.0");
  for (const name of [
    ["-verify_hostname", "server.test"],
    ["-verify_ip", "127.0.0.1"],
  ]) {
    const args = ["verify", "-x509_strict", ...name, "-CAfile", at("ca.crt"), at("server.crt")];
    assert.match(execFileSync(command, [...prefix, ...args], { encoding: "utf8" }), /: OK/);
  }
  const certificate = new X509Certificate(readFileSync(at("server.crt")));
  assert.ok(certificate.checkPrivateKey(createPrivateKey(readFileSync(at("server.key")))));
});

test("keys of every type are read by GnuTLS, which wants their public half beside the private", async () => {
  for (const type of keyTypes) {
    const { code, err } = await sealport(["keygen", "key", "--type", type, "--out", at(`for-gnutls-${type}`)]);
    assert.equal(code, 0, err);
    const args = ["--key-info", "--infile", at(`for-gnutls-${type}.key`)];
    const said = execFileSync("certtool", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    assert.match(said, /Public Key Algorithm: (EC\/ECDSA|EdDSA)/, type);
  }
});

test("keys are readable by their owner alone, certificates by all", () => {
  assert.equal(statSync(at("ca.key")).mode & 0o777, 0o600);
  assert.equal(statSync(at("ca.crt")).mode & 0o044, 0o044);
});

test("nothing is ever overwritten, not even in part", async () => {
  writeFileSync(at("half.key"), "precious");
  const { code, err } = await sealport(["keygen", "key", "--out", at("half")]);
  assert.equal(code, 3);
  assert.match(err, /half\.key exists/);
  assert.equal(readFileSync(at("half.key"), "utf8"), "precious");
  assert.throws(() => statSync(at("half.pub")), /ENOENT/);
});

test("every type of key can be made, and its halves fit", async () => {
  for (const type of keyTypes) {
    const { code, out } = await sealport(["keygen", "key", "--type", type, "--json"]);
    assert.equal(code, 0, type);
    const { kind, pub, key } = JSON.parse(out);
    assert.equal(kind, "key");
    const derived = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "pem" });
    assert.equal(pub, derived);
  }
});

test("a pre-shared key has 32 bytes, and two are never the same", async () => {
  const [one, two] = await Promise.all([sealport(["keygen", "psk"]), sealport(["keygen", "psk"])]);
  assert.match(one.out, /^[0-9a-f]{64}\n$/);
  assert.notEqual(one.out, two.out);
});

test("what cannot be made is a usage error; what cannot be read one of configuration", async () => {
  assert.equal((await sealport(["keygen"])).code, 2);
  assert.equal((await sealport(["keygen", "kye"])).code, 2);
  assert.equal((await sealport(["keygen", "certificate"])).code, 2);
  writeFileSync(at("bad.crt"), "no certificate");
  for (const issuer of ["bad", "absent"]) {
    const { code } = await sealport(["keygen", "certificate", "--name", "a.test", "--issuer", at(issuer)]);
    assert.equal(code, 3, issuer);
  }
});
