import { type DatagramPath, nodeNetwork } from "../../src/hosts/node/index.js";
import { datagramLaws, type NetworkSubject, streamLaws } from "./port.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

function loopback(address: string, path?: DatagramPath): () => NetworkSubject {
  return () => ({
    client: nodeNetwork("system", path),
    server: nodeNetwork("system", path),
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
  for (const path of ["portable", "native"] as const) {
    datagramLaws(`node ${path} ${address}`, loopback(address, path));
  }
}
