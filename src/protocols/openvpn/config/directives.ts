import { fromHex, parseAddress, utf8 } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import { type GroupName, groups, type SuiteName, suites12, suites13 } from "../../tls/parameters/index.js";
import { readClientKey, readStaticKey } from "../control/static-key.js";
import { dataCipher, digestNamed } from "../data/ciphers.js";
import { remotesMax, replayWindowMax } from "../limits.js";
import { unsupported, wrong } from "./complaints.js";
import { numberOf } from "./inside.js";
import type { Directive } from "./lines.js";
import type { OvpnDraft } from "./ovpn.js";

type Take = (draft: OvpnDraft, directive: Directive) => void;

/** Of no effect, and in every file. */
const quiet: ReadonlySet<string> = new Set(["nobind", "resolv-retry", "persist-key", "persist-tun", "verb", "mute"]);

/** The options of a client's file, by name (openvpn(8)); those of the inside stand in `inside.ts`. */
export const directives: Readonly<Record<string, Take>> = {
  client: (draft) => {
    draft.isClient = true;
    draft.pull = true;
  },
  "tls-client": (draft) => {
    draft.isClient = true;
  },
  pull: (draft) => {
    draft.pull = true;
  },
  dev: (draft, { line, words: [, name = ""] }) => {
    if (name.startsWith("tap")) throw tap(line);
    if (!name.startsWith("tun") && name !== "null") {
      draft.warnings.push({ line, message: `dev ${name}: the inside is a stack here, and its name is of no effect` });
    }
    draft.hasDev = true;
  },
  "dev-type": (_, { line, words: [, type] }) => {
    if (type !== "tun") throw tap(line);
  },
  proto: (draft, { line, words: [, name] }) => {
    const proto = protocols[name ?? ""];
    if (proto === undefined) throw wrong(line, `proto ${name ?? ""} is none of ${Object.keys(protocols).join(", ")}`);
    [draft.transport, draft.family] = proto;
  },
  remote: (draft, { line, words: [, host, port, proto] }) => {
    if (host === undefined) throw wrong(line, "remote wants a host");
    if (draft.remotes.length >= remotesMax) throw wrong(line, `more than ${remotesMax} remotes`);
    const found = proto === undefined ? undefined : protocols[proto];
    if (proto !== undefined && found === undefined) throw wrong(line, `remote: ${proto} is no protocol`);
    draft.remotes.push({
      host,
      ...(port !== undefined && { port: portOf(line, port) }),
      ...(found && { transport: found[0], family: found[1] }),
    });
  },
  "remote-random": (draft) => {
    draft.remoteRandom = true;
  },
  port: (draft, { line, words: [, port] }) => {
    draft.port = portOf(line, port);
  },
  rport: (draft, { line, words: [, port] }) => {
    draft.port = portOf(line, port);
  },
  lport: (draft, { line, words: [, port] }) => {
    draft.localPort = portOf(line, port);
  },
  local: (draft, { line, words: [, address] }) => {
    if (address === undefined || parseAddress(address) === undefined) throw wrong(line, "local wants an address");
    draft.localAddress = address;
  },
  // ── whom to trust, and who we are
  ca: (draft, directive) => {
    draft.ca = textOf(directive);
  },
  cert: (draft, directive) => {
    draft.cert = textOf(directive);
  },
  key: (draft, directive) => {
    draft.key = secretOf(directive);
  },
  "extra-certs": (draft, directive) => {
    draft.extraCerts = textOf(directive);
  },
  "crl-verify": (draft, directive) => {
    if (directive.words[2] === "dir") throw unsupported(directive.line, "crl-verify of a folder is not known here");
    draft.crl = textOf(directive);
  },
  "peer-fingerprint": (draft, { line, words, inline }) => {
    const texts = inline === undefined ? words.slice(1) : inline.split("\n").map((text) => text.trim());
    for (const text of texts.filter((each) => each !== "" && !/^[#;]/.test(each))) {
      const fingerprint = fingerprintOf(text);
      if (fingerprint === undefined) throw wrong(line, "peer-fingerprint wants SHA-256 in hex");
      draft.peerFingerprints.push(fingerprint);
    }
  },
  "remote-cert-tls": (draft, { line, words: [, role] }) => {
    if (role !== "server") throw wrong(line, "remote-cert-tls of a client is `server`");
    draft.checksServerRole = true;
  },
  "remote-cert-eku": (draft, { line, words: [, usage] }) => {
    if (usage !== "TLS Web Server Authentication" && usage !== "1.3.6.1.5.5.7.3.1") {
      throw unsupported(line, "remote-cert-eku is known for TLS Web Server Authentication alone");
    }
    draft.checksServerRole = true;
  },
  "remote-cert-ku": noEffect("the usual key usages are always checked"),
  "ns-cert-type": (draft, { line, words: [, role] }) => {
    if (role !== "server") throw wrong(line, "ns-cert-type of a client is `server`");
    draft.checksServerRole = true;
    draft.warnings.push({ line, message: "ns-cert-type is read as remote-cert-tls: Netscape's extension is gone" });
  },
  "verify-x509-name": (draft, { line, words: [, text, kind = "subject"] }) => {
    if (text === undefined || (kind !== "subject" && kind !== "name" && kind !== "name-prefix")) {
      throw wrong(line, "verify-x509-name wants a name, then subject, name or name-prefix");
    }
    draft.nameCheck = { kind, text };
  },
  "tls-remote": (_, { line }) => {
    throw unsupported(line, "tls-remote is gone from OpenVPN", "say verify-x509-name");
  },
  "tls-version-min": (draft, { line, words: [, version] }) => {
    // 1.0 and 1.1 do not exist here (RFC 8996), so asking for at least those asks for nothing.
    if (version === "1.2" || version === "1.3") draft.tlsVersionMin = version;
    else if (version !== "1.0" && version !== "1.1") throw wrong(line, "tls-version-min is 1.2 or 1.3");
  },
  "tls-version-max": (draft, { line, words: [, version] }) => {
    if (version !== "1.2" && version !== "1.3") throw wrong(line, "tls-version-max is 1.2 or 1.3");
    draft.tlsVersionMax = version;
  },
  pkcs12: (_, { line }) => {
    throw unsupported(line, "pkcs12 is not read here", "openssl pkcs12 -in FILE -nodes gives the cert, key and ca");
  },
  askpass: (draft, directive) => {
    if (directive.words[1] !== undefined) draft.passphrase = new Secret(utf8(firstLine(textOf(directive))));
  },
  // ── keys that are shared before
  "tls-auth": (draft, directive) => {
    const { line, words } = directive;
    const direction = words[2] === undefined ? undefined : directionOf(line, words[2]);
    draft.tlsAuth = { key: staticKey(directive), direction };
  },
  "tls-crypt": (draft, directive) => {
    draft.tlsCrypt = staticKey(directive);
  },
  "tls-crypt-v2": (draft, directive) => {
    const key = readClientKey(textOf(directive));
    if (key === undefined) throw wrong(directive.line, "tls-crypt-v2: this is no client key");
    draft.tlsCryptV2 = key;
  },
  "key-direction": (draft, { line, words: [, direction] }) => {
    draft.keyDirection = directionOf(line, direction);
  },
  secret: (_, { line }) => {
    throw unsupported(line, "static keys without TLS have no forward secrecy and are refused", "use TLS mode");
  },
  // ── algorithms
  auth: (draft, { line, words: [, name] }) => {
    const hash = digestNamed(name ?? "");
    if (hash === undefined) throw unsupported(line, `auth ${name ?? ""} is not known here`);
    draft.auth = hash;
  },
  cipher: (draft, { line, words: [, name] }) => {
    if (name !== undefined && dataCipher(name) === undefined) {
      draft.warnings.push({ line, message: `cipher ${name} does not exist here; what data-ciphers says counts` });
    } else draft.cipher = name;
  },
  "data-ciphers": takeDataCiphers,
  "ncp-ciphers": takeDataCiphers,
  "data-ciphers-fallback": (draft, { line, words: [, name] }) => {
    if (name === undefined || dataCipher(name) === undefined)
      throw unsupported(line, `cipher ${name ?? ""} is unknown`);
    draft.fallbackCipher = name;
  },
  "ncp-disable": noEffect("ciphers are always negotiated"),
  keysize: noEffect("a cipher has its key's size"),
  "tls-cipher": (draft, directive) => {
    draft.suites12 = namesOf(draft, directive, suiteNamed12);
  },
  "tls-ciphersuites": (draft, directive) => {
    draft.suites13 = namesOf(draft, directive, suiteNamed13);
  },
  "tls-groups": (draft, directive) => {
    draft.groups = namesOf(draft, directive, groupNamed);
  },
  "tls-cert-profile": noEffect("certificates are held to today's rules"),
  // ── who asks for whom
  "auth-user-pass": (draft, directive) => {
    if (directive.inline === undefined && directive.words[1] === undefined) {
      draft.credentials = "ask";
      return;
    }
    const [user = "", password] = textOf(directive).split(/\r?\n/);
    if (user === "") throw wrong(directive.line, "auth-user-pass has no user name");
    draft.credentials = { user, password: password ? new Secret(utf8(password)) : undefined };
  },
  "static-challenge": (draft, { words: [, text] }) => {
    draft.staticChallenge = text;
  },
  "auth-retry": noEffect("a refused user is not tried again, a refused token is"),
  "auth-nocache": noEffect("the password is kept while the tunnel is"),
  setenv: (draft, { line, words: [, name, value = ""] }) => {
    if (name?.startsWith("UV_") && /^[A-Za-z0-9_]{1,64}$/.test(name) && /^[\x20-\x7e]{0,512}$/.test(value)) {
      draft.peerInfo.push(`${name}=${value}`);
    } else if (name === "opt") draft.warnings.push({ line, message: "setenv opt is passed over" });
  },
  "push-peer-info": () => {},
  // ── times and limits
  "reneg-sec": (draft, { line, words: [, value] }) => {
    draft.renewAfterMs = secondsOf(line, "reneg-sec", value);
  },
  "reneg-bytes": (draft, { line, words: [, value] }) => {
    draft.renewBytes = countOf(line, "reneg-bytes", value);
  },
  "reneg-pkts": (draft, { line, words: [, value] }) => {
    draft.renewPackets = countOf(line, "reneg-pkts", value);
  },
  "hand-window": (draft, { line, words: [, value] }) => {
    draft.handshakeWindowMs = secondsOf(line, "hand-window", value);
  },
  "tran-window": (draft, { line, words: [, value] }) => {
    draft.transitionWindowMs = secondsOf(line, "tran-window", value);
  },
  "server-poll-timeout": takePoll,
  "connect-timeout": takePoll,
  "connect-retry": (draft, { line, words: [, first, most] }) => {
    draft.retryMs = secondsOf(line, "connect-retry", first);
    if (most !== undefined) draft.retryMaxMs = secondsOf(line, "connect-retry", most);
  },
  keepalive: (draft, { line, words: [, every, after] }) => {
    draft.inside.pingMs = secondsOf(line, "keepalive", every);
    draft.inside.pingRestartMs = secondsOf(line, "keepalive", after);
  },
  "replay-window": (draft, { line, words: [, packets] }) => {
    // How late in seconds is not asked: a packet that the window remembers is none that was seen.
    draft.replayWindow = countOf(line, "replay-window", packets, replayWindowMax);
  },
  "pull-filter": (draft, { line, words: [, action, text] }) => {
    if ((action !== "accept" && action !== "ignore" && action !== "reject") || text === undefined) {
      throw wrong(line, "pull-filter wants accept, ignore or reject, and a text");
    }
    draft.pullFilters.push({ action, text });
  },
  "route-nopull": (draft) => {
    for (const text of ["route", "dhcp-option", "redirect-gateway"]) draft.pullFilters.push({ action: "ignore", text });
  },
  "ignore-unknown-option": () => {},
  fragment: (_, { line }) => {
    throw unsupported(line, "fragment, a framing of OpenVPN's own, is refused", "take it out on both sides");
  },
  "http-proxy": (_, { line }) => {
    throw unsupported(line, "http-proxy is not known here", "open the tunnel on another tunnel's network instead");
  },
  "socks-proxy": (_, { line }) => {
    throw unsupported(line, "socks-proxy is not known here", "open the tunnel on another tunnel's network instead");
  },
  mode: (_, { line }) => {
    throw unsupported(line, "the file is a server's");
  },
  server: (_, { line }) => {
    throw unsupported(line, "the file is a server's");
  },
  "tls-server": (_, { line }) => {
    throw unsupported(line, "the file is a server's");
  },
  ...refused(
    [
      "up",
      "down",
      "route-up",
      "route-pre-down",
      "ipchange",
      "tls-verify",
      "client-connect",
      "client-disconnect",
      "auth-user-pass-verify",
      "learn-address",
    ],
    "would run a command, and is refused",
    "take it out: a tunnel inside a process needs no commands",
  ),
  ...refused(["plugin"], "would load code, and is refused", "take it out: a tunnel inside a process needs no plugin"),
  ...withoutEffect({
    nobind: "any port outside is used, unless lport says otherwise",
    bind: "any port outside is used, unless lport says otherwise",
    float: "a server's answers are taken from where it is",
    "resolv-retry": "names are looked up again with every try",
    "persist-key": "keys are kept",
    "persist-tun": "the inside is kept",
    "persist-local-ip": "the inside is kept",
    "persist-remote-ip": "names are looked up again with every try",
    user: "no privileges are held that could be dropped",
    group: "no privileges are held that could be dropped",
    chroot: "no files are opened later",
    verb: "what happens is told as events",
    mute: "what happens is told as events",
    "mute-replay-warnings": "replays are counted",
    log: "nothing is logged to files",
    "log-append": "nothing is logged to files",
    status: "the status is asked for",
    daemon: "the process is its own",
    writepid: "the process is its own",
    management: "there is no management interface",
    "script-security": "scripts never run",
    "block-outside-dns": "names inside are asked inside anyway",
    "register-dns": "the system's resolver is not touched",
    mssfix: "packets inside are made to fit",
    "link-mtu": "packets inside are made to fit",
    "mtu-disc": "packets inside are made to fit",
    "mtu-test": "packets inside are made to fit",
    sndbuf: "the system's sizes are used",
    rcvbuf: "the system's sizes are used",
    "socket-flags": "the system's are used",
    "tcp-nodelay": "it is on anyway",
    nice: "the process is its own",
    "fast-io": "input and output are batched anyway",
    txqueuelen: "there is no device's queue",
    "route-delay": "routes inside a process need no time",
    "route-method": "routes inside a process need none",
    "allow-compression": "nothing is compressed here",
    "disable-dco": "there is no kernel's data channel here",
    "remote-random-hostname": "the name is looked up as it is",
    inactive: "who is idle says nothing",
    "tls-timeout": "control packets go out again after two seconds",
    "max-packet-size": "control packets are small",
    "connect-retry-max": "before the first session every remote is tried once, afterwards for ever",
    "opt-verify": "options strings are not compared",
    providers: "algorithms are the process's",
    engine: "algorithms are the process's",
    "auth-token": "tokens are the server's to give",
    service: "the process is its own",
    "win-sys": "the process is its own",
    "ip-win32": "the inside is a stack",
    "dhcp-renew": "the inside is a stack",
    "windows-driver": "the inside is a stack",
    "dev-node": "the inside is a stack",
    lladdr: "the inside is a stack",
    "tun-ipv6": "IPv6 is always carried",
    mark: "packets are not marked",
  }),
};

const protocols: Readonly<Record<string, readonly ["udp" | "tcp", 4 | 6 | undefined]>> = {
  udp: ["udp", undefined],
  udp4: ["udp", 4],
  udp6: ["udp", 6],
  tcp: ["tcp", undefined],
  tcp4: ["tcp", 4],
  tcp6: ["tcp", 6],
  "tcp-client": ["tcp", undefined],
  "tcp4-client": ["tcp", 4],
  "tcp6-client": ["tcp", 6],
};

function takeDataCiphers(draft: OvpnDraft, { line, words: [, text = ""] }: Directive): void {
  const names: string[] = [];
  for (const each of text.split(":")) {
    if (each === "DEFAULT") names.push("AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305");
    else {
      const cipher = dataCipher(each.replace(/^\?/, ""));
      if (cipher !== undefined) names.push(cipher.name);
      else if (!each.startsWith("?")) draft.warnings.push({ line, message: `cipher ${each} does not exist here` });
    }
  }
  if (names.length === 0) throw unsupported(line, "none of these ciphers exists here");
  draft.dataCiphers = [...new Set(names)];
}

/** A list with colons between; what does not exist here is a warning, and nothing at all is refused. */
function namesOf<T>(
  draft: OvpnDraft,
  { line, words: [option, text = ""] }: Directive,
  find: (name: string) => T | undefined,
): readonly T[] {
  const found: T[] = [];
  for (const name of text.split(":")) {
    const known = find(name.replace(/^\?/, ""));
    if (known !== undefined) found.push(known);
    else if (!name.startsWith("?")) draft.warnings.push({ line, message: `${option}: ${name} does not exist here` });
  }
  if (found.length === 0) throw unsupported(line, `${option}: nothing of it exists here`);
  return found;
}

/** As IANA writes it, with - for _ as openvpn(8) does, or as OpenSSL has it: ECDHE-RSA-AES256-GCM-SHA384. */
function suiteNamed12(name: string): SuiteName | undefined {
  const plain = (text: string): string => text.replace(/^TLS_|WITH_|_/g, "");
  const wanted = plain(name.replaceAll("-", "_"));
  // Suites without certificates, or without forward secrecy, are no business of this protocol's.
  return suites12.find((suite) => /^TLS_(EC)?DHE_(RSA|ECDSA)_/.test(suite.name) && plain(suite.name) === wanted)?.name;
}

const suiteNamed13 = (name: string): SuiteName | undefined =>
  suites13.find((suite) => suite.name === name.replaceAll("-", "_"))?.name;

/** Curves by the names that OpenSSL has for them, too. */
function groupNamed(name: string): GroupName | undefined {
  const own = { "P-256": "secp256r1", PRIME256V1: "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1" };
  const wanted = Object.entries(own).find(([each]) => each === name.toUpperCase())?.[1] ?? name;
  return groups.find((group) => group.name.toLowerCase() === wanted.toLowerCase())?.name;
}

function takePoll(draft: OvpnDraft, { line, words: [name = "", value] }: Directive): void {
  draft.serverPollMs = secondsOf(line, name, value);
}

function noEffect(why: string): Take {
  return (draft, { line, words: [name] }) => {
    draft.warnings.push({ line, message: `${name} has no effect: ${why}` });
  };
}

/** Understood, and of no effect: what every file says is not worth a warning when nothing is lost by it. */
function withoutEffect(names: Readonly<Record<string, string>>): Readonly<Record<string, Take>> {
  const own = Object.entries(names).filter(([, why]) => why !== "");
  return Object.fromEntries(own.map(([name, why]) => [name, quiet.has(name) ? () => {} : noEffect(why)]));
}

function refused(names: readonly string[], why: string, hint: string): Readonly<Record<string, Take>> {
  return Object.fromEntries(
    names.map((name) => [
      name,
      (_: OvpnDraft, { line }: Directive) => {
        throw unsupported(line, `${name} ${why}`, hint);
      },
    ]),
  );
}

const tap = (line: number): Error =>
  unsupported(line, "dev tap carries Ethernet, which is not wired to the stack yet", "use dev tun on both sides");

/** What stood in the inline block, or in the file that the option names. */
export function textOf({ line, words: [name, file], inline, read }: Directive): string {
  if (inline !== undefined) return inline;
  if (file === undefined) throw wrong(line, `${name} names no file and has no block`);
  const text = read?.(file);
  if (text !== undefined) return text;
  throw wrong(line, `${name}: ${file} cannot be read`, `put it into the file, between <${name}> and </${name}>`);
}

const secretOf = (directive: Directive): Secret => new Secret(utf8(textOf(directive)));

function staticKey(directive: Directive): Secret {
  const key = readStaticKey(textOf(directive));
  if (key === undefined) throw wrong(directive.line, `${directive.words[0]}: this is no OpenVPN static key`);
  return key;
}

const firstLine = (text: string): string => text.split(/\r?\n/)[0]!;

function directionOf(line: number, text: string | undefined): 0 | 1 | undefined {
  if (text === "bidirectional") return undefined;
  if (text !== "0" && text !== "1") throw wrong(line, "a key's direction is 0 or 1");
  return text === "0" ? 0 : 1;
}

export function portOf(line: number, text: string | undefined): number {
  const port = numberOf(text, 1, 65_535);
  if (port === undefined) throw wrong(line, `${text ?? "nothing"} is no port`);
  return port;
}

export function secondsOf(line: number, name: string, text: string | undefined): number {
  return 1_000 * countOf(line, name, text, 2_000_000);
}

export function countOf(line: number, name: string, text: string | undefined, max = Number.MAX_SAFE_INTEGER): number {
  const value = numberOf(text, 0, max);
  if (value === undefined) throw wrong(line, `${name} wants a number`);
  return value;
}

/** A fingerprint as `openssl x509 -fingerprint -sha256` writes it. */
function fingerprintOf(text: string): Uint8Array | undefined {
  const hex = text.replace(/:/g, "");
  return /^[0-9A-Fa-f]{64}$/.test(hex) ? fromHex(hex.toLowerCase()) : undefined;
}
