import type {
  Failure,
  Instant,
  OpenStreamOptions,
  PortListener,
  SessionOf,
  SessionStream,
  SessionStreamSink,
  SocketAddress,
  StreamsSession,
  StreamsSink,
} from "../../contract/index.js";
import type { DropCounts, MinimaltFailure } from "./failure.js";
import type { MinimaltOutcome } from "./options.js";
import type { minimaltProfile } from "./profile.js";
import type { ServiceRecord } from "./wire/record.js";

/**
 * A MinimaLT tunnel. It offers many connections, each a `StreamPort`; what it tells goes to a `MinimaltSink`. Beside that it has the
 * interfaces of MinimaLT's row: `peer` (IV), `close` (CT), `updateKeys` (KU), `exportKey` (PSKE), `onMoved` and `migrate` (ME).
 */
export interface MinimaltSession extends StreamsSession, SessionOf<typeof minimaltProfile> {
  readonly role: "client" | "server";
  readonly local: SocketAddress;
  /** Where the peer is now; a server's moves with its client. */
  readonly remote: SocketAddress;
  /** Undefined until the handshake is confirmed. */
  readonly outcome: MinimaltOutcome | undefined;
  /** Resolves when the server has shown that it holds S'; rejects with what prevented it. */
  readonly confirmed: Promise<MinimaltOutcome>;
  /** Why the session ended, if it ended badly. */
  readonly failure: MinimaltFailure | undefined;
  /** A new connection: what is written before the server is heard leaves with the first packets, to nobody but the server. */
  openStream(sink: SessionStreamSink, options?: OpenConnectionOptions): MinimaltStream;
  /** Ends all connections, tells the peer, and sees that it has heard. */
  close(): void;
  /** Drops the tunnel with a word that may be lost. */
  abort(): void;
  /** k2 = Hash(k1) (§5.5): a client begins it, a server asks its client to. Throws `misuse` before the session is confirmed. */
  updateKeys(options?: { readonly requestPeer?: boolean }): void;
  /** Client: goes on from another port, or address, under a new key; resolves when that is bound. Servers: `misuse`. */
  migrate(local?: Partial<SocketAddress>): Promise<void>;
  readonly statistics: MinimaltStatistics;
}

export interface OpenConnectionOptions extends OpenStreamOptions {
  /** y, the type of service asked for: up to 255 printable ASCII characters. Default "". */
  readonly service?: string;
}

export interface MinimaltStream extends SessionStream {
  readonly session: MinimaltSession;
  readonly service: string;
  /** U, the user who created it, by the long-term key that was proved; undefined for an anonymous one, and for ours. */
  readonly user: Uint8Array | undefined;
}

export interface MinimaltStatistics {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  /** Authentic ones. */
  readonly packetsReceived: number;
  readonly packetsLost: number;
  /** Segments that were sent again. */
  readonly retransmissions: number;
  /** Smoothed round trip in milliseconds; undefined before the first is measured. */
  readonly rttMs: number | undefined;
  readonly congestionControl: string;
  readonly congestionWindow: number;
  /** How many keys followed the first. */
  readonly keyGeneration: number;
  readonly confirmedAt: Instant | undefined;
  /** Why packets of this session were dropped. */
  readonly drops: Readonly<DropCounts>;
}

/** What a session tells. `closed` comes exactly once, last; after a clean end without a failure. */
export interface MinimaltSink extends StreamsSink {
  /** A connection of the peer's. */
  stream(stream: MinimaltStream): SessionStreamSink | undefined;
  confirmed?(outcome: MinimaltOutcome, session: MinimaltSession): void;
  /** Another key is in use. */
  keyUpdated?(byPeer: boolean): void;
  /** ME: at a server, the client is elsewhere; at a client, we are. */
  moved?(from: SocketAddress, to: SocketAddress): void;
  softError?(failure: Failure): void;
  closed(failure?: MinimaltFailure): void;
}

/** A port on which many sessions live. */
export interface MinimaltListener extends PortListener {
  /** Resolves when the port is gone, with the Failure if that was not our doing; never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** Our record as it is now: what clients begin with. */
  readonly record: ServiceRecord;
  /** Why packets that belong to no session were dropped. */
  readonly drops: Readonly<DropCounts>;
  /** Live tunnels, those of look-ups and those that see their last packets through included. */
  readonly sessions: number;
  /** Puzzles that were posed to strangers (§5.7). */
  readonly puzzlesPosed: number;
  /** Tells of each new record, the present one at once: to write it down, or to publish it elsewhere. */
  onRecord(call: (record: ServiceRecord, notAfter: Instant) => void): Disposable;
  /** Takes no more strangers; the sessions go on, and the port closes with the last of them. */
  stop(): Promise<void>;
  /** Ends every session and closes the port. */
  close(): Promise<void>;
}
