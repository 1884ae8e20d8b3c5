import type { CryptoProvider, Entropy } from "./crypto.js";
import type { EnoStreams } from "./eno.js";
import type { Failure } from "./failure.js";
import type { Ecn, SocketAddress } from "./machine.js";
import type { Clock, Instant } from "./time.js";
import type { KeyLog, Trace } from "./trace.js";
import type { Zlib } from "./zlib.js";

/** What runs machines: it owns waiting, sockets, entropy. Node is one, the simulator another. */
export interface Host extends Clock {
  readonly name: string;
  readonly entropy: Entropy;
  readonly crypto: CryptoProvider;
  /** Absent where the platform has none: only Google QUIC cannot do without. */
  readonly zlib?: Zlib;
  /** The network that this host itself is on. A tunnel is another Network on the same host. */
  readonly network: Network;
  /** Where session secrets are written for capture tools, if anywhere. */
  readonly keyLog: KeyLog | undefined;
  /** Where sessions tell what they do, if anyone listens; ask each time. */
  readonly trace: Trace | undefined;
  /** Certificates, in DER, of the authorities that this host trusts. */
  roots(): readonly Uint8Array[];
  /** Calls once, at or soon after the moment; a moment that has passed means soon, never at once. */
  wakeAt(at: Instant, call: () => void): Alarm;
  /** Runs after the current work, in order, before any input. */
  soon(call: () => void): void;
}

export interface Alarm {
  cancel(): void;
  /** Does this alarm keep the process alive? It does until `unref`. */
  ref(): void;
  unref(): void;
}

/**
 * Where connections are made: the operating system's network, the inside of a tunnel, or a simulated one. All three
 * behave alike, so any stack can stand on any of them.
 */
export interface Network {
  readonly name: string;
  /** Addresses of a host name, in the resolver's order; rejects with `unreachable/name-not-found` or the like. */
  resolve(name: string, options?: ResolveOptions): Promise<readonly string[]>;
  /** SRV records of a name like `_imaps._tcp.example.com` (RFC 2782); absent where nobody can be asked. */
  resolveService?(name: string, options?: { readonly signal?: AbortSignal }): Promise<readonly ServiceRecord[]>;
  /** Starts at once; the sink is told of `opened` or `closed`. */
  connectStream(remote: SocketAddress, sink: StreamSink, options?: StreamOptions): StreamPort;
  listenStreams(
    local: SocketAddress,
    accept: (port: StreamPort) => StreamSink,
    options?: ListenOptions,
  ): Promise<PortListener>;
  bindDatagrams(local: SocketAddress, sink: DatagramSink, options?: DatagramOptions): Promise<DatagramPort>;
  /** Streams whose TCP negotiates an option for the layer above (`eno-stream`); absent where TCP is the system's. */
  readonly enoStreams?: EnoStreams;
  interfaces(): readonly NetworkInterface[];
}

export interface ResolveOptions {
  readonly family?: 4 | 6;
  readonly signal?: AbortSignal;
}

/** Where a service is to be found (RFC 2782): low priorities first, equals by their weight. */
export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly target: string;
  readonly port: number;
}

export interface NetworkInterface {
  readonly name: string;
  readonly type: "loopback" | "ethernet" | "wifi" | "cellular" | "tunnel" | "other";
  readonly addresses: readonly InterfaceAddress[];
}

export interface InterfaceAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly temporary: boolean;
}

/**
 * What a tunnel sends outside, for those who keep it out of the tunnel: everything from or to a UDP port of ours, or what goes to a
 * peer by TCP, whose connections have another port every time.
 */
export type OuterFlow =
  | { readonly transport: "udp"; readonly port: number }
  | { readonly transport: "tcp"; readonly to: SocketAddress };

export interface StreamOptions {
  readonly local?: Partial<SocketAddress>;
  readonly interface?: string;
  /** Nagle's algorithm off (RFC 9293 §3.7.4). Default true: these protocols write whole records. */
  readonly noDelay?: boolean;
  readonly keepAliveMs?: number;
  /** May the peer half-close and we go on sending? Default true. */
  readonly allowHalfOpen?: boolean;
}

export interface ListenOptions {
  readonly interface?: string;
  readonly backlog?: number;
  readonly ipv6Only?: boolean;
  readonly reuseAddress?: boolean;
  /** A connection could not be accepted; the listener goes on. */
  readonly softError?: (failure: Failure) => void;
}

/** A bidirectional byte stream: TCP, or anything that offers `byte-stream`. */
export interface StreamPort {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /**
   * Queues bytes, which are the port's until it calls `released`, perhaps before this returns: reuse them then, and not
   * before. False means that the queue is over its mark: hold back until `drained`.
   */
  write(bytes: Uint8Array, released?: () => void): boolean;
  /** Bytes queued and not yet taken by the network. */
  readonly queued: number;
  /** Sends all that is queued, then ends our direction. */
  finish(): void;
  /** Drops everything, with a reset if there is one. The sink hears `closed` once. */
  abort(): void;
  /** No more bytes until `resume`. A paused port may not notice that its peer is gone. */
  pause(): void;
  resume(): void;
  /** Ask the network for a property: Nagle, keep-alive, DSCP; false if it cannot. */
  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs", value: number): boolean;
  ref(): void;
  unref(): void;
}

/** What a stream port tells, never from inside a call to it. `closed` comes exactly once, last. */
export interface StreamSink {
  /** Comes first if it comes at all, on connected and on accepted ports alike. Writes before it are queued. */
  opened?(): void;
  /** Memory of the sink's own: it may decrypt in place and keep views. */
  bytes(bytes: Uint8Array): void;
  /** The peer ended its direction. */
  ended(): void;
  drained(): void;
  softError?(failure: Failure): void;
  closed(failure?: Failure): void;
}

export interface PortListener {
  readonly local: SocketAddress;
  /** Resolves when nothing is accepted any more, with the Failure if the network under it ended that; never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** Stops accepting; what was accepted lives on. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

export interface DatagramOptions {
  readonly interface?: string;
  /** Fixed peer: only its datagrams arrive, and ICMP errors reach `softError`. */
  readonly remote?: SocketAddress;
  readonly ipv6Only?: boolean;
  readonly reuseAddress?: boolean;
  readonly receiveBuffer?: number;
  readonly sendBuffer?: number;
  readonly multicast?: { readonly group: string; readonly source?: string; readonly hopLimit?: number };
  readonly dontFragment?: boolean;
}

export interface DatagramPort {
  readonly local: SocketAddress;
  /**
   * Sends, or drops and counts. `bytes` may be reused when it returns. With `segmentSize` the bytes are a batch of
   * datagrams of that size, the last perhaps shorter.
   */
  send(bytes: Uint8Array, to?: SocketAddress, segmentSize?: number, ecn?: Ecn): void;
  /** True while the network takes no more; `writable` follows. */
  readonly blocked: boolean;
  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean;
  close(): void;
  ref(): void;
  unref(): void;
}

export interface DatagramSink {
  /**
   * One datagram, or with `segmentSize` a batch of them from one peer. The bytes are lent until it returns; they may
   * be overwritten in place.
   */
  datagrams(bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void;
  writable?(): void;
  softError?(failure: Failure): void;
  closed(failure?: Failure): void;
}
