import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { rootCertificates } from "node:tls";
import * as pkijs from "pkijs";
import { toHex } from "../../src/bytes/index.js";
import { AnchorStore } from "../../src/pki/anchor.js";
import {
  createVerifier,
  PkiFailure,
  parseCertificate,
  readCertificates,
  usualAlgorithms,
  writePem,
} from "../../src/pki/index.js";
import { anyPolicy } from "../../src/pki/oids.js";
import { basics } from "./chains/basics.js";
import { at, type Case, Forge, type Setting } from "./chains/builder.js";
import { building } from "./chains/building.js";
import { constraints } from "./chains/constraints.js";
import { names } from "./chains/names.js";
import { policies } from "./chains/policies.js";
import { usages } from "./chains/usages.js";
import { provider } from "./fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "sealport-pki-"));
after(() => rmSync(folder, { recursive: true }));

const derOf = (each: Setting["chain"][number]): Uint8Array => ("der" in each ? each.der : each);
/** pkijs wants memory that is not shared, and says so in its types. */
const fromDer = (der: Uint8Array): pkijs.Certificate => pkijs.Certificate.fromBER(new Uint8Array(der));

interface OpensslVerdict {
  readonly accepted: boolean;
  readonly said: string;
}

function openssl({ anchors, chain, ask }: Setting, ...options: string[]): OpensslVerdict {
  const file = (name: string, ders: readonly Uint8Array[]) => {
    const path = join(folder, name);
    writeFileSync(path, ders.map((der) => writePem("CERTIFICATE", der)).join(""));
    return path;
  };
  const [first, ...others] = chain.map(derOf);
  const reference = (ask?.referenceIds ?? ["example.com"])[0];
  const address = typeof reference === "string" && /^[\d.]+$|:/.test(reference);
  const run = spawnSync(
    "openssl",
    [
      ...["verify", "-attime", String(Math.floor((ask?.at ?? at) / 1000)), "-auth_level", "2"],
      ...[
        "-CAfile",
        file(
          "anchors.pem",
          anchors.map(({ der }) => der),
        ),
        "-no-CApath",
        "-no-CAstore",
        "-partial_chain",
      ],
      ...(others.length > 0 ? ["-untrusted", file("others.pem", others)] : []),
      ...["-purpose", ask?.purpose === "client" ? "sslclient" : "sslserver"],
      ...(typeof reference === "string" ? [address ? "-verify_ip" : "-verify_hostname", reference] : []),
      ...options,
      file("leaf.pem", [first!]),
    ],
    { encoding: "utf8" },
  );
  assert.equal(run.error, undefined, "openssl is not there: apt-get install openssl");
  return { accepted: run.status === 0, said: `${run.stderr}${run.stdout}`.trim() };
}

const noBacktracking = "OpenSSL takes the first way that it sees, and does not come back from it";
const noAuthorities = "OpenSSL wants digitalSignature of a server's key; TLS asks us for it by `keyUsages`";

/** What we accept and OpenSSL does not, and why. */
const bolder: Readonly<Record<string, string>> = {
  "valid: exactly at notAfter": "OpenSSL leaves out the last second, which RFC 5280 §4.1.2.5 includes",
  "valid: within the second of notAfter": "the same",
  "key identifiers are hints: a wrong one excludes nobody": "OpenSSL excludes by key identifiers",
  'the absolute name (["example.com"] for "example.com.")': "OpenSSL wants the name without its dot",
  'any of the references (["example.com"] for ["example.net","example.com"])': "OpenSSL was asked for the first",
  'an IPv6 address in brackets (["2001:db8::1"] for "[2001:db8::1]")': "OpenSSL takes no brackets",
  "an authority as the end entity": noAuthorities,
  "path length 0 over an authority in the end entity's place": noAuthorities,
  "a purpose by its object identifier": "OpenSSL was asked for a server",
  "any purpose": "anyExtendedKeyUsage means nothing to OpenSSL",
  "an intermediate that is for anything": "the same",
  "only the old root is trusted: the cross-certificate leads to it": noBacktracking,
  "two certificates of one intermediate, one of them by a root that nobody trusts": noBacktracking,
  "a key rolled over: new with old": noBacktracking,
  "a name that is constrained on one path and not on another": noBacktracking,
  "a way that is too weakly signed beside one that is right": noBacktracking,
  "a way that is not an authority beside one that is right": noBacktracking,
  "a way that is for mail only beside one that is right": noBacktracking,
  "a way that is short of path beside one that is right": noBacktracking,
  "a way that is name-constrained beside one that is right": noBacktracking,
};

/** These strangers are older than ML-DSA; OpenSSL 3.5 judges ours in test/interop/ml-dsa.test.ts. */
const isOldEnough = ({ name }: Case): boolean => !name.includes("ML-DSA");

const comparable = (each: Case): boolean => {
  if (!isOldEnough(each)) return false;
  const { options, ask, chain } = each.make(new Forge(each.name));
  const [reference] = ask?.referenceIds ?? ["example.com"];
  const plain = reference === undefined || (typeof reference === "string" && /^[\x21-\x7e]+$/.test(reference));
  return options === undefined && plain && chain.length > 0 && (ask?.purpose ?? "server") !== "any";
};

test("whatever we accept OpenSSL accepts, but for what we can do and it cannot", { timeout: 110_000 }, () => {
  let compared = 0;
  const surprises: string[] = [];
  for (const each of [...basics, ...names, ...constraints, ...usages, ...building]) {
    if (!comparable(each)) continue;
    const setting = each.make(new Forge(each.name));
    const verifier = createVerifier({ provider, anchors: setting.anchors.map(({ der }) => der), profile: "rfc5280" });
    const ours = verifier.verify({
      chain: setting.chain.map(derOf),
      referenceIds: ["example.com"],
      purpose: "server",
      at,
      ...setting.ask,
    });
    if (!ours.trusted) continue;
    compared++;
    const theirs = openssl(setting);
    if (theirs.accepted !== !(each.name in bolder))
      surprises.push(`${each.name}: ${theirs.said.split("\n").slice(0, 2).join(" ")}`);
  }
  assert.deepEqual(surprises, []);
  assert.ok(compared > 140, `${compared} chains compared`);
});

test("policies: OpenSSL and we agree on every chain", { timeout: 60_000 }, () => {
  for (const each of policies) {
    // RFC 9618 §3: OpenSSL has the tree, and gives up on it
    if (each.name.includes("explode")) continue;
    const setting = each.make(new Forge(each.name));
    const { acceptable, requireExplicitPolicy, inhibitPolicyMapping, inhibitAnyPolicy } =
      setting.options?.policies ?? {};
    const theirs = openssl(
      setting,
      "-policy_check",
      ...(acceptable ?? [anyPolicy]).flatMap((policy) => ["-policy", policy]),
      ...(requireExplicitPolicy ? ["-explicit_policy"] : []),
      ...(inhibitPolicyMapping ? ["-inhibit_map"] : []),
      ...(inhibitAnyPolicy ? ["-inhibit_any"] : []),
    );
    assert.equal(theirs.accepted, each.expect === "accepted", `${each.name}: ${theirs.said}`);
  }
});

test("the fields that we read are those that Node and pkijs read", () => {
  let seen = 0;
  const made = [...basics, ...usages]
    .filter((each) => each.expect === "accepted" && isOldEnough(each))
    .flatMap((each) => {
      const { anchors, chain } = each.make(new Forge(each.name));
      return [...anchors.map(({ der }) => der), ...chain.map(derOf)];
    });
  const roots = rootCertificates.map((pem) => (readCertificates(pem) as readonly Uint8Array[])[0]!);
  for (const der of [...made, ...roots]) {
    const ours = parseCertificate(der, "tolerant");
    assert.ok(!(ours instanceof PkiFailure), String(ours));
    const node = new X509Certificate(der);
    assert.equal(toHex(ours.serial).replace(/^0+(?=.)/, ""), node.serialNumber.toLowerCase().replace(/^0+(?=.)/, ""));
    assert.equal(ours.notBefore, Date.parse(node.validFrom));
    assert.equal(ours.notAfter, Date.parse(node.validTo));
    assert.equal(ours.extensions.basicConstraints?.ca ?? false, node.ca);
    assert.deepEqual(Buffer.from(ours.spki), node.publicKey.export({ format: "der", type: "spki" }));
    const theirs = fromDer(der);
    assert.equal(ours.signatureAlgorithm.oid, theirs.signatureAlgorithm.algorithmId);
    assert.deepEqual(Buffer.from(ours.tbs), Buffer.from(theirs.tbsView));
    assert.deepEqual(
      ours.rawExtensions.map(({ oid, critical }) => `${oid} ${critical}`),
      (theirs.extensions ?? []).map(({ extnID, critical }) => `${extnID} ${critical}`),
    );
    assert.deepEqual(
      ours.subject.rdns.flatMap((rdn) => rdn.map(({ type }) => type)).sort(),
      theirs.subject.typesAndValues.map(({ type }) => String(type)).sort(),
    );
    seen++;
  }
  assert.ok(seen > 200, `${seen} certificates`);
});

test("pkijs's engine accepts the plain chains that we accept", async () => {
  let compared = 0;
  const plain = [...basics, ...usages, ...building].filter((each) => each.expect === "accepted" && isOldEnough(each));
  for (const each of plain) {
    const { anchors, chain, options, ask } = each.make(new Forge(each.name));
    if (
      options ||
      ask ||
      chain.length > 3 ||
      /Ed25519|Ed448|PSS|self|anchor|root|rubbish|spaces|types|hints/.test(each.name)
    )
      continue;
    const engine = new pkijs.CertificateChainValidationEngine({
      trustedCerts: anchors.map(({ der }) => fromDer(der)),
      certs: [...chain].reverse().map((one) => fromDer(derOf(one))),
      checkDate: new Date(at),
    });
    const { result, resultMessage } = await engine.verify();
    assert.equal(result, true, `${each.name}: ${resultMessage}`);
    compared++;
  }
  assert.ok(compared > 20, `${compared} chains`);
});

test("every root that Node carries is one in every profile, old ones by their keys", () => {
  const anchors = rootCertificates.flatMap((pem) => readCertificates(pem) as readonly Uint8Array[]);
  for (const profile of ["path", "rfc5280", "webpki"] as const) {
    const store = new AnchorStore(anchors, { provider, profile, algorithms: usualAlgorithms });
    assert.deepEqual(store.rejected().map(String), []);
    const failures = store
      .all()
      .flatMap(({ certificate, failure }) => (failure ? [`${certificate.text}: ${failure.message}`] : []));
    assert.deepEqual(failures, []);
    assert.equal(store.all().length, rootCertificates.length);
    for (const { certificate } of store.all()) {
      assert.ok(store.has(certificate));
      assert.ok(store.get(certificate.subject.key).some((each) => each.certificate === certificate));
    }
  }
});
