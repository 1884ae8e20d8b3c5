import type { HashName, Secret } from "../../../contract/index.js";
import type { GroupName, SuiteName } from "../../tls/index.js";
import type { ControlKey } from "../control/wrap.js";
import { failure } from "../failure.js";
import { remotesMax } from "../limits.js";
import { wrong } from "./complaints.js";
import { directives } from "./directives.js";
import { type InsideDraft, insideOptions, newInside } from "./inside.js";
import { type Directive, directivesOf, type ReadNamed } from "./lines.js";
import type { PullFilter } from "./push.js";

export interface OvpnRemote {
  readonly host: string;
  readonly port: number;
  readonly transport: "udp" | "tcp";
  readonly family: 4 | 6 | undefined;
}

/** `verify-x509-name`: a whole subject, a common name, or the beginning of one. */
export interface NameCheck {
  readonly kind: "subject" | "name" | "name-prefix";
  readonly text: string;
}

export interface OvpnWarning {
  readonly line: number;
  readonly message: string;
}

/** What an OpenVPN client file says. Texts in PEM are as they came. */
export interface OvpnFile {
  readonly remotes: readonly OvpnRemote[];
  readonly remoteRandom: boolean;
  readonly control: ControlKey;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: Secret | undefined;
  readonly extraCerts: string | undefined;
  readonly crl: string | undefined;
  /** SHA-256 of certificates that are trusted in themselves. */
  readonly peerFingerprints: readonly Uint8Array[];
  /** `remote-cert-tls server`, `remote-cert-eku`, `remote-cert-ku`: the certificate is a server's. */
  readonly checksServerRole: boolean;
  readonly nameCheck: NameCheck | undefined;
  readonly tlsVersionMin: "1.2" | "1.3" | undefined;
  readonly tlsVersionMax: "1.2" | "1.3" | undefined;
  /** `tls-cipher`, `tls-ciphersuites` and `tls-groups` by IANA's names; undefined is what is usual. */
  readonly suites12: readonly SuiteName[] | undefined;
  readonly suites13: readonly SuiteName[] | undefined;
  readonly groups: readonly GroupName[] | undefined;
  readonly replayWindow: number | undefined;
  readonly auth: HashName;
  readonly dataCiphers: readonly string[] | undefined;
  readonly fallbackCipher: string | undefined;
  /** The file's `auth-user-pass`; "ask" if it only says that there are some. */
  readonly credentials: { readonly user: string; readonly password: Secret | undefined } | "ask" | undefined;
  readonly staticChallenge: string | undefined;
  /** What unlocks `key`. */
  readonly passphrase: Secret | undefined;
  readonly inside: InsideDraft;
  readonly pullFilters: readonly PullFilter[];
  readonly peerInfo: readonly string[];
  readonly renewBytes: number;
  readonly renewPackets: number;
  readonly renewAfterMs: number | undefined;
  readonly handshakeWindowMs: number | undefined;
  readonly transitionWindowMs: number | undefined;
  readonly serverPollMs: number | undefined;
  readonly retryMs: number | undefined;
  readonly retryMaxMs: number | undefined;
  /** Where the port outside is bound, if the file says so. */
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** What was understood and has no effect here, and what was not understood. */
  readonly warnings: readonly OvpnWarning[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface OvpnDraft
  extends Omit<
    Mutable<OvpnFile>,
    "remotes" | "warnings" | "pullFilters" | "peerInfo" | "control" | "peerFingerprints"
  > {
  remotes: Partial<Mutable<OvpnRemote>>[];
  warnings: OvpnWarning[];
  pullFilters: PullFilter[];
  peerInfo: string[];
  peerFingerprints: Uint8Array[];
  /** Defaults of `remote` lines. */
  port: number;
  transport: "udp" | "tcp";
  family: 4 | 6 | undefined;
  tlsAuth: { readonly key: Secret; readonly direction: 0 | 1 | undefined } | undefined;
  tlsCrypt: Secret | undefined;
  tlsCryptV2: { readonly key: Secret; readonly wrapped: Uint8Array } | undefined;
  keyDirection: 0 | 1 | undefined;
  cipher: string | undefined;
  isClient: boolean;
  pull: boolean;
  hasDev: boolean;
  readonly ignored: Set<string>;
}

/**
 * Reads an OpenVPN client file (openvpn(8)): options one a line, inline blocks, `<connection>` profiles. Throws
 * `misuse/bad-configuration` or `misuse/not-supported` with the line; what is unknown or has no meaning inside a process is a
 * warning. Without `read`, an option that names another file is refused.
 */
export function parseOvpn(text: string, read?: ReadNamed): OvpnFile {
  const draft = newDraft();
  let profile: { readonly line: number; readonly remote: Partial<Mutable<OvpnRemote>> } | undefined;
  /** What the lines say, in their order; a profile is one remote. */
  const found: (Directive | Partial<Mutable<OvpnRemote>>)[] = [];
  for (const directive of directivesOf(text, read)) {
    const { line, words } = directive;
    if (words[0] === "<connection>") {
      if (profile !== undefined) throw wrong(line, "a <connection> inside another");
      profile = { line, remote: {} };
    } else if (words[0] === "</connection>") {
      if (profile === undefined) throw wrong(line, "there is no <connection> to close");
      if (profile.remote.host === undefined) throw wrong(profile.line, "this <connection> has no remote");
      found.push(profile.remote);
      profile = undefined;
    } else if (profile !== undefined) takeProfileLine(profile.remote, words, line, draft);
    else found.push(directive);
  }
  if (profile !== undefined) throw wrong(profile.line, "<connection> is not closed");
  const isDirective = (each: (typeof found)[number]): each is Directive => "words" in each;
  for (const { words } of found.filter(isDirective)) {
    if (words[0] === "ignore-unknown-option") for (const name of words.slice(1)) draft.ignored.add(name);
  }
  for (const each of found) {
    if (isDirective(each)) takeShared(draft, each);
    else if (draft.remotes.length < remotesMax) draft.remotes.push(each);
    else throw wrong(1, `more than ${remotesMax} remotes`);
  }
  return finish(draft);
}

/** What client and server files have in common, and what a client's alone has. */
export function takeShared(draft: OvpnDraft, directive: Directive): void {
  const { line, words } = directive;
  const name = words[0]!;
  const own = Object.hasOwn(directives, name) ? directives[name] : undefined;
  if (own !== undefined) {
    own(draft, directive);
    return;
  }
  const inside = Object.hasOwn(insideOptions, name) ? insideOptions[name] : undefined;
  if (inside !== undefined) {
    const message = inside(draft.inside, words);
    if (message !== undefined) throw wrong(line, message);
    return;
  }
  if (!draft.ignored.has(name)) draft.warnings.push({ line, message: `${name} is not known and was passed over` });
}

/** A profile knows fewer options, and each counts for its remote alone. */
function takeProfileLine(
  remote: Partial<Mutable<OvpnRemote>>,
  words: readonly string[],
  line: number,
  draft: OvpnDraft,
): void {
  const scratch = { ...newDraft(), remotes: [] as Partial<Mutable<OvpnRemote>>[] };
  const [name = ""] = words;
  if (name === "remote" || name === "proto" || name === "port" || name === "rport") {
    directives[name]!(scratch, { line, words, inline: undefined, read: undefined });
    const [found] = scratch.remotes;
    if (name === "remote") Object.assign(remote, found);
    else if (name === "proto") Object.assign(remote, { transport: scratch.transport, family: scratch.family });
    else remote.port ??= scratch.port;
  } else draft.warnings.push({ line, message: `${name} has no effect inside <connection> and was passed over` });
}

function finish(draft: OvpnDraft): OvpnFile {
  const { tlsCryptV2 } = draft;
  if (!draft.isClient) {
    throw failure("not-supported", "the file is no client's: neither `client` nor `tls-client` is in it", {
      hint: "a server's file says `server` or `mode server`",
    });
  }
  if (!draft.pull) {
    throw failure("not-supported", "a tunnel between two peers that push nothing is not built here", {
      at: "tls-client",
      hint: "say `client`, or `pull` beside `tls-client`, and let the other side be a server",
    });
  }
  if (draft.remotes.length === 0) throw failure("bad-configuration", "the file has no remote");
  if (draft.ca === undefined && draft.peerFingerprints.length === 0) {
    throw failure("bad-configuration", "the file says nothing of whom to trust: neither ca nor peer-fingerprint", {
      at: "ca",
    });
  }
  const control: ControlKey = tlsCryptV2 !== undefined ? { kind: "tls-crypt-v2", ...tlsCryptV2 } : sharedControl(draft);
  // `cipher` of old: what a server that cannot negotiate uses.
  const fallbackCipher = draft.fallbackCipher ?? draft.cipher;
  const remotes = draft.remotes.map((remote): OvpnRemote => {
    const { host, port = draft.port, transport = draft.transport } = remote;
    // A line that names its protocol says with it which family.
    const family = "transport" in remote ? remote.family : draft.family;
    return { host: host!, port, transport, family };
  });
  return { ...draft, control, remotes, fallbackCipher };
}

/** A key that all clients have, or none. */
export function sharedControl({
  tlsAuth,
  tlsCrypt,
  keyDirection,
  auth,
}: OvpnDraft): Exclude<ControlKey, { readonly kind: "tls-crypt-v2" }> {
  if (tlsCrypt !== undefined) return { kind: "tls-crypt", key: tlsCrypt };
  if (tlsAuth === undefined) return { kind: "none" };
  return { kind: "tls-auth", key: tlsAuth.key, direction: tlsAuth.direction ?? keyDirection, hash: auth };
}

export const newDraft = (): OvpnDraft => ({
  remotes: [],
  remoteRandom: false,
  ca: undefined,
  cert: undefined,
  key: undefined,
  extraCerts: undefined,
  crl: undefined,
  peerFingerprints: [],
  checksServerRole: false,
  nameCheck: undefined,
  tlsVersionMin: undefined,
  tlsVersionMax: undefined,
  suites12: undefined,
  suites13: undefined,
  groups: undefined,
  replayWindow: undefined,
  auth: "SHA-1",
  dataCiphers: undefined,
  fallbackCipher: undefined,
  credentials: undefined,
  staticChallenge: undefined,
  passphrase: undefined,
  inside: newInside(),
  pull: false,
  pullFilters: [],
  peerInfo: [],
  renewBytes: 0,
  renewPackets: 0,
  renewAfterMs: undefined,
  handshakeWindowMs: undefined,
  transitionWindowMs: undefined,
  serverPollMs: undefined,
  retryMs: undefined,
  retryMaxMs: undefined,
  localAddress: undefined,
  localPort: undefined,
  warnings: [],
  port: 1194,
  transport: "udp",
  family: undefined,
  tlsAuth: undefined,
  tlsCrypt: undefined,
  tlsCryptV2: undefined,
  keyDirection: undefined,
  cipher: undefined,
  isClient: false,
  hasDev: false,
  ignored: new Set(),
});
