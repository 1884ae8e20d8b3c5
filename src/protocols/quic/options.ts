import type { KeyLog, Secret, Trace } from "../../contract/index.js";
import type { ControllerFactory } from "../../mechanisms/congestion/index.js";
import type { Suite13, TlsClientOptions, TlsOptions, TlsServerOptions } from "../tls/index.js";

/** Versions that exist here: 1 is RFC 9000, 2 is RFC 9369. */
export type QuicVersion = "1" | "2";

/** What TLS lets one choose, and QUIC too. Their meaning and defaults are TLS's, with 1.3 as the only version. */
type SharedTlsOptions = Pick<
  TlsOptions,
  | "groups"
  | "signatureSchemes"
  | "certificateSignatureSchemes"
  | "delegatedCredentials"
  | "identity"
  | "certificateTypes"
  | "peerCertificateTypes"
  | "certificateCompression"
  | "certificateAuthorities"
  | "verify"
  | "alpn"
  | "extensions"
  | "psks"
  | "pskModes"
  | "handshakeTimeoutMs"
>;

/** What client and server have in common. Whatever is absent takes its default; sizes are in bytes. */
export interface QuicOptions extends SharedTlsOptions {
  // ALG
  /**
   * Most wanted first. A client speaks the first in its first packet and lets the server change to another (RFC 9368); a
   * server changes to the first of its own that the client takes. Default: 1, then 2.
   */
  readonly versions?: readonly QuicVersion[];
  /** Suites of TLS 1.3, most wanted first. Default: AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305. */
  readonly suites?: readonly Suite13["name"][];

  // What we allow the peer: transport parameters, RFC 9000 §18.2.
  /** Silence after which the connection is dropped, unless the peer's is less; 0 turns it off. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** Sends a PING after so long a silence. Default: never. */
  readonly keepAliveMs?: number;
  /** Bytes of all streams together that may wait for the application at first; grows up to the maximum. */
  readonly receiveWindow?: number;
  readonly receiveWindowMax?: number;
  /** The same for each stream. */
  readonly streamReceiveWindow?: number;
  readonly streamReceiveWindowMax?: number;
  /** Streams that the peer may have open at a time. Defaults 128 and 128. */
  readonly peerBidirectionalStreams?: number;
  readonly peerUnidirectionalStreams?: number;
  /** Largest DATAGRAM frame that we take (RFC 9221); 0, the default, takes none. */
  readonly datagramFrameMax?: number;
  /** Connection ids of the peer's that we keep for it, at least 2. Default 4. */
  readonly activeConnectionIds?: number;
  /** How long we may hold back an acknowledgement. Default 25. */
  readonly ackDelayMaxMs?: number;
  /** Largest UDP payload that we take, at least 1200. Default 65,527: whatever comes. */
  readonly udpPayloadMax?: number;

  // How we send.
  /** Default cubic. */
  readonly congestion?: CongestionName | ControllerFactory;
  /** Spread packets over time rather than sending a window at once. Default true. */
  readonly pacing?: boolean;
  /** Mark our packets ECT(0) while the path bears it (RFC 9000 §13.4). Default true. */
  readonly ecn?: boolean;
  /**
   * Look for larger packets than 1200 bytes (RFC 8899), up to this UDP payload. 1200 turns it off. Default 8952. Above 1452, the
   * most that Ethernet carries, this one size is tried alone, and only by who has sent 4 MiB.
   */
  readonly mtuMax?: number;
  /** Clear the fixed bit now and then for peers that allow it (RFC 9287), reserved parameters. Default true. */
  readonly grease?: boolean;
  /**
   * Packets sealed under one key before a key update is wanted; it begins once the last one is settled, three probe timeouts
   * after the peer's answer. Never above the AEAD's limit, which is the default.
   */
  readonly packetsPerKeyMax?: number;

  readonly keyLog?: KeyLog | undefined;
  /** Events named as qlog names them: `quic:packet_sent`, `quic:parameters_set`, `quic:metrics_updated` … */
  readonly trace?: Trace | undefined;
}

export type CongestionName = "cubic" | "newreno" | "bbr";

export interface QuicClientOptions
  extends QuicOptions,
    Pick<
      TlsClientOptions,
      | "serverName"
      | "sessions"
      | "sessionScope"
      | "ticketRequest"
      | "earlyData"
      | "keyShares"
      | "requestStatus"
      | "encryptedClientHello"
    > {
  /** SAV: where address validation tokens of NEW_TOKEN frames wait for the next connection. Default: none are kept. */
  readonly tokens?: ClientTokens;
  /** Bytes of our own connection ids, 0 … 20. 0 saves bytes, and pins the connection to one address. Default 8. */
  readonly connectionIdSize?: number;
  /** Move to the address that the server prefers, once it has answered there (RFC 9000 §9.6). Default true. */
  readonly preferredAddress?: boolean;
}

export interface QuicServerOptions
  extends QuicOptions,
    Pick<
      TlsServerOptions,
      | "clientAuthentication"
      | "tickets"
      | "ticketLifetimeS"
      | "ticketCount"
      | "antiReplay"
      | "echKeys"
      | "preferClientSuites"
    > {
  /** Allow 0-RTT with the tickets that we make; it is taken only with `antiReplay` (RFC 9846 §8). Default false. */
  readonly earlyData?: boolean;
  /** SAV: ask new clients to prove their address first with a Retry. Default "busy": once many handshakes are open. */
  readonly retry?: "never" | "busy" | "always";
  /** Give clients tokens for their next connection: NEW_TOKEN (RFC 9000 §8.1.3). Default true. */
  readonly issueTokens?: boolean;
  /** 32 bytes from which tokens and stateless resets are made; a fleet shares it. Default: drawn at start. */
  readonly secret?: Secret;
  /** Makes our connection ids, so that a load balancer can route them (draft-ietf-quic-load-balancers). Default: random. */
  readonly connectionIds?: ConnectionIdGenerator;
  /** Other addresses at which we want to be spoken to after the handshake (RFC 9000 §9.6); the server listens there too. */
  readonly preferredAddress?: PreferredAddresses;
  /** Tell clients not to move on purpose: disable_active_migration. Default false. */
  readonly disableActiveMigration?: boolean;
  /** Connections at a time. Default 100,000. */
  readonly connectionsMax?: number;
  /** Handshakes that are open at a time; more are answered with CONNECTION_REFUSED. Default 4,096. */
  readonly halfOpenMax?: number;
}

/** SAV of a client: a token is taken out for one connection (RFC 9000 §8.1.3), keyed by server name and port. */
export interface ClientTokens {
  take(server: string): Uint8Array | undefined;
  add(server: string, token: Uint8Array): void;
}

/** Makes and recognizes our connection ids: all of one size, each different, and nothing linkable in them. */
export interface ConnectionIdGenerator {
  /** Bytes of every id, 4 … 20. */
  readonly size: number;
  /** Fills a new id. `random` is `size` unpredictable bytes to make it of. */
  generate(into: Uint8Array, random: Uint8Array): void;
}

export interface PreferredAddresses {
  readonly ipv4?: { readonly address: string; readonly port: number };
  readonly ipv6?: { readonly address: string; readonly port: number };
}
