import type { Failure, Instant, TcpExtension } from "../../contract/index.js";
import type { ControllerFactory } from "../../mechanisms/congestion/index.js";
import type { TcpConnection } from "./connection.js";

/** What a connection needs of its stack. */
export interface TcpEnvironment {
  readonly controller: ControllerFactory;
  /** Bytes of an IP packet to this destination. */
  mtu(remote: Uint8Array): number;
  /** Packets of this size vanish: the next smaller one to try, if there is one. */
  vanished(remote: Uint8Array, size: number, now: Instant): number | undefined;
  /** A packet arrived that was larger than what had been thought to pass. */
  passed(remote: Uint8Array): void;
  /** The connection has something to send. */
  ready(connection: TcpConnection): void;
  told(event: TcpEvent): void;
}

export type TcpEvent =
  | { readonly kind: "opened"; readonly connection: TcpConnection }
  /** A view of the packet that came, or memory of its own; good until the next input. */
  | { readonly kind: "data"; readonly connection: TcpConnection; readonly bytes: Uint8Array }
  | { readonly kind: "ended"; readonly connection: TcpConnection }
  /** The send buffer, which had been over its mark, is below half of it. */
  | { readonly kind: "drained"; readonly connection: TcpConnection }
  | { readonly kind: "closed"; readonly connection: TcpConnection; readonly failure: Failure | undefined };

export interface TcpOptions {
  readonly receiveWindow?: number;
  readonly noDelay?: boolean;
  readonly ecn?: boolean;
  /** Makes an option from outside for each connection: TCP-ENO (RFC 8547). */
  readonly extension?: () => TcpExtension;
}

/** What the peer's SYN, or a cookie that stands for it, said. */
export interface TcpNegotiated {
  readonly initial: number;
  readonly mss: number;
  readonly windowScale: number | undefined;
  readonly sackPermitted: boolean;
  readonly timestamp: number | undefined;
  readonly ecn: boolean;
}
