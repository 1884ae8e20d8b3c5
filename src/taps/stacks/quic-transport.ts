import type { DatagramOptions, Host, Network, SocketAddress } from "../../contract/index.js";
import type {
  QuicClientOptions,
  QuicListener,
  QuicServerOptions,
  QuicSession,
  QuicSink,
} from "../../protocols/quic/index.js";
import { MessagesTransport } from "./messages.js";
import { type QuicUse, quicClientOptions, quicServerOptions } from "./quic-options.js";
import type { ListenRequest, OpenRequest, StackCode, StackRequest, Transport, TransportListener } from "./stack.js";
import { announces, StreamsGroup } from "./streams.js";

/** What the rows need of QUIC: how a session begins, at either end. */
export interface QuicDoor {
  connect(host: Host, remote: SocketAddress, options: QuicClientOptions, sink: QuicSink, below: Below): QuicSession;
  listen(
    host: Host,
    local: SocketAddress,
    options: QuicServerOptions,
    accept: (session: QuicSession) => QuicSink,
    below: Below,
  ): Promise<Pick<QuicListener, "local" | "closed" | "close" | "ref" | "unref">>;
}

export interface Below {
  readonly network: Network;
  readonly local?: Partial<SocketAddress>;
  readonly datagrams?: DatagramOptions;
}

export const quicCode = (door: QuicDoor, use: QuicUse): StackCode => ({
  open: (request) => open(door, request, use),
  listen: (request) => listen(door, request, use),
});

function open(door: QuicDoor, request: OpenRequest, use: QuicUse): Transport {
  const { host, network, remote, local, interface: on, sink, early, properties } = request;
  const { direction, connPriority } = properties;
  const group = new StreamsGroup({ host, ours: true, direction });
  const below = {
    network,
    ...(local !== undefined && { local }),
    ...(on !== undefined && { datagrams: { interface: on } }),
  };
  const session = door.connect(host, remote, quicClientOptions(request, use), sinkOf(group), below);
  group.attach(session, session);
  if (use === "streams") {
    return group.openStream(sink, { direction, connPriority, announce: announces(properties) }, early);
  }
  const transport = new MessagesTransport(group, isReliable(request));
  transport.sink = sink;
  group.join(transport, true);
  return transport;
}

async function listen(door: QuicDoor, request: ListenRequest, use: QuicUse): Promise<TransportListener> {
  const { host, network, local, interface: on, accept, handshakeFailed, properties } = request;
  const { direction } = properties;
  const groups = new Set<StreamsGroup>();
  let isOpen = true;
  const listener = await door.listen(
    host,
    local,
    quicServerOptions(request, use),
    (session) => {
      const group = new StreamsGroup({ host, ours: false, direction, accept }).attach(session, session);
      groups.add(group);
      if (!isOpen) group.endWhenIdle();
      if (use === "messages") {
        group.accept = undefined;
        const transport = new MessagesTransport(group, isReliable(request));
        transport.sink = accept(transport);
        group.join(transport, true);
      }
      return {
        ...sinkOf(group),
        confirmed() {
          group.confirmed();
          if (use === "streams" && direction === "unidirectional-send") group.offer();
        },
        closed(failure) {
          groups.delete(group);
          if (failure !== undefined && group.isIdle && !group.isConfirmed) handshakeFailed?.(failure);
          group.closed(failure);
        },
      };
    },
    { network, ...(on !== undefined && { datagrams: { interface: on } }) },
  );
  return {
    local: listener.local,
    closed: listener.closed,
    // What was accepted lives on, and is waited for by nobody here.
    close() {
      isOpen = false;
      void listener.close();
      for (const group of groups) group.endWhenIdle();
      return Promise.resolve();
    },
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  };
}

function sinkOf(group: StreamsGroup): QuicSink {
  return {
    confirmed: () => group.confirmed(),
    stream: (stream) => group.stream(stream, stream.early),
    datagram: (bytes) => group.datagram(bytes),
    softError: (failure) => group.softError(failure),
    // RFC 9622 §8.3.2: the session is the group's, and so is its path.
    moved: (move) => group.pathChange({ what: "handover", detail: { ...move } }),
    mtu: (size) => group.pathChange({ what: "mtu", detail: { size } }),
    closed: (failure) => group.closed(failure),
  };
}

/** Are Messages to arrive, if they say nothing themselves (RFC 9622 §9.1.3.7)? */
const isReliable = ({ properties: { reliability } }: StackRequest): boolean =>
  reliability === "require" || reliability === "prefer";
