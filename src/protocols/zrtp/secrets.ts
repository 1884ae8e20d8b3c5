import { utf8 } from "../../bytes/index.js";
import { type Entropy, equalInConstantTime, type Hash } from "../../contract/index.js";
import type { Role } from "./keys.js";
import { idSize, type SecretIds } from "./messages/dh-part.js";

/** What one side knows that the other may know too (RFC 6189 §4.3). */
export interface KnownSecrets {
  readonly rs1: Uint8Array | undefined;
  readonly rs2: Uint8Array | undefined;
  readonly auxiliary: Uint8Array | undefined;
  readonly pbx: Uint8Array | undefined;
}

/** What both turned out to know; undefined is the RFC's null. */
export interface SharedSecrets {
  readonly s1: Uint8Array | undefined;
  readonly s2: Uint8Array | undefined;
  readonly s3: Uint8Array | undefined;
}

export const nothingShared: SharedSecrets = { s1: undefined, s2: undefined, s3: undefined };

/** As it is said of one kind of secret: we know none, the peer knows it too, or does not. */
export type Match = "none" | "matched" | "mismatch";

export const matchOf = (known: Uint8Array | undefined, shared: Uint8Array | undefined): Match =>
  shared !== undefined ? "matched" : known === undefined ? "none" : "mismatch";

const names: Readonly<Record<Role, Uint8Array>> = { initiator: utf8("Initiator"), responder: utf8("Responder") };

/** The hashes that a side of this role shows (§4.3.1); those of secrets that it does not have are random. */
export function idsOf(hash: Hash, known: KnownSecrets, role: Role, h3: Uint8Array, entropy: Entropy): SecretIds {
  const id = (secret: Uint8Array | undefined, over: Uint8Array): Uint8Array =>
    secret === undefined ? entropy.fill(new Uint8Array(idSize)) : idOf(hash, secret, over);
  return {
    rs1: id(known.rs1, names[role]),
    rs2: id(known.rs2, names[role]),
    auxiliary: id(known.auxiliary, h3),
    pbx: id(known.pbx, names[role]),
  };
}

/**
 * What we share with a peer that showed these hashes as `theirRole`, whose Hello had `theirH3` (§4.3). The initiator's rs1 comes
 * before its rs2, so both sides find the same one.
 */
export function match(
  hash: Hash,
  ours: KnownSecrets,
  theirs: SecretIds,
  theirRole: Role,
  theirH3: Uint8Array,
): SharedSecrets {
  const shows = (secret: Uint8Array | undefined, shown: Uint8Array, over = names[theirRole]): boolean =>
    secret !== undefined && equalInConstantTime(idOf(hash, secret, over), shown);
  const retained: readonly (readonly [Uint8Array | undefined, Uint8Array])[] =
    theirRole === "initiator"
      ? [
          [ours.rs1, theirs.rs1],
          [ours.rs2, theirs.rs1],
          [ours.rs1, theirs.rs2],
          [ours.rs2, theirs.rs2],
        ]
      : [
          [ours.rs1, theirs.rs1],
          [ours.rs1, theirs.rs2],
          [ours.rs2, theirs.rs1],
          [ours.rs2, theirs.rs2],
        ];
  return {
    s1: retained.find(([secret, shown]) => shows(secret, shown))?.[0],
    s2: shows(ours.auxiliary, theirs.auxiliary, theirH3) ? ours.auxiliary : undefined,
    s3: shows(ours.pbx, theirs.pbx) ? ours.pbx : undefined,
  };
}

function idOf(hash: Hash, secret: Uint8Array, over: Uint8Array): Uint8Array {
  const mac = hash.hmac(secret);
  const id = mac.compute(over).subarray(0, idSize);
  mac.destroy();
  return id;
}
