import type { Failure, SocketAddress, StreamOptions, StreamPort, StreamSink } from "../../contract/index.js";
import { dscpOf } from "../capacity.js";
import type { CapacityProfile, ConnectionProperties } from "../properties.js";
import type { OpenRequest, ProtocolStack, SendHow, StackRequest, Transport, TransportSink } from "./stack.js";

/** RFC 9623 §10.1: a Connection is a TCP connection, and its data a byte stream. Cleartext. */
export const tcp: ProtocolStack<"byte-stream"> = {
  offers: "byte-stream",
  name: "TCP",
  protocols: ["TCP"],
  provides: {
    reliability: "always",
    preserveMsgBoundaries: "never",
    perMsgReliability: "never",
    preserveOrder: "always",
    // TCP Fast Open cannot be reached through any host we have.
    zeroRttMsg: "never",
    multistreaming: "never",
    fullChecksumSend: "always",
    fullChecksumRecv: "always",
    congestionControl: "always",
    keepAlive: "optional",
    useTemporaryLocalAddress: "optional",
    // ICMP that concerns a TCP connection is the kernel's affair.
    softErrorNotify: "never",
    activeReadBeforeSend: "always",
  },
  connectedness: "connection-oriented",
  dataUnit: "byte-stream",
  connectionObject: "TCP connection",
  messageProperties: ["msgLifetime", "msgPriority", "final"],
  open(request) {
    return new TcpTransport(request.sink, request).connect(request);
  },
  async listen({ network, local, interface: on, backlog, softError, accept, ...request }) {
    return network.listenStreams(
      local,
      (port) => {
        const transport = new TcpTransport(undefined, request);
        transport.attach(port);
        transport.sink = accept(transport);
        return transport;
      },
      { backlog, softError, ...(on !== undefined && { interface: on }) },
    );
  },
};

/** How the properties of a Preconnection open a stream port. */
export function streamOptions({ local, interface: on, properties }: OpenRequest): StreamOptions {
  const keepAliveMs = keepAliveOf(properties);
  return {
    ...(local !== undefined && { local }),
    ...(on !== undefined && { interface: on }),
    ...(keepAliveMs !== undefined && { keepAliveMs }),
  };
}

/** Two hours, RFC 9293 §3.8.4, for those who want keep-alives and name no time. */
const keepAliveDefaultMs = 2 * 60 * 60 * 1000;

/** RFC 9622 §8.1.4: the time if keep-alives are wanted; one that is longer than `connTimeout` turns them off. */
export function keepAliveOf(
  {
    keepAlive,
    keepAliveTimeout,
    connTimeout,
  }: Pick<StackRequest["properties"], "keepAlive" | "keepAliveTimeout" | "connTimeout">,
  byDefault = keepAliveDefaultMs,
): number | undefined {
  const wanted = keepAlive === "require" || keepAlive === "prefer" || keepAliveTimeout !== "disabled";
  if (!wanted || keepAlive === "prohibit") return undefined;
  const time = keepAliveTimeout === "disabled" ? byDefault : keepAliveTimeout;
  return connTimeout !== "disabled" && time > connTimeout ? undefined : time;
}

/** Makes a Connection Property act on a stream port; false if the port cannot. */
export function setOnStream(
  port: StreamPort,
  name: keyof ConnectionProperties,
  value: ConnectionProperties[keyof ConnectionProperties],
): boolean {
  switch (name) {
    case "keepAliveTimeout":
      return port.set("keepAliveMs", value === "disabled" ? 0 : (value as number));
    case "connCapacityProfile":
      return port.set("dscp", dscpOf[value as CapacityProfile]);
    case "connTimeout":
    case "tcp.userTimeoutValue":
      // RFC 5482 §3.1: the local user timeout; ours alone, since no host lets us send the option.
      return typeof value === "number" && port.set("userTimeoutMs", value);
    default:
      return false;
  }
}

/** A stream port as a Transport. */
class TcpTransport implements Transport, StreamSink {
  sink!: TransportSink;
  readonly sendMax = Number.POSITIVE_INFINITY;
  readonly receiveMax = Number.POSITIVE_INFINITY;
  readonly singularMax = undefined;
  readonly #request: Pick<StackRequest, "properties">;
  #port: StreamPort | undefined;
  #closing = false;

  constructor(sink: TransportSink | undefined, request: Pick<StackRequest, "properties">) {
    if (sink !== undefined) this.sink = sink;
    this.#request = request;
  }

  connect(request: OpenRequest): this {
    return this.attach(request.network.connectStream(request.remote, this, streamOptions(request)));
  }

  attach(port: StreamPort): this {
    this.#port = port;
    return this;
  }

  get local(): SocketAddress {
    return this.#port!.local;
  }

  get remote(): SocketAddress {
    return this.#port!.remote;
  }

  send(bytes: Uint8Array, _how: SendHow, sent: () => void): boolean {
    return this.#port!.write(bytes, sent);
  }

  finish(): void {
    this.#port!.finish();
  }

  /** Both directions have ended, or the peer has had its time. */
  close(): void {
    this.#closing = true;
    if (!this.#ended) this.#port!.abort();
  }
  #ended = false;

  abort(): void {
    this.#port!.abort();
  }

  pause(): void {
    this.#port!.pause();
  }

  resume(): void {
    this.#port!.resume();
  }

  ref(): void {
    this.#port!.ref();
  }

  unref(): void {
    this.#port!.unref();
  }

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    return setOnStream(this.#port!, name, value);
  }

  opened(): void {
    const keepAliveMs = keepAliveOf(this.#request.properties);
    if (keepAliveMs !== undefined) this.#port!.set("keepAliveMs", keepAliveMs);
    this.sink.ready();
  }

  bytes(bytes: Uint8Array): void {
    this.sink.received(bytes);
  }

  ended(): void {
    this.#ended = true;
    this.sink.ended();
  }

  drained(): void {
    this.sink.writable();
  }

  softError(failure: Failure): void {
    this.sink.softError(failure);
  }

  closed(failure?: Failure): void {
    this.sink.closed(this.#closing ? undefined : failure);
  }
}
