import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createVerifier, limits, PkiFailure, parseCertificate, type Verdict } from "../../src/pki/index.js";
import { type AlternativeNameSpec, extension } from "../../src/pki/make/index.js";
import { at, Forge, type Made } from "./chains/builder.js";
import { provider } from "./fixtures.js";

/** Work is counted, not timed: a slow machine proves nothing, and a fast one hides much. */
function verify(anchors: readonly Made[], chain: readonly Made[], referenceIds: readonly string[] = []): Verdict {
  const verifier = createVerifier({ provider, anchors: anchors.map(({ der }) => der), profile: "rfc5280" });
  return verifier.verify({ chain: chain.map(({ der }) => der), referenceIds, purpose: "server", at });
}

function stopped(verdict: Verdict): void {
  assert.equal(verdict.trusted, false);
  const { cost } = verdict;
  assert.ok(cost.candidates <= limits.candidatesMax + 1, `${cost.candidates} candidates`);
  assert.ok(cost.signatureChecks <= limits.signatureChecksMax + 1, `${cost.signatureChecks} signatures`);
  assert.ok(cost.paths <= limits.pathsMax + 1, `${cost.paths} paths`);
  assert.ok(cost.nameComparisons <= limits.nameComparisonsMax, `${cost.nameComparisons} comparisons`);
}

for (const [form, spec] of [
  ["DNS names", (i: number, kind: string) => `${kind}${i}.test`],
  ["mailboxes", (i: number, kind: string) => `${kind}${i}@mail.test`],
  ["directory names", (i: number, kind: string) => ({ directory: [["CN", `${kind}${i}`]] as const })],
  ["addresses", (i: number, kind: string) => ({ ip: Uint8Array.of(kind.length, 1, i >> 8, i & 255) })],
] as const satisfies readonly (readonly [string, (i: number, kind: string) => AlternativeNameSpec])[]) {
  test(`a thousand constraints over five hundred ${form} end at the limit of comparisons`, () => {
    const f = new Forge(form);
    const subtree = (i: number, kind: string): AlternativeNameSpec => {
      const name = spec(i, kind);
      return typeof name === "object" && "ip" in name
        ? { ip: Uint8Array.from([...name.ip, 255, 255, 255, 255]) }
        : name;
    };
    const many = (kind: string) => Array.from({ length: 513 }, (_, i) => subtree(i, kind));
    const root = f.root({ extensions: [extension.nameConstraints({ permitted: many("t"), excluded: many("xx") })] });
    const names = Array.from({ length: 513 }, (_, i) => spec(512 - i, "t"));
    const leaf = f.leaf(root, { subject: "", san: names });
    const verdict = verify([root], [leaf]);
    stopped(verdict);
    assert.equal(!verdict.trusted && verdict.failure.reason, "limit-reached");
  });
}

test("constraints and names within reason are compared to the end", () => {
  const f = new Forge("within reason");
  const permitted = Array.from({ length: 200 }, (_, i) => `t${i}.test`);
  const root = f.root({ extensions: [extension.nameConstraints({ permitted })] });
  const verdict = verify([root], [f.leaf(root, { subject: "", san: permitted })]);
  assert.equal(verdict.trusted, true);
  assert.ok(verdict.cost.nameComparisons > 200 && verdict.cost.nameComparisons <= 200 * 200);
});

test("certificates of one name and one key by the dozen cost a signature each, and no loop", () => {
  const f = new Forge("same name, same key");
  const subject = "CN=Same";
  const one = f.root({ subject });
  const copies = Array.from({ length: 60 }, () => f.cross(one, one));
  const verdict = verify([f.root({ subject: "CN=Other" })], [f.leaf(one), ...copies]);
  stopped(verdict);
  assert.ok(verdict.cost.signatureChecks <= 1, `${verdict.cost.signatureChecks} signatures`);
});

test("authorities that all certify each other end at the limits, whatever leads nowhere", () => {
  const f = new Forge("mesh");
  const nodes = Array.from({ length: 8 }, (_, i) => f.root({ subject: `CN=Node ${i}` }));
  const edges = nodes.flatMap((of) => nodes.filter((by) => by !== of).map((by) => f.cross(of, by)));
  const verdict = verify([f.root({ subject: "CN=Elsewhere" })], [f.leaf(nodes[0]!), ...edges]);
  stopped(verdict);
  assert.equal(!verdict.trusted && verdict.failure.reason, "limit-reached");
});

test("a mesh with an anchor in it is no trouble", () => {
  const f = new Forge("mesh with a way");
  const nodes = Array.from({ length: 7 }, (_, i) => f.root({ subject: `CN=Node ${i}` }));
  const edges = nodes.flatMap((of) => nodes.filter((by) => by !== of).map((by) => f.cross(of, by)));
  const verdict = verify([nodes[6]!], [f.leaf(nodes[0]!), ...edges], ["example.com"]);
  assert.equal(verdict.trusted, true);
  assert.ok(verdict.cost.signatureChecks <= 10, `${verdict.cost.signatureChecks} signatures`);
});

test("layers of authorities of one name, each layer certified by all of the next, end at the limits", () => {
  const f = new Forge("layers");
  const layers = Array.from({ length: 7 }, (_, layer) =>
    Array.from({ length: 3 }, () => f.root({ subject: `CN=Layer ${layer}` })),
  );
  const edges = layers
    .slice(0, -1)
    .flatMap((layer, i) => layer.flatMap((of) => layers[i + 1]!.map((by) => f.cross(of, by))));
  const verdict = verify([f.root({ subject: "CN=Elsewhere" })], [f.leaf(layers[0]![0]!), ...edges]);
  stopped(verdict);
});

test("forty authorities of the issuer's name, the right one last, are all tried", () => {
  const f = new Forge("the right one last");
  const root = f.root();
  const many = Array.from({ length: 40 }, () => f.authority(root, { subject: "CN=Issuer" }));
  const issuer = many.at(-1)!;
  // without key identifiers there is no hint
  const leaf = f.leaf(issuer, { extensions: [extension.authorityKeyIdentifier(new Uint8Array(20))] });
  const verdict = verify([root], [leaf, ...many], ["example.com"]);
  assert.equal(verdict.trusted, true);
  assert.ok(verdict.cost.signatureChecks <= 42, `${verdict.cost.signatureChecks} signatures`);
});

test("five hundred policies in each of ten certificates, all mapped to each other's, are followed in a line", () => {
  const f = new Forge("policies");
  const ids = Array.from({ length: 500 }, (_, i) => `1.2.3.${i}`);
  const map = ids.map((id, i) => [id, ids[(i + 1) % ids.length]!] as const);
  const root = f.root();
  const path: Made[] = [];
  for (let i = 0; i < 10; i++) {
    const extensions = [extension.certificatePolicies(ids), extension.policyMappings(map)];
    path.push(f.authority(path.at(-1) ?? root, { extensions }));
  }
  const leaf = f.leaf(path.at(-1)!, { extensions: [extension.certificatePolicies(ids)] });
  const verdict = verify([root], [leaf, ...path], ["example.com"]);
  assert.equal(verdict.trusted, true);
});

test("a certificate that is too large, too deep or too long is refused before it is read", () => {
  const f = new Forge("large");
  const large = new Uint8Array(limits.certificateBytesMax + 1);
  const parsed = parseCertificate(large);
  assert.ok(parsed instanceof PkiFailure);
  assert.equal(parsed.reason, "malformed-certificate");
  const root = f.root();
  const extensions = Array.from({ length: limits.extensionsMax }, (_, i) => ({
    oid: `1.2.3.${i}`,
    critical: false,
    value: new Uint8Array(),
  }));
  const verdict = verify([root], [f.leaf(root, { extensions })]);
  assert.equal(!verdict.trusted && verdict.failure.reason, "malformed-certificate");
});

test("every strict prefix of a certificate fails to parse", () => {
  const { der } = new Forge("prefix").root();
  for (let size = 0; size < der.length; size++) {
    const parsed = parseCertificate(der.subarray(0, size));
    assert.ok(parsed instanceof PkiFailure, `${size} bytes`);
  }
});

test("a certificate with any octet changed is refused, and never makes us throw", () => {
  const f = new Forge("mutations");
  const root = f.root();
  const leaf = f.leaf(root, { san: ["example.com", "192.0.2.1", "a@example.com"] });
  const verifier = createVerifier({ provider, anchors: [root.der], profile: "path" });
  fc.assert(
    fc.property(fc.nat(leaf.der.length - 1), fc.integer({ min: 1, max: 255 }), (index, change) => {
      const der = leaf.der.slice();
      der[index]! ^= change;
      const verdict = verifier.verify({ chain: [der], referenceIds: [], purpose: "server", at });
      assert.equal(verdict.trusted, false);
    }),
    { seed: 5280, numRuns: 1500 },
  );
});

test("random bytes and spliced certificates never make us throw, in any place", () => {
  const f = new Forge("splices");
  const root = f.root({ extensions: [extension.nameConstraints({ permitted: ["example.com"] })] });
  const ica = f.authority(root, {
    extensions: [extension.certificatePolicies(["1.2.3"]), extension.policyConstraints({ requireExplicitPolicy: 0 })],
  });
  const leaf = f.leaf(ica);
  const parts = [root, ica, leaf].map(({ der }) => der);
  const verifier = createVerifier({ provider, anchors: parts, profile: "webpki", crls: parts });
  const piece = fc.tuple(fc.nat(2), fc.nat(700), fc.uint8Array({ maxLength: 12 })).map(([which, cut, insert]) => {
    const der = parts[which]!;
    return Uint8Array.from([...der.subarray(0, cut), ...insert, ...der.subarray(cut + insert.length)]);
  });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(piece, fc.uint8Array({ maxLength: 64 })), { maxLength: 4 }),
      fc.uint8Array({ maxLength: 64 }),
      (chain, staple) => {
        const verdict = verifier.verify({
          chain,
          referenceIds: ["example.com"],
          purpose: "server",
          at,
          stapledOcsp: staple,
        });
        if (verdict.trusted) assert.ok(parts.some((der) => Buffer.from(der).equals(chain[0]!)));
      },
    ),
    { seed: 4158, numRuns: 600 },
  );
});
