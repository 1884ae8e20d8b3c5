import type { Host, Network } from "../../src/contract/index.js";
import { type LinkOptions, type StreamModel, simulate } from "../../src/hosts/simulator/index.js";
import { connect, listen } from "../../src/protocols/tls/index.js";
import { provider } from "../support/provider.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";
import { type NetworkSubject, streamLaws } from "./port.js";

// A TLS session offers the service that it stands on, so TLS over a network is a network, under the same laws.

const identity = identityFor("Ed25519");

function secured(host: Host): Network {
  const { network } = host;
  return {
    name: `TLS over ${network.name}`,
    resolve: (name, options) => network.resolve(name, options),
    interfaces: () => network.interfaces(),
    bindDatagrams: (local, sink, options) => network.bindDatagrams(local, sink, options),
    connectStream: (remote, sink, stream = {}) => connect(host, remote, { verify: trusting }, sink, { stream }),
    listenStreams: (local, accept, options = {}) =>
      listen(host, local, { identity, verify: trusting }, accept, { listen: options }),
  };
}

function overTls(link: LinkOptions, streams: StreamModel): () => NetworkSubject {
  return () => {
    const world = simulate({ seed: 17, crypto: provider, start: startOfTime });
    const client = world.host("client", { addresses: ["192.0.2.1"], streams });
    const server = world.host("server", { addresses: ["198.51.100.1"], streams });
    world.link(client, server, link);
    return {
      client: secured(client),
      server: secured(server),
      clientAddress: "192.0.2.1",
      serverAddress: "198.51.100.1",
      closedPort: 1,
      until: (isSo) => world.until(isSo),
      settle: () => world.run(5000),
    };
  };
}

streamLaws("TLS", overTls({}, {}));
streamLaws("TLS over lossy streams in pieces", overTls({ loss: { in: 1, of: 100 } }, { pieceMax: 1000 }));
