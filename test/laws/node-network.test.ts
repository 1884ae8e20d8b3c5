import { nodeNetwork } from "../../src/hosts/node/index.js";
import { datagramLaws, type NetworkSubject, streamLaws } from "./port.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

function loopback(address: string): () => NetworkSubject {
  return () => ({
    client: nodeNetwork(),
    server: nodeNetwork(),
    serverAddress: address,
    clientAddress: address,
    closedPort: 1,
    until: async (isSo) => {
      while (!isSo()) await turn();
    },
    settle: async () => {
      for (let i = 0; i < 5; i++) await turn();
    },
  });
}

for (const address of ["127.0.0.1", "::1"]) {
  streamLaws(`node ${address}`, loopback(address));
  datagramLaws(`node ${address}`, loopback(address));
}
