import { extension } from "../../../src/pki/make/index.js";
import { at, bad, type Case, differs, good, type Made } from "./builder.js";

/** RFC 4158: more than one way, ways that go nowhere, ways without end. */
export const building: readonly Case[] = [
  good("an expired cross-certificate of the root beside the root itself", (f) => {
    const root = f.root({ subject: "CN=New" });
    const old = f.root({ subject: "CN=Old" });
    const cross = f.cross(root, old, { notAfter: at - 1000 });
    return { anchors: [root, old], chain: [f.leaf(root), cross] };
  }),
  good("only the old root is trusted: the cross-certificate leads to it", (f) => {
    const root = f.root({ subject: "CN=New" });
    const old = f.root({ subject: "CN=Old" });
    return { anchors: [old], chain: [f.leaf(root), root, f.cross(root, old)] };
  }),
  bad("only the old root is trusted, and the cross-certificate has expired", "expired", (f) => {
    const root = f.root({ subject: "CN=New" });
    const old = f.root({ subject: "CN=Old" });
    return { anchors: [old], chain: [f.leaf(root), f.cross(root, old, { notAfter: at - 1000 })] };
  }),
  good("two certificates of one intermediate, one of them by a root that nobody trusts", (f) => {
    const [trusted, unknown] = [f.root({ subject: "CN=A" }), f.root({ subject: "CN=B" })];
    const one = f.authority(unknown, { subject: "CN=Issuer" });
    return { anchors: [trusted], chain: [f.leaf(one), one, unknown, f.cross(one, trusted)] };
  }),
  good("two intermediates of one name, the other key first", (f) => {
    const root = f.root();
    const one = f.authority(root, { subject: "CN=Issuer" });
    const two = f.authority(root, { subject: "CN=Issuer" });
    return { anchors: [root], chain: [f.leaf(two), one, two] };
  }),
  good("two roots of one name", (f) => {
    const [one, two] = [f.root(), f.root()];
    return { anchors: [one, two], chain: [f.leaf(two)] };
  }),
  ...(
    ["expired", "too weakly signed", "not an authority", "for mail only", "short of path", "name-constrained"] as const
  ).map((flaw) =>
    good(`a way that is ${flaw} beside one that is right`, (f) => {
      const root = f.root();
      const low = f.authority(root, { subject: "CN=Low" });
      const high = f.authority(root, { subject: "CN=High", ...(flaw === "short of path" && { pathLength: 0 }) });
      const bend = {
        expired: { notAfter: at - 1000 },
        "too weakly signed": { algorithm: "ECDSA-any-SHA-1" },
        "not an authority": { extensions: [extension.basicConstraints(false)] },
        "for mail only": { purposes: ["email"] },
        "short of path": {},
        "name-constrained": { extensions: [extension.nameConstraints({ permitted: ["example.org"] })] },
      } as const;
      const wrong = f.cross(low, high, bend[flaw]);
      return { anchors: [root], chain: [f.leaf(low), wrong, high, low] };
    }),
  ),
  good("authorities that certify each other in circles, one of them trusted (three, each by each)", (f) => {
    const roots = ["A", "B", "C"].map((name) => f.root({ subject: `CN=Root ${name}` }));
    const cross = roots.flatMap((of) => roots.filter((by) => by !== of).map((by) => f.cross(of, by)));
    const issuer = f.authority(roots[0]!, { subject: "CN=Issuer A1" });
    return { anchors: [roots[0]!], chain: [f.leaf(issuer), issuer, ...cross] };
  }),
  bad(
    "authorities that certify each other in circles, none of them trusted",
    ["unknown-issuer", "bad-signature"],
    (f) => {
      const [one, two] = [f.root({ subject: "CN=One" }), f.root({ subject: "CN=Two" })];
      const chain = [f.leaf(one), f.cross(one, two), f.cross(two, one)];
      return { anchors: [f.root({ subject: "CN=Three" })], chain };
    },
  ),
  bad("an authority with two keys that certify each other", ["unknown-issuer", "bad-signature"], (f) => {
    const subject = "CN=Same";
    const [one, two] = [f.root({ subject }), f.root({ subject })];
    return { anchors: [f.root({ subject: "CN=Other" })], chain: [f.leaf(one), f.cross(one, two), f.cross(two, one)] };
  }),
  good("a key rolled over: new with old", (f) => {
    const subject = "CN=Rolling";
    const [old, now] = [f.root({ subject }), f.root({ subject })];
    return { anchors: [old], chain: [f.leaf(now), now, f.cross(now, old)] };
  }),
  differs("the longest path that we build", { webpki: "accepted" }, (f) => {
    const root = f.root();
    const path: Made[] = [];
    for (let i = 0; i < 19; i++) path.push(f.authority(path.at(-1) ?? root));
    return { anchors: [root], chain: [f.leaf(path.at(-1)!), ...path] };
  }),
  differs("a path one longer", { webpki: "path-too-long" }, (f) => {
    const root = f.root();
    const path: Made[] = [];
    for (let i = 0; i < 20; i++) path.push(f.authority(path.at(-1) ?? root));
    return { anchors: [root], chain: [f.leaf(path.at(-1)!), ...path] };
  }),
  differs("more certificates than a peer may send", { webpki: "too-many-certificates" }, (f) => {
    const root = f.root();
    const leaf = f.leaf(root);
    return { anchors: [root], chain: [leaf, ...Array.from({ length: 64 }, () => leaf)] };
  }),
  good("an intermediate that the peer forgot and we know", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return { anchors: [root], chain: [f.leaf(ica)], options: { intermediates: [ica.der] } };
  }),
  good("rubbish among the certificates", (f) => {
    const root = f.root();
    const ica = f.authority(root);
    return { anchors: [root], chain: [f.leaf(ica), new Uint8Array([1, 2, 3]), ica] };
  }),
  bad("rubbish in the first place", "malformed-certificate", (f) => ({
    anchors: [f.root()],
    chain: [new Uint8Array([1, 2, 3])],
  })),
];
