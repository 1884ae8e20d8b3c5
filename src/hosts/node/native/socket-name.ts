import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { formatAddress, parseAddress } from "../../../bytes/address.js";
import { networkFailure, type SocketAddress } from "../../../contract/index.js";
import { type Libc, linux } from "./libc.js";

/**
 * Writes a sockaddr_in or sockaddr_in6 and answers its size. IPv4 on an IPv6 socket is mapped (RFC 4291 §2.5.5.2). Throws
 * `not-an-address` for text that is none.
 */
export function writeName(into: Uint8Array, host: string, port: number, isIpv6: boolean, libc: Libc): number {
  const [text = "", zone] = host.split("%");
  const address = parseAddress(text);
  if (address === undefined || isIP(text) === 0) throw networkFailure("not-an-address", `"${host}" is no IP address`);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw networkFailure("not-an-address", `no port: ${port}`);
  if (address.length === 16 && !isIpv6) {
    throw networkFailure("address-not-available", `an IPv4 socket cannot reach ${host}`);
  }
  const size = isIpv6 ? 28 : 16;
  into.fill(0, 0, size);
  into[0] = isIpv6 ? linux.AF_INET6 : linux.AF_INET;
  into[2] = port >> 8;
  into[3] = port;
  if (!isIpv6) into.set(address, 4);
  else if (address.length === 16) into.set(address, 8);
  else {
    into[18] = into[19] = 0xff;
    into.set(address, 20);
  }
  if (zone !== undefined) {
    const scope = /^\d+$/.test(zone) ? Number(zone) : libc.interfaceIndex(zone);
    if (scope === 0) throw networkFailure("no-such-interface", `there is no interface "${zone}"`);
    new DataView(into.buffer, into.byteOffset).setUint32(24, scope, true);
  }
  return size;
}

/** A name that the kernel wrote, in the contract's words: mapped IPv4 is IPv4. */
export function readName(name: Uint8Array): SocketAddress {
  const port = (name[2]! << 8) | name[3]!;
  if (name[0] === linux.AF_INET) return { address: formatAddress(name.subarray(4, 8)), port };
  const address = name.subarray(8, 24);
  const isMapped = address.subarray(0, 10).every((byte) => byte === 0) && address[10] === 0xff && address[11] === 0xff;
  if (isMapped) return { address: formatAddress(address.subarray(12)), port };
  const scope = new DataView(name.buffer, name.byteOffset).getUint32(24, true);
  return { address: formatAddress(address), port, ...(scope === 0 ? {} : { zone: zoneOf(scope) }) };
}

function zoneOf(scope: number): string {
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    if (addresses.some((each) => each.family === "IPv6" && each.scopeid === scope)) return name;
  }
  return String(scope);
}
