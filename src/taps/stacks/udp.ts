import { addressFamily } from "../../bytes/index.js";
import { deferred } from "../../contract/deferred.js";
import {
  type DatagramOptions,
  type DatagramPort,
  type DatagramSink,
  type Ecn,
  Failure,
  type SocketAddress,
} from "../../contract/index.js";
import { dscpOf } from "../capacity.js";
import { TapsFailure } from "../failure.js";
import { datagramPeersMax, udpPayloadMax } from "../limits.js";
import type { CapacityProfile, ConnectionProperties } from "../properties.js";
import type {
  ListenRequest,
  OpenRequest,
  ProtocolStack,
  SendHow,
  Transport,
  TransportListener,
  TransportSink,
} from "./stack.js";

/** RFC 9623 §10.3: a Connection is a pair of addresses and ports, and its data Messages. Cleartext. */
export const udp: ProtocolStack<"datagram"> = {
  offers: "datagram",
  name: "UDP",
  protocols: ["UDP"],
  provides: {
    reliability: "never",
    preserveMsgBoundaries: "always",
    perMsgReliability: "never",
    preserveOrder: "never",
    zeroRttMsg: "always",
    multistreaming: "never",
    fullChecksumSend: "always",
    fullChecksumRecv: "always",
    congestionControl: "never",
    keepAlive: "never",
    useTemporaryLocalAddress: "optional",
    softErrorNotify: "always",
    // The peer does not know of us before it has had a datagram.
    activeReadBeforeSend: "never",
  },
  connectedness: "connectionless",
  dataUnit: "message",
  connectionObject: "UDP socket pair",
  messageProperties: [
    "msgLifetime",
    "msgPriority",
    "safelyReplayable",
    "msgCapacityProfile",
    "noFragmentation",
    "noSegmentation",
  ],
  open(request) {
    return new UdpClient(request);
  },
  async listen(request) {
    const listener = new UdpListener(request);
    await listener.bind();
    return listener;
  },
};

/** Headers of IP and UDP, in bytes. */
const headersOf = { 4: 28, 6: 48 } as const;
/** What a path carries for sure (RFC 8200 §5); for IPv4 what is met in practice. */
const packetSizes = { 4: 1500, 6: 1280 } as const;

const greatest = (family: 4 | 6): number => (family === 4 ? udpPayloadMax : 65_535 - 8);
const singular = (family: 4 | 6): number => packetSizes[family] - headersOf[family];

/** What client and accepted peers have in common: a port, and the address at its other end. */
abstract class UdpTransport implements Transport {
  sink!: TransportSink;
  readonly remote: SocketAddress;
  readonly sendMax: number;
  readonly receiveMax: number;
  readonly singularMax: number;
  #dscp: number | undefined;
  protected isClosed = false;

  constructor(remote: SocketAddress) {
    const family = addressFamily(remote.address) ?? 4;
    this.remote = remote;
    this.sendMax = this.receiveMax = greatest(family);
    this.singularMax = singular(family);
  }

  abstract readonly local: SocketAddress;
  protected abstract readonly port: DatagramPort | undefined;
  /** Where datagrams go; absent where the port has one peer. */
  protected abstract readonly to: SocketAddress | undefined;

  send(bytes: Uint8Array, { noFragmentation, capacityProfile }: SendHow, sent: () => void): boolean {
    const port = this.port;
    if (port !== undefined && !this.isClosed) {
      if (noFragmentation === true) port.set("dontFragment", 1);
      if (capacityProfile !== undefined) port.set("dscp", dscpOf[capacityProfile]);
      port.send(bytes, this.to);
      if (capacityProfile !== undefined) port.set("dscp", this.#dscp ?? 0);
      if (noFragmentation === true) port.set("dontFragment", 0);
    }
    sent();
    return port?.blocked !== true;
  }

  /** UDP has no word for the end of a direction (RFC 9623 §10.3). */
  finish(): void {}
  abstract close(): void;
  abort(): void {
    this.close();
  }
  pause(): void {}
  resume(): void {}
  abstract ref(): void;
  abstract unref(): void;

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    if (name !== "connCapacityProfile") return false;
    const dscp = dscpOf[value as CapacityProfile];
    if (this.port?.set("dscp", dscp) !== true) return false;
    this.#dscp = dscp;
    return true;
  }
}

class UdpClient extends UdpTransport implements DatagramSink {
  readonly #request: OpenRequest;
  protected port: DatagramPort | undefined;
  protected readonly to: SocketAddress | undefined;

  constructor(request: OpenRequest) {
    super(request.remote);
    this.#request = request;
    this.sink = request.sink;
    const { network, remote, local, interface: on, hopLimit } = request;
    const isGroup = hopLimit !== undefined || isMulticast(remote.address);
    // A group answers from other addresses than its own: such a port is not bound to its peer.
    this.to = isGroup ? remote : undefined;
    const any = addressFamily(remote.address) === 6 ? "::" : "0.0.0.0";
    const options: DatagramOptions = {
      ...(isGroup ? {} : { remote }),
      ...(on !== undefined && { interface: on }),
    };
    network.bindDatagrams({ address: local?.address ?? any, port: local?.port ?? 0 }, this, options).then(
      (port) => this.#bound(port, hopLimit),
      (error: unknown) => this.#ended(error instanceof Failure ? error : undefined),
    );
  }

  get local(): SocketAddress {
    return this.port?.local ?? { address: "::", port: 0 };
  }

  #bound(port: DatagramPort, hopLimit: number | undefined): void {
    this.port = port;
    if (this.isClosed) {
      port.close();
      return;
    }
    if (hopLimit !== undefined) port.set("hopLimit", hopLimit);
    this.sink.ready();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    // Told later, as every transport does.
    if (this.port === undefined) this.#request.host.soon(() => this.#ended(undefined));
    else this.port.close();
  }

  ref(): void {
    this.port?.ref();
  }

  unref(): void {
    this.port?.unref();
  }

  datagrams(bytes: Uint8Array, _from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    for (const datagram of segments(bytes, segmentSize)) this.sink.received(datagram, { ecn });
  }

  writable(): void {
    this.sink.writable();
  }

  softError(failure: Failure): void {
    this.sink.softError(failure);
    // The network has told us that a packet was too large for the path (RFC 9622 §8.3.2).
    if (failure.reason === "message-too-big") this.sink.pathChange({ what: "mtu" });
  }

  closed(failure?: Failure): void {
    this.#ended(failure);
  }

  #ended(failure: Failure | undefined): void {
    if (this.#told) return;
    this.#told = true;
    this.isClosed = true;
    this.sink.closed(failure);
  }
  #told = false;
}

/** One port, and a Transport for each peer that was heard of (RFC 9623 §4.7.2: told apart by their addresses). */
class UdpListener implements TransportListener {
  readonly #request: ListenRequest;
  readonly #peers = new Map<string, UdpPeer>();
  readonly #whenClosed = deferred<Failure | undefined>();
  #port: DatagramPort | undefined;
  #accepting = true;

  constructor(request: ListenRequest) {
    this.#request = request;
  }

  async bind(): Promise<void> {
    const { network, local, interface: on, multicast } = this.#request;
    const sink: DatagramSink = {
      datagrams: (...arrival) => this.#datagrams(...arrival),
      writable: () => {
        for (const peer of this.#peers.values()) peer.sink.writable();
      },
      softError: (failure) => this.#request.softError(failure),
      closed: (failure) => this.#gone(failure),
    };
    this.#port = await network.bindDatagrams(local, sink, {
      ...(on !== undefined && { interface: on }),
      ...(multicast !== undefined && { multicast, reuseAddress: true }),
    });
  }

  get local(): SocketAddress {
    return this.#port!.local;
  }

  get closed(): Promise<Failure | undefined> {
    return this.#whenClosed.promise;
  }

  /** Those who are connected go on; the port closes with the last of them. */
  close(): Promise<void> {
    this.#accepting = false;
    this.#closeIfIdle();
    return Promise.resolve();
  }

  ref(): void {
    this.#port?.ref();
  }

  unref(): void {
    this.#port?.unref();
  }

  #datagrams(bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    const key = `${from.address} ${from.port}`;
    const peer = this.#peers.get(key) ?? this.#accept(key, from);
    if (peer !== undefined) for (const datagram of segments(bytes, segmentSize)) peer.sink.received(datagram, { ecn });
  }

  #gone(failure: Failure | undefined): void {
    for (const peer of this.#peers.values()) peer.ended(failure);
    this.#peers.clear();
    this.#whenClosed.resolve(failure);
  }

  forget(key: string): void {
    this.#peers.delete(key);
    this.#closeIfIdle();
  }

  #accept(key: string, from: SocketAddress): UdpPeer | undefined {
    if (!this.#accepting) return undefined;
    if (this.#peers.size >= datagramPeersMax) {
      this.#request.softError(
        new TapsFailure({ reason: "queue-full", message: `${datagramPeersMax} peers are being served already` }),
      );
      return undefined;
    }
    const { host, accept } = this.#request;
    const peer = new UdpPeer(this.#port!, from, (ended) => {
      this.forget(key);
      host.soon(ended);
    });
    this.#peers.set(key, peer);
    peer.sink = accept(peer);
    peer.sink.ready();
    return this.#peers.get(key);
  }

  #closeIfIdle(): void {
    if (!this.#accepting && this.#peers.size === 0) this.#port?.close();
  }
}

class UdpPeer extends UdpTransport {
  protected readonly port: DatagramPort;
  protected readonly to: SocketAddress;
  readonly #leave: (ended: () => void) => void;

  constructor(port: DatagramPort, from: SocketAddress, leave: (ended: () => void) => void) {
    super(from);
    this.port = port;
    this.to = from;
    this.#leave = leave;
  }

  get local(): SocketAddress {
    return this.port.local;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#leave(() => this.sink.closed());
  }

  /** The port is gone under it. */
  ended(failure: Failure | undefined): void {
    this.isClosed = true;
    this.sink.closed(failure);
  }

  /** The port is the listener's. */
  ref(): void {}
  unref(): void {}
}

/** Datagrams of a batch, each in memory of its own: the port takes the bytes back. */
function* segments(bytes: Uint8Array, segmentSize: number): Generator<Uint8Array> {
  if (bytes.length === 0) yield bytes.slice();
  for (let at = 0; at < bytes.length; at += segmentSize) yield bytes.slice(at, at + segmentSize);
}

function isMulticast(address: string): boolean {
  if (addressFamily(address) === 6) return address.startsWith("ff");
  const first = Number(address.split(".", 1)[0]);
  return first >= 224 && first <= 239;
}
