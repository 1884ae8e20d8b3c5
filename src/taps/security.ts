import type { Identity, KeyLog, PeerIdentity, ProtocolName, Secret, SignatureName } from "../contract/index.js";
import { tableRows } from "../contract/index.js";
import type { KeyPair } from "../protocols/curvecp/index.js";
import type { DtlsSrtpClientOptions, DtlsSrtpServerOptions } from "../protocols/dtls-srtp/index.js";
import type { GquicVersion } from "../protocols/gquic/index.js";
import type { SrtpOptions } from "../protocols/srtp/index.js";
import type { GroupName, SchemeName, SessionStore, SuiteName } from "../protocols/tls/index.js";
import type { ZrtpOptions } from "../protocols/zrtp/index.js";
import { misuse, nearest } from "./failure.js";

/** How a Preconnection is to be secured; a type parameter, so that cleartext shows in signatures. */
export type SecurityMode = "secure" | "opportunistic" | "disabled";

/** A security protocol or one version of it: `"TLS"`, `"TLS 1.3"`, `"QUIC"`. */
export type SecurityProtocol =
  | ProtocolName
  | "TLS 1.3"
  | "TLS 1.2"
  | "DTLS 1.3"
  | "DTLS 1.2"
  | "QUIC v1"
  | "QUIC v2"
  | `gQUIC ${GquicVersion}`;

/** What the application is asked when the peer has proved its identity (RFC 9622 §6.3.8). */
export interface TrustQuestion {
  readonly protocol: ProtocolName;
  readonly peer: PeerIdentity;
  /** The name that the peer was dialled by. */
  readonly serverName: string | undefined;
  /** Did the trust anchors, if any were in force, accept the peer? And if not, why. */
  readonly validated: boolean;
  readonly problem: string | undefined;
}

/** True accepts the peer, false refuses it. The handshake waits, until the signal says that nobody waits any more. */
export type TrustVerification = (
  question: TrustQuestion,
  options: { readonly signal: AbortSignal },
) => boolean | Promise<boolean>;

/** Signs for an identity whose key is elsewhere (RFC 9622 §6.3.8); undefined refuses. */
export type IdentityChallenge = (
  request: { readonly identity: Identity; readonly algorithm: SignatureName; readonly message: Uint8Array },
  options: { readonly signal: AbortSignal },
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** Which of our identities serve in which role, and for which protocols (RFC 9621 §6: never in another). */
export interface RoleIdentities {
  /** `serverCertificate` (§6.3.2). */
  readonly server?: Identity | readonly Identity[];
  /** `clientCertificate` (§6.3.2). */
  readonly client?: Identity | readonly Identity[];
  /** Protocols that may use them; default: those that are allowed. */
  readonly for?: readonly SecurityProtocol[];
}

/** `preSharedKey` (§6.3.7). */
export interface PreSharedKey {
  readonly identity: string | Uint8Array;
  readonly key: Secret | Uint8Array;
  readonly hash?: "SHA-256" | "SHA-384";
}

/** SRTP keyed by ZRTP: either side may begin. */
export interface SrtpByZrtp {
  readonly zrtp: ZrtpOptions;
}

/** SRTP keyed by DTLS on the same flow (RFC 5764). */
export type SrtpByDtls =
  | ({ readonly role: "client" } & DtlsSrtpClientOptions)
  | ({ readonly role: "server" } & DtlsSrtpServerOptions);

/** RFC 9622 §6.3. Nothing needs to be set; each field's docstring names the RFC's parameter. */
export interface SecurityInit {
  /** `allowedSecurityProtocols` (§6.3.1): best first. Nothing else is ever tried. Default: the policy's. */
  readonly allowed?: readonly SecurityProtocol[];
  /** Sets of protocols that the application holds to be equal in strength, so that they may race (RFC 9621 §3.3). */
  readonly equivalent?: readonly (readonly SecurityProtocol[])[];
  /** Role-scoped identities; a bare one serves both roles. */
  readonly identity?: Identity | readonly Identity[] | RoleIdentities;
  /** `pinnedServerCertificate` (§6.3.3): DER of certificates or SPKIs, one of which must be in the peer's chain. */
  readonly pins?: readonly Uint8Array[];
  /** Trust anchors: DER certificates; `"system"` (the default) means the host's. An empty list trusts none. */
  readonly trust?: "system" | readonly Uint8Array[];
  /** Ask the other side for a certificate when serving. Default `"none"`. */
  readonly clientAuthentication?: "none" | "request" | "require";
  /** Name to ask for and to verify; default the remote endpoint's host. */
  readonly serverName?: string;
  /** `alpn` (§6.3.4): best first. */
  readonly alpn?: readonly string[];
  /** `supportedGroup` (§6.3.5), by the names of the IANA registry: best first. */
  readonly groups?: readonly GroupName[];
  /** `ciphersuite` (§6.3.5), by the names of the IANA registry. */
  readonly ciphersuites?: readonly SuiteName[];
  /** `signatureAlgorithm` (§6.3.5), by the names of the IANA registry. */
  readonly signatureAlgorithms?: readonly SchemeName[];
  /** `maxCachedSessions` (§6.3.6): zero turns resumption off. */
  readonly maxCachedSessions?: number;
  /** `cachedSessionLifetimeSeconds` (§6.3.6). */
  readonly cachedSessionLifetimeSeconds?: number;
  /** Where sessions wait to be resumed (RFC 8922 §5.1 CM). Default: memory, shared by all but isolated Connections. */
  readonly sessionCache?: SessionStore;
  /** Our long-term key pair, for protocols whose keys agree rather than sign: CurveCP. The caller keeps it, and wipes it. */
  readonly keyPair?: KeyPair;
  /**
   * Long-term public keys of peers, for the same protocols: the one server that a client dials, or the clients that a server
   * lets in. Default for servers: all.
   */
  readonly peerKeys?: readonly Uint8Array[];
  /**
   * How SRTP gets its keys (RFC 8922 §5.1 PSKI): both directions' master keys, as `optionsOf(parseSdes(line))` reads them; or by a
   * DTLS handshake in this role, with the fingerprints that signalling brought (RFC 5763); or by ZRTP, whose words the users compare
   * (RFC 6189). The caller keeps imported keys, and wipes them.
   */
  readonly srtp?: SrtpOptions | SrtpByDtls | SrtpByZrtp;
  /** `preSharedKey` (§6.3.7). */
  readonly preSharedKeys?: readonly PreSharedKey[];
  /** `SetTrustVerificationCallback` (§6.3.8). */
  readonly verify?: TrustVerification;
  /** `SetIdentityChallengeCallback` (§6.3.8). */
  readonly sign?: IdentityChallenge;
  /** Lines of an SSLKEYLOGFILE, for the people who debug. */
  readonly keyLog?: KeyLog;
  /** Options of single protocols that RFC 9622 has no word for, passed on as they are. */
  readonly protocolOptions?: Readonly<Partial<Record<ProtocolName, Readonly<Record<string, unknown>>>>>;
}

/** Security parameters as a frozen value. Made by `secure`, `opportunistic` or `disabled`. */
export interface SecurityParameters<Mode extends SecurityMode = SecurityMode> {
  readonly mode: Mode;
  readonly init: Readonly<SecurityInit>;
}

/** `NewSecurityParameters` (§6.3): no cleartext, ever; usable with nothing set. Throws `invalid-configuration`. */
export function secure(init: SecurityInit = {}): SecurityParameters<"secure"> {
  return make("secure", init);
}

/** `NewOpportunisticSecurityParameters`: security without authentication first, cleartext if the peer has none. */
export function opportunistic(init: SecurityInit = {}): SecurityParameters<"opportunistic"> {
  return make("opportunistic", init);
}

/** `NewDisabledSecurityParameters`: cleartext, asked for by name. */
export function disabled(): SecurityParameters<"disabled"> {
  return Object.freeze({ mode: "disabled", init: Object.freeze({}) });
}

/** A protocol's name and version apart: `"TLS 1.3"` is TLS in version 1.3. */
export function protocolOf(protocol: SecurityProtocol): { name: ProtocolName; version: string | undefined } {
  const [name, version] = protocol.split(" ", 2);
  return { name: name as ProtocolName, version };
}

/** Does `given` name this protocol, in any of its versions? */
export function allowsProtocol(given: readonly SecurityProtocol[], name: ProtocolName): boolean {
  return given.some((each) => protocolOf(each).name === name);
}

/** Versions of a protocol that a list names; undefined if it names the protocol as a whole. */
export function versionsOf(given: readonly SecurityProtocol[], name: ProtocolName): readonly string[] | undefined {
  const named = given.map(protocolOf).filter((each) => each.name === name);
  if (named.some(({ version }) => version === undefined)) return undefined;
  return named.map(({ version }) => version!);
}

/** The identities that may speak for us in a role of a protocol. */
export function identitiesFor(
  security: SecurityParameters,
  role: "client" | "server",
  protocol: ProtocolName,
  allowed: readonly SecurityProtocol[],
): readonly Identity[] {
  const { identity } = security.init;
  if (identity === undefined) return [];
  const scoped = isScoped(identity) ? identity : { server: identity, client: identity };
  const mine = scoped[role];
  // RFC 9621 §6: a credential stays with the role and the protocols that it was given for.
  if (mine === undefined || !allowsProtocol(scoped.for ?? allowed, protocol)) return [];
  return Array.isArray(mine) ? mine : [mine as Identity];
}

/** Are two protocols declared equal in strength (RFC 9621 §3.3)? A protocol is always its own equal. */
export function areEquivalent(
  sets: readonly (readonly SecurityProtocol[])[] | undefined,
  a: ProtocolName,
  b: ProtocolName,
): boolean {
  return a === b || (sets ?? []).some((set) => allowsProtocol(set, a) && allowsProtocol(set, b));
}

function isScoped(identity: NonNullable<SecurityInit["identity"]>): identity is RoleIdentities {
  return !Array.isArray(identity) && !("sign" in identity);
}

const gquicVersions = (["Q039", "Q043", "Q044", "Q046", "Q050"] as const).map((name) => `gQUIC ${name}` as const);
const versioned: readonly SecurityProtocol[] = [
  "TLS 1.3",
  "TLS 1.2",
  "DTLS 1.3",
  "DTLS 1.2",
  "QUIC v1",
  "QUIC v2",
  ...gquicVersions,
];
const knownProtocols: readonly SecurityProtocol[] = [...tableRows, "SRTP", "gQUIC", ...versioned];

function make<Mode extends SecurityMode>(mode: Mode, init: SecurityInit): SecurityParameters<Mode> {
  for (const each of [...(init.allowed ?? []), ...(init.equivalent ?? []).flat()]) {
    if (knownProtocols.includes(each)) continue;
    const like = nearest(each, knownProtocols);
    throw misuse(`${each} is not a security protocol`, "allowedSecurityProtocols", like && `did you mean ${like}?`);
  }
  if (init.allowed?.length === 0) {
    throw misuse("no security protocol is allowed", "allowedSecurityProtocols", "cleartext is asked for by disabled()");
  }
  for (const name of ["maxCachedSessions", "cachedSessionLifetimeSeconds"] as const) {
    const value = init[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 0))
      throw misuse(`${name} takes a whole number`, name);
  }
  for (const name of init.alpn ?? []) {
    if (name.length === 0 || name.length > 255) throw misuse("an ALPN name has 1 … 255 bytes", "alpn");
  }
  // Values, not references (RFC 9622 §6): lists are copied one deep; callbacks and keys stay what they are.
  const copy: Record<string, unknown> = { ...init };
  for (const [name, value] of Object.entries(copy)) if (Array.isArray(value)) copy[name] = Object.freeze([...value]);
  return Object.freeze({ mode, init: Object.freeze(copy) as SecurityInit });
}
