import { parsePrefix } from "../../src/bytes/index.js";
import { type Host, Secret } from "../../src/contract/index.js";
import { type LinkOptions, simulate } from "../../src/hosts/simulator/index.js";
import { WireGuard, type WireGuardEvent, type WireGuardInput } from "../../src/protocols/wireguard/index.js";
import { Stack } from "../../src/stack/index.js";
import { Tunnel } from "../../src/tunnels/index.js";
import { provider } from "../support/provider.js";
import { datagramLaws, type NetworkSubject, streamLaws } from "./port.js";

const keys = [1, 2].map((fill) => new Uint8Array(32).fill(fill));

function end(
  host: Host,
  own: number,
  outside: readonly string[],
  inside: readonly string[],
): Tunnel<WireGuardInput, WireGuardEvent> {
  const other = 1 - own;
  const { crypto, entropy } = host;
  const publicKey = new WireGuard({ crypto, entropy, privateKey: Secret.copy(keys[other]!) }, host.now()).publicKey;
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

function linked(link: LinkOptions, inside: readonly [string, string]): () => NetworkSubject {
  return () => {
    const outside = ["192.0.2.1", "198.51.100.1"] as const;
    const world = simulate({ seed: 11, crypto: provider });
    const client = world.host("client", { addresses: [outside[0]] });
    const server = world.host("server", { addresses: [outside[1]] });
    world.link(client, server, link);
    return {
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

const four = ["10.0.0.1", "10.0.0.2"] as const;
const six = ["fd00::1", "fd00::2"] as const;
const rough: LinkOptions = { loss: { in: 1, of: 50 }, duplication: { in: 1, of: 50 }, reordering: { in: 1, of: 20 } };

streamLaws("inside WireGuard, IPv4", linked({}, four));
streamLaws("inside WireGuard, IPv6", linked({ delayMs: 5 }, six));
streamLaws("inside WireGuard, lossy", linked({ ...rough, corruption: { in: 1, of: 100 } }, four));
datagramLaws("inside WireGuard, IPv4", linked({}, four));
datagramLaws("inside WireGuard, IPv6", linked({ jitterMs: 5 }, six));
