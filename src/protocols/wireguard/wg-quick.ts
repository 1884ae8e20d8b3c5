import { fromBase64, type Prefix, parseAddress, parsePrefix } from "../../bytes/index.js";
import { Secret } from "../../contract/index.js";
import { failure } from "./failure.js";

/** What a wg-quick file says, with names not looked up yet. */
export interface WgQuickFile {
  readonly interface: {
    /** Absent if the file leaves it out: then it comes from elsewhere. */
    readonly privateKey: Secret | undefined;
    readonly listenPort: number | undefined;
    /** Our addresses inside, each with its prefix length. */
    readonly addresses: readonly Prefix[];
    /** Resolvers inside, as addresses. */
    readonly dns: readonly string[];
    readonly searchDomains: readonly string[];
    readonly mtu: number | undefined;
    /** Where routes go if there is a device: nowhere, a table of their own, or where they belong. */
    readonly table: "off" | number | undefined;
  };
  readonly peers: readonly WgQuickPeer[];
  /** Keys that were understood but have no effect here, and keys that were not understood. */
  readonly warnings: readonly WgQuickWarning[];
}

export interface WgQuickPeer {
  readonly publicKey: Uint8Array;
  readonly preSharedKey: Secret | undefined;
  readonly allowedIps: readonly Prefix[];
  readonly endpoint: { readonly host: string; readonly port: number } | undefined;
  readonly persistentKeepaliveMs: number | undefined;
}

export interface WgQuickWarning {
  readonly line: number;
  readonly message: string;
}

/**
 * Reads a wg-quick file (wg-quick(8), wg(8)): INI with repeated sections, keys without regard to case, `#` comments.
 * Throws `misuse/bad-configuration` with the line; what is unknown or has no meaning inside a process is a warning.
 */
export function parseWgQuick(text: string): WgQuickFile {
  const draft: Draft = { addresses: [], dns: [], searchDomains: [], peers: [], warnings: [] };
  let section: "interface" | "peer" | undefined;
  let peer: PeerDraft | undefined;
  let seenInterface = false;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const content = raw.replace(/#.*/, "").trim();
    if (content === "") continue;
    const header = /^\[(.*)\]$/.exec(content)?.[1]?.trim().toLowerCase();
    if (header === "interface") {
      if (seenInterface) throw wrong(line, "a second [Interface] section");
      seenInterface = true;
      section = "interface";
    } else if (header === "peer") {
      peer = { line, allowedIps: [] };
      draft.peers.push(peer);
      section = "peer";
    } else if (header !== undefined) throw wrong(line, `no section is called [${header}]`);
    else {
      const [, name, value] = /^([^=]*)=(.*)$/.exec(content) ?? [];
      if (name === undefined || value === undefined) throw wrong(line, "neither a section nor `Key = Value`");
      const key = name.trim().toLowerCase();
      const entry: Entry = { line, name: name.trim(), value: value.trim() };
      if (section === undefined) throw wrong(line, `${entry.name} stands before any section`);
      if (section === "interface") takeKey(interfaceKeys, key, entry, draft, draft);
      else takeKey(peerKeys, key, entry, peer!, draft);
    }
  }
  if (!seenInterface) throw wrong(1, "there is no [Interface] section");
  return finish(draft);
}

interface Entry {
  readonly line: number;
  readonly name: string;
  readonly value: string;
}

interface Draft {
  privateKey?: Secret;
  listenPort?: number;
  mtu?: number;
  table?: "off" | number;
  readonly addresses: Prefix[];
  readonly dns: string[];
  readonly searchDomains: string[];
  readonly peers: PeerDraft[];
  readonly warnings: WgQuickWarning[];
}

interface PeerDraft {
  readonly line: number;
  publicKey?: Uint8Array;
  preSharedKey?: Secret;
  endpoint?: { host: string; port: number };
  persistentKeepaliveMs?: number;
  readonly allowedIps: Prefix[];
}

type Keys<Target> = Readonly<Record<string, (target: Target, entry: Entry, draft: Draft) => void>>;

const interfaceKeys: Keys<Draft> = {
  privatekey: (draft, entry) => {
    draft.privateKey = new Secret(keyOf(entry));
  },
  listenport: (draft, entry) => {
    draft.listenPort = numberOf(entry, 0, 65_535);
  },
  address: (draft, entry) => {
    for (const part of listOf(entry)) draft.addresses.push(prefixOf(entry, part));
  },
  dns: (draft, entry) => {
    for (const part of listOf(entry)) (parseAddress(part) ? draft.dns : draft.searchDomains).push(part);
  },
  mtu: (draft, entry) => {
    draft.mtu = numberOf(entry, 576, 65_535);
  },
  // Nothing here ever runs a shell command from a file.
  preup: refuseScript,
  postup: refuseScript,
  predown: refuseScript,
  postdown: refuseScript,
  table: (draft, entry) => {
    if (entry.value === "off") draft.table = "off";
    else if (entry.value !== "auto") draft.table = entry.value === "main" ? mainTable : numberOf(entry, 1, 0x7fff_ffff);
    const message = "Table counts for a device alone: routes inside a process follow AllowedIPs";
    draft.warnings.push({ line: entry.line, message });
  },
  saveconfig: withoutEffect("the file is never written"),
  fwmark: withoutEffect("packets are not marked"),
};

const peerKeys: Keys<PeerDraft> = {
  publickey: (peer, entry) => {
    peer.publicKey = keyOf(entry);
  },
  presharedkey: (peer, entry) => {
    const key = keyOf(entry);
    // All zeros is how wg(8) writes "none".
    if (key.some((byte) => byte !== 0)) peer.preSharedKey = new Secret(key);
  },
  allowedips: (peer, entry) => {
    for (const part of listOf(entry)) peer.allowedIps.push(prefixOf(entry, part));
  },
  endpoint: (peer, entry) => {
    peer.endpoint = endpointOf(entry);
  },
  persistentkeepalive: (peer, entry) => {
    if (entry.value !== "off") peer.persistentKeepaliveMs = numberOf(entry, 0, 65_535) * 1_000;
  },
};

/** RT_TABLE_MAIN of rtnetlink(7). */
const mainTable = 254;

function takeKey<Target>(keys: Keys<Target>, key: string, entry: Entry, target: Target, draft: Draft): void {
  const take = Object.hasOwn(keys, key) ? keys[key] : undefined;
  if (take !== undefined) take(target, entry, draft);
  else draft.warnings.push({ line: entry.line, message: `${entry.name} is not known and was passed over` });
}

function finish(draft: Draft): WgQuickFile {
  const { privateKey, listenPort, mtu, table, addresses, dns, searchDomains, warnings } = draft;
  const peers = draft.peers.map((peer): WgQuickPeer => {
    if (peer.publicKey === undefined) throw wrong(peer.line, "this [Peer] has no PublicKey");
    return {
      publicKey: peer.publicKey,
      preSharedKey: peer.preSharedKey,
      allowedIps: peer.allowedIps,
      endpoint: peer.endpoint,
      persistentKeepaliveMs: peer.persistentKeepaliveMs,
    };
  });
  return { interface: { privateKey, listenPort, addresses, dns, searchDomains, mtu, table }, peers, warnings };
}

function refuseScript(_: unknown, { line, name }: Entry): never {
  throw failure("bad-configuration", `line ${line}: ${name} would run a shell command, and is refused`, {
    at: `line ${line}`,
    hint: `take the ${name} line out: a tunnel inside a process needs no routes or firewall rules`,
  });
}

function withoutEffect(why: string) {
  return (_: unknown, { line, name }: Entry, draft: Draft): void => {
    draft.warnings.push({ line, message: `${name} has no effect: ${why}` });
  };
}

function wrong(line: number, message: string): Error {
  return failure("bad-configuration", `line ${line}: ${message}`, { at: `line ${line}` });
}

function listOf({ value }: Entry): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** Never repeats the value: it may be secret. */
function keyOf({ line, name, value }: Entry): Uint8Array {
  const key = fromBase64(value);
  if (key?.length !== 32) throw wrong(line, `${name} is not 32 bytes in base64`);
  return key;
}

function numberOf({ line, name, value }: Entry, min: number, max: number): number {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max)) throw wrong(line, `${name} is not a number from ${min} to ${max}`);
  return number;
}

function prefixOf({ line, name }: Entry, text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw wrong(line, `${name}: ${text} is not an address with a prefix length`);
  return prefix;
}

function endpointOf(entry: Entry): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(entry.value);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || (match?.[1] !== undefined && parseAddress(host)?.length !== 16)) {
    throw wrong(entry.line, "Endpoint is not host:port or [address]:port");
  }
  return { host, port: numberOf({ ...entry, value: match![3]! }, 1, 65_535) };
}
