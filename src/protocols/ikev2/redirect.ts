import { DecodeError, formatAddress, fromUtf8, parseAddress, Reader, utf8, Writer } from "../../bytes/index.js";

/** Gateway identity types (RFC 5685 §5). */
const gatewayType = { ipv4: 1, ipv6: 2, fqdn: 3 } as const;

/** The data of a REDIRECT notification: the gateway, and a newcomer's nonce to show that it is meant. */
export function redirectData(gateway: string, nonce: Uint8Array = new Uint8Array(0)): Uint8Array {
  const address = parseAddress(gateway);
  const identity = address ?? utf8(gateway);
  const type = address === undefined ? gatewayType.fqdn : address.length === 4 ? gatewayType.ipv4 : gatewayType.ipv6;
  return new Writer().u8(type).u8(identity.length).put(identity).put(nonce).take();
}

/** Undefined for what does not parse. @param nonceSize bytes of the nonce at its end */
export function readRedirect(
  data: Uint8Array,
  nonceSize: number,
): { readonly gateway: string; readonly nonce: Uint8Array } | undefined {
  try {
    const from = new Reader(data);
    const type = from.u8();
    const identity = from.take(from.u8());
    const nonce = from.take(nonceSize);
    from.end();
    const isAddress =
      (type === gatewayType.ipv4 && identity.length === 4) || (type === gatewayType.ipv6 && identity.length === 16);
    const gateway = isAddress ? formatAddress(identity) : type === gatewayType.fqdn ? fromUtf8(identity) : undefined;
    return gateway === undefined || gateway === "" ? undefined : { gateway, nonce };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
