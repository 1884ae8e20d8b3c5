import type { ListenOptions, PortListener, StreamOptions, StreamPort, StreamSink } from "./host.js";
import type { SocketAddress } from "./machine.js";
import type { Instant } from "./time.js";

/** An option of a TCP segment: its kind and what stands behind its length byte. */
export interface TcpOption {
  readonly kind: number;
  readonly content: Uint8Array;
}

/**
 * An option of TCP that a layer above negotiates: TCP-ENO (RFC 8547), which makes a connection an `eno-stream`. One is
 * made for each connection, before its first segment.
 */
export interface TcpExtension {
  /** Nothing more is to be written or read: segments are TCP's own affair from now on. */
  readonly isSettled: boolean;
  /**
   * Options for a segment that goes out, each with its kind and size and without padding; nothing for none. Segments
   * that go out again ask again. On a SYN there are 21 bytes for it beside all of the stack's own options.
   */
  write(syn: boolean): Uint8Array | undefined;
  /** An acceptable segment and its options of kinds that the stack does not know, perhaps none; before its data are told. */
  read(options: readonly TcpOption[], syn: boolean, ack: boolean, now: Instant): void;
}

/** A stream of a TCP that negotiates an option for the layer above. */
export interface EnoPort extends StreamPort {
  /** Whatever segment carries the last byte written so far has PSH set, also when more follows in it (RFC 8548 §3.3). */
  push(): void;
}

/** How a network offers `eno-stream`. It has settled when the sink hears `opened`. */
export interface EnoStreams {
  connect(remote: SocketAddress, sink: StreamSink, extension: TcpExtension, options?: StreamOptions): EnoPort;
  /** `accept` gets each port with the extension that `extension` made for it. */
  listen(
    local: SocketAddress,
    extension: () => TcpExtension,
    accept: (port: EnoPort, extension: TcpExtension) => StreamSink,
    options?: ListenOptions,
  ): Promise<PortListener>;
}
