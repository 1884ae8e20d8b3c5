import type { Failure } from "./failure.js";
import type { Ecn, SocketAddress } from "./machine.js";

/** What a stream machine is told of the port below it. A machine's own inputs, and answers, come beside these. */
export type StreamInput = Opened | StreamBytes | StreamEnd | PortClosed;

/** What a datagram machine is told of its ports. */
export type DatagramInput = Opened | Datagrams | PortClosed;

/** The port is there: transmit. Always the first input. */
export interface Opened {
  readonly kind: "opened";
}

/** Bytes from the peer, lent as `Machine` says. */
export interface StreamBytes {
  readonly kind: "bytes";
  readonly bytes: Uint8Array;
}

/** The peer ended its direction, without saying whether it meant to: that is for the machine to know. */
export interface StreamEnd {
  readonly kind: "end";
}

/** The port is gone, and nothing can be transmitted any more. Always the last input. */
export interface PortClosed {
  readonly kind: "closed";
  readonly failure?: Failure | undefined;
}

/**
 * One datagram, or a batch from one peer: datagrams of `segmentSize` bytes each, the last perhaps shorter. The object
 * is lent like its bytes: a driver fills the same one again.
 */
export interface Datagrams {
  readonly kind: "datagrams";
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  /** The local address at which they arrived. */
  readonly to: SocketAddress;
  readonly segmentSize: number;
  readonly ecn: Ecn;
}

/** Bytes from the application: read only, and the machine's until it has transmitted them. */
export interface SendBytes {
  readonly kind: "send";
  readonly bytes: Uint8Array;
}
