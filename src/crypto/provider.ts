import type {
  Aead,
  AeadName,
  Agreement,
  AgreementName,
  Cipher,
  CipherName,
  CryptoProvider,
  Hash,
  HashName,
} from "../contract/crypto.js";
import { misuse } from "./failure.js";

export type Table<Name extends string, Value> = { readonly [N in Name]?: Value | undefined };

/** A table whose rows are made when they are first wanted: a process uses few algorithms, and begins with none. */
export function table<Name extends string, Value>(
  names: readonly Name[],
  make: (name: Name) => Value | undefined,
): Table<Name, Value> {
  const rows: { [N in Name]?: Value | undefined } = {};
  for (const name of names) {
    const settle = (value: Value | undefined): Value | undefined => {
      Object.defineProperty(rows, name, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(rows, name, { get: () => settle(make(name)), enumerable: true, configurable: true });
  }
  return rows;
}

/** All that a provider is: tables of values. */
export interface ProviderTables {
  readonly name: string;
  readonly hashes: Table<HashName, Hash>;
  readonly aeads: Table<AeadName, Aead>;
  readonly ciphers: Table<CipherName, Cipher>;
  readonly agreements: Table<AgreementName, Agreement>;
  readonly blake2s: CryptoProvider["blake2s"];
  readonly hsalsa20: CryptoProvider["hsalsa20"];
  readonly publicKey: CryptoProvider["publicKey"];
  readonly privateKey: CryptoProvider["privateKey"];
}

/** A provider out of its tables. To replace some algorithms of another, spread its tables below your own. */
export function provider(tables: ProviderTables): CryptoProvider {
  const { name, hashes, aeads, ciphers, agreements, blake2s, hsalsa20, publicKey, privateKey } = tables;
  const find = <Name extends string, Value>(table: Table<Name, Value>, wanted: Name): Value => {
    const found = Object.hasOwn(table, wanted) ? table[wanted] : undefined;
    if (found === undefined) throw misuse("unavailable-algorithm", `the ${name} provider has no ${wanted}`);
    return found;
  };
  const all: readonly Table<string, unknown>[] = [hashes, aeads, ciphers, agreements];
  return {
    name,
    hash: (wanted) => find(hashes, wanted),
    aead: (wanted) => find(aeads, wanted),
    cipher: (wanted) => find(ciphers, wanted),
    agreement: (wanted) => find(agreements, wanted),
    has: (wanted) => all.some((rows) => Object.hasOwn(rows, wanted) && rows[wanted] !== undefined),
    blake2s,
    hsalsa20,
    publicKey,
    privateKey,
  };
}
