import type { SocketAddress } from "../../../contract/index.js";
import { amplificationMax } from "../limits.js";

export const sameAddress = (a: SocketAddress, b: SocketAddress): boolean =>
  a.port === b.port && a.address === b.address;

/** Where the peer is, and how much may be sent there. */
export class Path {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Packets that are sent there have arrived, or a token has proved the address. */
  isValidated: boolean;
  bytesReceived = 0;
  bytesSent = 0;
  /** The first packet that was sent there: its acknowledgement, or a later one's, validates the path. */
  firstNumber = 0;

  constructor(local: SocketAddress, remote: SocketAddress, isValidated: boolean) {
    this.local = local;
    this.remote = remote;
    this.isValidated = isValidated;
  }

  /** Bytes that may be sent now. */
  get room(): number {
    return this.isValidated ? Number.POSITIVE_INFINITY : amplificationMax * this.bytesReceived - this.bytesSent;
  }
}
