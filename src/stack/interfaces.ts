import type { Failure } from "../contract/index.js";
import type { TcpConnection } from "./tcp/connection.js";
import type { TcpEvent } from "./tcp/interfaces.js";
import type { TcpListener } from "./tcp/listener.js";
import type { UdpSocket } from "./udp/socket.js";

export type StackInput =
  /** IP packets, as a tunnel tells them: packet `i` is `bytes[ranges[2i] … ranges[2i+1])`. Lent. */
  { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number };

export type StackEvent =
  | TcpEvent
  /** A connection waits on the listener: `accept` it. */
  | { readonly kind: "incoming"; readonly listener: TcpListener }
  | {
      readonly kind: "datagram";
      readonly socket: UdpSocket;
      readonly bytes: Uint8Array;
      readonly source: Uint8Array;
      readonly sourcePort: number;
      readonly destination: Uint8Array;
      readonly ecn: number;
    }
  | { readonly kind: "soft-error"; readonly of: TcpConnection | UdpSocket; readonly failure: Failure }
  | { readonly kind: "echo-reply"; readonly source: Uint8Array; readonly word: number; readonly body: Uint8Array };

export const stackDrops = [
  "malformed",
  "not-ours",
  "bad-checksum",
  "no-socket",
  "fragment-incomplete",
  "backlog-full",
  "rate-limited",
  "queue-full",
  "too-big",
] as const;
export type StackDrop = (typeof stackDrops)[number];
