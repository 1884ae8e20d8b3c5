import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Secret } from "../../src/contract/index.js";
import { nobleCrypto } from "../../src/crypto/noble/index.js";
import { portableCrypto } from "../../src/hosts/node/crypto-portable/index.js";
import { createVerifier, readCertificates, readPrivateKey, writePem } from "../../src/pki/index.js";
import { chainOf, Forge } from "../pki/chains/builder.js";
import { peer } from "./peers/find.js";

const folder = mkdtempSync(join(tmpdir(), "sealport-mldsa-"));
after(() => rmSync(folder, { recursive: true }));

function openssl(...args: string[]): string {
  const { command, prefix } = peer("OpenSSL 3.5");
  const run = spawnSync(command, [...prefix, ...args], { cwd: folder, encoding: "utf8" });
  assert.equal(run.status, 0, `openssl ${args.join(" ")}: ${run.stderr}`);
  return run.stdout;
}

const file = (name: string): string => readFileSync(join(folder, name), "utf8");

for (const kind of ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"] as const) {
  test(`${kind}: we accept a chain that OpenSSL made, and read its key`, () => {
    const subject = ["-subj", "/CN=Root", "-days", "2", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    openssl("req", "-x509", "-newkey", kind, "-nodes", "-keyout", "root.key", "-out", "root.crt", ...subject);
    openssl("req", "-newkey", kind, "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=example.com");
    const extensions =
      "subjectAltName=DNS:example.com\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n";
    writeFileSync(join(folder, "leaf.ext"), extensions);
    openssl(
      "x509",
      "-req",
      "-in",
      "leaf.csr",
      "-CA",
      "root.crt",
      "-CAkey",
      "root.key",
      "-days",
      "1",
      "-extfile",
      "leaf.ext",
      "-out",
      "leaf.crt",
    );
    const [root] = readCertificates(file("root.crt")) as readonly Uint8Array[];
    const [leaf] = readCertificates(file("leaf.crt")) as readonly Uint8Array[];
    for (const provider of [portableCrypto, nobleCrypto]) {
      const verifier = createVerifier({ provider, anchors: [root!] });
      const verdict = verifier.verify({
        chain: [leaf!],
        referenceIds: ["example.com"],
        purpose: "server",
        at: Date.now(),
      });
      assert.equal(verdict.trusted, true, verdict.trusted ? "" : verdict.failure.message);
      const pkcs8 = readPrivateKey(file("leaf.key"));
      assert.ok(pkcs8 instanceof Secret);
      const key = provider.privateKey(pkcs8.expose());
      assert.ok(key && verdict.trusted);
      const message = Uint8Array.of(1, 2, 3);
      const signature = key.sign(kind, message);
      assert.equal(verdict.publicKey.verify(kind, message, signature), true);
      signature[100]! ^= 1;
      assert.equal(verdict.publicKey.verify(kind, message, signature), false);
      assert.equal(verdict.publicKey.verify(kind, message, signature.subarray(1)), false);
      assert.equal(verdict.publicKey.verify("Ed25519", message, signature), false);
    }
  });

  test(`${kind}: OpenSSL accepts a chain that we made`, () => {
    const f = new Forge(kind);
    const root = f.root({ key: f.key(kind), notBefore: Date.now() - 60_000, notAfter: Date.now() + 60_000 });
    const leaf = f.leaf(root, { key: f.key(kind), notBefore: Date.now() - 60_000, notAfter: Date.now() + 60_000 });
    const { anchors } = chainOf(root, leaf);
    writeFileSync(join(folder, "ours-root.crt"), writePem("CERTIFICATE", anchors[0]!.der));
    writeFileSync(join(folder, "ours-leaf.crt"), writePem("CERTIFICATE", leaf.der));
    const said = openssl(
      "verify",
      "-x509_strict",
      "-CAfile",
      "ours-root.crt",
      "-verify_hostname",
      "example.com",
      "ours-leaf.crt",
    );
    assert.match(said, /OK/);
  });
}
