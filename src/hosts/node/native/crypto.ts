import type { CryptoProvider } from "../../../contract/crypto.js";
import { provider, type Table, table } from "../../../crypto/provider.js";
import { agreementTable, portableTables } from "../crypto-portable/index.js";
import { aead } from "./aeads.js";
import { cipher } from "./ciphers.js";
import { ecdsaKeys } from "./ecdsa.js";
import { finiteField } from "./finite-field.js";
import { hash } from "./hashes.js";
import { openLibcrypto } from "./libcrypto.js";
import { montgomery } from "./montgomery.js";
import { isProven, isProvenCurve, type Provable } from "./probe.js";

/** Told of a row that did not give its known answer, and of which the portable one is used. */
export type Doubt = (algorithm: string) => void;

/**
 * The portable provider with its packet paths replaced: AEADs, ciphers, digests and HMACs on kept OpenSSL contexts
 * that work in place, X25519, X448, finite fields and ECDSA without node:crypto's objects. Each must give its known answer when it is first
 * wanted, before anything else is done with it. Throws, with the reason, unless the library is there.
 */
export function openNativeCrypto(doubt: Doubt = () => {}): CryptoProvider {
  const libcrypto = openLibcrypto();
  const proven = <Value extends Provable>(native: Value | undefined, portable: Value): Value => {
    if (native === undefined) return portable;
    if (isProven(native)) return native;
    doubt(native.name);
    return portable;
  };
  const replaced = <Name extends string, Value extends Provable>(
    portable: Table<Name, Value>,
    open: (name: Name, portable: Value) => Value | undefined,
  ): Table<Name, Value> =>
    table(Object.keys(portable) as Name[], (name) => {
      const row = portable[name];
      return row && proven(open(name, row), row);
    });
  const keys = ecdsaKeys(libcrypto, portableTables, (curve) => {
    const proven = isProvenCurve(curve);
    if (!proven) doubt(`ECDSA-${curve.name}`);
    return proven;
  });
  return provider({
    ...portableTables,
    ...keys,
    name: "native",
    hashes: replaced(portableTables.hashes, (_, portable) => hash(libcrypto, portable)),
    aeads: replaced(portableTables.aeads, (name) => aead(libcrypto, name)),
    ciphers: replaced(portableTables.ciphers, (name) => cipher(libcrypto, name)),
    agreements: agreementTable(
      (name) => proven(montgomery(libcrypto, name), portableTables.agreements[name]!),
      (name) => proven(finiteField(libcrypto, name), portableTables.agreements[name]!),
    ),
  });
}
