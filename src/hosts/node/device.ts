import type { OuterFlow } from "../../contract/index.js";
import { DefaultRoute, removeStaleRules, tableOf } from "./default-route.js";
import { ipBatch } from "./iproute.js";
import { segmentedSizeMax, segmentsMax } from "./limits.js";

export interface DeviceConfig {
  readonly name: string;
  readonly mtu: number;
  /** Ours, as `address/length`. */
  readonly addresses: readonly string[];
  /** What leads into the device, as `address/length`; a length of zero is the default route. */
  readonly routes: readonly string[];
  /** What the tunnel itself sends, which must not go into the device even if it is the default route. */
  readonly outside: readonly OuterFlow[];
  /** Bytes that the tunnel adds to each packet. */
  readonly overhead: number;
  /** Default `main`; default routes have a table of their own unless one is named. `off` for no routes. */
  readonly table?: "off" | number | undefined;
}

export interface ConfiguredDevice {
  /** Something else that must not go into the device: told before it sends anything. */
  alsoOutside(flow: OuterFlow): Promise<void>;
  /** Takes back the rules; everything else goes with the device. */
  takeBack(): Promise<void>;
}

/**
 * Gives a device its MTU, addresses and routes by `ip` (iproute2), and takes it up. Rejects with what `ip` said, and with `address-in-use` where another tunnel is the
 * default route.
 *
 * A default route stands in a table of its own, behind rules (`default-route.ts`).
 */
export async function configureDevice(config: DeviceConfig): Promise<ConfiguredDevice> {
  const { name, mtu, addresses, table, outside, overhead } = config;
  // One super-packet of the kernel is then one batch to send.
  const segments = Math.max(1, Math.min(segmentsMax, Math.floor(segmentedSizeMax / (mtu + overhead))));
  await ipBatch(4, [`link set dev ${name} mtu ${mtu} gso_max_segs ${segments} up`]);
  const defaults: DefaultRoute[] = [];
  const takeBack = async (): Promise<void> => {
    for (const each of defaults) await each.takeBack();
  };
  try {
    for (const family of [4, 6] as const) {
      const own = (text: string): boolean => text.includes(":") === (family === 6);
      const lines = addresses.filter(own).map((each) => `addr add ${each} dev ${name}${family === 6 ? " nodad" : ""}`);
      const routes = table === "off" ? [] : config.routes.filter(own);
      const hasRules = table === undefined && routes.some(isDefault);
      if (hasRules) await removeStaleRules(family);
      for (const route of routes) {
        const own = typeof table === "number" ? table : isDefault(route) ? tableOf(outside) : undefined;
        lines.push(`route replace ${route} dev ${name}${own === undefined ? "" : ` table ${own}`}`);
      }
      await ipBatch(family, lines);
      if (hasRules) defaults.push(await DefaultRoute.add(family, outside));
    }
  } catch (error) {
    await takeBack();
    throw error;
  }
  const alsoOutside = async (flow: OuterFlow): Promise<void> => {
    for (const each of defaults) await each.alsoOutside(flow);
  };
  return { alsoOutside, takeBack };
}

const isDefault = (route: string): boolean => route.endsWith("/0");
