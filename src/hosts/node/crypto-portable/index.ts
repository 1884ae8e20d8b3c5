import type {
  AeadName,
  Agreement,
  AgreementName,
  CipherName,
  CryptoProvider,
  HashName,
} from "../../../contract/crypto.js";
import { aeads, ciphers, hashes } from "../../../crypto/algorithms.js";
import { hybrid } from "../../../crypto/hybrid.js";
import { keyedBlake2s } from "../../../crypto/noble/blake2s.js";
import { mlKem } from "../../../crypto/noble/ml-kem.js";
import { salsa20, xchacha20Poly1305, xsalsa20Poly1305 } from "../../../crypto/noble/salsa.js";
import { type ProviderTables, provider } from "../../../crypto/provider.js";
import { aead } from "./aeads.js";
import { montgomery, weierstrass } from "./agreements.js";
import { cipher } from "./ciphers.js";
import { finiteField } from "./finite-field.js";
import { hash } from "./hashes.js";
import { privateKey, publicKey } from "./keys.js";

export { nodeEntropy } from "../entropy.js";

/** The tables behind `portableCrypto`, for a provider that replaces some of them. */
export const portableTables: ProviderTables = {
  name: "portable",
  hashes: table(names<HashName>(hashes), hash),
  aeads: {
    ...table(names<AeadName>(aeads), aead),
    "XChaCha20-Poly1305": xchacha20Poly1305,
    "XSalsa20-Poly1305": xsalsa20Poly1305,
  },
  ciphers: { ...table(names<CipherName>(ciphers), cipher), Salsa20: salsa20 },
  agreements: agreementTable(montgomery("X25519"), montgomery("X448")),
  blake2s: keyedBlake2s,
  publicKey,
  privateKey,
};

/** Everything on node:crypto, and on noble what that lacks. Runs wherever Node does. */
export const portableCrypto: CryptoProvider = provider(portableTables);

/** All agreements, for an X25519 and X448 that may come from elsewhere: a hybrid stands on them. */
export function agreementTable(x25519: Agreement, x448: Agreement): Readonly<Record<AgreementName, Agreement>> {
  const p256 = weierstrass("P-256");
  const p384 = weierstrass("P-384");
  const mlKem768 = mlKem("ML-KEM-768");
  const mlKem1024 = mlKem("ML-KEM-1024");
  return {
    X25519: x25519,
    X448: x448,
    "P-256": p256,
    "P-384": p384,
    "P-521": weierstrass("P-521"),
    ffdhe2048: finiteField("ffdhe2048"),
    ffdhe3072: finiteField("ffdhe3072"),
    ffdhe4096: finiteField("ffdhe4096"),
    ffdhe6144: finiteField("ffdhe6144"),
    ffdhe8192: finiteField("ffdhe8192"),
    "ML-KEM-512": mlKem("ML-KEM-512"),
    "ML-KEM-768": mlKem768,
    "ML-KEM-1024": mlKem1024,
    X25519MLKEM768: hybrid("X25519MLKEM768", mlKem768, x25519),
    SecP256r1MLKEM768: hybrid("SecP256r1MLKEM768", p256, mlKem768),
    SecP384r1MLKEM1024: hybrid("SecP384r1MLKEM1024", p384, mlKem1024),
  };
}

function names<Name extends string>(rows: Record<Name, unknown>): readonly Name[] {
  return Object.keys(rows) as Name[];
}

function table<Name extends string, Value>(
  wanted: readonly Name[],
  make: (name: Name) => Value | undefined,
): { readonly [N in Name]?: Value | undefined } {
  const rows: { [N in Name]?: Value | undefined } = {};
  for (const name of wanted) rows[name] = make(name);
  return rows;
}
