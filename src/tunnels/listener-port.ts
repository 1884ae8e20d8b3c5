import type {
  DatagramPort,
  DatagramSink,
  Ecn,
  Failure,
  Network,
  PortListener,
  SocketAddress,
  StreamSink,
} from "../contract/index.js";
import { type FramedFlow, overStream } from "../mechanisms/framed-port.js";
import { acceptedStreamsMax } from "./limits.js";

const keyOf = ({ address, port }: SocketAddress): string => `${address} ${port}`;

/**
 * A listener of streams as one port of datagrams, each behind its length: what is sent to an address goes by the stream that
 * came from there. A stream that is slow loses packets, as a path that is full does.
 */
export class ListenerPort implements DatagramPort, Pick<Network, "bindDatagrams"> {
  readonly blocked = false;
  dropped = 0;
  readonly #outside: Network;
  readonly #flows = new Map<string, FramedFlow>();
  #sink: DatagramSink | undefined;
  #listener: PortListener | undefined;

  constructor(outside: Network) {
    this.#outside = outside;
  }

  async bindDatagrams(local: SocketAddress, sink: DatagramSink): Promise<DatagramPort> {
    this.#sink = sink;
    this.#listener = await this.#outside.listenStreams(local, (stream): StreamSink => {
      const key = keyOf(stream.remote);
      const flow = overStream({
        datagrams: (bytes, from, segmentSize, ecn) => sink.datagrams(bytes, from, segmentSize, ecn),
        closed: () => {
          if (this.#flows.get(key) === flow) this.#flows.delete(key);
        },
      });
      flow.attach(stream);
      if (this.#flows.size >= acceptedStreamsMax) stream.abort();
      else this.#flows.set(key, flow);
      return flow.lower;
    });
    return this;
  }

  get local(): SocketAddress {
    return this.#listener?.local ?? { address: "0.0.0.0", port: 0 };
  }

  send(bytes: Uint8Array, to?: SocketAddress, segmentSize?: number, ecn?: Ecn): void {
    const flow = to && this.#flows.get(keyOf(to));
    if (flow === undefined) this.dropped++;
    else flow.port.send(bytes, to, segmentSize, ecn);
  }

  set(): boolean {
    return false;
  }

  close(): void {
    void this.#listener?.close();
    for (const flow of [...this.#flows.values()]) flow.port.close();
    this.#flows.clear();
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed(undefined as Failure | undefined);
  }

  ref(): void {
    this.#listener?.ref();
  }

  unref(): void {
    this.#listener?.unref();
  }
}
