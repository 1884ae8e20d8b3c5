import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { networkFailure, type SocketAddress } from "../../contract/index.js";

/** A host's address as Node takes it: with its zone. Throws `not-an-address` for text that is none. */
export function hostOf({ address, zone }: SocketAddress): string {
  if (isIP(address) === 0) {
    throw networkFailure("not-an-address", `"${address}" is no IP address`, { hint: "resolve names first" });
  }
  return zone === undefined ? address : `${address}%${zone}`;
}

/** What Node says, in canonical form: IPv4 that came through an IPv6 socket is IPv4, and the zone stands apart. */
export function addressOf(address: string | undefined, port: number | undefined): SocketAddress {
  const text = address ?? "";
  const percent = text.indexOf("%");
  if (percent >= 0) return { address: text.slice(0, percent), port: port ?? 0, zone: text.slice(percent + 1) };
  return { address: text.startsWith("::ffff:") && text.includes(".") ? text.slice(7) : text, port: port ?? 0 };
}

/** An address of the interface, of the family of `like`: the portable way to bind to an interface. */
export function addressOn(name: string, like: string): string {
  const addresses = networkInterfaces()[name];
  if (addresses === undefined) throw networkFailure("no-such-interface", `there is no interface "${name}"`);
  const family = isIP(like) === 6 ? "IPv6" : "IPv4";
  const isLinkLocal = (address: string): boolean => address.startsWith("fe80:");
  const fitting = addresses.filter((each) => each.family === family);
  const found =
    fitting.find((each) => isLinkLocal(each.address) === isLinkLocal(like)) ??
    fitting[0] ??
    // The IPv6 wildcard hears IPv4 too.
    (like === "::" ? addresses[0] : undefined);
  if (found === undefined)
    throw networkFailure("address-not-available", `interface "${name}" has no ${family} address`);
  return found.family === "IPv6" && found.scopeid !== 0 ? `${found.address}%${name}` : found.address;
}
