import { DecodeError, equal } from "../bytes/index.js";
import type { PublicKey, SignatureName } from "../contract/index.js";
import { DerReader, type Element, Tag, write } from "./der/index.js";
import { hashes, keys } from "./oids.js";

/** An AlgorithmIdentifier, RFC 5280 §4.1.1.2. */
export interface AlgorithmIdentifier {
  readonly oid: string;
  readonly parameters: Element | undefined;
  /** Its DER, to compare two of them. */
  readonly raw: Uint8Array;
}

export function readAlgorithm(reader: DerReader): AlgorithmIdentifier {
  const outer = reader.take(Tag.sequence);
  const inner = new DerReader(outer.content, outer.depth + 1);
  const oid = inner.oid();
  const parameters = inner.more ? inner.next() : undefined;
  inner.end();
  return { oid, parameters, raw: outer.raw };
}

/** Parameters of a row: NULL or absent (RFC 4055 §5), absent (RFC 5758 §3.2, RFC 8410 §3, RFC 9881 §2), or those of RSASSA-PSS. */
type Parameters = "null-or-absent" | "absent";

const pkcs1 = "1.2.840.113549.1.1";
const ecdsa = "1.2.840.10045.4";

/** Signature algorithms: object identifier, what it computes, its parameters. */
const rows: readonly (readonly [string, SignatureName, Parameters])[] = [
  [`${pkcs1}.4`, "RSA-PKCS1-MD5", "null-or-absent"],
  [`${pkcs1}.5`, "RSA-PKCS1-SHA-1", "null-or-absent"],
  [`${pkcs1}.14`, "RSA-PKCS1-SHA-224", "null-or-absent"],
  [`${pkcs1}.11`, "RSA-PKCS1-SHA-256", "null-or-absent"],
  [`${pkcs1}.12`, "RSA-PKCS1-SHA-384", "null-or-absent"],
  [`${pkcs1}.13`, "RSA-PKCS1-SHA-512", "null-or-absent"],
  [`${ecdsa}.1`, "ECDSA-any-SHA-1", "absent"],
  [`${ecdsa}.3.1`, "ECDSA-any-SHA-224", "absent"],
  [`${ecdsa}.3.2`, "ECDSA-any-SHA-256", "absent"],
  [`${ecdsa}.3.3`, "ECDSA-any-SHA-384", "absent"],
  [`${ecdsa}.3.4`, "ECDSA-any-SHA-512", "absent"],
  [keys.ed25519, "Ed25519", "absent"],
  [keys.ed448, "Ed448", "absent"],
  [keys.mlDsa44, "ML-DSA-44", "absent"],
  [keys.mlDsa65, "ML-DSA-65", "absent"],
  [keys.mlDsa87, "ML-DSA-87", "absent"],
];
const byOid = new Map(rows.map((row) => [row[0], row]));

const pssRows = [
  ["SHA-256", 32],
  ["SHA-384", 48],
  ["SHA-512", 64],
] as const;

/**
 * What the algorithm computes; undefined if we do not know the object identifier, or its parameters ask for a variant
 * that we refuse (RSASSA-PSS with SHA-1, or with a salt that is not as long as the hash). Throws DecodeError for
 * parameters that the algorithm does not have.
 */
export function signatureName({ oid, parameters }: AlgorithmIdentifier): SignatureName | undefined {
  if (oid === keys.rsassaPss) return pssName(parameters);
  const row = byOid.get(oid);
  if (!row) return undefined;
  const isNull = parameters?.tag === Tag.null && parameters.content.length === 0;
  if (parameters && !(isNull && row[2] === "null-or-absent"))
    throw new DecodeError(`parameters that ${row[1]} has not`);
  return row[1];
}

/** The AlgorithmIdentifier that names this algorithm in what we write. */
export function signatureAlgorithm(name: SignatureName): Uint8Array {
  const pss = pssRows.find(([hash]) => name === `RSA-PSS-${hash}`);
  if (pss) return pssAlgorithm(pss[0], pss[1]);
  const wanted = name.replace(/^ECDSA-P-\d+/, "ECDSA-any");
  const row = rows.find(([, each]) => each === wanted);
  if (!row) throw new TypeError(`no object identifier for ${name}`);
  return write.sequence(write.oid(row[0]), ...(row[2] === "null-or-absent" ? [write.nothing()] : []));
}

/** The algorithm with which a key of this kind signs certificates unless told otherwise. */
export function usualSignature(key: PublicKey): SignatureName {
  if (key.type === "RSA") return "RSA-PKCS1-SHA-256";
  if (key.type === "RSA-PSS") return "RSA-PSS-SHA-256";
  if (key.type !== "EC") return key.type;
  return key.curve === "P-521"
    ? "ECDSA-any-SHA-512"
    : key.curve === "P-384"
      ? "ECDSA-any-SHA-384"
      : "ECDSA-any-SHA-256";
}

/** RFC 4055 §3.1: hash, MGF1 with the same hash, a salt as long, trailer 1; the defaults mean SHA-1, which we refuse. */
function pssName(parameters: Element | undefined): SignatureName | undefined {
  if (!parameters) return undefined;
  if (parameters.tag !== Tag.sequence) throw new DecodeError("RSASSA-PSS parameters that are no SEQUENCE");
  const reader = new DerReader(parameters.content, parameters.depth + 1);
  const hash = reader.maybeExplicit(0, readAlgorithm);
  const mask = reader.maybeExplicit(1, readAlgorithm);
  const salt = reader.maybeExplicit(2, (inner) => inner.smallInteger());
  const trailer = reader.maybeExplicit(3, (inner) => inner.smallInteger());
  reader.end();
  if (trailer !== undefined) {
    throw new DecodeError(trailer === 1 ? "a DEFAULT value is written, X.690 §11.5" : "an unknown RSASSA-PSS trailer");
  }
  const row = pssRows.find(([name]) => hash?.oid === hashes[name]);
  if (!row || !hash || mask?.oid !== keys.mgf1 || !mask.parameters || salt !== row[1]) return undefined;
  if (!nullOrAbsent(hash.parameters)) throw new DecodeError("hash parameters that are not NULL");
  const maskHash = new DerReader(mask.parameters.raw, parameters.depth + 1);
  const inner = readAlgorithm(maskHash);
  maskHash.end();
  return inner.oid === hash.oid && nullOrAbsent(inner.parameters) ? `RSA-PSS-${row[0]}` : undefined;
}

function pssAlgorithm(hash: (typeof pssRows)[number][0], salt: number): Uint8Array {
  const hashAlgorithm = write.sequence(write.oid(hashes[hash]), write.nothing());
  return write.sequence(
    write.oid(keys.rsassaPss),
    write.sequence(
      write.explicit(0, hashAlgorithm),
      write.explicit(1, write.sequence(write.oid(keys.mgf1), hashAlgorithm)),
      write.explicit(2, write.integer(salt)),
    ),
  );
}

const nullOrAbsent = (parameters: Element | undefined): boolean =>
  !parameters || (parameters.tag === Tag.null && parameters.content.length === 0);

/** RFC 5280 §4.1.1.2: inner and outer algorithm must be the same, parameters too. */
export const sameAlgorithm = (a: AlgorithmIdentifier, b: AlgorithmIdentifier): boolean => equal(a.raw, b.raw);
