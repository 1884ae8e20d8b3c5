import { toHex } from "../../bytes/index.js";
import { type Instant, Secret } from "../../contract/index.js";
import { BoundedStore } from "../../mechanisms/bounded-store.js";
import { cachedPeersMax } from "./limits.js";

/** What is kept of a peer between calls (RFC 6189 §4.9): it gives key continuity, so that words are compared once. */
export interface RetainedSecrets {
  /** The retained secret of the last call, and that of the one before (§4.6.1). */
  readonly rs1: Secret | undefined;
  readonly rs2: Secret | undefined;
  /** Of a PBX that the user has enrolled with (§7.3.1). */
  readonly pbx: Secret | undefined;
  /** Did the user say that the words were the same (§7.1)? */
  readonly verified: boolean;
  /** From then on the peer may have forgotten it without that being an alarm. Undefined: never. */
  readonly expiresAt: Instant | undefined;
}

/** Where they are kept, by the peer's ZID in hex. What it gives is its own: nobody wipes it. */
export interface ZrtpCache {
  get(zid: string, now: Instant): RetainedSecrets | undefined | Promise<RetainedSecrets | undefined>;
  /** Replaces what there was. */
  set(zid: string, secrets: RetainedSecrets): void | Promise<void>;
  delete(zid: string): void | Promise<void>;
}

/** A cache that ends with the process. Past its limit it forgets whom it has not met for longest. */
export class MemoryZrtpCache implements ZrtpCache {
  readonly #peers: BoundedStore<string, RetainedSecrets>;

  constructor(peersMax: number = cachedPeersMax) {
    this.#peers = new BoundedStore({ entriesMax: peersMax });
  }

  get(zid: string): RetainedSecrets | undefined {
    return this.#peers.get(zid, 0);
  }

  set(zid: string, secrets: RetainedSecrets): void {
    this.#peers.set(zid, secrets, 0);
  }

  delete(zid: string): void {
    this.#peers.delete(zid);
  }

  get size(): number {
    return this.#peers.size;
  }
}

export const keyOf = (zid: Uint8Array): string => toHex(zid);

/** What a store answers comes from an application. */
export function isRetained(answer: unknown): answer is RetainedSecrets {
  if (typeof answer !== "object" || answer === null) return false;
  const { rs1, rs2, pbx } = answer as Partial<RetainedSecrets>;
  return [rs1, rs2, pbx].every(
    (each) => each === undefined || (each instanceof Secret && !each.wiped && each.size > 0),
  );
}
