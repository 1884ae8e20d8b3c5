import { fromHex } from "../../../src/bytes/index.js";
import { type AlternativeNameSpec, extension } from "../../../src/pki/make/index.js";
import { ext } from "../../../src/pki/oids.js";
import { bad, type Case, chainOf, differs, type Expected, type Forge, good } from "./builder.js";

interface Trees {
  readonly permitted?: readonly AlternativeNameSpec[];
  readonly excluded?: readonly AlternativeNameSpec[];
}

/** An intermediate with these constraints over an end entity with these names. */
function constrained(trees: Trees, san: readonly AlternativeNameSpec[], expect: Expected, subject = ""): Case {
  const show = (value: unknown) =>
    JSON.stringify(value, (_, each) => (each instanceof Uint8Array ? Buffer.from(each).toString("hex") : each));
  return {
    name: `${show(trees)} over ${show(san)}${subject && ` and ${subject}`}`,
    expect,
    make: (f: Forge) => {
      const root = f.root();
      const ica = f.authority(root, { extensions: [extension.nameConstraints(trees)] });
      const leaf = f.leaf(ica, { san, subject, purposes: ["client"] });
      return { ...chainOf(root, ica, leaf), ask: { referenceIds: [], purpose: "client" } };
    },
  };
}

const other = { other: { type: "1.3.6.1.4.1.99999.3", value: fromHex("0500") } };

/** RFC 5280 §4.2.1.10 and §6.1.3(b)-(c). */
export const constraints: readonly Case[] = [
  // DNS names
  constrained({ permitted: ["example.com"] }, ["example.com"], "accepted"),
  constrained({ permitted: ["example.com"] }, ["foo.bar.example.com"], "accepted"),
  constrained({ permitted: ["EXAMPLE.com"] }, ["foo.example.COM"], "accepted"),
  constrained({ permitted: ["example.com"] }, ["not-example.com"], "name-not-permitted"),
  constrained({ permitted: ["example.com"] }, ["com"], "name-not-permitted"),
  constrained({ permitted: ["example.com"] }, ["example.com", "example.org"], "name-not-permitted"),
  constrained({ permitted: ["foo.example", "bar.example"] }, ["bar.example"], "accepted"),
  constrained({ permitted: ["example.com"] }, ["*.example.com"], "accepted"),
  constrained({ permitted: ["foo.example.com"] }, ["*.example.com"], "name-not-permitted"),
  constrained({ excluded: ["example.com"] }, ["example.com"], "name-excluded"),
  constrained({ excluded: ["example.com"] }, ["foo.example.com"], "name-excluded"),
  constrained({ excluded: ["example.com"] }, ["*.example.com"], "name-excluded"),
  constrained({ excluded: ["bar.example.com"] }, ["*.example.com"], "name-excluded"),
  constrained({ permitted: ["example.com"], excluded: ["bar.example.com"] }, ["*.example.com"], "name-excluded"),
  constrained({ excluded: ["foo.bar.example.com"] }, ["*.example.com"], "accepted"),
  constrained({ excluded: ["not-allowed.example.com"] }, ["example.com", "not-allowed.example.com"], "name-excluded"),
  constrained({ excluded: ["example.com"] }, ["notexample.com"], "accepted"),
  constrained({ permitted: ["example.com"], excluded: ["example.com"] }, ["example.com"], "name-excluded"),
  constrained({ permitted: [{ dns: "" }] }, ["example.com"], "accepted"),
  constrained({ excluded: [{ dns: "" }] }, ["example.com"], "name-excluded"),
  ...["*.example.com", ".example.com", "exa_mple.com", "example.com."].map((dns) =>
    constrained({ permitted: [{ dns }] }, ["foo.example.com"], "wrong-name-constraints"),
  ),
  // addresses
  constrained({ permitted: ["192.0.2.0/24"] }, ["192.0.2.1"], "accepted"),
  constrained({ permitted: ["192.0.2.0/24"] }, ["192.0.3.1"], "name-not-permitted"),
  constrained({ excluded: ["192.0.2.0/24"] }, ["192.0.2.1"], "name-excluded"),
  constrained({ permitted: ["192.0.2.128/25"] }, ["192.0.2.127"], "name-not-permitted"),
  constrained({ permitted: ["0.0.0.0/0"] }, ["203.0.113.9"], "accepted"),
  constrained({ permitted: ["0.0.0.0/0"] }, ["2001:db8::1"], "name-not-permitted"),
  constrained({ permitted: ["::1/128"] }, ["::1"], "accepted"),
  constrained({ permitted: ["::1/128"] }, ["::2"], "name-not-permitted"),
  constrained({ excluded: ["::1/128"] }, ["::1"], "name-excluded"),
  constrained({ excluded: ["::/0"] }, ["192.0.2.1"], "accepted"),
  constrained({ permitted: [{ ip: Uint8Array.of(127, 0, 0, 1) }] }, ["127.0.0.1"], "wrong-name-constraints"),
  constrained({ permitted: [{ ip: new Uint8Array(16) }] }, ["::"], "wrong-name-constraints"),
  constrained(
    { permitted: [{ ip: Uint8Array.of(127, 0, 0, 1, 255, 0, 255, 0) }] },
    ["127.0.0.1"],
    "wrong-name-constraints",
  ),
  // mailboxes
  constrained({ permitted: ["foo@example.com"] }, ["foo@example.com"], "accepted"),
  constrained({ permitted: ["foo@example.com"] }, ["Foo@example.com"], "name-not-permitted"),
  constrained({ permitted: ["foo@example.com"] }, ["foo@EXAMPLE.com"], "accepted"),
  constrained({ permitted: [{ email: "example.com" }] }, ["foo@example.com"], "accepted"),
  constrained({ permitted: [{ email: "example.com" }] }, ["foo@sub.example.com"], "name-not-permitted"),
  constrained({ permitted: [{ email: ".example.com" }] }, ["foo@sub.example.com"], "accepted"),
  constrained({ permitted: [{ email: ".example.com" }] }, ["foo@example.com"], "name-not-permitted"),
  constrained({ excluded: [{ email: "example.com" }] }, ["foo@example.com"], "name-excluded"),
  constrained({ permitted: [{ email: "*@example.com" }] }, ["*@example.com"], "accepted"),
  constrained({ permitted: [{ email: "*@example.com" }] }, ["foo@example.com"], "name-not-permitted"),
  constrained({ permitted: [{ email: "**@example.com" }] }, ["**@example.com"], "accepted"),
  constrained({ permitted: [{ email: "f*o@example.com" }] }, ["f*o@example.com"], "accepted"),
  constrained({ permitted: [{ email: "a@b@example.com" }] }, ["b@example.com"], "wrong-name-constraints"),
  ...(["bar", "foo"] as const).map((local) =>
    differs(
      `a permitted mailbox over ${local}@ in the subject`,
      { rfc5280: local === "foo" ? "accepted" : "name-not-permitted" },
      (f) => {
        const root = f.root({ extensions: [extension.nameConstraints({ permitted: ["foo@example.com"] })] });
        const leaf = f.leaf(root, { san: [], subject: `emailAddress=${local}@example.com` });
        return { ...chainOf(root, leaf), ask: { referenceIds: [] } };
      },
    ),
  ),
  // URIs
  constrained({ permitted: [{ uri: "host.example.com" }] }, [{ uri: "https://host.example.com:8443/x" }], "accepted"),
  constrained(
    { permitted: [{ uri: "host.example.com" }] },
    [{ uri: "https://other.example.com/" }],
    "name-not-permitted",
  ),
  constrained({ permitted: [{ uri: ".example.com" }] }, [{ uri: "https://host.example.com/" }], "accepted"),
  constrained({ permitted: [{ uri: ".example.com" }] }, [{ uri: "https://example.com/" }], "name-not-permitted"),
  constrained({ excluded: [{ uri: ".example.com" }] }, [{ uri: "https://host.example.com/" }], "name-excluded"),
  constrained(
    { permitted: [{ uri: "example.com" }] },
    [{ uri: "https://example.com@evil.example/" }],
    "name-not-permitted",
  ),
  constrained({ permitted: [{ uri: "example.com" }] }, [{ uri: "urn:example:com" }], "name-not-permitted"),
  constrained({ excluded: [{ uri: "example.com" }] }, [{ uri: "https://192.0.2.1/" }], "name-excluded"),
  constrained(
    { permitted: [{ uri: "https://example.com" }] },
    [{ uri: "https://example.com" }],
    "wrong-name-constraints",
  ),
  // directory names
  constrained({ permitted: [{ directory: "O=Acme" }] }, ["example.com"], "accepted", "O=Acme, CN=example.com"),
  constrained({ permitted: [{ directory: "O=ACME" }] }, ["example.com"], "accepted", "O=acme, CN=example.com"),
  constrained(
    { permitted: [{ directory: "O=Acme" }] },
    ["example.com"],
    "name-not-permitted",
    "O=Other, CN=example.com",
  ),
  constrained(
    { permitted: [{ directory: "CN=example.com" }] },
    ["example.com"],
    "name-not-permitted",
    "O=Acme, CN=example.com",
  ),
  constrained({ permitted: [{ directory: "O=Acme" }] }, [{ directory: "O=Other" }], "name-not-permitted"),
  constrained({ permitted: [{ directory: "CN=foo" }] }, [{ directory: "CN=foo" }], "name-not-permitted", "CN=not-foo"),
  constrained({ permitted: [{ directory: "CN=foo" }] }, [{ directory: "CN=foo" }], "accepted", "CN=foo"),
  constrained({ excluded: [{ directory: "CN=foo" }] }, [{ directory: "CN=not-foo" }], "name-excluded", "CN=foo"),
  constrained({ excluded: [{ directory: "CN=foo" }] }, [{ directory: "CN=foo" }], "name-excluded", "CN=bar"),
  constrained({ excluded: [{ directory: "" }] }, ["example.com"], "name-excluded", "CN=example.com"),
  // forms that nobody can compare
  constrained({ permitted: ["example.com"], excluded: [other] }, ["example.com", other], "unsupported-constraint"),
  constrained({ permitted: [other] }, [other], "unsupported-constraint"),
  constrained({ excluded: [other] }, ["example.com"], "accepted"),
  constrained({ excluded: [{ registeredId: "1.2.3" }] }, [{ registeredId: "1.2.4" }], "unsupported-constraint"),
  // forms apart
  constrained({ permitted: ["192.0.2.0/24"] }, ["example.com"], "accepted"),
  constrained({ excluded: ["192.0.2.0/24"] }, ["example.com"], "accepted"),
  constrained({ permitted: ["example.com"] }, ["foo@example.org", "192.0.2.1"], "accepted"),

  ...(
    [
      [
        "permitted narrows downwards",
        ["foo.example.com", "bar.example.com"],
        ["bar.example.com"],
        "name-not-permitted",
      ],
      [
        "permitted does not widen downwards",
        ["bar.example.com"],
        ["foo.example.com", "bar.example.com"],
        "name-not-permitted",
      ],
      ["permitted twice", ["example.com"], ["foo.example.com"], "accepted"],
    ] as const
  ).map(([name, above, below, expect]) => ({
    name,
    expect,
    make: (f: Forge) => {
      const root = f.root();
      const first = f.authority(root, { extensions: [extension.nameConstraints({ permitted: above })] });
      const second = f.authority(first, { extensions: [extension.nameConstraints({ permitted: below })] });
      const leaf = f.leaf(second, { san: ["foo.example.com"] });
      return { ...chainOf(root, first, second, leaf), ask: { referenceIds: ["foo.example.com"] } };
    },
  })),
  bad("excluded above stays excluded below a permission", "name-excluded", (f) => {
    const root = f.root();
    const first = f.authority(root, { extensions: [extension.nameConstraints({ excluded: ["example.com"] })] });
    const second = f.authority(first, { extensions: [extension.nameConstraints({ permitted: ["example.com"] })] });
    return chainOf(root, first, second, f.leaf(second));
  }),
  bad("the root's own constraints count", "name-excluded", (f) => {
    const root = f.root({ extensions: [extension.nameConstraints({ excluded: ["example.com"] })] });
    return chainOf(root, f.leaf(root));
  }),
  bad("an intermediate's own name is constrained too", "name-excluded", (f) => {
    const root = f.root({ extensions: [extension.nameConstraints({ excluded: ["forbidden.example.com"] })] });
    const ica = f.authority(root, { san: ["forbidden.example.com"] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  good("a self-issued intermediate is not constrained", (f) => {
    const subject = "CN=not-example.com";
    const root = f.root({ subject, extensions: [extension.nameConstraints({ permitted: ["example.com"] })] });
    const rolled = f.authority(root, { subject, san: ["not-example.com"] });
    return chainOf(root, rolled, f.leaf(rolled));
  }),
  bad("a self-issued end entity is constrained", "name-not-permitted", (f) => {
    const root = f.root({ extensions: [extension.nameConstraints({ permitted: ["example.com"] })] });
    const ica = f.authority(root, { subject: "CN=not-example.com" });
    const leaf = f.leaf(ica, { subject: "CN=not-example.com", san: ["not-example.com"] });
    return { ...chainOf(root, ica, leaf), ask: { referenceIds: ["not-example.com"] } };
  }),
  ...[true, false].map((critical) =>
    differs(
      `an end entity with ${critical ? "critical" : "other"} name constraints`,
      { webpki: "wrong-name-constraints", rfc5280: critical ? "wrong-name-constraints" : "wrong-criticality" },
      (f) => {
        const root = f.root();
        const spec = { ...extension.nameConstraints({ permitted: ["example.com"] }), critical };
        return chainOf(root, f.leaf(root, { extensions: [spec] }));
      },
    ),
  ),
  ...Object.entries({
    "that are an empty sequence": "3000",
    "of two empty lists": "3004 a000 a100",
    "with a minimum that is written though it is the default": "300f a00d 300b 8206 612e74657374 8001 00",
    "with a minimum": "300f a00d 300b 8206 612e74657374 8001 01",
    "with a maximum": "300f a00d 300b 8206 612e74657374 8101 01",
  }).map(([name, hex]) =>
    bad(`name constraints ${name}`, "malformed-extension", (f) => {
      const root = f.root();
      const ica = f.authority(root, {
        extensions: [{ oid: ext.nameConstraints, critical: true, value: fromHex(hex) }],
      });
      return chainOf(root, ica, f.leaf(ica));
    }),
  ),
  bad("an anchor that its holder limits to other domains", "name-not-permitted", (f) => {
    const root = f.root();
    return {
      ...chainOf(root, f.leaf(root)),
      options: { anchors: [{ certificate: root.der, permittedDomains: ["example.org"] }] },
    };
  }),
  good("an anchor that its holder limits to this domain", (f) => {
    const root = f.root();
    return {
      ...chainOf(root, f.leaf(root)),
      options: { anchors: [{ certificate: root.der, permittedDomains: ["example.com"] }] },
    };
  }),
  bad("an anchor that its holder keeps from this domain", "name-excluded", (f) => {
    const root = f.root();
    return {
      ...chainOf(root, f.leaf(root)),
      options: { anchors: [{ certificate: root.der, excludedDomains: ["com"] }] },
    };
  }),
  bad("an anchor that its holder trusts for clients only", "wrong-purpose", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root)), options: { anchors: [{ certificate: root.der, purposes: ["client"] }] } };
  }),
  good("a name that is constrained on one path and not on another", (f) => {
    const [rootA, rootB] = [f.root({ subject: "CN=A" }), f.root({ subject: "CN=B" })];
    const limited = f.authority(rootA, {
      extensions: [extension.nameConstraints({ excluded: ["forbidden.example"] })],
    });
    const one = f.authority(limited, { subject: "CN=Issuer", san: ["forbidden.example"] });
    const two = f.cross(one, rootB);
    return { anchors: [rootA, rootB], chain: [f.leaf(one), limited, one, two] };
  }),
];
