import { parsePrefix } from "../../src/bytes/index.js";
import { type Host, Secret } from "../../src/contract/index.js";
import { type LinkOptions, simulate } from "../../src/hosts/simulator/index.js";
import {
  publicKeyOf,
  WireGuard,
  type WireGuardEvent,
  type WireGuardInput,
} from "../../src/protocols/wireguard/index.js";
import { Stack } from "../../src/stack/index.js";
import { Tunnel } from "../../src/tunnels/index.js";
import type { NetworkSubject } from "../laws/port.js";
import { provider } from "./provider.js";

const keys = [1, 2].map((fill) => new Uint8Array(32).fill(fill));

function end(
  host: Host,
  own: number,
  outside: readonly string[],
  inside: readonly string[],
): Tunnel<WireGuardInput, WireGuardEvent> {
  const other = 1 - own;
  const { crypto, entropy } = host;
  const publicKey = publicKeyOf(crypto, keys[other]!);
  const width = inside[0]!.includes(":") ? 128 : 32;
  const stack = new Stack({ crypto, entropy, addresses: [parsePrefix(`${inside[own]}/${width}`)!], mtu: 1_420 });
  const peer = {
    publicKey,
    allowedIps: [parsePrefix(`${inside[other]}/${width}`)!],
    endpoint: { address: outside[other]!, port: 51_820 },
  };
  const machine = new WireGuard(
    { crypto, entropy, privateKey: Secret.copy(keys[own]!), peers: [peer], source: stack },
    host.now(),
  );
  const tunnel = new Tunnel<WireGuardInput, WireGuardEvent>(host, "wg", machine, stack, () => async () => []);
  void tunnel.open(host.network, { address: outside[own]!, port: 51_820 });
  return tunnel;
}

/** Two simulated hosts with a WireGuard tunnel between them; the networks are its inside. */
export function insideWireGuard(
  link: LinkOptions,
  inside: readonly [string, string],
): () => NetworkSubject & { readonly hosts: readonly [Host, Host] } {
  return () => {
    const outside = ["192.0.2.1", "198.51.100.1"] as const;
    const world = simulate({ seed: 11, crypto: provider });
    const client = world.host("client", { addresses: [outside[0]] });
    const server = world.host("server", { addresses: [outside[1]] });
    world.link(client, server, link);
    return {
      hosts: [client, server],
      client: end(client, 0, outside, inside).network,
      server: end(server, 1, outside, inside).network,
      serverAddress: inside[1],
      clientAddress: inside[0],
      closedPort: 1,
      until: (isSo) => world.until(isSo),
      settle: () => world.run(5000),
    };
  };
}
