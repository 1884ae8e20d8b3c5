import type { Instant, SessionOf, StreamPort, StreamSink } from "../../contract/index.js";
import type { TcpcryptFailure } from "./failure.js";
import type { TcpcryptOutcome } from "./options.js";
import type { tcpcryptProfile } from "./profile.js";

/**
 * A tcpcrypt session. It offers a byte stream, so it is a `StreamPort` itself: `finish` is FINp on the last frame. Beside that
 * it has the interfaces of its row: `close` (CT), `updateKeys` (KU, which the peer always follows), `exportKey` and the
 * session ID in its outcome (PSKE).
 */
export interface TcpcryptSession extends StreamPort, SessionOf<typeof tcpcryptProfile> {
  readonly opener: "active" | "passive";
  /** Undefined until there are keys and the application, if asked, knows the peer. */
  readonly outcome: TcpcryptOutcome | undefined;
  readonly confirmed: Promise<TcpcryptOutcome>;
  /** Why the session ended, if it ended badly. */
  readonly failure: TcpcryptFailure | undefined;
  /** Unique to this connection, equal at both ends. Throws `misuse` where there is none (RFC 8547 §5.1). */
  readonly sessionId: Uint8Array;
  /** tcpcrypt confirms no key (RFC 8548 §8): that the peer has the same is proved by its first frame, and this says that one came. */
  readonly isProven: boolean;
  /** Bytes of which the last is urgent (§3.7): what it means is the application's affair. */
  writeUrgent(bytes: Uint8Array, released?: () => void): boolean;
  /** Takes the secrets that this session left out of the cache (§3.5). */
  flushSessions(): void;
  readonly statistics: TcpcryptStatistics;
}

export interface TcpcryptStatistics {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly framesSent: number;
  readonly framesReceived: number;
  /** Generations of keys, from 0 (§3.8). */
  readonly keyGenerationSent: number;
  readonly keyGenerationReceived: number;
  readonly openedAt: Instant | undefined;
  readonly confirmedAt: Instant | undefined;
}

/** What a session tells. `closed` comes exactly once, last; after an authentic end of both directions without a failure. */
export interface TcpcryptSink extends StreamSink {
  confirmed?(outcome: TcpcryptOutcome, session: TcpcryptSession): void;
  keyUpdated?(direction: "read" | "write", generation: number): void;
  /** The data just told hold urgent ones; the last of them stands at this offset of the whole stream. */
  urgent?(offset: number): void;
}
