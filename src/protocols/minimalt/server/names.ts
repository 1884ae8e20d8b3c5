import type { CryptoProvider, Instant } from "../../../contract/index.js";
import { BoundedStore } from "../../../mechanisms/bounded-store.js";
import { limits } from "../limits.js";
import type { NameServiceOptions } from "../options.js";
import { readRecord, type ServiceRecord } from "../wire/record.js";

/** The table of a name service: records that hosts have registered, until they end (§3.4, §5.4). */
export class Names {
  readonly #crypto: CryptoProvider;
  readonly #options: NameServiceOptions;
  readonly #records = new BoundedStore<string, ServiceRecord>({ entriesMax: limits.recordsMax });

  constructor(crypto: CryptoProvider, options: NameServiceOptions) {
    this.#crypto = crypto;
    this.#options = options;
  }

  get(name: string, now: Instant): ServiceRecord | undefined {
    return this.#records.get(name, now);
  }

  /** False unless an authority vouches for it: what anybody might register would be anybody's. */
  register({ certS, ecertS }: ServiceRecord, now: Instant): boolean {
    const read = readRecord(this.#crypto, { certS, ecertS }, { authorities: this.#options.authorities }, now);
    if (typeof read === "string" || read.name === "") return false;
    this.#records.set(read.name, { certS, ecertS }, now, read.notAfter - now);
    return true;
  }
}
