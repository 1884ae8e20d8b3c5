import type { StreamOptions, StreamPort, StreamSink } from "../../contract/index.js";
import { ByteStreamTransport } from "./port-transport.js";
import type { OpenRequest, ProtocolStack, StackRequest, TransportSink } from "./stack.js";

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

/** A stream port as a Transport. */
class TcpTransport extends ByteStreamTransport<StreamPort> implements StreamSink {
  readonly #request: Pick<StackRequest, "properties">;

  constructor(sink: TransportSink | undefined, request: Pick<StackRequest, "properties">) {
    super();
    if (sink !== undefined) this.sink = sink;
    this.#request = request;
  }

  connect(request: OpenRequest): this {
    return this.attach(request.network.connectStream(request.remote, this, streamOptions(request)));
  }

  opened(): void {
    const keepAliveMs = keepAliveOf(this.#request.properties);
    if (keepAliveMs !== undefined) this.port.set("keepAliveMs", keepAliveMs);
    this.sink.ready();
  }
}
