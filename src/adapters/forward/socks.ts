import { formatAddress, parseAddress } from "../../bytes/index.js";

/** What a parser made of the bytes so far: a value and its size, a wish for more, or a refusal. */
export type Parsed<T> = { readonly value: T; readonly size: number } | "more" | "bad";

export const socksVersion = 5;

/** RFC 1928 §3. */
export const socksMethods = { none: 0, password: 2, unacceptable: 0xff } as const;

/** RFC 1928 §6. */
export const socksReplies = {
  succeeded: 0,
  failure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  ttlExpired: 6,
  commandUnsupported: 7,
  addressUnsupported: 8,
} as const;

/** RFC 1928 §4. */
export const socksCommands = { connect: 1, bind: 2, udpAssociate: 3 } as const;

export interface SocksTarget {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** RFC 1928 §3: version, count, methods. */
export function parseGreeting(bytes: Uint8Array): Parsed<readonly number[]> {
  if (bytes.length > 0 && bytes[0] !== socksVersion) return "bad";
  if (bytes.length < 2) return "more";
  const size = 2 + bytes[1]!;
  if (bytes.length < size) return "more";
  return size === 2 ? "bad" : { value: [...bytes.subarray(2, size)], size };
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** RFC 1929 §2. */
export function parseCredentials(bytes: Uint8Array): Parsed<Credentials> {
  if (bytes.length > 0 && bytes[0] !== 1) return "bad";
  if (bytes.length < 2) return "more";
  const userEnd = 2 + bytes[1]!;
  if (bytes.length <= userEnd) return "more";
  const size = userEnd + 1 + bytes[userEnd]!;
  if (bytes.length < size) return "more";
  const user = utf8(bytes.subarray(2, userEnd));
  const password = utf8(bytes.subarray(userEnd + 1, size));
  return user === undefined || password === undefined ? "bad" : { value: { user, password }, size };
}

export interface SocksRequest extends SocksTarget {
  readonly command: number;
}

/** RFC 1928 §4. An address type that does not exist has no length, so it is `unknown-address`, not a refusal. */
export function parseRequest(bytes: Uint8Array): Parsed<SocksRequest | "unknown-address"> {
  if (bytes.length > 0 && bytes[0] !== socksVersion) return "bad";
  if (bytes.length > 2 && bytes[2] !== 0) return "bad";
  if (bytes.length < 4) return "more";
  const target = parseTarget(bytes, 3);
  if (target === "unknown-address") return { value: target, size: bytes.length };
  if (target === "more" || target === "bad") return target;
  return { value: { command: bytes[1]!, ...target.value }, size: target.size };
}

/** RFC 1928 §7: the target of a datagram, whose body begins at `size`. Fragments are not reassembled. */
export function parseUdpHeader(bytes: Uint8Array): Exclude<Parsed<SocksTarget>, string> | undefined {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 0) return undefined;
  const target = parseTarget(bytes, 3);
  return typeof target === "string" ? undefined : target;
}

/** RFC 1928 §6. */
export function writeReply(code: number, address = "0.0.0.0", port = 0): Uint8Array {
  return Uint8Array.of(socksVersion, code, 0, ...writeTarget(address, port));
}

/** RFC 1928 §7. */
export function writeUdpDatagram(address: string, port: number, body: Uint8Array): Uint8Array {
  const target = writeTarget(address, port);
  const written = new Uint8Array(3 + target.length + body.length);
  written.set(target, 3);
  written.set(body, 3 + target.length);
  return written;
}

const addressTypes = { ipv4: 1, name: 3, ipv6: 4 } as const;

function parseTarget(bytes: Uint8Array, at: number): Parsed<SocksTarget> | "unknown-address" {
  const type = bytes[at]!;
  if (type !== addressTypes.ipv4 && type !== addressTypes.name && type !== addressTypes.ipv6) return "unknown-address";
  if (type === addressTypes.name && bytes.length < at + 2) return "more";
  const start = type === addressTypes.name ? at + 2 : at + 1;
  const length = type === addressTypes.ipv4 ? 4 : type === addressTypes.ipv6 ? 16 : bytes[at + 1]!;
  const size = start + length + 2;
  if (bytes.length < size) return "more";
  const field = bytes.subarray(start, start + length);
  const host = type === addressTypes.name ? hostName(field) : formatAddress(field);
  if (host === undefined) return "bad";
  return { value: { host, port: (bytes[size - 2]! << 8) | bytes[size - 1]! }, size };
}

function writeTarget(text: string, port: number): Uint8Array {
  const address = parseAddress(text) ?? new Uint8Array(4);
  const type = address.length === 4 ? addressTypes.ipv4 : addressTypes.ipv6;
  return Uint8Array.of(type, ...address, port >> 8, port & 0xff);
}

/** A name of printable ASCII, as the resolver takes it; some clients write addresses as names. */
function hostName(field: Uint8Array): string | undefined {
  const name = utf8(field);
  if (name === undefined || !/^[\x21-\x7e]+$/.test(name)) return undefined;
  return name.replace(/^\[(.*)\]$/, "$1");
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
