import type { Instant, PeerIdentity, SocketAddress, Trace } from "../../contract/index.js";
import type { KeyPair } from "../../crypto/index.js";
import type { HostIdentity, SuiteName } from "./keys.js";
import type { ControllerName } from "./tunnel/controllers.js";
import type { ServiceRecord } from "./wire/record.js";

/** What both ends may choose. */
export interface MinimaltOptions {
  /** How congestion is kept away. Default `cubic`. */
  readonly congestionControl?: ControllerName;
  /** Bytes of a connection that are kept until they are read, 64 KiB … 64 MiB. Default 1 MiB. */
  readonly receiveBuffer?: number;
  /** 32 bytes that both ends were given beforehand (PSKI); whoever lacks them opens no packet of the tunnel. Default: none. */
  readonly importedKey?: Uint8Array;
  /** Milliseconds after which a tunnel's key is followed by its hash, and erased (§5.5). Default one hour; 0 is never. */
  readonly keyErasureMs?: number;
  /** Milliseconds without anything authentic after which a tunnel is forgotten. Default 5 minutes. */
  readonly idleTimeoutMs?: number;
  readonly trace?: Trace | undefined;
}

/** Where records are asked for: a directory service, or the server itself (§5.1). */
export interface DirectoryAddress {
  readonly at: SocketAddress;
  /** Its long-term signing key, 32 bytes. */
  readonly key: Uint8Array;
  /** Its long-term box key, 32 bytes: to it goes the first question. */
  readonly boxKey: Uint8Array;
}

/** Records that are kept for the next tunnel (CM): then it begins without a look-up. */
export interface RecordCache {
  get(name: string): ServiceRecord | undefined;
  set(name: string, record: ServiceRecord, notAfter: Instant): void;
}

export interface MinimaltClientOptions extends MinimaltOptions {
  /** The host's name in its certificate, and that by which a directory is asked. Default: any, and "" is asked for. */
  readonly serverName?: string;
  /** S, the server's long-term signing key, 32 bytes (IV). Without it, `authorities` decide. */
  readonly serverKey?: Uint8Array;
  /** Signing keys of those who may vouch for a server's key (IV). */
  readonly authorities?: readonly Uint8Array[];
  /** The server's record, if it is known: the tunnel begins with the first packet, data included. */
  readonly record?: ServiceRecord;
  /** Who is asked for the record otherwise. Default: the server itself, if `serverBoxKey` is given. */
  readonly directory?: DirectoryAddress;
  /** The server's long-term box key, 32 bytes: with it the server is asked for its own record. */
  readonly serverBoxKey?: Uint8Array;
  readonly cache?: RecordCache;
  /** Suites that a record may have (ALG). Default: all. */
  readonly suites?: readonly SuiteName[];
  /** The user's long-term key pair: connections are made by `createAuth` (IPK, §5.8). Default: by `create`, anonymously. */
  readonly user?: KeyPair;
  /** The hardest puzzle that is solved, in bits, 0 … 24. Default 18; a harder one is refused. */
  readonly puzzleBitsMax?: number;
  /** Milliseconds after which a client that has sent nothing says that it is there. Default 15 000; 0 is never. */
  readonly keepAliveMs?: number;
}

/** A connection that a client would create. */
export interface ConnectionQuestion {
  /** U, proved by its authenticator; undefined for an anonymous one. */
  readonly user: Uint8Array | undefined;
  /** y. */
  readonly service: string;
  readonly from: SocketAddress;
}

/** Decides about a connection; what it throws means no. The signal says that nobody waits any more. */
export type AcceptConnection = (asked: ConnectionQuestion, signal?: AbortSignal) => boolean | Promise<boolean>;

/** Finds a record that the name service does not hold itself; undefined if there is none. */
export type FindRecord = (
  name: string,
  signal?: AbortSignal,
) => ServiceRecord | undefined | Promise<ServiceRecord | undefined>;

/** What a name or directory service does beside serving (§3.4, §5.4). */
export interface NameServiceOptions {
  /** Signing keys of those whose certificates may be registered. */
  readonly authorities: readonly Uint8Array[];
  /** Asked for what is not registered: DNS, another service. Default: there is nothing else. */
  readonly find?: FindRecord;
}

export interface MinimaltServerOptions extends MinimaltOptions {
  /** Our long-term keys (IPK). */
  readonly identity: HostIdentity;
  /** Our certificate, as an authority made it. Default: one that we sign ourselves, for those who pin our key. */
  readonly certificate?: Uint8Array;
  /** The name in a certificate of our own making. Default "". */
  readonly serverName?: string;
  /** Where clients reach us: what the record says. Default: the port's address, or 127.0.0.1 or ::1 for one that is bound to all. */
  readonly publicAddress?: SocketAddress;
  /** What our record says that boxes are made with (ALG). Default NaCl's. */
  readonly suite?: SuiteName;
  /** Life of an ephemeral key as records say it; it is wiped after as long again. At least 1 000. Default 10 minutes. */
  readonly ephemeralLifetimeMs?: number;
  /** Which users may create connections (IV): a list of their keys, or a question. Default: all, and those who do not say. */
  readonly users?: readonly Uint8Array[] | AcceptConnection;
  /** Tunnels at a time, 1 … 65 536. Default 4 096. */
  readonly tunnelsMax?: number;
  /** Tunnels a second above which strangers get puzzles (§5.7). Default 200; 0 poses them to all. */
  readonly tunnelsPerSecond?: number;
  /** Difficulty of puzzles, 0 … 24 bits. Default 12. */
  readonly puzzleBits?: number;
  /** Be a name and directory service as well. Default: only our own record is told. */
  readonly nameService?: NameServiceOptions;
}

/** What a tunnel came to. */
export interface MinimaltOutcome {
  /** A client's: S. A server's peer is a host that is known by nothing; its users are known by their connections. */
  readonly peer: Extract<PeerIdentity, { readonly kind: "static-key" }> | undefined;
  readonly serverName: string;
  readonly suite: SuiteName;
  /** Was the record at hand, or in the cache, so that nobody had to be asked for it? */
  readonly resumed: boolean;
  /** Round trips before the first data could leave: none with a record, one to the server itself, two to a directory. */
  readonly roundTrips: 0 | 1 | 2;
  /** MinimaLT has neither: what others tell in their outcomes is absent here. */
  readonly version?: undefined;
  readonly group?: undefined;
  readonly alpn?: undefined;
  readonly mode?: undefined;
  readonly earlyData?: undefined;
}
