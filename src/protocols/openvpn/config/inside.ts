import { type Prefix, parseAddress, parsePrefix } from "../../../bytes/index.js";
import type { FramingName, framings } from "../data/framing.js";
import { pushOptionsMax } from "../limits.js";

/** What the inside of a tunnel looks like: by the file, and then by what the server pushes. */
export interface Inside {
  /** Ours, each with the length of its network. */
  readonly addresses: readonly Prefix[];
  readonly routes: readonly Prefix[];
  /** Everything goes through the tunnel, by family. */
  readonly redirect4: boolean;
  readonly redirect6: boolean;
  readonly dns: readonly string[];
  readonly searchDomains: readonly string[];
  readonly mtu: number | undefined;
  readonly framing: FramingName;
  readonly pingMs: number;
  readonly pingRestartMs: number;
  readonly pingExitMs: number;
  readonly peerId: number | undefined;
  readonly cipher: string | undefined;
  readonly tlsExport: boolean;
  readonly dynamicTlsCrypt: boolean;
  readonly controlExit: boolean;
  readonly authToken: string | undefined;
  readonly authTokenUser: string | undefined;
  readonly renegotiateAfterMs: number | undefined;
  readonly explicitExitNotify: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The same while it is being made. */
export interface InsideDraft extends Omit<Mutable<Inside>, "addresses" | "routes" | "dns" | "searchDomains"> {
  topology: "subnet" | "net30" | "p2p";
  ifconfig: readonly [string, string] | undefined;
  ifconfig6: string | undefined;
  routes: Prefix[];
  dns: string[];
  searchDomains: string[];
}

export const newInside = (): InsideDraft => ({
  topology: "net30",
  ifconfig: undefined,
  ifconfig6: undefined,
  routes: [],
  redirect4: false,
  redirect6: false,
  dns: [],
  searchDomains: [],
  mtu: undefined,
  framing: "none",
  pingMs: 0,
  pingRestartMs: 0,
  pingExitMs: 0,
  peerId: undefined,
  cipher: undefined,
  tlsExport: false,
  dynamicTlsCrypt: false,
  controlExit: false,
  authToken: undefined,
  authTokenUser: undefined,
  renegotiateAfterMs: undefined,
  explicitExitNotify: false,
});

export const copyOf = (draft: InsideDraft): InsideDraft => ({
  ...draft,
  routes: [...draft.routes],
  dns: [...draft.dns],
  searchDomains: [...draft.searchDomains],
});

/** Says what is wrong with an option; undefined if nothing is. */
export type InsideOption = (draft: InsideDraft, words: readonly string[]) => string | undefined;

const seconds =
  (key: "pingMs" | "pingRestartMs" | "pingExitMs" | "renegotiateAfterMs", at = 1): InsideOption =>
  (draft, words) => {
    const value = numberOf(words[at], 0, 2_000_000);
    if (value === undefined) return `${words[0]} wants seconds`;
    draft[key] = value * 1_000;
    return undefined;
  };

/** Options that may stand in a file and be pushed alike (openvpn(8)). */
export const insideOptions: Readonly<Record<string, InsideOption>> = {
  topology: (draft, [, kind]) => {
    if (kind !== "subnet" && kind !== "net30" && kind !== "p2p") return "topology is subnet, net30 or p2p";
    draft.topology = kind;
    return undefined;
  },
  ifconfig: (draft, [, local, second]) => {
    if (!isIp4(local) || !isIp4(second)) return "ifconfig wants two IPv4 addresses";
    draft.ifconfig = [local!, second!];
    return undefined;
  },
  "ifconfig-ipv6": (draft, [, prefix]) => {
    if (prefix === undefined || parsePrefix(prefix)?.address.length !== 16) {
      return "ifconfig-ipv6 wants an IPv6 address with its prefix length";
    }
    draft.ifconfig6 = prefix;
    return undefined;
  },
  route: (draft, [, network, mask = "255.255.255.255"]) => {
    // Names that openvpn(8) keeps for the outside's gateway have no meaning in a process.
    if (network === "vpn_gateway" || network === "net_gateway" || network === "remote_host") return undefined;
    const address = network === undefined ? undefined : parseAddress(network);
    const length = maskLength(mask);
    if (address?.length !== 4 || length === undefined) return "route wants an IPv4 network and a netmask";
    return addRoute(draft, { address, length });
  },
  "route-ipv6": (draft, [, text]) => {
    const prefix = text === undefined ? undefined : parsePrefix(text);
    if (prefix?.address.length !== 16) return "route-ipv6 wants an IPv6 network with its prefix length";
    return addRoute(draft, prefix);
  },
  "route-gateway": () => undefined,
  "route-metric": () => undefined,
  "redirect-gateway": (draft, [, ...flags]) => {
    draft.redirect4 = !flags.includes("!ipv4");
    draft.redirect6 = flags.includes("ipv6");
    return undefined;
  },
  "redirect-private": () => undefined,
  "dhcp-option": (draft, [, kind, value]) => {
    const name = kind?.toUpperCase();
    if (name === "DNS" || name === "DNS6") {
      if (value === undefined || parseAddress(value) === undefined) return "dhcp-option DNS wants an address";
      if (draft.dns.length < pushOptionsMax) draft.dns.push(value);
    } else if (name === "DOMAIN" || name === "DOMAIN-SEARCH" || name === "ADAPTER_DOMAIN_SUFFIX") {
      if (value === undefined || !isDomain(value)) return `dhcp-option ${name} wants a domain`;
      if (draft.searchDomains.length < pushOptionsMax) draft.searchDomains.push(value);
    }
    // WINS, NTP, NBT and their like are of no use to a stack without them.
    return undefined;
  },
  "tun-mtu": (draft, [, text]) => {
    const mtu = numberOf(text, 576, 65_535);
    if (mtu === undefined) return "tun-mtu wants 576 … 65535";
    draft.mtu = mtu;
    return undefined;
  },
  ping: seconds("pingMs"),
  "ping-restart": seconds("pingRestartMs"),
  "ping-exit": seconds("pingExitMs"),
  "reneg-sec": seconds("renegotiateAfterMs"),
  "comp-lzo": (draft, [, mode]) => {
    if (mode !== "no") return "nothing is compressed here (VORACLE): comp-lzo is understood with `no` alone";
    draft.framing = "lzo";
    return undefined;
  },
  compress: (draft, [, algorithm = "stub"]) => {
    if (algorithm === "migrate") return undefined;
    if (algorithm !== "stub" && algorithm !== "stub-v2") {
      return `nothing is compressed here (VORACLE): compress ${algorithm} is refused`;
    }
    draft.framing = algorithm satisfies keyof typeof framings;
    return undefined;
  },
  "explicit-exit-notify": (draft) => {
    draft.explicitExitNotify = true;
    return undefined;
  },
};

/** Options that a server alone may give. */
export const pushedOptions: Readonly<Record<string, InsideOption>> = {
  ...insideOptions,
  "peer-id": (draft, [, text]) => {
    const id = numberOf(text, 0, 0xff_ffff);
    if (id === undefined) return "peer-id has 24 bits";
    draft.peerId = id;
    return undefined;
  },
  cipher: (draft, [, name]) => {
    if (name === undefined) return "cipher without a name";
    draft.cipher = name;
    return undefined;
  },
  "key-derivation": (draft, [, how]) => {
    if (how !== "tls-ekm") return `key-derivation ${how ?? ""} is unknown`;
    draft.tlsExport = true;
    return undefined;
  },
  "protocol-flags": (draft, [, ...flags]) => {
    for (const flag of flags) {
      if (flag === "tls-ekm") draft.tlsExport = true;
      else if (flag === "dyn-tls-crypt") draft.dynamicTlsCrypt = true;
      else if (flag === "cc-exit") draft.controlExit = true;
      else return `protocol-flags ${flag} was not offered`;
    }
    return undefined;
  },
  "auth-token": (draft, [, token]) => {
    draft.authToken = token;
    return undefined;
  },
  "auth-token-user": (draft, [, user]) => {
    draft.authTokenUser = user;
    return undefined;
  },
};

/** The draft as it is used. */
export function insideOf(draft: InsideDraft): Inside {
  const { ifconfig, ifconfig6, topology } = draft;
  const addresses: Prefix[] = [];
  if (ifconfig !== undefined) {
    const [local, second] = ifconfig;
    // By topology the second is a netmask, or the address at the other end.
    const length = topology === "subnet" ? (maskLength(second) ?? 32) : topology === "net30" ? 30 : 32;
    addresses.push({ address: parseAddress(local)!, length });
  }
  if (ifconfig6 !== undefined) addresses.push(parsePrefix(ifconfig6)!);
  return { ...draft, addresses };
}

function addRoute(draft: InsideDraft, route: Prefix): undefined {
  if (draft.routes.length < pushOptionsMax) draft.routes.push(route);
}

const isIp4 = (text: string | undefined): boolean => text !== undefined && parseAddress(text)?.length === 4;
const isDomain = (text: string): boolean => text.length <= 253 && /^[A-Za-z0-9._-]+$/.test(text);

/** Length of the prefix that a netmask says; undefined if it has holes. */
export function maskLength(mask: string): number | undefined {
  const bytes = parseAddress(mask);
  if (bytes?.length !== 4) return undefined;
  const value = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  const inverted = ~value >>> 0;
  return (inverted & (inverted + 1)) === 0 ? 32 - Math.log2(inverted + 1) : undefined;
}

export function numberOf(text: string | undefined, min: number, max: number): number | undefined {
  const value = text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
