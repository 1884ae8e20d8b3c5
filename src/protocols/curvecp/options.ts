import type { PeerIdentity, SocketAddress, Trace } from "../../contract/index.js";
import type { KeyPair } from "./keys.js";
import type { ControllerName } from "./stream/controllers.js";

/** What both ends may choose. */
export interface CurveCpOptions {
  /** Our sixteen bytes by which a gateway forwards packets to us (addressing page). Default: zeros. */
  readonly extension?: Uint8Array;
  /** How congestion is kept away. Default `cubic`; `chicago` is the reference's own. */
  readonly congestionControl?: ControllerName;
  /** Bytes that are kept of what came and was not read, or came out of order, 2 KiB … 64 MiB. Default 1 MiB; more is dropped. */
  readonly receiveBuffer?: number;
  readonly trace?: Trace | undefined;
}

export interface CurveCpClientOptions extends CurveCpOptions {
  /** The server's long-term public key S, 32 bytes: who else answers is nobody (IV). */
  readonly serverKey: Uint8Array;
  /** Our long-term key pair (IPK). Default: one made for this session alone. */
  readonly identity?: KeyPair;
  /** The name to ask the server for, as DNS has it. Default: the root, which is no name. */
  readonly serverName?: string;
  /** The server's extension. Default: zeros. */
  readonly serverExtension?: Uint8Array;
  /** Other addresses of the same server; with the first at most eight. Each is tried in turn. */
  readonly alternates?: readonly SocketAddress[];
  /** Milliseconds after which a client that has sent nothing says where it is. Default 15 000; 0 is never. */
  readonly keepAliveMs?: number;
}

/** Decides about a client; what it throws means no. The signal says that nobody waits any more. */
export type AcceptClient = (client: ClientQuestion, signal?: AbortSignal) => boolean | Promise<boolean>;

/** A client that has proved its long-term key, and asks for a name of ours. */
export interface ClientQuestion {
  readonly publicKey: Uint8Array;
  readonly serverName: string;
  readonly from: SocketAddress;
}

export interface CurveCpServerOptions extends CurveCpOptions {
  /** Our long-term key pair s, S (IPK). */
  readonly identity: KeyPair;
  /** Names that clients may ask for. Default: any. */
  readonly serverNames?: readonly string[];
  /** Which clients may come, by their long-term keys (IV): a list, or a question. Default: all. */
  readonly clients?: readonly Uint8Array[] | AcceptClient;
  /** Clients at a time, 1 … 65 536. Default 4 096. */
  readonly clientsMax?: number;
  /** Milliseconds without anything authentic after which a client is forgotten. Default 30 minutes. */
  readonly idleTimeoutMs?: number;
}

/** What a handshake came to. */
export interface CurveCpOutcome {
  /** The peer's long-term key (IV). */
  readonly peer: Extract<PeerIdentity, { readonly kind: "static-key" }>;
  /** The name that the client asked for; empty for none. */
  readonly serverName: string;
  /** CurveCP has one version and one set of algorithms: what others tell in their outcomes is absent here. */
  readonly version?: undefined;
  readonly suite?: undefined;
  readonly group?: undefined;
  readonly alpn?: undefined;
  readonly mode?: undefined;
  readonly roundTrips?: undefined;
  readonly earlyData?: undefined;
}
