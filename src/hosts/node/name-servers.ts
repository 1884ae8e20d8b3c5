import { accessSync } from "node:fs";
import { run } from "./programs.js";

/** What a tunnel's device wants names to be asked of. */
export interface NameServers {
  readonly device: string;
  /** Addresses. */
  readonly servers: readonly string[];
  readonly searchDomains: readonly string[];
}

/** One way to tell a system. */
interface Way {
  readonly name: string;
  /** False if this way is not to be had here. */
  set(wanted: NameServers): Promise<boolean>;
  takeBack(wanted: NameServers): Promise<unknown>;
}

/** In the order in which they are tried. */
const ways: readonly Way[] = [
  {
    // systemd-resolved keeps them with the device, and forgets them with it.
    name: "systemd-resolved",
    set: async ({ device, servers, searchDomains }) => {
      if (!(await succeeds("resolvectl", ["dns", device, ...servers]))) return false;
      // `~.`: all names are asked of this link.
      if (await succeeds("resolvectl", ["domain", device, "~.", ...searchDomains])) return true;
      await run("resolvectl", ["revert", device]);
      return false;
    },
    takeBack: ({ device }) => run("resolvectl", ["revert", device]),
  },
  {
    // As wg-quick does it: exclusive, and before all others where there is an order of interfaces.
    name: "resolvconf",
    set: ({ device, servers, searchDomains }) => {
      const lines = servers.map((server) => `nameserver ${server}\n`);
      if (searchDomains.length > 0) lines.push(`search ${searchDomains.join(" ")}\n`);
      return succeeds("resolvconf", ["-a", record(device), "-m", "0", "-x"], lines.join(""));
    },
    takeBack: ({ device }) => run("resolvconf", ["-d", record(device), "-f"]),
  },
];

/**
 * Has the system ask these servers while the device is there. Answers which way it was told, and what takes that back;
 * undefined where there is none: /etc/resolv.conf itself is nobody's to change, for who is killed could not change it back.
 */
export async function setNameServers(
  wanted: NameServers,
): Promise<{ readonly by: string; readonly takeBack: () => Promise<void> } | undefined> {
  for (const way of ways) {
    if (await way.set(wanted)) return { by: way.name, takeBack: async () => void (await way.takeBack(wanted)) };
  }
  return undefined;
}

async function succeeds(command: string, args: readonly string[], input = ""): Promise<boolean> {
  return (await run(command, args, input))?.code === 0;
}

/** Debian's resolvconf sorts by names of interfaces: `tun.*` comes first. */
function record(device: string): string {
  try {
    accessSync("/etc/resolvconf/interface-order");
    return `tun.${device}`;
  } catch {
    return device;
  }
}
