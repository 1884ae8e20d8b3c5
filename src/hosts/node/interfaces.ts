import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { NetworkInterface } from "../../contract/index.js";

/** The interfaces that have an address. Types are told from the kernel where it says, else from the name. */
export function interfaces(): readonly NetworkInterface[] {
  const temporary = temporaryAddresses();
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    type: addresses.some(({ internal }) => internal) ? "loopback" : typeOf(name),
    addresses: addresses.map(({ address, cidr }) => ({
      address,
      prefixLength: Number(cidr?.split("/")[1] ?? (address.includes(":") ? 128 : 32)),
      temporary: temporary.has(address),
    })),
  }));
}

const byName: readonly (readonly [RegExp, NetworkInterface["type"]])[] = [
  [/^(wl|wifi|ath)/, "wifi"],
  [/^(wwan|wwp|rmnet|pdp_ip|usb)/, "cellular"],
  [/^(tun|tap|utun|wg|ppp|ipsec|gre|sit|vti)/, "tunnel"],
  [/^(en|eth|veth|br|bond|vmnet|docker|Ethernet)/, "ethernet"],
];

function typeOf(name: string): NetworkInterface["type"] {
  if (existsSync(`/sys/class/net/${name}/wireless`)) return "wifi";
  if (existsSync(`/sys/class/net/${name}/tun_flags`)) return "tunnel";
  return byName.find(([pattern]) => pattern.test(name))?.[1] ?? "other";
}

const temporaryFlag = 0x01;

/** IPv6 privacy addresses (RFC 8981), which Linux marks in /proc/net/if_inet6. */
function temporaryAddresses(): ReadonlySet<string> {
  const found = new Set<string>();
  let text: string;
  try {
    text = readFileSync("/proc/net/if_inet6", "latin1");
  } catch {
    return found;
  }
  for (const line of text.split("\n")) {
    const [digits, , , , flags] = line.trim().split(/\s+/);
    if (digits === undefined || flags === undefined || (Number.parseInt(flags, 16) & temporaryFlag) === 0) continue;
    found.add(new URL(`http://[${digits.replace(/(.{4})(?=.)/g, "$1:")}]/`).hostname.slice(1, -1));
  }
  return found;
}
