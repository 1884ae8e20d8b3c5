import { parsePrefix } from "../../src/bytes/index.js";
import type { Host, PacketPort, PacketSink } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import type { World } from "../../src/hosts/simulator/index.js";
import { DeviceNetwork } from "../../src/tunnels/index.js";

/** What a wire does to packets: shares of one, and milliseconds. */
export interface WireModel {
  readonly delayMs?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  /** This share waits as long again. */
  readonly late?: number;
}

/** Sees each packet and answers what passes in its place: nothing, it, another, or more. */
export type Meddle = (packet: Uint8Array, from: 0 | 1) => readonly Uint8Array[];

export const addresses = ["10.0.0.1", "10.0.0.2"] as const;

/** Two of our stacks and a wire of IP packets between them, in virtual time. */
export interface EnoWorld {
  readonly ends: readonly [DeviceNetwork, DeviceNetwork];
  readonly hosts: readonly [Host, Host];
  meddle: Meddle;
  model: WireModel;
  /** Packets that have left, from each end. */
  readonly sent: [number, number];
  /** Puts a packet on the wire that nobody of the two has sent. */
  inject(packet: Uint8Array, to: 0 | 1): void;
}

export async function enoWorld(world: World, model: WireModel = {}): Promise<EnoWorld> {
  const hosts = [world.host("a", { addresses: ["192.0.2.1"] }), world.host("b", { addresses: ["192.0.2.2"] })] as const;
  const sinks: PacketSink[] = [];
  const waiting: [Uint8Array[], Uint8Array[]] = [[], []];
  const seeded = seededEntropy(`wire ${world.seed}`);
  const four = new Uint8Array(4);
  const chance = (): number => {
    const [a, b, c] = seeded.fill(four);
    return ((a! << 16) | (b! << 8) | c!) / 0x100_0000;
  };
  const arrive = (packet: Uint8Array, to: 0 | 1, ms: number): void => {
    const [host] = [hosts[to]];
    host.wakeAt(host.now() + ms, () => {
      waiting[to].push(packet);
      sinks[to]?.readable();
    });
  };
  const port = (own: 0 | 1): PacketPort => ({
    name: `wire${own}`,
    mtu: 1_420,
    drops: {},
    pull(into, at) {
      const packet = waiting[own].shift();
      if (packet !== undefined) into.set(packet, at);
      return packet?.length ?? 0;
    },
    send(bytes, ranges, count) {
      for (let i = 0; i < count; i++) {
        made.sent[own]++;
        for (const packet of made.meddle(bytes.slice(ranges[2 * i], ranges[2 * i + 1]), own)) {
          const { delayMs = 10, loss = 0, duplicate = 0, late = 0 } = made.model;
          if (loss > 0 && chance() < loss) continue;
          const to = own === 0 ? 1 : 0;
          arrive(packet, to, delayMs + (late > 0 && chance() < late ? delayMs : 0));
          if (duplicate > 0 && chance() < duplicate) arrive(packet.slice(), to, delayMs + 1);
        }
      }
    },
    close: () => undefined,
    ref: () => undefined,
    unref: () => undefined,
  });
  const open = (own: 0 | 1): Promise<DeviceNetwork> =>
    DeviceNetwork.open(
      hosts[own],
      async (sink) => {
        sinks[own] = sink;
        return port(own);
      },
      { name: `end ${own}`, addresses: [parsePrefix(`${addresses[own]}/24`)!] },
    );
  const made: EnoWorld = {
    hosts,
    ends: undefined as never,
    meddle: (packet) => [packet],
    model,
    sent: [0, 0],
    inject: (packet, to) => arrive(packet, to, 0),
  };
  Object.assign(made, { ends: [await world.finish(open(0)), await world.finish(open(1))] });
  return made;
}
