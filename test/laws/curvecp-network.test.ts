import { deferred } from "../../src/contract/deferred.js";
import type { Failure, Host, Network } from "../../src/contract/index.js";
import { type LinkOptions, simulate } from "../../src/hosts/simulator/index.js";
import { connect, listen } from "../../src/protocols/curvecp/index.js";
import { serverIdentity } from "../support/curvecp-pair.js";
import { provider } from "../support/provider.js";
import { startOfTime } from "../support/tls-pair.js";
import { type NetworkSubject, streamLaws } from "./port.js";

// A CurveCP session offers a byte stream, so a network with CurveCP on it is a network, under the same laws.

function withCurveCp(host: Host): Network {
  const { network } = host;
  return {
    name: `CurveCP over ${network.name}`,
    resolve: (name, options) => network.resolve(name, options),
    interfaces: () => network.interfaces(),
    bindDatagrams: (local, sink, options) => network.bindDatagrams(local, sink, options),
    connectStream: (remote, sink, { local } = {}) =>
      connect(host, remote, { serverKey: serverIdentity.publicKey }, sink, local === undefined ? {} : { local }),
    async listenStreams(local, accept) {
      const listener = await listen(host, local, { identity: serverIdentity }, accept);
      const { promise: closed, resolve } = deferred<Failure | undefined>();
      void listener.closed.then(resolve);
      return {
        local: listener.local,
        closed,
        async close() {
          await listener.stop();
          resolve(undefined);
        },
        ref: () => listener.ref(),
        unref: () => listener.unref(),
      };
    },
  };
}

function over(link: LinkOptions): () => NetworkSubject {
  return () => {
    const world = simulate({ seed: 17, crypto: provider, start: startOfTime });
    const client = world.host("client", { addresses: ["192.0.2.1"] });
    const server = world.host("server", { addresses: ["198.51.100.1"] });
    world.link(client, server, link);
    return {
      client: withCurveCp(client),
      server: withCurveCp(server),
      clientAddress: "192.0.2.1",
      serverAddress: "198.51.100.1",
      closedPort: 1,
      saysNoToNobody: true,
      until: (isSo) => world.until(isSo),
      settle: () => world.run(5000),
    };
  };
}

streamLaws("CurveCP", over({}));
streamLaws("CurveCP over a lossy link", over({ loss: { in: 2, of: 100 } }));
