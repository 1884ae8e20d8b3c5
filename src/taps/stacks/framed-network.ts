import {
  type DatagramOptions,
  type DatagramPort,
  type DatagramSink,
  type Network,
  networkFailure,
  type SocketAddress,
} from "../../contract/index.js";
import { overStream } from "../../mechanisms/framed-port.js";
import { ListenerPort } from "../../tunnels/listener-port.js";
import type { StackCode } from "./stack.js";

/** A stack's code on frames in place of datagrams. */
export const overFrames = ({ open, listen }: StackCode): StackCode => ({
  open: (request) => open({ ...request, network: framed(request.network) }),
  listen: (request) => listen({ ...request, network: framed(request.network) }),
});

/** A network whose datagrams travel on TCP, each behind its length (RFC 4571): a port with a peer connects, one without listens. */
function framed(network: Network): Network {
  return {
    name: network.name,
    resolve: (name, options) => network.resolve(name, options),
    connectStream: (remote, sink, options) => network.connectStream(remote, sink, options),
    listenStreams: (local, accept, options) => network.listenStreams(local, accept, options),
    interfaces: () => network.interfaces(),
    bindDatagrams: (local, sink, { remote, interface: on } = {}) =>
      remote === undefined
        ? new ListenerPort(network).bindDatagrams(local, sink)
        : connect(network, local, remote, sink, on),
  };
}

function connect(
  network: Network,
  local: SocketAddress,
  remote: SocketAddress,
  sink: DatagramSink,
  on: DatagramOptions["interface"],
): Promise<DatagramPort> {
  const { port, lower, attach } = overStream(sink);
  const isAny = local.port === 0 && /^[0.:]*$/.test(local.address);
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const stream = network.connectStream(
      remote,
      {
        opened: () => {
          isOpen = true;
          resolve(port);
        },
        bytes: (bytes) => lower.bytes(bytes),
        ended: () => lower.ended(),
        drained: () => lower.drained(),
        softError: (failure) => lower.softError?.(failure),
        closed: (failure) => {
          if (isOpen) lower.closed(failure);
          else reject(failure ?? networkFailure("network-failed", "the stream was closed before it was open"));
        },
      },
      { ...(!isAny && { local }), ...(on !== undefined && { interface: on }) },
    );
    attach(stream);
  });
}
