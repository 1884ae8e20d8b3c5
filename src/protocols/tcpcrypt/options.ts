import type { Trace } from "../../contract/index.js";
import type { ApplicationAware } from "./eno/negotiation.js";
import type { EnoReason } from "./failure.js";
import type { SymCipherName, TepName } from "./parameters.js";
import type { TcpcryptSessions } from "./sessions.js";

/** What the application is asked when there are keys, and before any of its bytes go in or out (RFC 8922 §5.1, AD). */
export interface AuthenticationQuestion {
  /** Equal at both ends exactly if nobody stands between them (RFC 8548 §8). */
  readonly sessionId: Uint8Array;
  /** Our TCP-ENO role: to be authenticated with the session ID (RFC 8547 §5.1). */
  readonly role: "A" | "B";
  /** Does the peer's application know of TCP-ENO (§4.2)? */
  readonly peerAware: boolean;
  readonly resumed: boolean;
}

/** True accepts the peer. It is the application's own protocol: a look-up, a message by another way, a person who compares. */
export type Authenticate = (question: AuthenticationQuestion, signal: AbortSignal) => boolean | Promise<boolean>;

export interface TcpcryptOptions {
  /** Key agreements that may be used, best first (ALG). Default: all four, Curve25519 first. */
  readonly teps?: readonly TepName[];
  /** Ciphers: A offers them, B prefers the first that A has too (§3.3). Default: all three, AES-128-GCM first. */
  readonly ciphers?: readonly SymCipherName[];
  /** The a bit: `offer` sets it, `require` has no encryption with a peer that does not. Default `no`, as §4.2 wants it. */
  readonly applicationAware?: ApplicationAware;
  /** Plain TCP is welcome where TCP-ENO comes to it. Default false: then the session fails with `not-negotiated`. */
  readonly opportunistic?: boolean;
  /** Where sessions wait to be resumed (CM). Default: nowhere. */
  readonly sessions?: TcpcryptSessions;
  /** Ignore requests to resume, and make none (§3.5, the first policy). Default false. */
  readonly freshOnly?: boolean;
  /** Cache nothing of this session (§3.5, the second). Default false. */
  readonly neverCache?: boolean;
  /** Authentication is the application's (AD). Default: nobody is asked, and an active attacker is not noticed. */
  readonly authenticate?: Authenticate;
  /** Frames under one key, 1 … 2^24, the default. */
  readonly framesPerKeyMax?: number;
  readonly trace?: Trace | undefined;
}

export interface TcpcryptClientOptions extends TcpcryptOptions {
  /** Play B: exactly one end of a simultaneous open must (RFC 8547 §4.3). A passive opener is always B. Default A. */
  readonly role?: "A" | "B";
  /** Who the peer is to the cache. Default: its address and port. */
  readonly scope?: string;
}

/** What the outcomes of protocols that authenticate tell, and tcpcrypt does not. */
interface Absent {
  readonly peer?: undefined;
  readonly version?: undefined;
  readonly suite?: undefined;
  readonly group?: undefined;
  readonly alpn?: undefined;
  readonly serverName?: undefined;
  readonly mode?: undefined;
  readonly roundTrips?: undefined;
  readonly earlyData?: undefined;
}

/** What a session came to. */
export type TcpcryptOutcome = EncryptedOutcome | PlainOutcome;

export interface EncryptedOutcome extends Absent {
  readonly encrypted: true;
  readonly role: "A" | "B";
  readonly tep: TepName;
  readonly cipher: SymCipherName;
  readonly resumed: boolean;
  /** The a bit that the peer set. */
  readonly peerAware: boolean;
  /** Unique to this connection; 33 bytes (RFC 8548 §3.4). */
  readonly sessionId: Uint8Array;
}

/** Plain TCP, for who asked for `opportunistic`. */
export interface PlainOutcome extends Absent {
  readonly encrypted: false;
  readonly reason: EnoReason;
  readonly peerAware: boolean;
}
