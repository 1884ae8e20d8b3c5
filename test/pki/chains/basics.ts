import { fromHex, utf8 } from "../../../src/bytes/index.js";
import { write } from "../../../src/pki/der/index.js";
import { extension } from "../../../src/pki/make/index.js";
import { makeName } from "../../../src/pki/make/name.js";
import { ext } from "../../../src/pki/oids.js";
import { at, bad, type Case, chainOf, day, differs, good, raw } from "./builder.js";

const unknown = { oid: "1.3.6.1.4.1.99999.1", critical: true, value: new Uint8Array() };

/** RFC 5280 §4 and the plainest parts of §6, and what the CA/Browser Forum adds to them. */
export const basics: readonly Case[] = [
  good("a root and an end entity", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root));
  }),
  good("an intermediate between", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return chainOf(root, ica, f.leaf(ica));
  }),
  good("four intermediates, sent in the wrong order with a stranger among them", (f) => {
    const root = f.root();
    const a = f.authority(root);
    const b = f.authority(a);
    const c = f.authority(b);
    const d = f.authority(c);
    return { anchors: [root], chain: [f.leaf(d), a, f.root({ subject: "CN=Stranger" }), d, b, c] };
  }),
  good("the root is sent as well", (f) => {
    const root = f.root();
    return { anchors: [root], chain: [f.leaf(root), root] };
  }),
  good("an intermediate is the anchor, and its root is sent", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return { anchors: [ica], chain: [f.leaf(ica), root] };
  }),
  ...(["Ed25519", "Ed448", "P-384", "P-521", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"] as const).map((kind) =>
    good(`${kind} throughout`, (f) => {
      const root = f.root({ key: f.key(kind) });
      return chainOf(root, f.leaf(root, { key: f.key(kind) }));
    }),
  ),
  bad("no certificate at all", "no-certificate", (f) => ({ anchors: [f.root()], chain: [] })),
  bad("the root is not trusted", "unknown-issuer", (f) => {
    const root = f.root();
    return { anchors: [f.root({ subject: "CN=Other" })], chain: [f.leaf(root), root] };
  }),
  bad("another root of the same name", "bad-signature", (f) => {
    const root = f.root();
    return { anchors: [f.root()], chain: [f.leaf(root)] };
  }),
  bad("an intermediate is missing", "unknown-issuer", (f) => {
    const root = f.root();
    return { anchors: [root], chain: [f.leaf(f.authority(root))] };
  }),
  bad("the issuer's name is right and the signature another's", "bad-signature", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { signer: f.key() }));
  }),
  bad("one bit of the signature is wrong", "bad-signature", (f) => {
    const root = f.root();
    const leaf = f.leaf(root);
    const der = leaf.der.slice();
    der[der.length - 1]! ^= 1;
    return { anchors: [root], chain: [der] };
  }),
  bad("one bit of the signed part is wrong", "bad-signature", (f) => {
    const root = f.root();
    const leaf = f.leaf(root, { san: ["example.com", "example.org"] });
    const der = leaf.der.slice();
    der[Buffer.from(der).indexOf("example.org")]! ^= 1;
    return { anchors: [root], chain: [der] };
  }),
  bad("bytes behind the certificate", "malformed-certificate", (f) => {
    const root = f.root();
    return { anchors: [root], chain: [Uint8Array.from([...f.leaf(root).der, 0])] };
  }),
  bad("algorithms inside and outside differ", "malformed-certificate", (f) => {
    const root = f.root();
    const outside = write.sequence(write.oid("1.2.840.10045.4.3.3"));
    return chainOf(root, f.leaf(root, { algorithms: { outside } }));
  }),
  bad("algorithms inside and outside differ in parameters", "malformed-certificate", (f) => {
    const root = f.root();
    const outside = write.sequence(write.oid("1.2.840.10045.4.3.2"), write.nothing());
    return chainOf(root, f.leaf(root, { algorithms: { outside } }));
  }),
  bad("an ECDSA algorithm with parameters", "malformed-certificate", (f) => {
    const root = f.root();
    const inside = write.sequence(write.oid("1.2.840.10045.4.3.2"), write.nothing());
    return chainOf(root, f.leaf(root, { algorithms: { inside } }));
  }),
  bad("an unknown signature algorithm", "forbidden-algorithm", (f) => {
    const root = f.root();
    const inside = write.sequence(write.oid("1.2.840.10040.4.3"));
    return chainOf(root, f.leaf(root, { algorithms: { inside } }));
  }),
  bad("ECDSA with SHA-1 under the end entity", "forbidden-algorithm", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { algorithm: "ECDSA-any-SHA-1" }));
  }),
  bad("ECDSA with SHA-1 under an intermediate", "forbidden-algorithm", (f) => {
    const root = f.root();
    const ica = f.authority(root, { algorithm: "ECDSA-any-SHA-1" });
    return chainOf(root, ica, f.leaf(ica));
  }),
  good("a root signed by itself with SHA-1: nobody relies on it", (f) => {
    const root = f.root({ algorithm: "ECDSA-any-SHA-1" });
    return chainOf(root, f.leaf(root));
  }),

  // validity, §4.1.2.5
  ...(
    [
      ["exactly at notBefore", { notBefore: at }, "accepted"],
      ["a millisecond before notBefore", { notBefore: at + 1000 }, "not-yet-valid"],
      ["exactly at notAfter", { notAfter: at }, "accepted"],
      ["within the second of notAfter", { notAfter: at }, "accepted"],
      ["a second after notAfter", { notAfter: at - 1000 }, "expired"],
      ["until 2969", { notAfter: Date.UTC(2969, 4, 3) }, "accepted"],
      ["since 1970", { notBefore: 0 }, "accepted"],
      ["never, for its ends are swapped", { notBefore: at + day, notAfter: at - day }, "not-yet-valid"],
    ] as const
  ).map(([name, period, expect]) => ({
    name: `valid: ${name}`,
    expect,
    make: (f: Parameters<Case["make"]>[0]) => {
      const root = f.root();
      const ask = name.startsWith("a millisecond")
        ? { at: at + 999 }
        : name.startsWith("within")
          ? { at: at + 999 }
          : {};
      return { ...chainOf(root, f.leaf(root, period)), ask };
    },
  })),
  bad("an intermediate has expired", "expired", (f) => {
    const root = f.root();
    const ica = f.authority(root, { notAfter: at - 1000 });
    return chainOf(root, ica, f.leaf(ica));
  }),
  bad("the root has expired", "expired", (f) => {
    const root = f.root({ notAfter: at - 1000 });
    return chainOf(root, f.leaf(root));
  }),
  good("the root has expired, and its dates are not to count", (f) => {
    const root = f.root({ notAfter: at - 1000 });
    return { ...chainOf(root, f.leaf(root)), options: { anchorExpiry: "ignore" } };
  }),
  bad("the root is not valid yet", "not-yet-valid", (f) => {
    const root = f.root({ notBefore: at + 1000 });
    return chainOf(root, f.leaf(root));
  }),

  // version and serial number
  bad("version 1 with extensions", "wrong-version", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, version: 1 }) }));
  }),
  bad("version 2 with extensions", "wrong-version", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, version: 2 }) }));
  }),
  differs(
    "version 1, without extensions, no name asked for",
    { webpki: "wrong-key-identifier", rfc5280: "wrong-key-identifier", path: "accepted" },
    (f) => {
      const root = f.root();
      const leaf = f.leaf(root, { bend: (t) => ({ ...t, version: 1, extensions: [] }) });
      return { ...chainOf(root, leaf), ask: { referenceIds: [] } };
    },
  ),
  bad("version 1 of an intermediate", ["not-an-authority"], (f) => {
    const root = f.root();
    const ica = f.authority(root, { bend: (t) => ({ ...t, version: 1, extensions: [] }) });
    return chainOf(root, ica, f.leaf(ica));
  }),
  ...(
    [
      ["of 20 octets", new Uint8Array(20).fill(0x7f), "accepted"],
      ["of 21 octets, for its first bit is set", new Uint8Array(20).fill(0xff), "wrong-serial"],
      ["of 22 octets", new Uint8Array(22).fill(0x7f), "wrong-serial"],
    ] as const
  ).map(([name, serial, expect]) => ({
    name: `a serial number ${name}`,
    expect,
    make: (f: Parameters<Case["make"]>[0]) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { serial }));
    },
  })),
  differs(
    "serial number zero of an end entity",
    { webpki: "wrong-serial", rfc5280: "wrong-serial", path: "accepted" },
    (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { serial: Uint8Array.of(0) }));
    },
  ),
  good("serial number zero of a root, as some in wide use have", (f) => {
    const root = f.root({ serial: Uint8Array.of(0) });
    return chainOf(root, f.leaf(root));
  }),
  bad("a negative serial number", "wrong-serial", (f) => {
    const root = f.root();
    const leaf = f.leaf(root, { serial: Uint8Array.of(0x7f, 0x01) });
    const der = leaf.der.slice();
    der[Buffer.from(der).indexOf(Buffer.from("02027f01", "hex")) + 2] = 0xff;
    return { anchors: [root], chain: [der] };
  }),

  // names, §4.1.2.4 and §4.1.2.6
  bad("an empty issuer", "wrong-issuer-name", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, issuer: makeName("") }) }));
  }),
  bad("a root without a name", ["wrong-issuer-name", "unknown-issuer"], (f) => {
    const root = f.root({ bend: (t) => ({ ...t, subject: makeName("") }) });
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, issuer: makeName("O=Test, CN=Root") }) }));
  }),
  differs("an intermediate without a name", { webpki: "wrong-issuer-name", rfc5280: "wrong-issuer-name" }, (f) => {
    const root = f.root();
    const ica = f.authority(root, { bend: (t) => ({ ...t, subject: makeName("") }) });
    return chainOf(root, ica, f.leaf(ica));
  }),
  good("names that chain though they are written in other letters and spaces", (f) => {
    const root = f.root({ subject: "O=Test Authority, CN=Root" });
    const issuer = makeName([
      ["O", " test   AUTHORITY "],
      ["CN", "ROOT"],
    ]);
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, issuer }) }));
  }),
  good("names that chain though they are of other string types", (f) => {
    const root = f.root({ subject: "O=Test, CN=Root" });
    const rdn = (oid: string, text: string) => write.setOf(write.sequence(write.oid(oid), write.printableString(text)));
    const issuer = write.sequence(rdn("2.5.4.10", "Test"), rdn("2.5.4.3", "Root"));
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, issuer }) }));
  }),
  bad("names with the same relative names in another order do not chain", "unknown-issuer", (f) => {
    const root = f.root({ subject: "O=Test, CN=Root" });
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, issuer: makeName("CN=Root, O=Test") }) }));
  }),

  // extensions, §4.2
  bad("an unknown critical extension of the end entity", "unknown-critical-extension", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { extensions: [unknown] }));
  }),
  bad("an unknown critical extension of an intermediate", "unknown-critical-extension", (f) => {
    const root = f.root();
    const ica = f.authority(root, { extensions: [unknown] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  bad("an unknown critical extension of the root", "unknown-critical-extension", (f) => {
    const root = f.root({ extensions: [unknown] });
    return chainOf(root, f.leaf(root));
  }),
  good("an unknown extension that is not critical", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { extensions: [{ ...unknown, critical: false, value: utf8("anything") }] }));
  }),
  bad("a precertificate", "unknown-critical-extension", (f) => {
    const root = f.root();
    const poison = { oid: "1.3.6.1.4.1.11129.2.4.3", critical: true, value: fromHex("0500") };
    return chainOf(root, f.leaf(root, { extensions: [poison] }));
  }),
  bad("an extension that stands twice", "duplicate-extension", (f) => {
    const root = f.root();
    const san = extension.subjectAltName(["example.com"]);
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, extensions: [...t.extensions, san] }) }));
  }),
  bad("a critical FALSE that is written", "malformed-certificate", (f) => {
    const root = f.root();
    const leaf = f.leaf(root);
    // KeyUsage: 0603551d0f 0101ff 0404 …: FF becomes 00
    const der = leaf.der.slice();
    der[Buffer.from(der).indexOf(Buffer.from("0603551d0f0101ff", "hex")) + 7] = 0;
    return { anchors: [root], chain: [der] };
  }),
  ...Object.entries({
    subjectAltName: utf8("example.com"),
    authorityInfoAccess: utf8("malformed"),
    keyUsage: fromHex("0301ff"),
    extKeyUsage: fromHex("3000"),
    basicConstraints: fromHex("30030101 00"),
    certificatePolicies: fromHex("3000"),
    cRLDistributionPoints: fromHex("30023000"),
    nameConstraints: fromHex("3000"),
    policyConstraints: fromHex("3000"),
    subjectKeyIdentifier: fromHex("0500"),
    authorityKeyIdentifier: fromHex("30038301 00"),
    tlsFeature: fromHex("0500"),
    signedCertificateTimestamps: fromHex("0500"),
    delegationUsage: fromHex("3000"),
  } as const).map(([name, value]) =>
    bad(`a malformed ${name}`, "malformed-extension", (f) => {
      const root = f.root();
      const spec = { oid: ext[name as keyof typeof ext], critical: false, value };
      return chainOf(root, f.leaf(root, { extensions: [spec] }));
    }),
  ),
  bad("zeros at the end of the key usage's bits", "malformed-extension", (f) => {
    const root = f.root();
    return chainOf(
      root,
      f.leaf(root, { extensions: [{ oid: ext.keyUsage, critical: true, value: fromHex("03020480") }] }),
    );
  }),
  good("zeros at the end of the root's key usage: two in wide use have them", (f) => {
    const root = f.root({ extensions: [{ oid: ext.keyUsage, critical: true, value: fromHex("03020006") }] });
    return chainOf(root, f.leaf(root));
  }),
  good("delegated credentials allowed, must-staple not asked for", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { extensions: [extension.delegationUsage(), extension.tlsFeature([17])] }));
  }),
  good("authority information access that is not critical", (f) => {
    const root = f.root();
    return chainOf(
      root,
      f.leaf(root, { extensions: [extension.authorityInfoAccess({ ocsp: "http://ocsp.example" })] }),
    );
  }),

  // criticality
  ...(
    [
      ["authorityKeyIdentifier", true, (f) => extension.authorityKeyIdentifier(new Uint8Array(20).fill(f))],
      ["subjectKeyIdentifier", true, (f) => extension.subjectKeyIdentifier(new Uint8Array(20).fill(f))],
      ["authorityInfoAccess", true, () => extension.authorityInfoAccess({ caIssuers: "http://ca.example" })],
      ["policyConstraints", false, () => extension.policyConstraints({ requireExplicitPolicy: 5 })],
      ["inhibitAnyPolicy", false, () => extension.inhibitAnyPolicy(5)],
      ["basicConstraints", false, () => extension.basicConstraints(true)],
    ] as const satisfies readonly (readonly [
      string,
      boolean,
      (fill: number) => ReturnType<typeof extension.inhibitAnyPolicy>,
    ])[]
  ).map(([name, critical, make]) =>
    differs(
      `${name} of an intermediate is ${critical ? "critical" : "not critical"}`,
      { webpki: "wrong-criticality", rfc5280: "wrong-criticality" },
      (f) => {
        const root = f.root();
        const ica = f.authority(root, { extensions: [raw(make(7), { critical })] });
        return chainOf(root, ica, f.leaf(ica));
      },
    ),
  ),
  differs(
    "basic constraints of the root are not critical",
    { webpki: "wrong-criticality", rfc5280: "wrong-criticality", path: "accepted" },
    (f) => {
      const root = f.root({ extensions: [raw(extension.basicConstraints(true), { critical: false })] });
      return chainOf(root, f.leaf(root));
    },
  ),
  differs(
    "name constraints of the root are not critical",
    { webpki: "accepted", rfc5280: "wrong-criticality", path: "accepted" },
    (f) => {
      const root = f.root({
        extensions: [raw(extension.nameConstraints({ permitted: ["example.com"] }), { critical: false })],
      });
      return chainOf(root, f.leaf(root));
    },
  ),

  // key identifiers, §4.2.1.1 and §4.2.1.2
  ...(["end entity", "intermediate", "root"] as const).map((who) => {
    const wrong = who === "root" ? ("accepted" as const) : ("wrong-key-identifier" as const);
    return differs(
      `the ${who} does not identify its issuer's key`,
      { webpki: wrong, rfc5280: wrong, path: "accepted" },
      (f) => {
        const without = (each: string) => (each === who ? { without: [ext.authorityKeyIdentifier] } : {});
        const root = f.root(without("root"));
        const ica = f.authority(root, without("intermediate"));
        return chainOf(root, ica, f.leaf(ica, without("end entity")));
      },
    );
  }),
  differs(
    "an anchor that another root certified does not identify its issuer's key",
    { webpki: "wrong-key-identifier", rfc5280: "wrong-key-identifier", path: "accepted" },
    (f) => {
      const anchor = f.authority(f.root(), { without: [ext.authorityKeyIdentifier] });
      return chainOf(anchor, f.leaf(anchor));
    },
  ),
  ...(["intermediate", "root"] as const).map((who) =>
    differs(
      `the ${who} has no key identifier`,
      { webpki: "wrong-key-identifier", rfc5280: "wrong-key-identifier", path: "accepted" },
      (f) => {
        const without = (each: string) => (each === who ? { without: [ext.subjectKeyIdentifier] } : {});
        const root = f.root(without("root"));
        const ica = f.authority(root, without("intermediate"));
        return chainOf(root, ica, f.leaf(ica));
      },
    ),
  ),
  good("key identifiers are hints: a wrong one excludes nobody", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return chainOf(root, ica, f.leaf(ica, { extensions: [extension.authorityKeyIdentifier(new Uint8Array(20))] }));
  }),
  ...(
    [
      ["no key identifier", () => extension.authorityKeyIdentifier()],
      ["its issuer's name too", (id) => extension.authorityKeyIdentifier(id, { directory: "CN=My CN" })],
      ["its issuer's serial number too", (id) => extension.authorityKeyIdentifier(id, undefined, 1234)],
      ["all three", (id) => extension.authorityKeyIdentifier(id, { directory: "CN=My CN" }, 1234)],
      ["another key's identifier", () => extension.authorityKeyIdentifier(new Uint8Array(20))],
    ] as const satisfies readonly (readonly [
      string,
      (id: Uint8Array) => ReturnType<typeof extension.inhibitAnyPolicy>,
    ])[]
  ).map(([name, make]) =>
    differs(
      `the root names as its issuer ${name}`,
      { webpki: "wrong-key-identifier", rfc5280: "accepted", path: "accepted" },
      (f) => {
        const key = f.key();
        const plain = f.root({ key });
        const root = f.root({ key, extensions: [make(plain.certificate.extensions.subjectKeyIdentifier!)] });
        return chainOf(root, f.leaf(root));
      },
    ),
  ),
];
