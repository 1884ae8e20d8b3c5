import { toHex } from "../../bytes/index.js";
import type { CryptoProvider, Instant, Secret } from "../../contract/index.js";
import { BoundedStore } from "../../mechanisms/bounded-store.js";
import { tcpcryptFailure } from "./failure.js";
import { KeySchedule } from "./keys.js";
import { limits } from "./limits.js";
import {
  type SymCipher,
  type SymCipherName,
  secretSize,
  symCipherByName,
  type Tep,
  type TepName,
  tepByName,
} from "./parameters.js";

/** What resumes a session: a session secret ss[i] that has secured no connection yet (RFC 8548 §3.5). */
export interface ResumableSession {
  readonly tep: Tep;
  readonly cipher: SymCipher;
  /** The role in the original session: it decides which keys we encrypt with in all that come of it. */
  readonly role: "A" | "B";
  readonly secret: Secret;
}

/** A secret that both ends have from elsewhere, in place of one that an earlier session left (RFC 8922 §5.1, PSKI). */
export interface ImportedSecret {
  /** 32 bytes; the cache's from now on. */
  readonly secret: Secret;
  /** One end is A, the other B, whoever opens. */
  readonly role: "A" | "B";
  readonly tep?: TepName;
  readonly cipher?: SymCipherName;
}

/**
 * Sessions that can be resumed (RFC 8922 §5.1, CM), in memory alone (§3.5: never in storage). Secrets that came of our active
 * opens serve active opens, and those of passive opens passive ones: so no two connections ever want the same secret.
 */
export class TcpcryptSessions {
  readonly #schedule: KeySchedule;
  readonly #byPeer: BoundedStore<string, ResumableSession>;
  /** By TEP and by the half that the peer will send. */
  readonly #byIdentifier: BoundedStore<string, ResumableSession>;

  /** @param options.lifetimeMs - how long a secret is kept; default: until it is used or driven out */
  constructor(crypto: CryptoProvider, options: { readonly sessionsMax?: number; readonly lifetimeMs?: number } = {}) {
    this.#schedule = new KeySchedule(crypto);
    const store = {
      entriesMax: options.sessionsMax ?? limits.sessionsMax,
      ...(options.lifetimeMs !== undefined && { lifetimeMs: options.lifetimeMs }),
      left: ({ secret }: ResumableSession) => secret.wipe(),
    };
    this.#byPeer = new BoundedStore(store);
    this.#byIdentifier = new BoundedStore(store);
  }

  get size(): number {
    return this.#byPeer.size + this.#byIdentifier.size;
  }

  /** For an active open to this peer. The secret is used up by being offered; the next one takes its place (§3.5). */
  offer(peer: string, now: Instant): ResumableSession | undefined {
    const session = this.#byPeer.take(peer, now);
    if (session !== undefined) this.#byPeer.set(peer, this.#next(session), now);
    return session;
  }

  /** For a passive opener: the session that a half of an identifier names. It is used up; its successor waits. */
  find(tep: number, half: Uint8Array, now: Instant): ResumableSession | undefined {
    const session = this.#byIdentifier.take(identifier(tep, half), now);
    if (session !== undefined) this.keepPassive(this.#next(session), now);
    return session;
  }

  /** After an active open. Takes over the secret. */
  keepActive(peer: string, session: ResumableSession, now: Instant): void {
    this.#byPeer.set(peer, session, now);
  }

  /** After a passive open. Takes over the secret. */
  keepPassive(session: ResumableSession, now: Instant): void {
    this.#byIdentifier.set(this.identifierOf(session), session, now);
  }

  /**
   * Imports a secret from elsewhere: the next open resumes with it, without public keys, and only who has it can answer.
   * `peer` names whom we shall open to (`sessionScope`); without it we shall be the passive opener.
   */
  import(imported: ImportedSecret, now: Instant, peer?: string): void {
    const { secret, role, tep = "TCPCRYPT_ECDHE_Curve25519", cipher = "AEAD_AES_128_GCM" } = imported;
    if (secret.size !== secretSize) {
      throw tcpcryptFailure("bad-configuration", `a session secret has ${secretSize} bytes, not ${secret.size}`);
    }
    const session = { secret, role, tep: tepByName(tep), cipher: symCipherByName(cipher) };
    if (peer === undefined) this.keepPassive(session, now);
    else this.keepActive(peer, session, now);
  }

  /** Forgets what active opens to this peer left. */
  flush(peer: string): void {
    this.#byPeer.delete(peer);
  }

  /** Forgets what a passive open left, by its name here. */
  forget(identifier: string): void {
    this.#byIdentifier.delete(identifier);
  }

  /** The name of a passive opener's session: its TEP and the half that the peer will send. */
  identifierOf({ tep, role, secret }: ResumableSession): string {
    const halves = this.#schedule.resumption(secret);
    return identifier(tep.id, role === "A" ? halves.B : halves.A);
  }

  clear(): void {
    this.#byPeer.clear();
    this.#byIdentifier.clear();
  }

  #next(session: ResumableSession): ResumableSession {
    return { ...session, secret: this.#schedule.nextSecret(session.secret) };
  }
}

const identifier = (tep: number, half: Uint8Array): string => `${tep} ${toHex(half)}`;

/** Who a peer is to the cache, unless the application says otherwise. */
export const sessionScope = (address: string, port: number): string => `${address} ${port}`;
