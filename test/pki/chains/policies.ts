import type { PolicyInputs, VerifierOptions } from "../../../src/pki/index.js";
import { extension } from "../../../src/pki/make/index.js";
import { anyPolicy } from "../../../src/pki/oids.js";
import { type Case, chainOf, type Forge, type Made } from "./builder.js";

const A = "1.2.3.1";
const B = "1.2.3.2";
const C = "1.2.3.3";
const D = "1.2.3.4";

/** What the certificates say, from the first below the root to the end entity's. */
interface Says {
  readonly policies?: readonly string[];
  readonly map?: readonly (readonly [string, string])[];
  readonly explicit?: number;
  readonly noMapping?: number;
  readonly noAny?: number;
  readonly selfIssued?: boolean;
}

const refused = "no-acceptable-policy" as const;

function policy(
  name: string,
  path: readonly Says[],
  inputs: PolicyInputs,
  expect: "accepted" | typeof refused | "wrong-policy-mapping",
): Case {
  return {
    name,
    expect,
    make: (f: Forge) => {
      const root = f.root({ subject: "CN=Root" });
      const made: Made[] = [];
      for (const [i, says] of path.entries()) {
        const issuer = made.at(-1) ?? root;
        const isLast = i === path.length - 1;
        const bend = {
          extensions: [
            ...(says.policies ? [extension.certificatePolicies(says.policies)] : []),
            ...(says.map ? [extension.policyMappings(says.map)] : []),
            ...(says.explicit !== undefined || says.noMapping !== undefined
              ? [
                  extension.policyConstraints({
                    ...(says.explicit !== undefined && { requireExplicitPolicy: says.explicit }),
                    ...(says.noMapping !== undefined && { inhibitPolicyMapping: says.noMapping }),
                  }),
                ]
              : []),
            ...(says.noAny !== undefined ? [extension.inhibitAnyPolicy(says.noAny)] : []),
          ],
        };
        made.push(
          isLast
            ? f.leaf(issuer, bend)
            : f.authority(issuer, { ...bend, subject: says.selfIssued ? "CN=Root" : `CN=Authority ${i}` }),
        );
      }
      const options: Partial<VerifierOptions> = { policies: inputs };
      return { ...chainOf(root, ...made), options };
    },
  };
}

const required: PolicyInputs = { requireExplicitPolicy: true };

/** RFC 5280 §6.1, the steps on policies, by the graph of RFC 9618. */
export const policies: readonly Case[] = [
  policy("no policies, none required", [{}, {}], {}, "accepted"),
  policy("no policies, one required", [{}, {}], required, refused),
  policy("one policy throughout", [{ policies: [A] }, { policies: [A] }], required, "accepted"),
  policy("another policy below", [{ policies: [A] }, { policies: [B] }], required, refused),
  policy("another policy below, and none is required", [{ policies: [A] }, { policies: [B] }], {}, "accepted"),
  policy("policies missing in the middle", [{ policies: [A] }, {}, { policies: [A] }], required, refused),
  policy("one of two in common", [{ policies: [A, B] }, { policies: [B, C] }], required, "accepted"),
  policy(
    "the policy that the user wants",
    [{ policies: [A] }, { policies: [A] }],
    { ...required, acceptable: [A] },
    "accepted",
  ),
  policy(
    "not the policy that the user wants",
    [{ policies: [A] }, { policies: [A] }],
    { ...required, acceptable: [B] },
    refused,
  ),
  policy(
    "not the policy that the user wants, but it is not required",
    [{ policies: [A] }, { policies: [A] }],
    { acceptable: [B] },
    "accepted",
  ),
  policy(
    "one of two that the user wants",
    [{ policies: [A, B] }, { policies: [A, B] }],
    { ...required, acceptable: [B] },
    "accepted",
  ),
  policy(
    "any policy above",
    [{ policies: [anyPolicy] }, { policies: [A] }],
    { ...required, acceptable: [A] },
    "accepted",
  ),
  policy(
    "any policy below",
    [{ policies: [A] }, { policies: [anyPolicy] }],
    { ...required, acceptable: [A] },
    "accepted",
  ),
  policy(
    "any policy throughout",
    [{ policies: [anyPolicy] }, { policies: [anyPolicy] }],
    { ...required, acceptable: [A] },
    "accepted",
  ),
  policy(
    "any policy above, another wanted",
    [{ policies: [anyPolicy] }, { policies: [B] }],
    { ...required, acceptable: [A] },
    refused,
  ),
  policy(
    "any policy inhibited by the user",
    [{ policies: [anyPolicy] }, { policies: [A] }],
    { ...required, inhibitAnyPolicy: true },
    refused,
  ),
  policy(
    "any policy inhibited from the next on",
    [{ policies: [A], noAny: 0 }, { policies: [anyPolicy] }],
    required,
    refused,
  ),
  policy(
    "any policy inhibited from the one after the next on",
    [{ policies: [A], noAny: 1 }, { policies: [anyPolicy] }, { policies: [A] }],
    required,
    "accepted",
  ),
  policy(
    "any policy inhibited, then used too late",
    [{ policies: [A], noAny: 1 }, { policies: [A] }, { policies: [anyPolicy] }],
    required,
    refused,
  ),
  policy(
    "any policy inhibited, but of a self-issued authority",
    [{ policies: [anyPolicy], selfIssued: true }, { policies: [A] }],
    { ...required, inhibitAnyPolicy: true },
    "accepted",
  ),
  policy("an authority requires a policy at once", [{ policies: [A], explicit: 0 }, {}], {}, refused),
  policy(
    "an authority requires a policy at once, and there is one",
    [{ policies: [A], explicit: 0 }, { policies: [A] }],
    {},
    "accepted",
  ),
  policy("an authority requires a policy after three more", [{ explicit: 3 }, {}, {}], {}, "accepted"),
  policy("an authority requires a policy after two more", [{ explicit: 2 }, {}, {}], {}, refused),
  policy("the end entity requires a policy", [{}, { explicit: 0 }], {}, refused),
  policy("the end entity requires a policy some time", [{}, { explicit: 1 }], {}, "accepted"),
  policy(
    "a policy mapped to another",
    [{ policies: [A], map: [[A, B]] }, { policies: [B] }],
    { ...required, acceptable: [A] },
    "accepted",
  ),
  policy(
    "a policy mapped to another, asked for by the other's name",
    [{ policies: [A], map: [[A, B]] }, { policies: [B] }],
    { ...required, acceptable: [B] },
    refused,
  ),
  policy(
    "a policy mapped to another does not stand for itself any more",
    [{ policies: [A], map: [[A, B]] }, { policies: [A] }],
    required,
    refused,
  ),
  policy(
    "a policy mapped to itself and to another",
    [
      {
        policies: [A],
        map: [
          [A, A],
          [A, B],
        ],
      },
      { policies: [A] },
    ],
    required,
    "accepted",
  ),
  policy(
    "mapping inhibited by the user",
    [{ policies: [A], map: [[A, B]] }, { policies: [B] }],
    { ...required, inhibitPolicyMapping: true },
    refused,
  ),
  policy(
    "mapping inhibited by the authority above",
    [{ policies: [A], noMapping: 0 }, { policies: [A], map: [[A, B]] }, { policies: [B] }],
    required,
    refused,
  ),
  policy(
    "mapping inhibited two below",
    [{ policies: [A], noMapping: 1 }, { policies: [A], map: [[A, B]] }, { policies: [B] }],
    required,
    "accepted",
  ),
  policy(
    "mapping inhibited takes the mapped policy away, others stay",
    [{ policies: [A, C], noMapping: 0 }, { policies: [A, C], map: [[A, B]] }, { policies: [A, C] }],
    { ...required, acceptable: [C] },
    "accepted",
  ),
  policy(
    "mapping of any policy",
    [{ policies: [A], map: [[anyPolicy, B]] }, { policies: [B] }],
    {},
    "wrong-policy-mapping",
  ),
  policy(
    "mapping to any policy",
    [{ policies: [A], map: [[A, anyPolicy]] }, { policies: [B] }],
    {},
    "wrong-policy-mapping",
  ),
  policy(
    "a mapping under any policy",
    [{ policies: [anyPolicy], map: [[A, B]] }, { policies: [B] }],
    { ...required, acceptable: [A] },
    "accepted",
  ),
  policy(
    "a mapping twice over",
    [{ policies: [A], map: [[A, B]] }, { policies: [B], map: [[B, C]] }, { policies: [C] }],
    { ...required, acceptable: [A] },
    "accepted",
  ),
  policy(
    "two mapped to one: either will do",
    [
      {
        policies: [A, B],
        map: [
          [A, C],
          [B, C],
        ],
      },
      { policies: [C] },
    ],
    { ...required, acceptable: [B] },
    "accepted",
  ),
  policy(
    "two mapped to one: a third will not",
    [
      {
        policies: [A, B],
        map: [
          [A, C],
          [B, C],
        ],
      },
      { policies: [C] },
    ],
    { ...required, acceptable: [D] },
    refused,
  ),
  policy(
    "a policy below any policy, unless a mapping already expects it",
    [{ policies: [anyPolicy, A], map: [[A, B]] }, { policies: [B] }],
    { ...required, acceptable: [B] },
    refused,
  ),
  policy(
    "the square of mappings that made trees explode",
    [
      ...Array.from({ length: 12 }, () => ({
        policies: [A, B],
        map: [
          [A, A],
          [A, B],
          [B, A],
          [B, B],
        ] as const,
      })),
      { policies: [A] },
    ],
    { ...required, acceptable: [B] },
    "accepted",
  ),
];
