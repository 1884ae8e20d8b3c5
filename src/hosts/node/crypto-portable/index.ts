import type {
  AeadName,
  Agreement,
  AgreementName,
  CipherName,
  CryptoProvider,
  HashName,
} from "../../../contract/crypto.js";
import { aeads, agreements, ciphers, hashes } from "../../../crypto/algorithms.js";
import { hybrid } from "../../../crypto/hybrid.js";
import { keyedBlake2s } from "../../../crypto/noble/blake2s.js";
import { mlKem } from "../../../crypto/noble/ml-kem.js";
import { hsalsa20, salsa20, xchacha20Poly1305, xsalsa20Poly1305 } from "../../../crypto/noble/salsa.js";
import { type ProviderTables, provider, type Table, table } from "../../../crypto/provider.js";
import { aead } from "./aeads.js";
import { montgomery, weierstrass } from "./agreements.js";
import { cipher } from "./ciphers.js";
import { finiteField } from "./finite-field.js";
import { hash } from "./hashes.js";
import { privateKey, publicKey } from "./keys.js";

export { nodeEntropy } from "../entropy.js";

const nobleAeads: ProviderTables["aeads"] = {
  "XChaCha20-Poly1305": xchacha20Poly1305,
  "XSalsa20-Poly1305": xsalsa20Poly1305,
};

/** The tables behind `portableCrypto`, for a provider that replaces some of them. */
export const portableTables: ProviderTables = {
  name: "portable",
  hashes: table(names<HashName>(hashes), hash),
  aeads: table(names<AeadName>(aeads), (name) => nobleAeads[name] ?? aead(name)),
  ciphers: table(names<CipherName>(ciphers), (name) => (name === "Salsa20" ? salsa20 : cipher(name))),
  agreements: agreementTable(montgomery, finiteField),
  blake2s: keyedBlake2s,
  hsalsa20,
  publicKey,
  privateKey,
};

/** Everything on node:crypto, and on noble what that lacks. Runs wherever Node does. */
export const portableCrypto: CryptoProvider = provider(portableTables);

/** All agreements, for curves and fields that may come from elsewhere: a hybrid stands on the former. */
export function agreementTable(curve: typeof montgomery, field: typeof finiteField): Table<AgreementName, Agreement> {
  const row = (name: AgreementName): Agreement => rows[name]!;
  const make: Readonly<Record<AgreementName, () => Agreement>> = {
    X25519: () => curve("X25519"),
    X448: () => curve("X448"),
    "P-256": () => weierstrass("P-256"),
    "P-384": () => weierstrass("P-384"),
    "P-521": () => weierstrass("P-521"),
    ffdhe2048: () => field("ffdhe2048"),
    ffdhe3072: () => field("ffdhe3072"),
    ffdhe4096: () => field("ffdhe4096"),
    ffdhe6144: () => field("ffdhe6144"),
    ffdhe8192: () => field("ffdhe8192"),
    modp2048: () => field("modp2048"),
    modp3072: () => field("modp3072"),
    modp4096: () => field("modp4096"),
    modp6144: () => field("modp6144"),
    modp8192: () => field("modp8192"),
    "ML-KEM-512": () => mlKem("ML-KEM-512"),
    "ML-KEM-768": () => mlKem("ML-KEM-768"),
    "ML-KEM-1024": () => mlKem("ML-KEM-1024"),
    X25519MLKEM768: () => hybrid("X25519MLKEM768", row("ML-KEM-768"), row("X25519")),
    SecP256r1MLKEM768: () => hybrid("SecP256r1MLKEM768", row("P-256"), row("ML-KEM-768")),
    SecP384r1MLKEM1024: () => hybrid("SecP384r1MLKEM1024", row("P-384"), row("ML-KEM-1024")),
  };
  const rows = table(names<AgreementName>(agreements), (name) => make[name]());
  return rows;
}

function names<Name extends string>(rows: Record<Name, unknown>): readonly Name[] {
  return Object.keys(rows) as Name[];
}
