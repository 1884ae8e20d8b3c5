import type { Instant, SessionOf, StreamPort, StreamSink } from "../../contract/index.js";
import type { TlsFailure } from "./failure.js";
import type { TlsOutcome } from "./options.js";
import type { tlsProfile } from "./profile.js";

/**
 * A TLS session. It offers what it stands on, a byte stream, so it is a `StreamPort` itself: `write`, `finish` (our
 * close_notify, after all that is queued), `abort`, `pause`, `resume`. What it tells goes to a `TlsSink`. Beside that it
 * has the interfaces of TLS's row: `peer` (IV), `close` (CT), `updateKeys` (KU), `exportKey` (PSKE).
 */
export interface TlsSession extends StreamPort, SessionOf<typeof tlsProfile> {
  readonly role: "client" | "server";
  /** Undefined until the handshake is confirmed. */
  readonly outcome: TlsOutcome | undefined;
  /** Resolves when the handshake is confirmed; rejects with the failure that prevented it. */
  readonly confirmed: Promise<TlsOutcome>;
  /** Why the session ended, if it ended badly. */
  readonly failure: TlsFailure | undefined;
  /**
   * Queues bytes that may go out as 0-RTT (RFC 9846 §2.3): they can be replayed by an attacker, so they must be harmless
   * twice. They are the session's until `released`. If the server rejects early data, they are sent again after the
   * handshake, unless ALPN came out differently. Without a ticket that allows it this is `write`.
   */
  writeEarly(bytes: Uint8Array, released?: () => void): boolean;
  /** Bytes that may still go out as early data. */
  readonly earlyDataLeft: number;
  /** Keying material bound to the first flight alone, before the handshake is confirmed (RFC 9846 §7.5). */
  exportEarlyKey(label: string, length: number, context?: Uint8Array): Uint8Array;
  /** Channel bindings: RFC 9266 (`tls-exporter`) and RFC 5929; undefined if this session has none of that type. */
  channelBinding(type: "tls-exporter" | "tls-unique" | "tls-server-end-point"): Uint8Array | undefined;
  /** Server: ask the client for a certificate now (RFC 9846 §4.7.2). The sink hears `authenticated`. */
  requestAuthentication(): void;
  readonly statistics: TlsStatistics;
}

export interface TlsStatistics {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly recordsSent: number;
  readonly recordsReceived: number;
  /** Generations of application keys, from 0. */
  readonly keyGenerationSent: number;
  readonly keyGenerationReceived: number;
  readonly openedAt: Instant | undefined;
  readonly confirmedAt: Instant | undefined;
}

/** What a TLS session tells. `closed` comes exactly once, last; after a clean close without a failure. */
export interface TlsSink extends StreamSink {
  /** The handshake is over, and both sides have proved themselves. */
  confirmed?(outcome: TlsOutcome, session: TlsSession): void;
  /** 0-RTT data of a client, which an attacker may have replayed. Without this method early data come as `bytes`. */
  earlyBytes?(bytes: Uint8Array): void;
  /** Client: what the server did with our early data. */
  earlyData?(status: "accepted" | "rejected"): void;
  keyUpdated?(direction: "read" | "write", byPeer: boolean): void;
  /** Post-handshake authentication came to an end; undefined if the client declined. */
  authenticated?(peer: TlsOutcome["peer"]): void;
  /** A session came that can be resumed, and has been put into the cache. */
  ticket?(): void;
}
