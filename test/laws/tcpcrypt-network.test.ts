import type { Host, Network } from "../../src/contract/index.js";
import type { LinkOptions } from "../../src/hosts/simulator/index.js";
import { connect, listen } from "../../src/protocols/tcpcrypt/index.js";
import { insideWireGuard } from "../support/inside-wireguard.js";
import { type NetworkSubject, streamLaws } from "./port.js";

// A tcpcrypt session offers a byte stream, so a network with tcpcrypt on its TCP is a network, under the same laws.

function encrypted(host: Host, network: Network): Network {
  return {
    name: `tcpcrypt over ${network.name}`,
    resolve: (name, options) => network.resolve(name, options),
    interfaces: () => network.interfaces(),
    bindDatagrams: (local, sink, options) => network.bindDatagrams(local, sink, options),
    connectStream: (remote, sink, stream = {}) => connect(host, remote, {}, sink, { network, stream }),
    listenStreams: (local, accept, options = {}) => listen(host, local, {}, accept, { network, listen: options }),
  };
}

const over =
  (link: LinkOptions, inside: readonly [string, string]): (() => NetworkSubject) =>
  () => {
    const { hosts, client, server, ...subject } = insideWireGuard(link, inside)();
    return { ...subject, client: encrypted(hosts[0], client), server: encrypted(hosts[1], server) };
  };

streamLaws("tcpcrypt inside WireGuard, IPv4", over({}, ["10.0.0.1", "10.0.0.2"]));
streamLaws(
  "tcpcrypt inside WireGuard, IPv6, over a lossy link",
  over({ loss: { in: 1, of: 50 } }, ["fd00::1", "fd00::2"]),
);
