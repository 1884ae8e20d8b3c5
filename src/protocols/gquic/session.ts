import type {
  Failure,
  Instant,
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
import type { DropReason } from "./counters.js";
import type { GquicFailure } from "./failure.js";
import type { gquicProfile } from "./profile.js";
import type { GquicMove } from "./vocabulary.js";
import type { GquicVersion } from "./wire/versions.js";

/**
 * A Google QUIC connection: many streams, each a `StreamPort`, and from Q046 on messages. Beside that the interfaces that it shows
 * beside the survey's table: `peer` (IV), `close` (CT), `onMoved` and `migrate` (ME).
 */
export interface GquicSession extends StreamsSession, SessionOf<typeof gquicProfile> {
  readonly role: "client" | "server";
  readonly local: SocketAddress;
  /** Where the peer is now. */
  readonly remote: SocketAddress;
  /** Undefined until the handshake is over. */
  readonly outcome: GquicOutcome | undefined;
  /** Resolves when there are forward-secure keys and a client knows its server; rejects with what prevented it. */
  readonly confirmed: Promise<GquicOutcome>;
  /** Why the session ended, if it ended badly. */
  readonly failure: GquicFailure | undefined;
  readonly peer: PeerIdentity | undefined;
  /** Streams always have two directions. With `early`, what is written may leave with the first hello, to a known server. */
  openStream(sink: SessionStreamSink, options?: OpenGquicStreamOptions): GquicStream;
  /** CONNECTION_CLOSE with a code, default 16 (QUIC_PEER_GOING_AWAY), and a reason for people. Streams end at once. */
  close(code?: number, reason?: string): void;
  /** Drops the connection without a word. */
  abort(): void;
  /**
   * Client: goes on from another local address, a new port of the same network by default. Resolves when the server has answered
   * there; rejects, and goes back, if it has not.
   */
  migrate(local?: Partial<SocketAddress>): Promise<void>;
  ping(): void;
  readonly statistics: GquicStatistics;
}

export interface OpenGquicStreamOptions extends OpenStreamOptions {
  /** An attacker can replay it, so it must be harmless twice. If the server rejects it, it goes again by itself. Default false. */
  readonly early?: boolean;
}

export interface GquicStream extends SessionStream {
  readonly session: GquicSession;
  /** Server: its first bytes came under initial keys, and an attacker may have replayed them. */
  readonly early: boolean;
}

/** What two peers agreed on, told once. */
export interface GquicOutcome {
  readonly version: GquicVersion;
  readonly suite: "AESG";
  readonly group: "C255";
  /** Who the server proved to be; undefined on a server, since clients prove nothing. */
  readonly peer: PeerIdentity | undefined;
  /** SNI. */
  readonly serverName: string | undefined;
  /** Did the client know the server's config, so that its first packet already had keys? */
  readonly resumed: boolean;
  /** Round trips from the first packet until data could go under forward-secure keys. */
  readonly roundTrips: number;
  /** Was the version changed on the way? */
  readonly versionNegotiated: boolean;
  readonly idleTimeoutMs: number;
  /** What was sent early; `none` where nothing was, or on a server. */
  readonly earlyData: "none" | "accepted" | "rejected";
  /** What other protocols settle, and this one does not have. */
  readonly alpn?: undefined;
  readonly mode?: undefined;
}

export interface GquicStatistics {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  /** Found lost, and acknowledged after all. */
  readonly packetsLostSpuriously: number;
  readonly packetsDropped: number;
  /** Why. */
  readonly dropped: Readonly<Record<DropReason, number>>;
  readonly rttMs: number;
  readonly congestionWindow: number;
  readonly bytesInFlight: number;
  /** UDP payload of full packets now. */
  readonly mtu: number;
  readonly openedAt: Instant | undefined;
  readonly confirmedAt: Instant | undefined;
}

/** What a session tells. `closed` comes exactly once, last; after a clean close without a failure. */
export interface GquicSink extends StreamsSink {
  /** A stream of the peer's; undefined refuses it. On a server it may come before `confirmed`, with early data. */
  stream(stream: GquicStream): SessionStreamSink | undefined;
  confirmed?(outcome: GquicOutcome, session: GquicSession): void;
  /** Client: what the server did with what was sent early. */
  earlyData?(status: "accepted" | "rejected"): void;
  mtu?(size: number): void;
  moved?(move: GquicMove): void;
  softError?(failure: Failure): void;
  closed(failure?: GquicFailure): void;
}

export interface GquicListener extends PortListener {
  /** Connections that are open, and of them those whose handshake is not over. */
  readonly connections: number;
  readonly halfOpen: number;
  /** Datagrams that were for no connection, by what became of them. */
  readonly stateless: Readonly<Record<"negotiated" | "reset" | "dropped" | "evicted", number>>;
  /** Accepts no more; resolves when the last connection is over. */
  close(): Promise<void>;
  /** Ends all connections with this code, then as `close`. */
  closeAll(code?: number, reason?: string): Promise<void>;
}
