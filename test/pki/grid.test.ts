import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier } from "../../src/pki/index.js";
import { extension } from "../../src/pki/make/index.js";
import { at, Forge } from "./chains/builder.js";
import { provider } from "./fixtures.js";

type Kind = "none" | "inside" | "outside";
const kinds: readonly Kind[] = ["none", "inside", "outside"];
const domains = { inside: "test.localhost", outside: "bad.example.com" } as const;
const addresses = { inside: "127.0.0.1", outside: "1.1.1.1" } as const;
const trees = {
  domain: { inside: "localhost", outside: "bad.example.com" },
  address: { inside: "127.0.0.0/24", outside: "1.1.1.0/24" },
} as const;
const some = <T>(kind: Kind, of: { readonly inside: T; readonly outside: T }): T[] =>
  kind === "none" ? [] : [of[kind]];

/** Is a name of this kind against what is permitted or excluded? */
const breaks = (name: Kind, permitted: Kind, excluded: Kind): boolean =>
  name !== "none" && ((permitted !== "none" && permitted !== name) || excluded === name);

test("every combination of names, permitted and excluded trees, common name and reference has its verdict", {
  timeout: 110_000,
}, () => {
  const f = new Forge("grid");
  const root = f.root();
  const [authorityKey, leafKey] = [f.key(), f.key()];
  const verifier = createVerifier({ provider, anchors: [root.der] });
  let accepted = 0;
  let refused = 0;
  for (const permittedDomain of kinds)
    for (const permittedAddress of kinds)
      for (const excludedDomain of kinds)
        for (const excludedAddress of kinds) {
          const permitted = [...some(permittedDomain, trees.domain), ...some(permittedAddress, trees.address)];
          const excluded = [...some(excludedDomain, trees.domain), ...some(excludedAddress, trees.address)];
          const constraints = { ...(permitted.length > 0 && { permitted }), ...(excluded.length > 0 && { excluded }) };
          const isConstrained = permitted.length + excluded.length > 0;
          const issuer = f.authority(root, {
            key: authorityKey,
            extensions: isConstrained ? [extension.nameConstraints(constraints)] : [],
          });
          for (const domain of kinds)
            for (const address of kinds)
              for (const commonName of ["", "CN=bad.example.com"]) {
                const san = [...some(domain, domains), ...some(address, addresses)];
                const leaf = f.leaf(issuer, { key: leafKey, san, subject: `O=Grid${commonName && `, ${commonName}`}` });
                for (const [reference, presented] of [
                  [domains.inside, domain],
                  [addresses.inside, address],
                ] as const) {
                  const verdict = verifier.verify({
                    chain: [leaf.der, issuer.der],
                    referenceIds: [reference],
                    purpose: "server",
                    at,
                  });
                  const expected =
                    presented === "inside" &&
                    !breaks(domain, permittedDomain, excludedDomain) &&
                    !breaks(address, permittedAddress, excludedAddress);
                  const what = `${JSON.stringify(constraints)} over ${san.join(", ")} ${commonName} for ${reference}`;
                  assert.equal(
                    verdict.trusted,
                    expected,
                    `${what}: ${verdict.trusted ? "accepted" : verdict.failure.message}`,
                  );
                  if (expected) accepted++;
                  else refused++;
                }
              }
        }
  assert.equal(accepted + refused, 81 * 9 * 2 * 2);
  assert.ok(accepted > 200, `${accepted} accepted`);
});
