import { type LinkOptions, type StreamModel, simulate } from "../../src/hosts/simulator/index.js";
import { datagramLaws, type NetworkSubject, streamLaws } from "./port.js";

function linked(link: LinkOptions, streams: StreamModel, addresses: readonly [string, string]): () => NetworkSubject {
  return () => {
    const world = simulate({ seed: 11 });
    const client = world.host("client", { addresses: [addresses[0]], streams });
    const server = world.host("server", { addresses: [addresses[1]], streams });
    world.link(client, server, link);
    return {
      client: client.network,
      server: server.network,
      serverAddress: addresses[1],
      clientAddress: addresses[0],
      closedPort: 1,
      until: (isSo) => world.until(isSo),
      settle: () => world.run(5000),
    };
  };
}

const four = ["192.0.2.1", "198.51.100.1"] as const;
const six = ["2001:db8::1", "2001:db8:1::1"] as const;

streamLaws("simulated IPv4", linked({}, {}, four));
datagramLaws("simulated IPv4", linked({}, {}, four));
streamLaws("simulated IPv6, slow", linked({ bitsPerSecond: 50_000_000, queueBytes: 1_000_000 }, {}, six));
datagramLaws("simulated IPv6, reordering", linked({ jitterMs: 5, reordering: { in: 1, of: 5 } }, {}, six));
streamLaws("simulated, small pieces", linked({ delayMs: 1 }, { pieceMax: 700 }, four));
streamLaws(
  "simulated, lossy",
  linked(
    {
      loss: { in: 1, of: 50 },
      duplication: { in: 1, of: 50 },
      reordering: { in: 1, of: 20 },
      corruption: { in: 1, of: 100 },
    },
    {},
    four,
  ),
);
