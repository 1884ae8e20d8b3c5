import { write } from "../../../src/pki/der/index.js";
import type { ReferenceId } from "../../../src/pki/index.js";
import { type AlternativeNameSpec, extension } from "../../../src/pki/make/index.js";
import { srvName } from "../../../src/pki/oids.js";
import { bad, type Case, chainOf, differs, type Forge, good } from "./builder.js";

/** A leaf with these names, asked for this one; whatever its subject, which is empty unless given. */
function named(
  name: string,
  san: readonly AlternativeNameSpec[],
  reference: ReferenceId | readonly ReferenceId[],
  expect: Case["expect"],
  subject = "",
): Case {
  return {
    name: `${name} (${JSON.stringify(san)} for ${JSON.stringify(reference)})`,
    expect,
    make: (f: Forge) => {
      const root = f.root();
      const references = (Array.isArray(reference) ? reference : [reference]) as readonly ReferenceId[];
      return { ...chainOf(root, f.leaf(root, { san, subject })), ask: { referenceIds: references } };
    },
  };
}

const malformedName = {
  webpki: "wrong-alternative-name",
  rfc5280: "wrong-alternative-name",
  path: "name-mismatch",
} as const;

/** RFC 9525, and what RFC 5280 §4.2.1.6 says of alternative names. */
export const names: readonly Case[] = [
  named("the same name", ["example.com"], "example.com", "accepted"),
  named("in other letters", ["EXAMPLE.com"], "example.COM", "accepted"),
  named("the absolute name", ["example.com"], "example.com.", "accepted"),
  named("one of many", ["a.example", "example.com", "b.example"], "example.com", "accepted"),
  named("any of the references", ["example.com"], ["example.net", "example.com"], "accepted"),
  named("another domain", ["example.com"], "example2.com", "name-mismatch"),
  named("another host", ["abc.example.com"], "def.example.com", "name-mismatch"),
  named("a host below", ["example.com"], "abc.example.com", "name-mismatch"),
  named("the domain above", ["abc.example.com"], "example.com", "name-mismatch"),
  named("a longer name that ends the same", ["example.com"], "notexample.com", "name-mismatch"),
  named("a reference that is no name", ["example.com"], "exa mple.com", "name-mismatch"),
  named("an empty reference", ["example.com"], "", "name-mismatch"),
  named("a single label", ["localhost"], "localhost", "accepted"),
  named("an internationalized name, given in Unicode", ["xn--bcher-kva.example"], "bücher.example", "accepted"),
  named("an internationalized name, given in A-labels", ["xn--bcher-kva.example"], "xn--bcher-kva.example", "accepted"),
  named("another internationalized name", ["xn--bcher-kva.example"], "bucher.example", "name-mismatch"),

  named("a wildcard", ["*.example.com"], "foo.example.com", "accepted"),
  named("a wildcard over an A-label", ["*.example.com"], "xn--bcher-kva.example.com", "accepted"),
  named("a wildcard does not cover two labels", ["*.example.com"], "foo.bar.example.com", "name-mismatch"),
  named("a wildcard does not cover no label", ["*.example.com"], "example.com", "name-mismatch"),
  named("a wildcard on a top-level name", ["*.com"], "example.com", "name-mismatch"),
  named("a wildcard on a public suffix of two labels", ["*.co.uk"], "example.co.uk", "name-mismatch"),
  named("a wildcard below a public suffix of two labels", ["*.example.co.uk"], "www.example.co.uk", "accepted"),
  named("part of a label", ["ba*.example.com"], "baz.example.com", malformedName),
  named("the end of a label", ["*az.example.com"], "baz.example.com", malformedName),
  named("not the first label", ["foo.*.example.com"], "foo.bar.example.com", malformedName),
  named("two wildcards", ["*.*.example.com"], "foo.bar.example.com", malformedName),
  named(
    "a wildcard within an A-label",
    ["xn--*-1b3c148a.example.com"],
    "xn--bliss-1b3c148a.example.com",
    malformedName,
  ),
  named(
    "nothing but a wildcard",
    ["*"].map((dns) => ({ dns })),
    "com",
    malformedName,
  ),
  named(
    "nothing but a wildcard, again",
    ["*"].map((dns) => ({ dns })),
    "example.com",
    malformedName,
  ),
  named("a reference with a wildcard", ["*.example.com"], "*.example.com", "name-mismatch"),

  ...[
    ".example.com",
    "example.com.",
    "foo..example.com",
    "foo_bar.example.com",
    "-foo.example.com",
    "foo-.example.com",
    "exa mple.com",
    "",
    `${"a".repeat(64)}.example.com`,
  ].map((dns) =>
    named("beside a name that is none", [{ dns }, "example.com"], "example.com", {
      webpki: "wrong-alternative-name",
      rfc5280: "wrong-alternative-name",
      path: "accepted",
    }),
  ),
  named("a name with a byte above 127", [{ dns: "b\u00fccher.example" }], "bücher.example", "malformed-extension"),
  named("a mailbox that is none", [{ email: "a@b@example.com" }, "example.com"], "example.com", {
    webpki: "wrong-alternative-name",
    rfc5280: "wrong-alternative-name",
    path: "accepted",
  }),

  named("an IPv4 address", ["127.0.0.1"], "127.0.0.1", "accepted"),
  named("an IPv4 address by its kind", ["127.0.0.1"], { kind: "ip", value: Uint8Array.of(127, 0, 0, 1) }, "accepted"),
  named("an IPv6 address", ["2001:db8::1"], "2001:0db8:0:0:0:0:0:1", "accepted"),
  named("an IPv6 address in brackets", ["2001:db8::1"], "[2001:db8::1]", "accepted"),
  named("another address", ["127.0.0.1"], "127.0.0.2", "name-mismatch"),
  named("an IPv4 address mapped into IPv6 is another", ["127.0.0.1"], "::ffff:127.0.0.1", "name-mismatch"),
  named("an address in a DNS name", [{ dns: "127.0.0.1" }], "127.0.0.1", "name-mismatch"),
  named("a range for an address", [{ ip: Uint8Array.of(192, 0, 2, 0, 255, 255, 255, 0) }, "192.0.2.1"], "192.0.2.1", {
    webpki: "wrong-alternative-name",
    rfc5280: "wrong-alternative-name",
    path: "accepted",
  }),

  named("a mailbox", ["foo@example.com"], { kind: "email", value: "foo@EXAMPLE.com" }, "accepted"),
  named(
    "a mailbox of other letters",
    ["foo@example.com"],
    { kind: "email", value: "Foo@example.com" },
    "name-mismatch",
  ),
  named("another mailbox", ["foo@example.com"], { kind: "email", value: "bar@example.com" }, "name-mismatch"),
  named("a mailbox elsewhere", ["foo@example.com"], { kind: "email", value: "foo@example.org" }, "name-mismatch"),
  named(
    "a URI of the same scheme and host",
    [{ uri: "sip:alice" }, { uri: "sips://sip.example.com/x" }],
    { kind: "uri", value: "sips://sip.example.com" },
    "accepted",
  ),
  named(
    "a URI of another scheme",
    [{ uri: "sip://sip.example.com" }],
    { kind: "uri", value: "sips://sip.example.com" },
    "name-mismatch",
  ),
  named(
    "a URI whose user looks like the host",
    [{ uri: "https://example.com@evil.example/" }],
    { kind: "uri", value: "https://example.com" },
    "name-mismatch",
  ),
  named(
    "a service",
    [{ other: { type: srvName, value: write.ia5String("_imaps.example.com") } }],
    { kind: "srv", value: "_imaps.example.com" },
    "accepted",
  ),
  named(
    "another service",
    [{ other: { type: srvName, value: write.ia5String("_imap.example.com") } }],
    { kind: "srv", value: "_imaps.example.com" },
    "name-mismatch",
  ),

  // a common name identifies nobody, RFC 9525 §2
  differs(
    "a common name alone",
    { webpki: "wrong-alternative-name", rfc5280: "name-mismatch", path: "name-mismatch" },
    (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { san: [], subject: "CN=example.com" }));
    },
  ),
  bad(
    "a common name that fits beside an alternative name that does not",
    ["wrong-common-name", "name-mismatch"],
    (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { san: ["other.org"], subject: "CN=example.com" }));
    },
  ),
  ...(
    [
      ["a copy of a name", "example.com", ["example.com"], "accepted"],
      ["a copy of an address", "192.168.1.1", ["192.168.1.1"], "accepted"],
      ["a copy of an IPv6 address", "2001:db8::1:0:0:1", ["2001:db8::1:0:0:1"], "accepted"],
      ["the domain above", "example.com", ["*.example.com"], "accepted"],
      ["no host", "Acme payroll", ["example.com"], "accepted"],
      ["a single label", "EE", ["localhost"], "accepted"],
      ["a name, where there are only addresses", "example.com", ["127.0.0.1"], "accepted"],
      ["a name, where the others are not of the public DNS", "bad.example.com", ["test.localhost"], "accepted"],
      ["no name of the public DNS", "test.localhost", ["bad.example.com", "127.0.0.1"], "accepted"],
      ["another address", "1.1.1.1", ["127.0.0.1"], "accepted"],
      ["the same name in other letters", "Example.COM", ["example.com"], "wrong-common-name"],
      ["another name", "other.example.com", ["valid.example.com", "another.example.com"], "wrong-common-name"],
      ["another name in A-labels", "xn--nxasmq6b.com", ["xn--n3h.com"], "wrong-common-name"],
      ["the same name in Unicode", "test-測試.com", ["xn--test--wg5h0h.com"], "wrong-common-name"],
      ["the address in hexadecimal", "0xC0A80101", ["192.168.1.1"], "wrong-common-name"],
      ["the address with zeros before", "192.168.001.001", ["192.168.1.1"], "wrong-common-name"],
      ["the address with octal parts", "0300.0250.1.1", ["192.168.1.1"], "wrong-common-name"],
      ["the IPv6 address in capitals", "2001:DB8::8A2E:370:7334", ["2001:db8::8a2e:370:7334"], "wrong-common-name"],
      [
        "the IPv6 address not shortened",
        "2001:0db8:0000:0000:0000:0000:0000:0001",
        ["2001:db8::1"],
        "wrong-common-name",
      ],
      ["the IPv6 address shortened elsewhere", "2001:db8:0:0:1::1", ["2001:db8::1:0:0:1"], "wrong-common-name"],
    ] as const
  ).map(([what, cn, san, expect]) =>
    differs(`the common name is ${what} (${cn})`, { webpki: expect, rfc5280: "accepted" }, (f) => {
      const root = f.root();
      return { ...chainOf(root, f.leaf(root, { san, subject: [["CN", cn]] })), ask: { referenceIds: [] } };
    }),
  ),
  differs("two common names", { webpki: "wrong-common-name", rfc5280: "accepted" }, (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { subject: "CN=example.com, CN=example.com" }));
  }),

  // criticality of the alternative name
  differs(
    "an empty subject and an alternative name that is not critical",
    { webpki: "wrong-alternative-name", rfc5280: "wrong-alternative-name", path: "accepted" },
    (f) => {
      const root = f.root();
      return chainOf(
        root,
        f.leaf(root, { subject: "", extensions: [extension.subjectAltName(["example.com"], false)] }),
      );
    },
  ),
  differs(
    "a subject and an alternative name that is critical",
    { webpki: "wrong-alternative-name", rfc5280: "accepted" },
    (f) => {
      const root = f.root();
      return chainOf(
        root,
        f.leaf(root, { subject: "CN=example.com", extensions: [extension.subjectAltName(["example.com"], true)] }),
      );
    },
  ),
  differs(
    "neither subject nor alternative name",
    { webpki: "wrong-alternative-name", rfc5280: "wrong-alternative-name", path: "accepted" },
    (f) => {
      const root = f.root();
      return { ...chainOf(root, f.leaf(root, { subject: "", san: [] })), ask: { referenceIds: [] } };
    },
  ),
  good("a name is not asked for", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, { san: ["whoever.example"] })), ask: { referenceIds: [] } };
  }),
  good("a wildcard below a suffix that the host's list has", (f) => {
    const root = f.root();
    const options = { isPublicSuffix: (domain: string) => domain === "test" };
    return { ...chainOf(root, f.leaf(root, { san: ["*.b.test"] })), ask: { referenceIds: ["a.b.test"] }, options };
  }),
  bad("a wildcard on a suffix that the host's list has", "name-mismatch", (f) => {
    const root = f.root();
    const options = { isPublicSuffix: (domain: string) => domain === "pages.example" };
    return {
      ...chainOf(root, f.leaf(root, { san: ["*.pages.example"] })),
      ask: { referenceIds: ["me.pages.example"] },
      options,
    };
  }),
];
