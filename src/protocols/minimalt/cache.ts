import type { Instant } from "../../contract/index.js";
import { limits } from "./limits.js";
import type { RecordCache } from "./options.js";
import type { ServiceRecord } from "./wire/record.js";

/** A record cache in memory; whoever reads a record looks at its end anyway. The oldest makes room. */
export class RecordMemory implements RecordCache {
  readonly #records = new Map<string, ServiceRecord>();

  get(name: string): ServiceRecord | undefined {
    return this.#records.get(name);
  }

  set(name: string, record: ServiceRecord, _notAfter: Instant): void {
    this.#records.delete(name);
    this.#records.set(name, record);
    if (this.#records.size > limits.cachedRecordsMax) this.#records.delete(this.#records.keys().next().value!);
  }

  get size(): number {
    return this.#records.size;
  }

  clear(): void {
    this.#records.clear();
  }
}
