import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { checkCommonName } from "../../src/pki/common-name.js";
import { readOne } from "../../src/pki/der/index.js";
import { readName } from "../../src/pki/distinguished-name.js";
import {
  isPkiFailure,
  makeOcspResponse,
  makeRevocationList,
  matches,
  nameText,
  PkiFailure,
  parseCertificate,
  parseOcspResponse,
  parseRevocationList,
} from "../../src/pki/index.js";
import { ipText, parseIp } from "../../src/pki/ip.js";
import { extension, makeName, type NameSpec } from "../../src/pki/make/index.js";
import { parseMailbox, parseUri } from "../../src/pki/names.js";
import { at, Forge } from "./chains/builder.js";
import { provider } from "./fixtures.js";

const nameOf = (spec: NameSpec) => readOne(makeName(spec), readName);

test("addresses: what Node takes we take, and we write it as RFC 5952 does", () => {
  for (const [text, canonical] of [
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["::ffff:c000:201", "::ffff:192.0.2.1"],
    ["192.0.2.1", "192.0.2.1"],
  ] as const) {
    assert.equal(ipText(parseIp(text)!), canonical, text);
  }
  for (const text of [
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4.5",
    ":::",
    "1::2::3",
    "12345::",
    "::g",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "",
  ]) {
    assert.equal(parseIp(text), undefined, text);
    assert.equal(isIP(text), 0, text);
  }
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const bytes = parseIp(text);
      assert.ok(bytes);
      assert.deepEqual(parseIp(ipText(bytes)), bytes);
    }),
    { seed: 5952, numRuns: 500 },
  );
});

test("distinguished names: case, white space, composition and string type do not matter, anything else does", () => {
  const base = nameOf("C=SE, O=Acme Ångström, CN=Root").key;
  assert.equal(nameOf("C=se, O=  acme   A\u030angstro\u0308m , CN=ROOT").key, base);
  assert.notEqual(nameOf("C=SE, O=AcmeÅngström, CN=Root").key, base);
  assert.notEqual(nameOf("C=SE, CN=Root, O=Acme Ångström").key, base);
  assert.notEqual(nameOf("C=SE, O=Acme Ångström, OU=Root").key, base);
  assert.notEqual(nameOf("C=SE, O=Acme Ångström").key, base);
  // separators of the key cannot be forged by a value
  assert.notEqual(
    nameOf([["O", "a/2.5.4.3=b"]]).key,
    nameOf([
      ["O", "a"],
      ["CN", "b"],
    ]).key,
  );
  assert.equal(nameText(nameOf("C=SE, O=A\\, B, CN=x\u001by")), "CN=x\\1by,O=A\\, B,C=SE");
});

test("mailboxes have one host and a local part that may be quoted", () => {
  assert.deepEqual(parseMailbox("Foo.Bar@EXAMPLE.com"), { local: "Foo.Bar", host: "example.com" });
  assert.deepEqual(parseMailbox('"a b"@example.com'), { local: '"a b"', host: "example.com" });
  for (const text of [
    "",
    "@example.com",
    "foo@",
    "foo",
    "a@b@example.com",
    "foo@.example.com",
    "foo..bar@example.com",
    ".foo@example.com",
    "fo o@example.com",
    "foo@exa_mple.com",
  ]) {
    assert.equal(parseMailbox(text), undefined, text);
  }
});

test("URIs have their host where RFC 3986 puts it", () => {
  for (const [text, host] of [
    ["https://example.com", "example.com"],
    ["HTTPS://user:secret@Example.COM:8443/path?x#y", "example.com"],
    ["https://example.com@evil.example/", "evil.example"],
    ["https://example.com?@evil.example/", "example.com"],
    ["https://example.com#@evil.example/", "example.com"],
    ["https://192.0.2.1/", undefined],
    ["https://[2001:db8::1]/", undefined],
    ["https:///path", undefined],
    ["urn:example:com", undefined],
    ["mailto:foo@example.com", undefined],
  ] as const) {
    assert.equal(parseUri(text)?.host, host, text);
  }
  assert.equal(parseUri("//example.com"), undefined);
});

test("no reference, name or address makes matching throw", () => {
  const root = new Forge("matching").root({
    san: ["*.example.com", "192.0.2.1", "a@example.com", { uri: "sip://x.example" }],
  });
  const presented = root.certificate.extensions.subjectAltName!;
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.domain(), fc.emailAddress(), fc.webUrl()),
      (value) => {
        for (const kind of ["dns", "ip", "email", "uri", "srv"] as const)
          assert.equal(typeof matches({ kind, value }, presented), "boolean");
        assert.equal(matches(value, []), false);
      },
    ),
    { seed: 9525, numRuns: 500 },
  );
});

test("no common name makes the check throw", () => {
  const leaf = new Forge("cn").leaf(new Forge("cn root").root(), { san: ["example.com", "192.0.2.1"] }).certificate;
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 40 }), (cn) => {
      const said = checkCommonName({ ...leaf, subject: nameOf([["CN", cn]]) });
      assert.ok(said === undefined || said.length > 0);
    }),
    { seed: 7143, numRuns: 500 },
  );
});

test("revocation lists and OCSP responses: every strict prefix fails, and no change makes us throw", () => {
  const f = new Forge("lists");
  const root = f.root();
  const leaf = f.leaf(root);
  const period = { thisUpdate: at, nextUpdate: at + 1000 };
  const list = makeRevocationList({
    issuer: root,
    ...period,
    revoked: [{ serial: leaf.certificate.serial, at, reason: 1 }],
    extensions: [extension.issuingDistributionPoint({ names: [{ uri: "http://x.example" }] })],
  });
  const response = makeOcspResponse({
    provider,
    issuer: root.certificate,
    responder: leaf,
    serial: Uint8Array.of(1),
    producedAt: at,
    ...period,
    status: { revokedAt: at },
  });
  for (const [der, parse] of [
    [list, parseRevocationList],
    [response, parseOcspResponse],
    [leaf.der, parseCertificate],
  ] as const) {
    assert.ok(!isPkiFailure(parse(der)), String(parse(der)));
    for (let size = 0; size < der.length; size++)
      assert.ok(parse(der.subarray(0, size)) instanceof PkiFailure, `${size}`);
    assert.ok(parse(Uint8Array.from([...der, 0])) instanceof PkiFailure);
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), (index, octet) => {
        const copy = der.slice();
        copy[index] = octet;
        parse(copy);
      }),
      { seed: 6960, numRuns: 1500 },
    );
  }
});

test("a failure says which certificate, which field and where the rule is written", () => {
  const parsed = parseCertificate(Uint8Array.of(0x30, 0));
  assert.ok(parsed instanceof PkiFailure);
  const { fault, reason, protocol, section } = parsed;
  assert.deepEqual(
    { fault, reason, protocol, section },
    { fault: "decode", reason: "malformed-certificate", protocol: "pki", section: "RFC 5280 §4.1" },
  );
  const placed = parsed.of(2, "CN=x");
  assert.equal(placed.depth, 2);
  assert.equal(JSON.parse(JSON.stringify(placed)).subject, "CN=x");
});
