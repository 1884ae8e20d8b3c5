import type { DatagramPort, DatagramSink, Failure, Instant, SessionOf, SocketAddress } from "../../contract/index.js";
import type { TlsOutcome } from "../tls/index.js";
import type { DropCounts, DtlsFailure } from "./failure.js";
import type { DtlsOutcome } from "./options.js";
import type { dtlsProfile } from "./profile.js";

/**
 * A DTLS session with one peer. It offers what it stands on, datagrams, so it is a `DatagramPort` itself: `send` takes one
 * message, or with `segmentSize` a batch; what cannot go is dropped and counted. Beside that it has the interfaces of
 * DTLS's row: `peer` (IV), `close` (CT), `updateKeys` (KU), `exportKey` (PSKE), and beyond it `onMoved` (ME).
 */
export interface DtlsSession extends DatagramPort, SessionOf<typeof dtlsProfile> {
  readonly role: "client" | "server";
  /** Where the peer is now. */
  readonly remote: SocketAddress;
  /** Undefined until the handshake is confirmed. */
  readonly outcome: DtlsOutcome | undefined;
  /** Resolves when the handshake is confirmed; rejects with the failure that prevented it. */
  readonly confirmed: Promise<DtlsOutcome>;
  /** Why the session ended, if it ended badly. */
  readonly failure: DtlsFailure | undefined;
  /** Greatest message that `send` takes now, in bytes; 0 before the session is confirmed. It follows the path's MTU. */
  readonly messageMax: number;
  /**
   * One message that may go out as 0-RTT data (RFC 9147 §5.6): an attacker can replay it, so it must be harmless twice.
   * Without a ticket that allows it, and when the server rejects it, it is dropped and counted; the sink hears `earlyData`.
   */
  sendEarly(bytes: Uint8Array): void;
  /** Keying material bound to the first flight alone (RFC 9846 §7.5). */
  exportEarlyKey(label: string, length: number, context?: Uint8Array): Uint8Array;
  /** Channel bindings, as on a TLS session. */
  channelBinding(type: "tls-exporter" | "tls-unique" | "tls-server-end-point"): Uint8Array | undefined;
  /** 1.3: asks the peer for so many more connection IDs to name it by (RFC 9147 §9). */
  requestConnectionIds(count: number): void;
  /** 1.3: gives the peer a new connection ID to name us by; with `immediate` it must use it from now on. */
  renewConnectionId(options?: { readonly immediate?: boolean }): void;
  /** Server: ask the client for a certificate now (1.3). The sink hears `authenticated`. */
  requestAuthentication(): void;
  /**
   * Client: goes on from another port, or address; resolves when that is bound. A server that has given us a connection ID
   * follows; any other loses us.
   */
  migrate(local?: SocketAddress): Promise<void>;
  /** Forgets the session without a word. */
  abort(): void;
  readonly statistics: DtlsStatistics;
}

export interface DtlsStatistics {
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Flights sent again, and datagrams of theirs. */
  readonly retransmissions: number;
  /** Generations of application keys, from 0. */
  readonly keyGenerationSent: number;
  readonly keyGenerationReceived: number;
  readonly confirmedAt: Instant | undefined;
  /** Why datagrams and records of this session were dropped. */
  readonly drops: Readonly<DropCounts>;
}

/** What a DTLS session tells. `datagrams` gives one message at a time; `closed` comes exactly once, last. */
export interface DtlsSink extends DatagramSink {
  /** The handshake is over, and both sides have proved themselves. */
  confirmed?(outcome: DtlsOutcome, session: DtlsSession): void;
  /** 0-RTT data of a client, which an attacker may have replayed. Without this method they are dropped. */
  earlyDatagram?(bytes: Uint8Array): void;
  /** Client: what the server did with our early data. Those that were rejected are not sent again. */
  earlyData?(status: "accepted" | "rejected"): void;
  keyUpdated?(direction: "read" | "write", byPeer: boolean): void;
  /** Post-handshake authentication came to an end; undefined if the client declined. */
  authenticated?(peer: TlsOutcome["peer"]): void;
  /** A session came that can be resumed, and has been put into the cache. */
  ticket?(): void;
  /** `messageMax` is another now: the path carries more, or less (RFC 8899). */
  messageMax?(size: number): void;
  /** ME: the peer is elsewhere, and has shown it. */
  moved?(from: SocketAddress, to: SocketAddress): void;
}

/** A port on which many sessions live. */
export interface DtlsListener {
  readonly local: SocketAddress;
  /** Resolves when the port is gone, with the Failure if that was not our doing; never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** Sends a datagram of another protocol, as it is (RFC 7983). */
  sendForeign(bytes: Uint8Array, to: SocketAddress): void;
  /** Why datagrams that belong to no session were dropped. */
  readonly drops: Readonly<DropCounts>;
  /** Live associations. */
  readonly sessions: number;
  /** Takes no more strangers; the sessions go on, and the port closes with the last of them. */
  stop(): Promise<void>;
  /** Ends every session with close_notify and closes the port. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}
