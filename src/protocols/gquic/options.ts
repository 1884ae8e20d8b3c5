import type { Identity, PeerIdentity, Secret, Trace } from "../../contract/index.js";
import type { ControllerFactory } from "../../mechanisms/congestion/index.js";
import type { KnownServers } from "./handshake/known-servers.js";
import type { GquicVersion } from "./wire/versions.js";

/** What a client is asked about a server's certificates. */
export interface ProofAsk {
  /** End entity first, in DER. */
  readonly chain: readonly Uint8Array[];
  readonly serverName: string | undefined;
  readonly at: number;
}

export type ProofVerdict =
  | { readonly trusted: true; readonly peer: PeerIdentity }
  | { readonly trusted: false; readonly message: string; readonly cause?: unknown };

/** Judges the chain whose key has signed the server's config; the signature itself is checked apart from it. */
export type VerifyServer = (ask: ProofAsk, signal?: AbortSignal) => ProofVerdict | Promise<ProofVerdict>;

/** What client and server have in common. Whatever is absent takes its default; sizes are in bytes. */
export interface GquicOptions {
  /** Most wanted first: a client speaks the first, and another if the server has only that. Default: Q050, Q046, Q043. */
  readonly versions?: readonly GquicVersion[];
  /** Silence after which the connection is dropped, unless the peer's is less; whole seconds on the wire. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** From the first packet to forward-secure keys. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** Sends a PING after so long a silence. Default: never. */
  readonly keepAliveMs?: number;
  /** Bytes of all streams together that may wait for the application at first (CFCW); grows up to the maximum. */
  readonly receiveWindow?: number;
  readonly receiveWindowMax?: number;
  /** The same for each stream (SFCW). */
  readonly streamReceiveWindow?: number;
  readonly streamReceiveWindowMax?: number;
  /** Streams that the peer may have open at a time (MIDS). Default 100. */
  readonly peerStreams?: number;
  /** Default cubic. */
  readonly congestion?: CongestionName | ControllerFactory;
  /** Spread packets over time rather than sending a window at once. Default true. */
  readonly pacing?: boolean;
  /** Look for larger packets than 1350 bytes (RFC 8899), up to this UDP payload. 1350 or less turns it off. Default 8952. */
  readonly mtuMax?: number;
  readonly trace?: Trace | undefined;
}

export type CongestionName = "cubic" | "newreno" | "bbr";

export interface GquicClientOptions extends GquicOptions {
  /** SNI, and the name that the certificate must have. */
  readonly serverName?: string;
  /** Judges the server's certificates. There is no default: without it no server is accepted. */
  readonly verify?: VerifyServer;
  /** Where configs, certificates and tokens of servers wait for the next connection, which then speaks at once. Default: nowhere. */
  readonly known?: KnownServers;
}

export interface GquicServerOptions extends GquicOptions {
  /** Whose certificate is shown, and whose key signs the config: RSA, or ECDSA with P-256. By SNI, if it is a function. */
  readonly identity: Identity | ((serverName: string | undefined) => Identity | undefined);
  /** 32 bytes from which tokens, resets and the config's orbit are made; a fleet shares it. Default: drawn at start. */
  readonly secret?: Secret;
  /** Take what clients send under initial keys before the handshake is over. An attacker may replay it elsewhere. Default true. */
  readonly earlyData?: boolean;
  /** Show proof and certificates only to clients whose address is proved. Default "large": where the answer outgrows the hello twice. */
  readonly withholdProof?: "large" | "always";
  /** Connections at a time. Default 100,000. */
  readonly connectionsMax?: number;
  /** Handshakes that are open at a time; one more drives out the one that has waited longest. Default 4,096. */
  readonly halfOpenMax?: number;
}
