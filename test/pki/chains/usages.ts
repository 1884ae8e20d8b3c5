import { generateKeyPairSync } from "node:crypto";
import { write } from "../../../src/pki/der/index.js";
import { extension } from "../../../src/pki/make/index.js";
import { anyExtendedKeyUsage, ext, purposes } from "../../../src/pki/oids.js";
import { provider } from "../fixtures.js";
import { bad, type Case, chainOf, differs, good, type Made } from "./builder.js";

/** RSA keys come from Node: made once, for they take a while. */
const rsaKeys = new Map<number, Uint8Array>();
function rsa(bits: number) {
  let der = rsaKeys.get(bits);
  if (!der) {
    der = generateKeyPairSync("rsa", { modulusLength: bits }).privateKey.export({ format: "der", type: "pkcs8" });
    rsaKeys.set(bits, der);
  }
  const key = provider.privateKey(new Uint8Array(der));
  if (!key) throw new Error(`no RSA key of ${bits} bits`);
  return key;
}

/** The same SubjectPublicKeyInfo that another kind of key would have. */
const spkiOf = (kind: "p192" | "dsa" | "rsa1024" | "brainpool"): Uint8Array => {
  const { publicKey } =
    kind === "dsa"
      ? generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 })
      : kind === "rsa1024"
        ? generateKeyPairSync("rsa", { modulusLength: 1024 })
        : generateKeyPairSync("ec", { namedCurve: kind === "p192" ? "prime192v1" : "brainpoolP256r1" });
  return new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
};

/** Basic constraints, key usage, purposes, path length; and which keys are good enough. */
export const usages: readonly Case[] = [
  // an authority is one, §4.2.1.9
  bad("an end entity issues", "not-an-authority", (f) => {
    const root = f.root();
    const middle = f.leaf(root, { subject: "CN=Middle" });
    return chainOf(root, middle, f.leaf(middle));
  }),
  bad("an intermediate without basic constraints", "not-an-authority", (f) => {
    const root = f.root();
    const ica = f.authority(root, { without: [ext.basicConstraints] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  bad("an intermediate whose cA is false", "not-an-authority", (f) => {
    const root = f.root();
    const ica = f.authority(root, { extensions: [extension.basicConstraints(false)] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  differs(
    "a root without basic constraints",
    { webpki: "not-an-authority", rfc5280: "not-an-authority", path: "accepted" },
    (f) => {
      const root = f.root({ without: [ext.basicConstraints] });
      return chainOf(root, f.leaf(root));
    },
  ),
  good("an end entity without basic constraints", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { without: [ext.basicConstraints] }));
  }),
  differs(
    "an authority as the end entity",
    { webpki: "authority-as-end-entity", rfc5280: "accepted", path: "accepted" },
    (f) => {
      const root = f.root();
      return chainOf(root, f.authority(root, { san: ["example.com"] }));
    },
  ),
  differs("an end entity whose cA is true", { webpki: "authority-as-end-entity", rfc5280: "accepted" }, (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { extensions: [extension.basicConstraints(true)] }));
  }),
  good("an end entity that is the anchor itself", (f) => {
    const own = f.leaf(f.root());
    return chainOf(own, own);
  }),
  bad("an anchor itself, with another name", "name-mismatch", (f) => {
    const own = f.leaf(f.root(), { san: ["example.org"] });
    return chainOf(own, own);
  }),

  // key usage, §4.2.1.3
  good("an end entity without a key usage", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { without: [ext.keyUsage] }));
  }),
  good("authorities without a key usage", (f) => {
    const root = f.root({ without: [ext.keyUsage] });
    const ica = f.authority(root, { without: [ext.keyUsage] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  good("a key usage that is not critical", (f) => {
    const root = f.root({ extensions: [{ ...extension.keyUsage(["keyCertSign"]), critical: false }] });
    return chainOf(root, f.leaf(root));
  }),
  bad("an intermediate that may not sign certificates", "no-certificate-signing", (f) => {
    const root = f.root();
    const ica = f.authority(root, { keyUsage: ["cRLSign"] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  differs(
    "a root that may not sign certificates",
    { webpki: "no-certificate-signing", rfc5280: "no-certificate-signing" },
    (f) => {
      const root = f.root({ keyUsage: ["cRLSign"] });
      return chainOf(root, f.leaf(root));
    },
  ),
  ...(["root", "end entity"] as const).map((who) =>
    differs(
      `a key usage without usages, of the ${who}`,
      { webpki: "wrong-key-usage", rfc5280: "wrong-key-usage" },
      (f) => {
        const root = f.root(who === "root" ? { keyUsage: [] } : {});
        return chainOf(root, f.leaf(root, who === "root" ? {} : { keyUsage: [] }));
      },
    ),
  ),
  differs(
    "an end entity that may sign certificates",
    { webpki: "wrong-key-usage", rfc5280: "wrong-key-usage", path: "accepted" },
    (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { keyUsage: ["digitalSignature", "keyCertSign"] }));
    },
  ),
  bad("a usage that the caller needs", "wrong-usage", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, { keyUsage: ["keyAgreement"] })), ask: { keyUsages: ["digitalSignature"] } };
  }),
  good("a usage that the caller needs, of a key without limits", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, { without: [ext.keyUsage] })), ask: { keyUsages: ["digitalSignature"] } };
  }),

  // path length, §4.2.1.9 and §6.1.4(l)-(m)
  ...(
    [
      ["0 over an end entity", [0], "accepted"],
      ["0 over an authority over an end entity", [0, undefined], "path-too-long"],
      ["1 over an authority", [1, undefined], "accepted"],
      ["1, then 2: the larger gives nothing", [1, 2], "accepted"],
      ["1, then 0, then another", [1, 0, 0], "path-too-long"],
      ["2, then two more, then an end entity", [2, 1, 0], "accepted"],
      ["1 over two authorities", [1, undefined, undefined], "path-too-long"],
    ] as const
  ).map(([name, lengths, expect]) => ({
    name: `path length ${name}`,
    expect,
    make: (f: Parameters<Case["make"]>[0]) => {
      const root = f.root();
      const below: Made[] = [];
      for (const pathLength of lengths) {
        below.push(f.authority(below.at(-1) ?? root, pathLength === undefined ? {} : { pathLength }));
      }
      return chainOf(root, ...below, f.leaf(below.at(-1)!));
    },
  })),
  bad("path length 0 of the root", "path-too-long", (f) => {
    const root = f.root({ pathLength: 0 });
    const ica = f.authority(root);
    return chainOf(root, ica, f.leaf(ica));
  }),
  differs("path length 0 over an authority in the end entity's place", { rfc5280: "accepted" }, (f) => {
    const root = f.root();
    const first = f.authority(root, { pathLength: 0 });
    return chainOf(root, first, f.authority(first, { pathLength: 0, san: ["example.com"] }));
  }),
  good("a self-issued authority does not count", (f) => {
    const root = f.root();
    const first = f.authority(root, { pathLength: 1, subject: "CN=First" });
    const rolled = f.authority(first, { pathLength: 1, subject: "CN=First" });
    const second = f.authority(rolled, { pathLength: 0 });
    return chainOf(root, first, rolled, second, f.leaf(second));
  }),
  differs(
    "a path length without an authority",
    { webpki: "wrong-basic-constraints", rfc5280: "wrong-basic-constraints" },
    (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { extensions: [extension.basicConstraints(false, 0)] }));
    },
  ),
  ...([0, 1, 2] as const).map((intermediatesMax) => ({
    name: `at most ${intermediatesMax} intermediates, and there is one`,
    expect: intermediatesMax === 0 ? ("path-too-long" as const) : ("accepted" as const),
    make: (f: Parameters<Case["make"]>[0]) => {
      const root = f.root();
      const ica = f.authority(root);
      return { ...chainOf(root, ica, f.leaf(ica)), options: { intermediatesMax } };
    },
  })),
  good("at most one intermediate, and the second is self-issued", (f) => {
    const root = f.root();
    const ica = f.authority(root, { subject: "CN=Rolled" });
    const rolled = f.authority(ica, { subject: "CN=Rolled" });
    return { ...chainOf(root, ica, rolled, f.leaf(rolled)), options: { intermediatesMax: 1 } };
  }),

  // purposes, §4.2.1.12
  differs("no purposes", { webpki: "wrong-extended-key-usage", rfc5280: "accepted", path: "accepted" }, (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { purposes: [] }));
  }),
  differs(
    "a client's certificate for a server",
    { webpki: "wrong-extended-key-usage", rfc5280: "wrong-purpose", path: "wrong-purpose" },
    (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { purposes: ["client"] }));
    },
  ),
  bad("a server's certificate for a client", "wrong-purpose", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, { purposes: ["server"] })), ask: { purpose: "client" } };
  }),
  good("a client's certificate for a client", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, { purposes: ["client"] })), ask: { purpose: "client" } };
  }),
  good("a purpose by its object identifier", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root, { purposes: ["1.2.3.4"] })), ask: { purpose: "1.2.3.4" } };
  }),
  differs("any purpose", { webpki: "wrong-extended-key-usage", rfc5280: "accepted" }, (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { purposes: [anyExtendedKeyUsage] }));
  }),
  ...(["codeSigning", "email", "timeStamping", "ocspSigning", "precertificateSigning"] as const).map((purpose) =>
    differs(
      `a server's certificate that is also for ${purpose}`,
      { webpki: "wrong-extended-key-usage", rfc5280: "accepted" },
      (f) => {
        const root = f.root();
        return chainOf(root, f.leaf(root, { purposes: ["server", purpose] }));
      },
    ),
  ),
  differs(
    "a server's certificate that is also for anything",
    { webpki: "wrong-extended-key-usage", rfc5280: "accepted" },
    (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { purposes: ["server", anyExtendedKeyUsage] }));
    },
  ),
  differs("critical purposes", { webpki: "wrong-extended-key-usage", rfc5280: "accepted" }, (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { extensions: [{ ...extension.extKeyUsage(["server"]), critical: true }] }));
  }),
  bad("an intermediate that is for mail only", "wrong-purpose", (f) => {
    const root = f.root();
    const ica = f.authority(root, { purposes: ["email"] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  bad("an intermediate above the issuing one that is for mail only", "wrong-purpose", (f) => {
    const root = f.root();
    const high = f.authority(root, { purposes: ["email"] });
    const low = f.authority(high, { purposes: ["server"] });
    return chainOf(root, high, low, f.leaf(low));
  }),
  good("an intermediate that is for servers", (f) => {
    const root = f.root();
    const ica = f.authority(root, { purposes: ["server"] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  good("an intermediate that is for anything", (f) => {
    const root = f.root();
    const ica = f.authority(root, { purposes: [anyExtendedKeyUsage] });
    return chainOf(root, ica, f.leaf(ica));
  }),
  differs("a root that is for servers", { webpki: "wrong-extended-key-usage", rfc5280: "accepted" }, (f) => {
    const root = f.root({ purposes: ["server"] });
    return chainOf(root, f.leaf(root));
  }),
  differs("a root that is for mail", { webpki: "wrong-extended-key-usage", rfc5280: "wrong-purpose" }, (f) => {
    const root = f.root({ purposes: [purposes.email] });
    return chainOf(root, f.leaf(root));
  }),

  // keys and signatures
  good("RSA of 2048 bits throughout", (f) => {
    const root = f.root({ key: rsa(2048) });
    return chainOf(root, f.leaf(root, { key: rsa(2048) }));
  }),
  ...(["RSA-PSS-SHA-256", "RSA-PSS-SHA-384", "RSA-PSS-SHA-512", "RSA-PKCS1-SHA-384", "RSA-PKCS1-SHA-512"] as const).map(
    (algorithm) =>
      good(`signed with ${algorithm}`, (f) => {
        const root = f.root({ key: rsa(2048) });
        return chainOf(root, f.leaf(root, { algorithm }));
      }),
  ),
  good("RSA with SHA-256 whose parameters are left out", (f) => {
    const root = f.root({ key: rsa(2048) });
    const inside = write.sequence(write.oid("1.2.840.113549.1.1.11"));
    return chainOf(root, f.leaf(root, { algorithms: { inside } }));
  }),
  bad("RSA with SHA-1", "forbidden-algorithm", (f) => {
    const root = f.root({ key: rsa(2048) });
    return chainOf(root, f.leaf(root, { algorithm: "RSA-PKCS1-SHA-1" }));
  }),
  bad("RSASSA-PSS whose parameters are left out, so that they mean SHA-1", "forbidden-algorithm", (f) => {
    const root = f.root({ key: rsa(2048) });
    const inside = write.sequence(write.oid("1.2.840.113549.1.1.10"), write.sequence());
    return chainOf(root, f.leaf(root, { algorithm: "RSA-PSS-SHA-256", algorithms: { inside } }));
  }),
  bad("an algorithm that the issuer's key cannot have used", "bad-signature", (f) => {
    const root = f.root();
    const inside = write.sequence(write.oid("1.2.840.113549.1.1.11"), write.nothing());
    return chainOf(root, f.leaf(root, { algorithms: { inside } }));
  }),
  ...(["p192", "dsa", "rsa1024", "brainpool"] as const).map((kind) =>
    bad(`an end entity with a ${kind} key`, ["unsupported-key", "weak-key"], (f) => {
      const root = f.root();
      return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, spki: spkiOf(kind) }) }));
    }),
  ),
  bad("an end entity with an RSA key of 2052 bits", "weak-key", (f) => {
    const root = f.root();
    return chainOf(root, f.leaf(root, { key: rsa(2052) }));
  }),
  bad("a root with an RSA key of 2052 bits", "weak-key", (f) => {
    const root = f.root({ key: rsa(2052) });
    return chainOf(root, f.leaf(root));
  }),
  good("an RSA key of 2052 bits, where that is allowed", (f) => {
    const root = f.root({ key: rsa(2052) });
    return { ...chainOf(root, f.leaf(root)), options: { algorithms: { rsaWholeOctets: false } } };
  }),
  bad("a curve that the policy does not have", "weak-key", (f) => {
    const root = f.root();
    return {
      ...chainOf(root, f.leaf(root, { key: f.key("P-521") })),
      options: { algorithms: { curves: ["P-256", "P-384"] } },
    };
  }),
  bad("a signature that the policy does not have", "forbidden-algorithm", (f) => {
    const root = f.root();
    return { ...chainOf(root, f.leaf(root)), options: { algorithms: { signatures: ["Ed25519"] } } };
  }),
  bad("ML-DSA: another key of the same name signed it", "bad-signature", (f) => {
    const root = f.root({ key: f.key("ML-DSA-44") });
    return chainOf(root, f.leaf(root, { signer: f.key("ML-DSA-44") }));
  }),
  ...(["ML-DSA-44", "Ed25519"] as const).flatMap((kind) =>
    (["keyEncipherment", "keyAgreement"] as const).map((usage) =>
      differs(
        `a ${kind} key for ${usage}`,
        { webpki: "wrong-key-usage", rfc5280: "wrong-key-usage", path: "accepted" },
        (f) => {
          const root = f.root();
          return chainOf(root, f.leaf(root, { key: f.key(kind), keyUsage: ["digitalSignature", usage] }));
        },
      ),
    ),
  ),
  bad("a key that is no key at all", "unsupported-key", (f) => {
    const root = f.root();
    const spki = write.sequence(
      write.sequence(write.oid("1.2.840.113549.1.1.1"), write.nothing()),
      write.bitString(new Uint8Array()),
    );
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, spki }) }));
  }),
  bad("an intermediate whose key is no key at all", "unsupported-key", (f) => {
    const root = f.root();
    const spki = write.sequence(
      write.sequence(write.oid("1.2.840.113549.1.1.1"), write.nothing()),
      write.bitString(new Uint8Array()),
    );
    const ica = f.authority(root, { bend: (t) => ({ ...t, spki }) });
    return chainOf(root, ica, f.leaf(ica));
  }),
  bad("an RSA key with parameters that are not NULL", "malformed-certificate", (f) => {
    const root = f.root();
    const spki = write.sequence(write.sequence(write.oid("1.2.840.113549.1.1.1")), write.bitString(new Uint8Array(8)));
    return chainOf(root, f.leaf(root, { bend: (t) => ({ ...t, spki }) }));
  }),
];
