import type { Failure, Instant, SessionOf, SocketAddress, StreamPort, StreamSink } from "../../contract/index.js";
import type { CurveCpFailure, DropCounts } from "./failure.js";
import type { CurveCpOutcome } from "./options.js";
import type { curvecpProfile } from "./profile.js";

/**
 * A CurveCP session. It offers a byte stream, so it is a `StreamPort`: `write`, `finish` (the end of our stream, with success),
 * `abort` (the end of both, with failure), `pause`, `resume`. Beside that it has the interfaces of CurveCP's row: `peer` (IV)
 * and `onMoved` (ME).
 */
export interface CurveCpSession extends StreamPort, SessionOf<typeof curvecpProfile> {
  readonly role: "client" | "server";
  /** Undefined until the handshake is confirmed. */
  readonly outcome: CurveCpOutcome | undefined;
  /** Resolves when the peer has proved its key; rejects with the failure that prevented it. */
  readonly confirmed: Promise<CurveCpOutcome>;
  /** Why the session ended, if it ended badly. */
  readonly failure: CurveCpFailure | undefined;
  /** Client: goes on from another port, or address; resolves when that is bound and the server has been told. Servers: `misuse`. */
  migrate(local?: SocketAddress): Promise<void>;
  readonly statistics: CurveCpStatistics;
}

export interface CurveCpStatistics {
  /** Bytes of our stream that were sent, and of the peer's that were told. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  /** Authentic ones. */
  readonly packetsReceived: number;
  /** Blocks that were sent again. */
  readonly retransmissions: number;
  /** Smoothed round trip in milliseconds; undefined before the first is measured. */
  readonly rttMs: number | undefined;
  readonly congestionControl: string;
  readonly confirmedAt: Instant | undefined;
  /** Why packets of this session were dropped. */
  readonly drops: Readonly<DropCounts>;
}

/** What a session tells. `closed` comes exactly once, last; after a clean end without a failure. */
export interface CurveCpSink extends StreamSink {
  /** The peer has proved its key. */
  confirmed?(outcome: CurveCpOutcome, session: CurveCpSession): void;
  /** ME: at a server, the client is elsewhere; at a client, we are. */
  moved?(from: SocketAddress, to: SocketAddress): void;
}

/** A port on which many sessions live. */
export interface CurveCpListener {
  readonly local: SocketAddress;
  /** Resolves when the port is gone, with the Failure if that was not our doing; never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** Why packets that belong to no session were dropped. */
  readonly drops: Readonly<DropCounts>;
  /** Live sessions, those included that only answer a peer that has not heard of their end. */
  readonly sessions: number;
  /** Takes no more strangers; the sessions go on, and the port closes with the last of them. */
  stop(): Promise<void>;
  /** Ends every session, with failure if its stream has not ended, and closes the port. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}
