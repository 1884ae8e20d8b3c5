import {
  type Ecn,
  type Failure,
  type Instant,
  type NetworkReason,
  networkFailure,
  type SocketAddress,
} from "../../contract/index.js";

/** What travels: a UDP datagram, or a segment of a simulated TCP connection. */
export interface Packet {
  readonly protocol: "udp" | "tcp";
  readonly from: SocketAddress;
  readonly to: SocketAddress;
  readonly bytes: Uint8Array;
  readonly ecn: Ecn;
  readonly segment?: Segment;
  readonly sentAt: Instant;
  readonly hops: number;
  /** Takes an ICMP error back to who sent it, however many translators there are on the way. */
  readonly bounce: (failure: Failure<NetworkReason>, packet: Packet) => void;
}

/** The simulated TCP header. Sequence numbers start at 0 and do not wrap. */
export interface Segment {
  readonly sequence: number;
  readonly acknowledgment: number;
  /** Bytes that the sender of this segment has room for behind `acknowledgment`. */
  readonly window: number;
  readonly syn?: boolean;
  readonly ack?: boolean;
  readonly fin?: boolean;
  readonly rst?: boolean;
  /** Asks for an acknowledgment of nothing new: a window probe. */
  readonly probe?: boolean;
}

/** Bytes on the wire: payload with UDP or TCP and IP headers. */
export function wireSize({ protocol, bytes, to }: Packet): number {
  return bytes.length + (protocol === "udp" ? 8 : 20) + (to.address.includes(":") ? 40 : 20);
}

export const showAddress = ({ address, port }: SocketAddress): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

export const wildcards: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Can an endpoint bound to `bound` hear what is sent to `address`? */
export function covers(bound: string, address: string, ipv6Only: boolean): boolean {
  if (bound === address) return true;
  if (bound === "::") return !ipv6Only || address.includes(":");
  return bound === "0.0.0.0" && !address.includes(":");
}

export const tooBig = (to: SocketAddress, mtu: number): Failure<NetworkReason> =>
  networkFailure("message-too-big", `a link on the way to ${showAddress(to)} takes packets of ${mtu} bytes`);
