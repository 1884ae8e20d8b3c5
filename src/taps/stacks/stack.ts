import type {
  Failure,
  Host,
  KeyExpiry,
  Network,
  PeerIdentity,
  Profile,
  ProtocolName,
  Service,
  SocketAddress,
} from "../../contract/index.js";
import type { CurveCpSession } from "../../protocols/curvecp/index.js";
import type { DtlsOutcome, DtlsSession } from "../../protocols/dtls/index.js";
import type { GquicSession } from "../../protocols/gquic/index.js";
import type { MinimaltSession } from "../../protocols/minimalt/index.js";
import type { QuicSession } from "../../protocols/quic/index.js";
import type { SrtpSession } from "../../protocols/srtp/index.js";
import type { TcpcryptSession } from "../../protocols/tcpcrypt/index.js";
import type { TlsSession } from "../../protocols/tls/index.js";
import type { ZrtpSession } from "../../protocols/zrtp/index.js";
import type { ReceiveMetadata } from "../message.js";
import type {
  CapacityProfile,
  ConnectionProperties,
  MessageProperties,
  PreferenceName,
  SelectionProperties,
  TransportValues,
} from "../properties.js";
import type { SecurityParameters, SecurityProtocol } from "../security.js";

/** Does a stack provide what a Preference asks for: always, never, or as it is told? */
export type Provision = "always" | "never" | "optional";

/** What a stack does, apart from what it is. */
export interface StackCode {
  /** Starts at once; the sink hears `ready` or `closed`. */
  open(request: OpenRequest): Transport;
  listen(request: ListenRequest): Promise<TransportListener>;
}

/**
 * A protocol stack as a row: what it provides, how it maps onto RFC 9623 §10's words, how it opens and listens. Racing,
 * ranking, read-back and the conformance table know no protocol but through these rows.
 */
export interface ProtocolStack<Offers extends Service = Service> extends StackCode {
  /** What it gives to a layer on top of it. */
  readonly offers: Offers;
  /** `TLS/TCP`: protocols from the top. */
  readonly name: string;
  readonly protocols: readonly string[];
  /** It serves endpoints alone that name this one of its protocols (RFC 9622 §6.1.3); who names none does not mean it. */
  readonly only?: string;
  /** The protocol that secures it; absent is cleartext. */
  readonly security?: ProtocolName;
  readonly provides: Readonly<Record<PreferenceName, Provision>>;
  readonly connectedness: "connection-oriented" | "connectionless";
  readonly dataUnit: "byte-stream" | "message";
  /** What a Connection is in the protocol's own words (RFC 9623 §10). */
  readonly connectionObject: string;
  /** Can a session go on from another address (RFC 9622 §7.5)? Then `multipath` says whether it may. */
  readonly migrates?: true;
  /** Does a Listener with `advertisesAltaddr` tell of its other addresses (RFC 9622 §6.2.15)? */
  readonly advertises?: true;
  /** Message Properties that act on this stack; others are hints that it ignores. */
  readonly messageProperties: readonly (keyof MessageProperties)[];
  /** Why the stack cannot serve these security parameters at all, before any packet; undefined if it can. */
  unfit?(
    security: SecurityParameters,
    allowed: readonly SecurityProtocol[],
    role: "client" | "server",
  ): string | undefined;
  /** Why a network cannot carry it, before any packet; undefined if it can. */
  unfitNetwork?(network: Network): string | undefined;
  /**
   * Loads the code that `open` needs, where that is not loaded with the row; rejects if it cannot be. Undefined: it is
   * there. `listen` waits for it by itself.
   */
  load?(): Promise<void> | undefined;
}

/**
 * The row of a security protocol on top of another stack. What the protocol needs must be what the stack below offers:
 * TLS over UDP does not compile. What is not said is as it is below.
 */
export function over<const P extends Profile, Below extends P["needs"][number]>(
  profile: P,
  below: ProtocolStack<Below>,
  row: Pick<ProtocolStack, "connectionObject" | "open" | "listen"> &
    Partial<Omit<ProtocolStack, "name" | "protocols" | "security" | "offers">>,
): ProtocolStack<P["offers"]> {
  return {
    ...below,
    ...row,
    name: `${profile.protocol}/${below.name}`,
    protocols: [profile.protocol, ...below.protocols],
    security: profile.protocol,
    offers: profile.offers,
  };
}

/** What both ways to a Transport have in common. */
export interface StackRequest {
  readonly host: Host;
  readonly network: Network;
  readonly security: SecurityParameters;
  /** What the application and the policy let us use, best first. */
  readonly allowed: readonly SecurityProtocol[];
  readonly properties: TransportValues;
  readonly interface?: string;
}

export interface OpenRequest extends StackRequest {
  readonly remote: SocketAddress;
  readonly local?: Partial<SocketAddress>;
  /** The name that was resolved, for server names and caches. */
  readonly serverName: string | undefined;
  readonly sink: TransportSink;
  /** State that only members of one cache scope share (`isolateSession`). */
  readonly scope: StackScope;
  /** A first Message that may go out before the handshake ends; only for safely replayable data. */
  readonly early?: Uint8Array;
  /** Multicast sending: hops that a packet may take. */
  readonly hopLimit?: number;
}

export interface ListenRequest extends StackRequest {
  readonly local: SocketAddress;
  /** Addresses at which peers may go on, and are to be told so (RFC 9622 §6.2.15). */
  readonly alternates?: readonly SocketAddress[];
  readonly backlog: number;
  readonly multicast?: { readonly group: string; readonly source?: string };
  /** Called for each peer, and for each stream of a session; answers who is to be told of its Connection. */
  accept(transport: Transport): TransportSink;
  /** Something went wrong that ends no Connection: a backlog that is full. */
  softError(failure: Failure): void;
  /** A session ended before it had a Connection: its handshake failed. */
  handshakeFailed?(failure: Failure): void;
}

/** Whatever a stack keeps between Connections: sessions to resume, by protocol. */
export class StackScope {
  readonly #kept = new Map<string, unknown>();
  /** The one value of this kind in this scope, made on first use. */
  of<T>(kind: string, make: () => T): T {
    if (!this.#kept.has(kind)) this.#kept.set(kind, make());
    return this.#kept.get(kind) as T;
  }
}

/** How one Message, or piece of a byte stream, is to be sent. */
export interface SendHow {
  readonly endOfMessage: boolean;
  readonly noFragmentation?: boolean;
  /** For this Message alone; a byte stream cannot tell its bytes apart and ignores it. */
  readonly capacityProfile?: CapacityProfile;
  /** For this Message alone, where the stack has both; absent is as the Connection is. */
  readonly reliable?: boolean;
  /** Milliseconds after which an unreliable Message is not worth sending any more. */
  readonly lifetimeMs?: number;
}

/**
 * What became of a Message. Without a word the stack has taken it, and its memory is the caller's again; a stack that
 * hears of single Messages may say that one expired or was lost.
 */
export type Settle = (fate?: "expired" | Failure) => void;

/** A Connection's way through a stack. */
export interface Transport {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Who is told; the race is told first, then the Connection that won. */
  sink: TransportSink;
  /**
   * Takes bytes of the stream, or one whole Message. They stay the caller's to read but not to change until `sent` is
   * called, once, perhaps before `send` returns. False: hold back until `writable`. Throws what keeps a Message from
   * being sent at all.
   */
  send(bytes: Uint8Array, how: SendHow, sent: Settle): boolean;
  /** We send no more: a FIN, a close_notify; nothing where the protocol has no word for it. */
  finish(): void;
  /** Lets go after all is sent; `closed` follows. */
  close(): void;
  /** Drops everything; `closed` follows. */
  abort(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  /** Makes a Connection Property act; false if this stack on this network cannot. */
  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean;
  /** Greatest Message that can be sent; Infinity for byte streams. */
  readonly sendMax: number;
  readonly receiveMax: number;
  /** Greatest Message that leaves in one packet without fragmentation; undefined where that has no meaning. */
  readonly singularMax: number | undefined;
  /** The session of the protocol that secures it: its interfaces are those of RFC 8922's Table 1. */
  readonly security?: SecuritySession;
  /** Did the peer take the early Message? Known once `ready`. */
  readonly earlyAccepted?: boolean;
  /** What goes to another local address as one, where that is no group of streams. */
  readonly mover?: Mover;
  /** The session whose stream this is, for stacks that have streams. */
  readonly session?: StreamGroup;
  /** What the protocol makes of the Connection's direction, where it has one-way streams. */
  readonly direction?: SelectionProperties["direction"];
  /** The protocol has no word for the end of one direction: Close ends both at once, and waits for no peer. */
  readonly closesWhole?: boolean;
}

/** What may go on from another local address (RFC 9622 §7.5). */
export interface Mover {
  /** Where it goes out now. */
  readonly local: SocketAddress;
  /** Goes on from another local address; rejects, and stays, where the peer does not answer there. */
  readonly migrate: ((local: Partial<SocketAddress>) => Promise<void>) | undefined;
  /** Told of soft errors, for who knows another path. */
  onTrouble: ((failure: Failure) => void) | undefined;
}

/** A session of many streams: what the members of a Connection Group share (RFC 9622 §7.4). */
export interface StreamGroup extends Mover {
  /** Clone: another stream to the same peer. Throws where the session is over. */
  openStream(sink: TransportSink, options: StreamWish): Transport;
  /** Who hears of streams that the peer opens; undefined, here or as an answer, refuses them. */
  accept: ((transport: Transport) => TransportSink | undefined) | undefined;
  /** Resolves when the session has ended. */
  readonly over: Promise<void>;
  /** CloseGroup, when every member is closed: tells the peer that all is over. */
  close(): void;
  /** AbortGroup: ends all streams at once. */
  abort(): void;
}

/** How a stream is wished for. */
export interface StreamWish {
  readonly direction: SelectionProperties["direction"];
  readonly connPriority: number;
  /** The peer is to hear of it before anything is sent (RFC 9622 §6.2.18). */
  readonly announce: boolean;
}

/** What a Transport tells. `closed` comes exactly once, last. */
export interface TransportSink {
  ready(): void;
  /** Bytes of a stream, or one whole Message: memory of the receiver's own. */
  received(bytes: Uint8Array, about?: Pick<ReceiveMetadata, "ecn" | "early" | "reliable">): void;
  /** The peer sends no more. */
  ended(): void;
  /** One direction ended badly, and the other goes on. */
  cut?(direction: "send" | "receive", failure: Failure): void;
  writable(): void;
  softError(failure: Failure): void;
  pathChange(change: PathChange): void;
  closed(failure?: Failure): void;
}

/** RFC 9622 §8.3.2. */
export interface PathChange {
  readonly what: "mtu" | "path-added" | "path-removed" | "local-endpoints" | "handover";
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * The session of the protocol that secures a Connection: a union over protocols, told apart by `protocol`. Each has the
 * interfaces that its row of RFC 8922's Table 1 gives it, and no others.
 */
export type SecuritySession =
  | TlsSecurity
  | DtlsSecurity
  | QuicSecurity
  | MinimaltSecurity
  | CurveCpSecurity
  | TcpcryptSecurity
  | GquicSecurity
  | SrtpSecurity;

/** A TLS session as its Connection's owner may use it: bytes go through the Connection. */
export type TlsSecurity = Pick<
  TlsSession,
  | "protocol"
  | "role"
  | "outcome"
  | "peer"
  | "updateKeys"
  | "exportKey"
  | "exportEarlyKey"
  | "channelBinding"
  | "requestAuthentication"
  | "statistics"
>;

/** A DTLS session as its Connection's owner may use it: Messages go through the Connection. */
export type DtlsSecurity = Pick<
  DtlsSession,
  | "protocol"
  | "role"
  | "outcome"
  | "peer"
  | "updateKeys"
  | "exportKey"
  | "exportEarlyKey"
  | "channelBinding"
  | "requestAuthentication"
  | "onMoved"
  | "migrate"
  | "statistics"
>;

/** A QUIC session as the owner of one of its streams may use it: streams and ends go through Connections. */
export type QuicSecurity = Pick<
  QuicSession,
  "protocol" | "role" | "outcome" | "peer" | "updateKeys" | "onMoved" | "exportKey" | "onKeyExpiring" | "statistics"
>;

/** A MinimaLT session as the owner of one of its connections may use it: connections and ends go through Connections. */
export type MinimaltSecurity = Pick<
  MinimaltSession,
  "protocol" | "role" | "outcome" | "peer" | "updateKeys" | "onMoved" | "exportKey" | "statistics"
>;
/** A Google QUIC session as the owner of one of its streams may use it: streams and ends go through Connections. */
export type GquicSecurity = Pick<GquicSession, "protocol" | "role" | "outcome" | "peer" | "onMoved" | "statistics">;

/** A CurveCP session as its Connection's owner may use it: bytes go through the Connection. */
export type CurveCpSecurity = Pick<
  CurveCpSession,
  "protocol" | "role" | "outcome" | "peer" | "onMoved" | "migrate" | "statistics"
>;

/** A tcpcrypt session as its Connection's owner may use it: bytes go through the Connection. */
export type TcpcryptSecurity = Pick<
  TcpcryptSession,
  | "protocol"
  | "opener"
  | "outcome"
  | "sessionId"
  | "isProven"
  | "updateKeys"
  | "exportKey"
  | "flushSessions"
  | "statistics"
> & { readonly peer?: undefined };

/** An SRTP session as its Connection's owner may use it: packets go through the Connection. */
export interface SrtpSecurity {
  readonly protocol: "SRTP";
  /** Of the DTLS handshake that keyed it; undefined with imported keys. */
  readonly outcome: DtlsOutcome | undefined;
  /** Of ZRTP: what was agreed on, and what the users found when they compared the words. Undefined if something else keyed it. */
  readonly zrtp: Pick<ZrtpSession, "outcome" | "compared" | "enroll" | "helloHash" | "association"> | undefined;
  readonly peer: PeerIdentity | undefined;
  /** KU, and counts of what was dropped; undefined while a handshake goes on. */
  readonly session: Pick<SrtpSession, "rekey" | "tellRollover" | "sendDrops" | "receiveDrops" | "overhead"> | undefined;
  /** KE: told once for each key, when nine tenths of its packets are used up. */
  onKeyExpiring(call: (why: KeyExpiry) => void): Disposable;
}

export interface TransportListener {
  readonly local: SocketAddress;
  /** Resolves when nothing is accepted any more, with the Failure if what is below it ended that; never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** Stops accepting; what was accepted lives on. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}
