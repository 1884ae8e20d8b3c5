import type { Failure } from "./failure.js";
import type { StreamPort, StreamSink } from "./host.js";

/**
 * What `multi-stream` offers: many byte streams, and perhaps datagrams, in one session. Each stream is a `StreamPort`, so
 * whatever stands on a byte stream stands on one of these too.
 */
export interface StreamsSession {
  /**
   * A new stream of ours. It may be written at once: what the peer's limits do not let out yet waits. Throws `misuse` after
   * the session is closed.
   */
  openStream(sink: SessionStreamSink, options?: OpenStreamOptions): SessionStream;
  /**
   * One message that may be lost and overtaken. False: it cannot be sent (too long, a full queue, a peer that takes none),
   * and `fate` is not called.
   */
  sendDatagram(bytes: Uint8Array, options?: SendDatagramOptions): boolean;
  /** Greatest message that `sendDatagram` takes now; 0 if the peer takes none. It moves with the path. */
  readonly datagramMax: number;
  /** Tells the peer that all is over, with a code of the application's; every stream ends at once. */
  close(code?: number, reason?: string): void;
  ref(): void;
  unref(): void;
}

export interface OpenStreamOptions {
  /** Default `bidirectional`. */
  readonly direction?: StreamDirection;
  /** Lower goes first; equals share. Default 100, as `connPriority` (RFC 9622 §8.1.2). */
  readonly priority?: number;
}

export interface SendDatagramOptions {
  /** Dropped, and told as `expired`, if it has not left after so many milliseconds. */
  readonly lifetimeMs?: number;
  /** What became of it: told once. */
  readonly fate?: (fate: DatagramFate) => void;
}

export type StreamDirection = "bidirectional" | "unidirectional";

export type DatagramFate = "acknowledged" | "lost" | "expired";

/**
 * A stream of a session. `finish` ends our direction after all that is queued, `abort` gives both directions up with code 0;
 * the two verbs here give up one direction, with a code of the application's.
 */
export interface SessionStream extends StreamPort {
  readonly id: number;
  readonly direction: StreamDirection;
  readonly byPeer: boolean;
  /** Gives up sending: what is queued is dropped (RESET_STREAM in QUIC). */
  reset(code: number): void;
  /** Wants to read no more, and says so (STOP_SENDING in QUIC). */
  stopSending(code: number): void;
  /** Lower goes first, from now on. */
  setPriority(priority: number): void;
  /** Bytes that the peer has acknowledged. */
  readonly acknowledged: number;
}

/** What a stream tells. `closed` comes once, when both directions are over. */
export interface SessionStreamSink extends StreamSink {
  /** The peer gave up sending: nothing more comes. Without this method it is `closed` with a failure. */
  peerReset?(code: number): void;
  /** The peer reads no more; our direction has been reset with the same code. */
  peerStopped?(code: number): void;
}

/** What a session with streams tells. `closed` comes exactly once, last. */
export interface StreamsSink {
  /** A stream of the peer's; the sink that it answers hears the rest. Undefined refuses it with code 0. */
  stream(stream: SessionStream): SessionStreamSink | undefined;
  datagram?(bytes: Uint8Array): void;
  closed(failure?: Failure): void;
}
