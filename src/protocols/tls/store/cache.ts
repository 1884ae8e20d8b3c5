import { toHex } from "../../../bytes/bytes.js";
import type { CryptoProvider, Instant } from "../../../contract/index.js";
import {
  type ClientSession,
  decodeClientSession,
  decodeSession,
  encodeClientSession,
  encodeSession,
  expiryOf,
  type ResumableSession,
} from "./session.js";
import type { SessionStore, StoredSession } from "./store.js";
import type { TicketKeyRing } from "./tickets.js";

/** What must be equal for one connection to resume another's session. */
export interface CacheScope {
  /** Host name, or address if there is none. */
  readonly serverName: string;
  readonly port: number;
  /** Protocols offered, in order. */
  readonly alpn: readonly string[];
  /** Whatever else the application's configuration makes different: trust, identity, policy. Text of its own choice. */
  readonly configuration: string;
}

/** Sessions of a client. A ticket serves one attempt, so that observers cannot link two (RFC 9846 appendix C.4). */
export class ClientSessionCache {
  readonly #store: SessionStore;
  constructor(store: SessionStore) {
    this.#store = store;
  }

  /**
   * A session for one attempt, taken out of the store. One that TLS 1.2 keeps under a session ID stays there, since its
   * server gives no other.
   */
  async take(scope: CacheScope, now: Instant): Promise<ClientSession | undefined> {
    const key = keyOf(scope);
    const stored = await attempt(() => this.#store.take(key, now));
    const session = stored && decodeClientSession(stored.bytes);
    if (session === undefined || expiryOf(session) <= now) return undefined;
    if (session.ticket.length === 0) await this.add(scope, session);
    return session;
  }

  async add(scope: CacheScope, session: ClientSession): Promise<void> {
    const stored = { bytes: encodeClientSession(session), expiresAt: expiryOf(session) };
    await attempt(() => this.#store.add(keyOf(scope), stored));
  }

  /** After a session has proved useless: the server refused it, or the handshake failed. */
  async forget(scope: CacheScope): Promise<void> {
    await attempt(() => this.#store.remove(keyOf(scope)));
  }
}

/** Sessions that a TLS 1.2 server keeps under their IDs (RFC 5246 §F.1.4). */
export class ServerSessionCache {
  readonly #store: SessionStore;
  constructor(store: SessionStore) {
    this.#store = store;
  }

  async find(sessionId: Uint8Array, now: Instant): Promise<ResumableSession | undefined> {
    const stored = await attempt(() => this.#store.peek(idKey(sessionId), now));
    const session = stored && decodeSession(stored.bytes);
    return session !== undefined && expiryOf(session) > now ? session : undefined;
  }

  async add(sessionId: Uint8Array, session: ResumableSession): Promise<void> {
    const stored = { bytes: encodeSession(session), expiresAt: expiryOf(session) };
    await attempt(() => this.#store.add(idKey(sessionId), stored));
  }

  /** A session that ended with a fatal alert must not be resumed: RFC 5246 §7.2.2. */
  async forget(sessionId: Uint8Array): Promise<void> {
    await attempt(() => this.#store.remove(idKey(sessionId)));
  }
}

/** A store behind a seal: neither keys (hashed) nor sessions (encrypted) can be read where they lie. */
export function sealedStore(
  store: SessionStore,
  ring: TicketKeyRing,
  crypto: CryptoProvider,
  now: () => Instant,
): SessionStore {
  const hide = (key: string): string => toHex(crypto.hash("SHA-256").digest(new TextEncoder().encode(key)));
  const reveal = (stored: StoredSession | undefined, at: Instant): StoredSession | undefined => {
    const opened = stored && ring.open(stored.bytes, at);
    return opened && { bytes: opened, expiresAt: stored.expiresAt };
  };
  return {
    add: async (key, { bytes, expiresAt }) => {
      const sealed = ring.seal(bytes, now());
      if (sealed !== undefined) await store.add(hide(key), { bytes: sealed, expiresAt });
    },
    take: async (key, at) => reveal(await store.take(hide(key), at), at),
    peek: async (key, at) => reveal(await store.peek(hide(key), at), at),
    remove: (key) => store.remove(hide(key)),
  };
}

const keyOf = ({ serverName, port, alpn, configuration }: CacheScope): string =>
  JSON.stringify(["client", serverName.toLowerCase(), port, alpn, configuration]);

const idKey = (sessionId: Uint8Array): string => `server:${toHex(sessionId)}`;

/** A store that fails costs a round trip, never a connection. */
async function attempt<T>(call: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch {
    return undefined;
  }
}
