import { formatAddress, parseAddress } from "./address.js";

/** An address, 4 bytes or 16, and how many of its leading bits count. */
export interface Prefix {
  readonly address: Uint8Array;
  readonly length: number;
}

/** Reads `10.0.0.0/8`, `fd00::/8`, or a bare address, whose prefix is all of it. Host bits are kept. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText, lengthText, ...more] = text.split("/");
  const address = parseAddress(addressText!);
  if (address === undefined || more.length > 0) return undefined;
  const bits = 8 * address.length;
  if (lengthText === undefined) return { address, length: bits };
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || Number(lengthText) > bits) return undefined;
  return { address, length: Number(lengthText) };
}

export function formatPrefix({ address, length }: Prefix): string {
  return `${formatAddress(address)}/${length}`;
}

/** Does the prefix hold this address? Never across families. */
export function prefixHolds(prefix: Prefix, address: Uint8Array): boolean {
  if (prefix.address.length !== address.length) return false;
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.address[i] !== address[i]) return false;
  const bits = prefix.length & 7;
  return bits === 0 || (prefix.address[whole]! ^ address[whole]!) >> (8 - bits) === 0;
}
