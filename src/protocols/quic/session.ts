import type {
  Failure,
  Instant,
  KeyExpiry,
  OpenStreamOptions,
  PeerIdentity,
  PortListener,
  SessionOf,
  SessionStream,
  SessionStreamSink,
  SocketAddress,
  StreamsSession,
  StreamsSink,
} from "../../contract/index.js";
import type { TlsOutcome } from "../tls/index.js";
import type { QuicFailure } from "./failure.js";
import type { QuicVersion } from "./options.js";
import type { quicProfile } from "./profile.js";

/**
 * A QUIC connection. It offers many streams, each a `StreamPort`, and datagrams; what it tells goes to a `QuicSink`. Beside
 * that it has the interfaces of QUIC's row: `peer` (IV), `close` (CT), `updateKeys` (KU), `onMoved` and `migrate` (ME); and
 * beyond the table `exportKey` (PSKE) and `onKeyExpiring` (KE).
 */
export interface QuicSession extends StreamsSession, SessionOf<typeof quicProfile> {
  readonly role: "client" | "server";
  readonly local: SocketAddress;
  /** Where the peer is now; it moves with the path. */
  readonly remote: SocketAddress;
  /** The application protocol, as soon as it is agreed on: on a server before the first stream, on a client when confirmed. */
  readonly alpn: string | undefined;
  /** Undefined until the handshake is confirmed. */
  readonly outcome: QuicOutcome | undefined;
  /** Resolves when the handshake is complete and the peer has proved itself; rejects with what prevented it. */
  readonly confirmed: Promise<QuicOutcome>;
  /** Why the session ended, if it ended badly. */
  readonly failure: QuicFailure | undefined;
  readonly peer: PeerIdentity | undefined;
  /** With `early`, what is written before the handshake is over may leave as 0-RTT. */
  openStream(sink: SessionStreamSink, options?: OpenQuicStreamOptions): QuicStream;
  /** CONNECTION_CLOSE with a code of the application's, default 0, and a reason for people. Streams end at once. */
  close(code?: number, reason?: string): void;
  /** Drops the connection without a word. */
  abort(): void;
  /** New keys for both directions: QUIC's peer always follows (RFC 9001 §6). Not before the handshake is confirmed. */
  updateKeys(options?: { readonly requestPeer?: boolean }): void;
  /**
   * Client: goes on from another local address (RFC 9000 §9.2), a new port of the same network by default. Resolves when
   * the peer has answered there; rejects, and stays where it was, if it has not.
   */
  migrate(local?: Partial<SocketAddress>): Promise<void>;
  /** Sends a PING: the peer's acknowledgement keeps the path alive. */
  ping(): void;
  readonly statistics: QuicStatistics;
}

export interface OpenQuicStreamOptions extends OpenStreamOptions {
  /**
   * May what is written before the handshake is over leave as 0-RTT? An attacker can replay it, so it must be harmless
   * twice. If the server rejects it, it goes again by itself after the handshake. Default false: it waits.
   */
  readonly early?: boolean;
}

export interface QuicStream extends SessionStream {
  readonly session: QuicSession;
  /** Server: its first bytes came as 0-RTT, which an attacker may have replayed. */
  readonly early: boolean;
}

/** What two peers agreed on, told once, when the handshake is confirmed: TLS's outcome, and QUIC's own. */
export interface QuicOutcome extends Omit<TlsOutcome, "version" | "extensions"> {
  readonly version: QuicVersion;
  /** Answers to the application's extensions, by type. */
  readonly extensions: ReadonlyMap<number, Uint8Array>;
  /** Was the version changed on the way (RFC 9368)? */
  readonly versionChanged: "no" | "compatible" | "incompatible";
  /** Largest DATAGRAM frame that the peer takes; 0 if none. */
  readonly datagramFrameMax: number;
  /** The silence after which the connection is dropped; 0 if never. */
  readonly idleTimeoutMs: number;
  /** Did the server prove our address with a Retry? */
  readonly addressRetried: boolean;
}

export interface QuicStatistics {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  /** Found lost, and acknowledged after all. */
  readonly packetsLostSpuriously: number;
  /** Could not be opened, or came twice. */
  readonly packetsDropped: number;
  readonly rttMs: number;
  readonly rttVariationMs: number;
  readonly rttMinMs: number;
  readonly congestionWindow: number;
  readonly bytesInFlight: number;
  /** UDP payload of full packets now. */
  readonly mtu: number;
  readonly keyGeneration: number;
  /** What became of marking: RFC 9000 §13.4.2. */
  readonly ecn: "off" | "testing" | "capable" | "failed";
  readonly openedAt: Instant | undefined;
  readonly confirmedAt: Instant | undefined;
}

/** A change of path. */
export interface QuicMove {
  readonly at: Instant;
  /** Whose address changed. */
  readonly whose: "ours" | "the peer's";
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

/** What a QUIC session tells. `closed` comes exactly once, last; after a clean close without a failure. */
export interface QuicSink extends StreamsSink {
  /** A stream of the peer's; undefined refuses it. On a server it may come before `confirmed`, with 0-RTT. */
  stream(stream: QuicStream): SessionStreamSink | undefined;
  /** The handshake is complete, and the peer has proved itself. */
  confirmed?(outcome: QuicOutcome, session: QuicSession): void;
  /** Client: what the server did with our 0-RTT. */
  earlyData?(status: "accepted" | "rejected"): void;
  /** A session came that can be resumed, and has been put into the cache. */
  ticket?(): void;
  keyUpdated?(direction: "read" | "write", byPeer: boolean): void;
  keyExpiring?(why: KeyExpiry): void;
  /** The path takes packets of another size: UDP payload in bytes (RFC 8899). `datagramMax` has moved with it. */
  mtu?(size: number): void;
  /** The new path is validated. */
  moved?(move: QuicMove): void;
  softError?(failure: Failure): void;
  /** Without a failure: ended by our `close`, or the peer's with code 0. */
  closed(failure?: QuicFailure): void;
}

/** A listening QUIC endpoint. */
export interface QuicListener extends PortListener {
  /** Connections that are open, and of them those whose handshake is not over. */
  readonly connections: number;
  readonly halfOpen: number;
  /** Accepts no more; resolves when the last connection is over. */
  close(): Promise<void>;
  /** Ends all connections with this code, then as `close`. */
  closeAll(code?: number, reason?: string): Promise<void>;
}
