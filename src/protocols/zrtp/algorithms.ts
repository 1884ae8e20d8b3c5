import type { AgreementName, CipherName, CryptoProvider, HashName } from "../../contract/index.js";
import type { SrtpProfileName } from "../srtp/index.js";
import type { HelloMessage } from "./messages/hello.js";

// RFC 6189 §5.1.2 to §5.1.6: the values that a Hello lists and a Commit chooses from, one row each.

/** Table 2. N256 and N384 (SHA-3) are no primitive of the providers, and nobody offers them. */
export const hashTypes = {
  S256: { hash: "SHA-256" },
  S384: { hash: "SHA-384" },
} as const satisfies Record<string, { readonly hash: HashName }>;

/** Table 3. Of messages by CFB, of media by SRTP. Twofish is no primitive of the providers. */
export const cipherTypes = {
  AES1: { cfb: "AES-128-CFB", keySize: 16 },
  AES2: { cfb: "AES-192-CFB", keySize: 24 },
  AES3: { cfb: "AES-256-CFB", keySize: 32 },
} as const satisfies Record<string, { readonly cfb: CipherName; readonly keySize: number }>;

/** Table 4, with the SRTP profile for each cipher. Skein is no primitive of the providers. */
export const authTagTypes = {
  HS32: {
    AES1: "AES_CM_128_HMAC_SHA1_32",
    AES2: "AES_192_CM_HMAC_SHA1_32",
    AES3: "AES_256_CM_HMAC_SHA1_32",
  },
  HS80: {
    AES1: "AES_CM_128_HMAC_SHA1_80",
    AES2: "AES_192_CM_HMAC_SHA1_80",
    AES3: "AES_256_CM_HMAC_SHA1_80",
  },
} as const satisfies Record<string, Readonly<Record<keyof typeof cipherTypes, SrtpProfileName>>>;

export interface KeyAgreementRow {
  readonly kind: "dh" | "preshared" | "multistream";
  readonly agreement?: AgreementName;
  /** Bytes of a public value. An agreement's share is that, behind `point` if there is one. */
  readonly valueSize?: number;
  /** The octet in front of a point's coordinates, which ZRTP leaves away. */
  readonly point?: number;
  /** EC38 goes with SHA-384, and with longer keys (§5.1.5). */
  readonly hash?: "S384";
}

/**
 * Table 5, and X255 and X448 as deployed endpoints name Curve25519 and Curve448. Those that agree on a secret stand in the order
 * of their speed, the fastest first, by which both sides settle on one (§4.1.2).
 */
export const keyAgreementTypes = {
  DH2k: { kind: "dh", agreement: "modp2048", valueSize: 256 },
  X255: { kind: "dh", agreement: "X25519", valueSize: 32 },
  EC25: { kind: "dh", agreement: "P-256", valueSize: 64, point: 4 },
  X448: { kind: "dh", agreement: "X448", valueSize: 56 },
  DH3k: { kind: "dh", agreement: "modp3072", valueSize: 384 },
  EC38: { kind: "dh", agreement: "P-384", valueSize: 96, point: 4, hash: "S384" },
  EC52: { kind: "dh", agreement: "P-521", valueSize: 132, point: 4, hash: "S384" },
  Prsh: { kind: "preshared" },
  Mult: { kind: "multistream" },
} as const satisfies Readonly<Record<string, KeyAgreementRow>>;

/** Table 6; how each is rendered stands in `sas.ts`. */
export const sasTypes = { B32: {}, B256: {} } as const;

export type HashType = keyof typeof hashTypes;
export type CipherType = keyof typeof cipherTypes;
export type AuthTagType = keyof typeof authTagTypes;
export type KeyAgreementType = keyof typeof keyAgreementTypes;
export type SasType = keyof typeof sasTypes;

/** What one side supports, most wanted first. */
export interface Algorithms {
  readonly hashes: readonly HashType[];
  readonly ciphers: readonly CipherType[];
  readonly authTags: readonly AuthTagType[];
  readonly keyAgreements: readonly KeyAgreementType[];
  readonly sas: readonly SasType[];
}

export const defaultAlgorithms: Algorithms = {
  hashes: ["S384", "S256"],
  ciphers: ["AES3", "AES1"],
  authTags: ["HS80", "HS32"],
  keyAgreements: ["X255", "X448", "EC25", "EC38", "DH3k", "Mult"],
  sas: ["B32", "B256"],
};

/** Everything that there is, for who wants to be compatible with all. EC52 SHOULD NOT be used (§5.1.5). */
export const allAlgorithms: Algorithms = {
  hashes: ["S256", "S384"],
  ciphers: ["AES1", "AES2", "AES3"],
  authTags: ["HS80", "HS32"],
  keyAgreements: ["X255", "DH2k", "EC25", "X448", "DH3k", "EC38", "Mult"],
  sas: ["B32", "B256"],
};

/** One of each, as a Commit names them. */
export interface Choice {
  readonly hash: HashType;
  readonly cipher: CipherType;
  readonly authTag: AuthTagType;
  readonly keyAgreement: KeyAgreementType;
  readonly sas: SasType;
}

export type Kind = keyof Algorithms;

/** What everybody supports, and is at the end of every list that does not name it (§5.2). */
export const mandatory: Algorithms = {
  hashes: ["S256"],
  ciphers: ["AES1"],
  authTags: ["HS32", "HS80"],
  keyAgreements: ["DH3k"],
  sas: ["B32"],
};

const tables = {
  hashes: hashTypes,
  ciphers: cipherTypes,
  authTags: authTagTypes,
  keyAgreements: keyAgreementTypes,
  sas: sasTypes,
} as const;

/** The row's name if it is known: the four characters without the spaces behind them. */
export function known<K extends Kind>(kind: K, block: string): Algorithms[K][number] | undefined {
  const name = block.trimEnd();
  return Object.hasOwn(tables[kind], name) ? (name as Algorithms[K][number]) : undefined;
}

/** Those of a kind that this provider can compute. */
export function available(crypto: CryptoProvider, wanted: Algorithms): Algorithms {
  const able = (name: KeyAgreementType): boolean => {
    const row: KeyAgreementRow = keyAgreementTypes[name];
    return row.agreement === undefined || crypto.has(row.agreement);
  };
  return {
    ...wanted,
    ciphers: wanted.ciphers.filter((name) => crypto.has(cipherTypes[name].cfb)),
    keyAgreements: wanted.keyAgreements.filter(able),
  };
}

/** What a peer supports, in its order. */
export interface Supported {
  /** What its Hello lists and we know. */
  readonly listed: Algorithms;
  /** The same, and behind it what is mandatory. */
  readonly all: Algorithms;
}

export function supportedBy(hello: HelloMessage): Supported {
  const listed = <K extends Kind>(kind: K) => hello.algorithms[kind].flatMap((block) => known(kind, block) ?? []);
  const whole = <K extends Kind>(kind: K) => [...new Set([...listed(kind), ...mandatory[kind]])];
  const lists = (of: <K extends Kind>(kind: K) => readonly Algorithms[K][number][]): Algorithms => ({
    hashes: of("hashes"),
    ciphers: of("ciphers"),
    authTags: of("authTags"),
    keyAgreements: of("keyAgreements"),
    sas: of("sas"),
  });
  return { listed: lists(listed), all: lists(whole) };
}

/**
 * What we commit to (§4.1.2): the faster of both sides' first choices among what they have in common, and for the rest what we
 * like most. What is mandatory goes without saying, but who does not list it would rather have something else, and perhaps refuses it:
 * so it is taken only if there is nothing listed. The answer may also be the kind in which there is nothing in common.
 */
export function choose(ours: Algorithms, { listed, all }: Supported): Choice | Kind {
  const common = <K extends Kind>(kind: K): readonly Algorithms[K][number][] => {
    const both = (theirs: Algorithms) =>
      (ours[kind] as readonly Algorithms[K][number][]).filter((name) =>
        (theirs[kind] as readonly string[]).includes(name),
      );
    const said = both(listed);
    return said.length > 0 ? said : both(all);
  };
  const [hashes, ciphers] = [common("hashes"), common("ciphers")];
  const mine = common("keyAgreements").filter((name) => {
    const row: KeyAgreementRow = keyAgreementTypes[name];
    return row.kind === "dh" && (row.hash === undefined || hashes.includes(row.hash));
  });
  const [first, second] = [mine[0], all.keyAgreements.find((name) => mine.includes(name))];
  if (first === undefined || second === undefined) return "keyAgreements";
  const bySpeed = Object.keys(keyAgreementTypes) as KeyAgreementType[];
  const keyAgreement = bySpeed.indexOf(first) < bySpeed.indexOf(second) ? first : second;
  const { hash: coupled }: KeyAgreementRow = keyAgreementTypes[keyAgreement];
  const chosen = {
    hashes: coupled ?? hashes[0],
    // §5.1.5: with EC38, AES-256 rather than AES-128.
    ciphers:
      coupled === undefined ? ciphers[0] : (["AES3", "AES2", "AES1"] as const).find((name) => ciphers.includes(name)),
    authTags: common("authTags")[0],
    sas: common("sas")[0],
  };
  if (chosen.hashes === undefined) return "hashes";
  if (chosen.ciphers === undefined) return "ciphers";
  if (chosen.authTags === undefined) return "authTags";
  if (chosen.sas === undefined) return "sas";
  return { hash: chosen.hashes, cipher: chosen.ciphers, authTag: chosen.authTags, keyAgreement, sas: chosen.sas };
}

/** The first kind in which a peer's Commit chose what we do not support, or what does not go together. */
export function refusal(
  ours: Algorithms,
  blocks: Readonly<Record<keyof Choice, string>>,
): { readonly choice: Choice } | { readonly kind: Kind } {
  const pick = <K extends Kind>(kind: K, block: string): Algorithms[K][number] | undefined => {
    const name = known(kind, block);
    return name !== undefined && (ours[kind] as readonly string[]).includes(name) ? name : undefined;
  };
  const hash = pick("hashes", blocks.hash);
  if (hash === undefined) return { kind: "hashes" };
  const cipher = pick("ciphers", blocks.cipher);
  if (cipher === undefined) return { kind: "ciphers" };
  const authTag = pick("authTags", blocks.authTag);
  if (authTag === undefined) return { kind: "authTags" };
  const keyAgreement = pick("keyAgreements", blocks.keyAgreement);
  if (keyAgreement === undefined) return { kind: "keyAgreements" };
  const row: KeyAgreementRow = keyAgreementTypes[keyAgreement];
  if (row.hash !== undefined && row.hash !== hash) return { kind: "hashes" };
  // §4.4.3.1: there is no SAS in Multistream mode, whatever stands there.
  const sas = pick("sas", blocks.sas) ?? (row.kind === "multistream" ? ours.sas[0] : undefined);
  if (sas === undefined) return { kind: "sas" };
  return { choice: { hash, cipher, authTag, keyAgreement, sas } };
}
