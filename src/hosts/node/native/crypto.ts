import type { AeadName, CipherName, CryptoProvider, HashName } from "../../../contract/crypto.js";
import { type ProviderTables, provider } from "../../../crypto/provider.js";
import { agreementTable, portableTables } from "../crypto-portable/index.js";
import { aead } from "./aeads.js";
import { cipher } from "./ciphers.js";
import { hash } from "./hashes.js";
import { openLibcrypto } from "./libcrypto.js";
import { montgomery } from "./montgomery.js";
import { probe, probeAnswer } from "./probe.js";

/**
 * The portable provider with its packet paths replaced: AEADs, ciphers, digests and HMACs on kept OpenSSL contexts
 * that work in place, X25519 and X448 without node:crypto's objects. Throws, with the reason, unless it is there and gives every known answer.
 */
export function openNativeCrypto(): CryptoProvider {
  const libcrypto = openLibcrypto();
  const replaced = <Name extends string, Value>(
    table: { readonly [N in Name]?: Value | undefined },
    make: (name: Name, portable: Value) => Value | undefined,
  ): { [N in Name]?: Value | undefined } => {
    const rows: { [N in Name]?: Value | undefined } = { ...table };
    for (const name of Object.keys(table) as Name[]) {
      const portable = table[name];
      if (portable !== undefined) rows[name] = make(name, portable) ?? portable;
    }
    return rows;
  };
  const tables: ProviderTables = {
    ...portableTables,
    name: "native",
    hashes: replaced<HashName, NonNullable<ProviderTables["hashes"][HashName]>>(portableTables.hashes, (_, portable) =>
      hash(libcrypto, portable),
    ),
    aeads: replaced<AeadName, NonNullable<ProviderTables["aeads"][AeadName]>>(portableTables.aeads, (name) =>
      aead(libcrypto, name),
    ),
    ciphers: replaced<CipherName, NonNullable<ProviderTables["ciphers"][CipherName]>>(portableTables.ciphers, (name) =>
      cipher(libcrypto, name),
    ),
    agreements: agreementTable(montgomery(libcrypto, "X25519"), montgomery(libcrypto, "X448")),
  };
  const native = provider(tables);
  const answer = probe(native);
  if (answer !== probeAnswer) throw new Error(`the known answers came out as ${answer}`);
  return native;
}
