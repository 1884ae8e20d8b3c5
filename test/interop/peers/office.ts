import { fileURLToPath } from "node:url";
import { nodeHost } from "../../../src/hosts/node/index.js";
import { newKeys } from "../../../src/protocols/wireguard/index.js";
import { WireGuardGo } from "./wireguard-go.js";

/** A wireguard-go with a private network behind it, and the file that its network team sends. */
export interface Office extends AsyncDisposable {
  readonly peer: WireGuardGo;
  readonly conf: string;
}

/** Services of the private network: see office-program.ts. */
const program = fileURLToPath(new URL("./office-program.js", import.meta.url));

export async function startOffice(title: string): Promise<Office> {
  const ours = newKeys(nodeHost());
  const peer = await WireGuardGo.start({ peerPublicKey: ours.publicKey });
  const services = peer.inside(title, process.execPath, program, title);
  await services.says("the office is open");
  return {
    peer,
    conf: `[Interface]
PrivateKey = ${ours.privateKey}
Address = 10.99.0.2/24, fd99::2/64
DNS = 10.99.0.1, office.test
Table = off
[Peer]
PublicKey = ${peer.publicKey}
AllowedIPs = 10.99.0.0/24, fd99::/64
Endpoint = localhost:${peer.port}
`,
    async [Symbol.asyncDispose]() {
      await services[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
}
