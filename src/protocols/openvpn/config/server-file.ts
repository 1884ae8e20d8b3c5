import { formatAddress, type Prefix, parseAddress, parsePrefix } from "../../../bytes/index.js";
import type { HashName, Secret } from "../../../contract/index.js";
import type { ServerControlKey } from "../control/stateless.js";
import { readServerKey } from "../control/static-key.js";
import { failure } from "../failure.js";
import { clientsMax, pushOptionsMax } from "../limits.js";
import type { Renewal } from "../session.js";
import { unsupported, wrong } from "./complaints.js";
import { countOf, secondsOf, textOf } from "./directives.js";
import { maskLength, numberOf } from "./inside.js";
import { type Directive, directivesOf, type ReadNamed } from "./lines.js";
import { newDraft, type OvpnDraft, type OvpnFile, type OvpnWarning, sharedControl, takeShared } from "./ovpn.js";
import { wordsOf } from "./words.js";

/** What `client-config-dir` says of one client, by its common name or user. */
export interface ClientConfiguration {
  /** `disable`: it is not let in. */
  readonly isDisabled: boolean;
  /** `ifconfig-push`, `ifconfig-ipv6-push`: in place of the pool's. */
  readonly addresses: readonly Prefix[];
  /** `iroute`: networks behind it. */
  readonly routes: readonly Prefix[];
  readonly push: readonly string[];
  /** `push-reset`: what all clients get is not for it. */
  readonly isReset: boolean;
}

/** What an OpenVPN server's file says. Texts in PEM are as they came. */
export interface OvpnServerFile {
  readonly transport: "udp" | "tcp";
  readonly localAddress: string | undefined;
  readonly port: number;
  readonly family: 4 | 6 | undefined;
  readonly ca: string | undefined;
  readonly cert: string;
  readonly key: Secret;
  readonly passphrase: Secret | undefined;
  readonly extraCerts: string | undefined;
  readonly crl: string | undefined;
  readonly peerFingerprints: readonly Uint8Array[];
  /** `remote-cert-tls client`: its certificate must say that it is one's. */
  readonly checksClientRole: boolean;
  readonly clientCertificate: "none" | "request" | "require";
  readonly tlsVersionMin: "1.2" | "1.3" | undefined;
  readonly tlsVersionMax: "1.2" | "1.3" | undefined;
  readonly suites12: OvpnFile["suites12"];
  readonly suites13: OvpnFile["suites13"];
  readonly groups: OvpnFile["groups"];
  readonly replayWindow: number | undefined;
  readonly control: ServerControlKey;
  readonly dataCiphers: readonly string[] | undefined;
  readonly auth: HashName;
  /** Ours inside, each with the length of its network, whose other addresses are the clients'. */
  readonly addresses: readonly Prefix[];
  /** `ifconfig-pool`: the first and the last of the IPv4 addresses that are given out. Default: the whole network. */
  readonly pool: readonly [Uint8Array, Uint8Array] | undefined;
  /** Networks that lead into the tunnel. */
  readonly routes: readonly Prefix[];
  readonly push: readonly string[];
  readonly clientToClient: boolean;
  readonly duplicateNames: boolean;
  readonly clientsMax: number | undefined;
  readonly pingMs: number | undefined;
  readonly pingRestartMs: number | undefined;
  readonly renewal: Partial<Renewal>;
  readonly handshakeWindowMs: number | undefined;
  readonly transitionWindowMs: number | undefined;
  readonly mtu: number | undefined;
  /** `client-config-dir`: what is said of a client, undefined if nothing is. Throws as the parser does. */
  readonly configurationOf: (name: string) => ClientConfiguration | undefined;
  /** `ccd-exclusive`: who has no such file is not let in. */
  readonly isExclusive: boolean;
  readonly warnings: readonly OvpnWarning[];
}

interface ServerDraft {
  readonly shared: OvpnDraft;
  isServer: boolean;
  network4: Prefix | undefined;
  network6: Prefix | undefined;
  pool: readonly [Uint8Array, Uint8Array] | undefined;
  readonly push: string[];
  serverKey: Secret | undefined;
  clientToClient: boolean;
  duplicateNames: boolean;
  clientsMax: number | undefined;
  clientCertificate: "none" | "request" | "require";
  checksClientRole: boolean;
  configFolder: string | undefined;
  isExclusive: boolean;
  hasKeepalive: boolean;
}

type Take = (draft: ServerDraft, directive: Directive) => void;

/** The options that a server's file alone has, or that mean something else in it (openvpn(8)). */
const serverDirectives: Readonly<Record<string, Take>> = {
  mode: (draft, { line, words: [, mode] }) => {
    if (mode !== "server") throw unsupported(line, "mode p2p is not served");
    draft.isServer = true;
  },
  "tls-server": () => {},
  server: (draft, { line, words: [, network, mask = ""] }) => {
    const address = network === undefined ? undefined : parseAddress(network);
    const length = maskLength(mask);
    if (address?.length !== 4 || length === undefined || length > 30) {
      throw wrong(line, "server wants an IPv4 network and a netmask with room for clients");
    }
    draft.network4 = firstOf({ address, length });
    draft.isServer = true;
  },
  "server-ipv6": (draft, { line, words: [, text = ""] }) => {
    const prefix = parsePrefix(text);
    if (prefix?.address.length !== 16 || prefix.length > 124) {
      throw wrong(line, "server-ipv6 wants an IPv6 network of /124 at the most");
    }
    draft.network6 = firstOf(prefix);
    draft.isServer = true;
  },
  ifconfig: (draft, { line, words: [, local = "", mask = ""] }) => {
    const address = parseAddress(local);
    const length = maskLength(mask);
    if (address?.length !== 4 || length === undefined) throw wrong(line, "ifconfig wants an address and a netmask");
    draft.network4 = { address, length };
  },
  "ifconfig-ipv6": (draft, { line, words: [, text = ""] }) => {
    const prefix = parsePrefix(text);
    if (prefix?.address.length !== 16) throw wrong(line, "ifconfig-ipv6 wants an address with its prefix length");
    draft.network6 = prefix;
  },
  "ifconfig-pool": (draft, { line, words: [, first = "", last = ""] }) => {
    const [from, to] = [parseAddress(first), parseAddress(last)];
    if (from?.length !== 4 || to?.length !== 4) throw wrong(line, "ifconfig-pool wants two IPv4 addresses");
    draft.pool = [from, to];
  },
  topology: (draft, { line, words: [, kind] }) => {
    if (kind === "subnet") return;
    draft.shared.warnings.push({
      line,
      message: `topology ${kind ?? ""}: clients are told \`subnet\`, whatever is said`,
    });
  },
  proto: (draft, { line, words: [, name = ""] }) => {
    const found = protocols[name];
    if (found === undefined) throw wrong(line, `proto ${name} is none of ${Object.keys(protocols).join(", ")}`);
    [draft.shared.transport, draft.shared.family] = found;
  },
  port: takePort,
  lport: takePort,
  push: (draft, { line, words: [, option] }) => {
    if (option === undefined) throw wrong(line, "push wants an option in quotes");
    draft.push.push(pushable(line, option));
    if (draft.push.length > pushOptionsMax) throw wrong(line, `more than ${pushOptionsMax} pushed options`);
  },
  "client-to-client": (draft) => {
    draft.clientToClient = true;
  },
  "duplicate-cn": (draft) => {
    draft.duplicateNames = true;
  },
  "max-clients": (draft, { line, words: [, count] }) => {
    draft.clientsMax = countOf(line, "max-clients", count, clientsMax);
  },
  keepalive: (draft, { line, words: [, every, after] }) => {
    draft.shared.inside.pingMs = secondsOf(line, "keepalive", every);
    draft.shared.inside.pingRestartMs = secondsOf(line, "keepalive", after);
    draft.hasKeepalive = true;
  },
  "tls-crypt-v2": (draft, directive) => {
    draft.serverKey = readServerKey(textOf(directive));
    if (draft.serverKey === undefined) throw wrong(directive.line, "tls-crypt-v2: this is no server key");
  },
  "verify-client-cert": (draft, { line, words: [, how = "require"] }) => {
    const found = verifications[how];
    if (found === undefined) throw wrong(line, "verify-client-cert is none, optional or require");
    draft.clientCertificate = found;
  },
  "remote-cert-tls": (draft, { line, words: [, role] }) => {
    if (role !== "client") throw wrong(line, "remote-cert-tls of a server is `client`");
    draft.checksClientRole = true;
  },
  "client-config-dir": (draft, { line, words: [, folder] }) => {
    if (folder === undefined) throw wrong(line, "client-config-dir wants a folder");
    draft.configFolder = folder;
  },
  "ccd-exclusive": (draft) => {
    draft.isExclusive = true;
  },
  dh: () => {},
  "ecdh-curve": () => {},
  float: () => {},
  "explicit-exit-notify": () => {},
  "ifconfig-pool-persist": (draft, { line }) => {
    const message = "ifconfig-pool-persist has no effect: ifconfig-push in client-config-dir gives an address for good";
    draft.shared.warnings.push({ line, message });
  },
  "username-as-common-name": () => {},
  client: (_, { line }) => {
    throw wrong(line, "the file is a client's and a server's both");
  },
  remote: (_, { line }) => {
    throw unsupported(line, "a server has no remote: a tunnel of two peers is not served");
  },
};

const protocols: Readonly<Record<string, readonly ["udp" | "tcp", 4 | 6 | undefined]>> = {
  udp: ["udp", undefined],
  udp4: ["udp", 4],
  udp6: ["udp", 6],
  tcp: ["tcp", undefined],
  "tcp-server": ["tcp", undefined],
  "tcp4-server": ["tcp", 4],
  "tcp6-server": ["tcp", 6],
};

/** Zero is any that is free. */
function takePort({ shared }: ServerDraft, { line, words: [, text] }: Directive): void {
  const port = numberOf(text, 0, 65_535);
  if (port === undefined) throw wrong(line, `${text ?? "nothing"} is no port`);
  shared.localPort = port;
}

const verifications: Readonly<Record<string, "none" | "request" | "require">> = {
  none: "none",
  optional: "request",
  require: "require",
};

/**
 * Reads an OpenVPN server's file (openvpn(8)). Throws `misuse/bad-configuration` or `misuse/not-supported` with the line; what is
 * unknown or has no meaning inside a process is a warning.
 */
export function parseOvpnServer(text: string, read?: ReadNamed): OvpnServerFile {
  const draft: ServerDraft = {
    shared: newDraft(),
    isServer: false,
    network4: undefined,
    network6: undefined,
    pool: undefined,
    push: [],
    serverKey: undefined,
    clientToClient: false,
    duplicateNames: false,
    clientsMax: undefined,
    clientCertificate: "require",
    checksClientRole: false,
    configFolder: undefined,
    isExclusive: false,
    hasKeepalive: false,
  };
  const found = directivesOf(text, read);
  for (const { words } of found) {
    if (words[0] === "ignore-unknown-option") for (const name of words.slice(1)) draft.shared.ignored.add(name);
  }
  for (const directive of found) {
    const name = directive.words[0]!;
    const own = Object.hasOwn(serverDirectives, name) ? serverDirectives[name] : undefined;
    if (own !== undefined) own(draft, directive);
    else takeShared(draft.shared, directive);
  }
  return finish(draft, read);
}

function finish(draft: ServerDraft, read: ReadNamed | undefined): OvpnServerFile {
  const { shared, network4, network6, pool, serverKey, configFolder, hasKeepalive } = draft;
  const { cert, key, ca, peerFingerprints, inside } = shared;
  if (!draft.isServer) {
    throw failure("not-supported", "the file is no server's: neither `server` nor `mode server` is in it");
  }
  if (network4 === undefined && network6 === undefined) {
    throw failure("bad-configuration", "the file gives clients no addresses", { at: "server" });
  }
  if (cert === undefined || key === undefined) {
    throw failure("bad-configuration", "a server needs a certificate and its key", { at: "cert" });
  }
  if (ca === undefined && peerFingerprints.length === 0 && draft.clientCertificate !== "none") {
    throw failure("bad-configuration", "the file says nothing of whom to let in: neither ca nor peer-fingerprint", {
      at: "ca",
    });
  }
  if (inside.framing !== "none") {
    throw failure("not-supported", "nothing is compressed here (VORACLE), nor framed as if it were", {
      at: "comp-lzo",
      hint: "take comp-lzo and compress out on both sides; clients of 2.4 and later can do without",
    });
  }
  return {
    ...shared,
    cert,
    key,
    port: shared.localPort ?? shared.port,
    control: serverKey === undefined ? sharedControl(shared) : { kind: "tls-crypt-v2", serverKey },
    addresses: [network4, network6].filter((each) => each !== undefined),
    pool,
    routes: inside.routes,
    push: draft.push,
    clientToClient: draft.clientToClient,
    duplicateNames: draft.duplicateNames,
    clientsMax: draft.clientsMax,
    clientCertificate: draft.clientCertificate,
    checksClientRole: draft.checksClientRole,
    pingMs: hasKeepalive ? inside.pingMs : undefined,
    pingRestartMs: hasKeepalive ? inside.pingRestartMs : undefined,
    renewal: {
      bytes: shared.renewBytes,
      packets: shared.renewPackets,
      ...(shared.renewAfterMs !== undefined && { afterMs: shared.renewAfterMs }),
    },
    mtu: inside.mtu,
    configurationOf: (name) => {
      // The name is the client's own word: it may not lead out of the folder.
      if (configFolder === undefined || !/^[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,255}$/.test(name)) return undefined;
      const said = read?.(`${configFolder}/${name}`);
      return said === undefined ? undefined : clientConfiguration(said);
    },
    isExclusive: draft.isExclusive,
  };
}

function clientConfiguration(text: string): ClientConfiguration {
  const addresses: Prefix[] = [];
  const routes: Prefix[] = [];
  const push: string[] = [];
  let isDisabled = false;
  let isReset = false;
  const masked = (line: number, name: string, network = "", mask = "255.255.255.255"): Prefix => {
    const address = parseAddress(network);
    const length = maskLength(mask);
    if (address?.length !== 4 || length === undefined) throw wrong(line, `${name} wants an IPv4 address and a netmask`);
    return { address, length };
  };
  const six = (line: number, name: string, of = ""): Prefix => {
    const prefix = parsePrefix(of);
    if (prefix?.address.length !== 16) throw wrong(line, `${name} wants an IPv6 address with its prefix length`);
    return prefix;
  };
  for (const { line, words } of directivesOf(text, undefined)) {
    const [name = "", first, second] = words;
    if (name === "disable") isDisabled = true;
    else if (name === "push-reset") isReset = true;
    else if (name === "push" && first !== undefined) push.push(pushable(line, first));
    else if (name === "ifconfig-push") addresses.push(masked(line, name, first, second));
    else if (name === "ifconfig-ipv6-push") addresses.push(six(line, name, first));
    else if (name === "iroute") routes.push(masked(line, name, first, second));
    else if (name === "iroute-ipv6") routes.push(six(line, name, first));
    else throw unsupported(line, `${name} is not known in a client's configuration`);
    if (addresses.length + routes.length + push.length > pushOptionsMax) throw wrong(line, "too many options");
  }
  return { isDisabled, addresses, routes, push, isReset };
}

/** An option that fits a PUSH_REPLY: commas part its options, and it ends with a zero byte. */
function pushable(line: number, option: string): string {
  if (/[,\0\n\r]/.test(option) || wordsOf(option)?.[0] === undefined) throw wrong(line, "this cannot be pushed");
  if (/^(compress|comp-lzo)\b/.test(option)) throw unsupported(line, "nothing is compressed here (VORACLE)");
  return option;
}

/** A network with its first address for ourselves. */
function firstOf({ address, length }: Prefix): Prefix {
  const own = address.slice();
  const last = own.length - 1;
  for (let bit = length; bit < 8 * own.length; bit++) own[bit >> 3]! &= ~(0x80 >> (bit & 7));
  own[last]! |= 1;
  return parsePrefix(`${formatAddress(own)}/${length}`)!;
}
