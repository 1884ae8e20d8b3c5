import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier, type ProfileName, type Verdict } from "../../src/pki/index.js";
import { basics } from "./chains/basics.js";
import { at, type Case, type Expected, Forge, type Setting } from "./chains/builder.js";
import { building } from "./chains/building.js";
import { constraints } from "./chains/constraints.js";
import { names } from "./chains/names.js";
import { policies } from "./chains/policies.js";
import { revocation } from "./chains/revocation.js";
import { usages } from "./chains/usages.js";
import { provider } from "./fixtures.js";

const tables: Readonly<Record<string, readonly Case[]>> = {
  basics,
  names,
  constraints,
  usages,
  policies,
  building,
  revocation,
};
const profiles: readonly ProfileName[] = ["webpki", "rfc5280", "path"];

function verdictOf({ anchors, chain, ask, options }: Setting, profile: ProfileName): Verdict {
  const verifier = createVerifier({ provider, anchors: anchors.map(({ der }) => der), profile, ...options });
  return verifier.verify({
    chain: chain.map((each) => ("der" in each ? each.der : each)),
    referenceIds: ["example.com"],
    purpose: "server",
    at,
    ...ask,
  });
}

function expectations({ expect }: Case): (readonly [ProfileName, Expected])[] {
  if (typeof expect === "string" || Array.isArray(expect))
    return profiles.map((profile) => [profile, expect as Expected]);
  return profiles.flatMap((profile) => {
    const wanted = (expect as Readonly<Partial<Record<ProfileName, Expected>>>)[profile];
    return wanted === undefined ? [] : [[profile, wanted] as const];
  });
}

for (const [table, cases] of Object.entries(tables)) {
  for (const each of cases) {
    test(`${table}: ${each.name}`, () => {
      const setting = each.make(new Forge(each.name));
      for (const [profile, expected] of expectations(each)) {
        const verdict = verdictOf(setting, profile);
        const got = verdict.trusted ? "accepted" : verdict.failure.reason;
        const why = verdict.trusted
          ? ""
          : `: ${verdict.failure.message} (${verdict.failure.section}, depth ${verdict.failure.depth})`;
        const wanted = Array.isArray(expected) ? expected : [expected];
        assert.ok(wanted.includes(got), `${profile} says ${got}${why}; wanted ${wanted.join(" or ")}`);
      }
    });
  }
}

test("the tables have at least a hundred and fifty chains, each with a name of its own", () => {
  const names = Object.values(tables).flatMap((cases) => cases.map(({ name }) => name));
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.length >= 150, `${names.length} chains`);
});
