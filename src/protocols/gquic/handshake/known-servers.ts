import type { Instant, PeerIdentity } from "../../../contract/index.js";
import { BoundedStore } from "../../../mechanisms/bounded-store.js";
import { limits } from "../limits.js";

/** What a client keeps of a server, so that it can speak at once the next time. None of it is secret. */
export interface KnownServer {
  /** SCFG, whose proof was checked, and the chain behind it. */
  readonly config: Uint8Array;
  readonly chain: readonly Uint8Array[];
  readonly peer: PeerIdentity;
  /** Source-address token. */
  readonly token: Uint8Array | undefined;
  readonly expiresAt: Instant;
}

/** Where clients keep that: `MemoryKnownServers`, or a place of the application's own. */
export interface KnownServers {
  get(server: string, now: Instant): KnownServer | undefined;
  set(server: string, known: KnownServer, now: Instant): void;
  delete(server: string): void;
}

export class MemoryKnownServers implements KnownServers {
  readonly #servers = new BoundedStore<string, KnownServer>({ entriesMax: limits.knownServersMax });

  get(server: string, now: Instant): KnownServer | undefined {
    return this.#servers.get(server, now);
  }

  set(server: string, known: KnownServer, now: Instant): void {
    this.#servers.set(server, known, now, known.expiresAt - now);
  }

  delete(server: string): void {
    this.#servers.delete(server);
  }
}
