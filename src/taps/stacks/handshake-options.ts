import { toHex, utf8 } from "../../bytes/index.js";
import { type Host, type Identity, type ProtocolName, Secret } from "../../contract/index.js";
import { createVerifier, isPkiFailure, parseCertificate, pinOf, type Verifier } from "../../pki/index.js";
import {
  ClientSessionCache,
  type ExternalPsk,
  MemorySessionStore,
  type PeerVerdict,
  type SessionStore,
  StrikeRegister,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsIdentity,
  type TlsOptions,
  type TlsServerOptions,
  tlsFailure,
  trust,
  type VerifyPeer,
} from "../../protocols/tls/index.js";
import { verifiersPerAnchorsMax } from "../limits.js";
import {
  identitiesFor,
  type PreSharedKey,
  type SecurityInit,
  type SecurityMode,
  type SecurityParameters,
} from "../security.js";
import type { Family } from "./family.js";
import type { OpenRequest, StackRequest, StackScope } from "./stack.js";

/** What a client and a server of every such protocol take alike. */
export type SharedOptions = Pick<
  TlsOptions,
  "identity" | "verify" | "alpn" | "groups" | "signatureSchemes" | "psks" | "keyLog"
>;

/** RFC 9622 §6.3 in the handshake's own words. */
export function sharedOptions(
  { host, security, allowed }: StackRequest,
  { protocol }: Family,
  role: "client" | "server",
): SharedOptions {
  const { init, mode } = security;
  const identity = identitiesFor(security, role, protocol, allowed).map((each) => challenged(each, init));
  const psks = init.preSharedKeys?.map(externalPsk);
  return {
    ...(identity.length > 0 && { identity }),
    verify: mode === "opportunistic" ? anybody(host) : verifierFor(host, init, protocol),
    ...(init.alpn !== undefined && { alpn: init.alpn }),
    ...(init.groups !== undefined && { groups: init.groups }),
    ...(init.signatureAlgorithms !== undefined && { signatureSchemes: init.signatureAlgorithms }),
    ...(psks !== undefined && { psks }),
    ...(init.keyLog !== undefined && { keyLog: init.keyLog }),
  };
}

/** What a client takes beside it: whom it asks for, and what it may resume. */
export function clientOptions(
  request: OpenRequest,
  family: Family,
): Pick<TlsClientOptions, "serverName" | "sessions" | "sessionScope" | "earlyData"> {
  const { host, security, scope, serverName, remote, early, properties } = request;
  const sessions = clientSessions(host, security.init, scope, family);
  return {
    serverName: serverName ?? remote.address,
    ...(sessions !== undefined && {
      sessions,
      sessionScope: { configuration: configurationOf(host, security, family) },
    }),
    // Only what was marked safely replayable is ever given to us as early data.
    earlyData: early !== undefined && properties.zeroRttMsg !== "prohibit",
  };
}

/** What a server takes beside it: whom it asks for a certificate, and the tickets that it makes. */
export function serverOptions({
  host,
  security,
  properties,
}: StackRequest): Pick<TlsServerOptions, "clientAuthentication" | "tickets" | "ticketLifetimeS" | "antiReplay"> {
  const { init } = security;
  const tickets =
    init.maxCachedSessions === 0 ? undefined : new TicketKeyRing({ crypto: host.crypto, entropy: host.entropy });
  return {
    clientAuthentication: init.clientAuthentication ?? "none",
    ...(tickets !== undefined && { tickets }),
    ...(init.cachedSessionLifetimeSeconds !== undefined && { ticketLifetimeS: init.cachedSessionLifetimeSeconds }),
    ...(tickets !== undefined && wantsEarly(properties) && { antiReplay: new StrikeRegister(host.now()) }),
  };
}

/** Does a server take 0-RTT? Only where it was asked for: early data may be replayed. */
const wantsEarly = ({ zeroRttMsg }: StackRequest["properties"]): boolean =>
  zeroRttMsg === "require" || zeroRttMsg === "prefer";

/** RFC 9622 §6.3.8, SetIdentityChallengeCallback: the application signs in place of the identity. */
export function challenged(identity: Identity, { sign }: SecurityInit): TlsIdentity {
  if (sign === undefined) return identity;
  return {
    ...identity,
    sign: (algorithm, message, signal = never) => sign({ identity, algorithm, message }, { signal }),
  };
}

/** For those who ask without a way to take the question back. */
const never = new AbortController().signal;

function externalPsk({ identity, key, hash }: PreSharedKey): ExternalPsk {
  return {
    identity: typeof identity === "string" ? utf8(identity) : identity,
    // The session wipes what it is given; the application keeps its own.
    key: Secret.copy(key instanceof Secret ? key.expose() : key),
    ...(hash !== undefined && { hash }),
  };
}

/** The same judgement for a protocol whose handshake is not TLS's, and whose servers show certificates all the same. */
export function verifierOfPeers(
  host: Host,
  init: SecurityInit,
  mode: SecurityMode,
  protocol: ProtocolName,
): (
  ask: Pick<Parameters<VerifyPeer>[0], "certificates" | "serverName" | "at">,
  signal?: AbortSignal,
) => ReturnType<VerifyPeer> {
  const judge = mode === "opportunistic" ? anybody(host) : verifierFor(host, init, protocol);
  const rest = { role: "client", version: "1.3", rawPublicKey: undefined, ocspResponse: undefined } as const;
  return (ask, signal) => judge({ ...rest, ...ask, signedCertificateTimestamps: undefined, schemes: [] }, signal);
}

/**
 * Who is trusted: a valid path to an anchor, with a pinned key in it if there are pins; then the application's word.
 * With an empty list of anchors pinned keys are trusted in themselves, and without pins either, the application decides
 * alone.
 */
function verifierFor(
  host: Host,
  { trust: anchors = "system", pins, verify }: SecurityInit,
  protocol: ProtocolName,
): VerifyPeer {
  const noAnchors = anchors !== "system" && anchors.length === 0;
  const provider = host.crypto;
  const pinned = pins?.map((der) => {
    const certificate = parseCertificate(der);
    return pinOf(provider, isPkiFailure(certificate) ? der : certificate.spki);
  });
  if (noAnchors && pinned === undefined && verify !== undefined) return asked(host, verify, protocol);
  let judge: VerifyPeer | undefined;
  return (ask, signal) => {
    // Made when it is first needed: reading a system's roots takes a while.
    judge ??= trust(
      verifierOf(host, anchors === "system" ? host.roots() : anchors, noAnchors, pinned),
      verify === undefined
        ? {}
        : {
            also: async ({ chain, publicKey }, { serverName }, signal = never) => {
              const peer = { kind: "certificate", chain: chain.map(({ raw }) => raw), publicKey } as const;
              const question = { protocol, peer, serverName, validated: true, problem: undefined } as const;
              return verify(question, { signal });
            },
          },
    );
    return judge(ask, signal);
  };
}

/** Reading anchors takes a while: a list is read once, for all Connections that trust it. */
function verifierOf(
  host: Host,
  anchors: readonly Uint8Array[],
  noAnchors: boolean,
  pinned: readonly string[] | undefined,
): Verifier {
  let ofHost = verifiers.get(host);
  if (ofHost === undefined) verifiers.set(host, (ofHost = new WeakMap()));
  let known = ofHost.get(anchors);
  if (known === undefined) ofHost.set(anchors, (known = new Map()));
  const key = pinned?.join(" ") ?? "";
  let verifier = known.get(key);
  if (verifier === undefined) {
    verifier = createVerifier({
      provider: host.crypto,
      anchors,
      ...(pinned !== undefined && (noAnchors ? { trustedKeys: pinned } : { pins: pinned })),
    });
    if (known.size < verifiersPerAnchorsMax) known.set(key, verifier);
  }
  return verifier;
}
const verifiers = new WeakMap<Host, WeakMap<readonly Uint8Array[], Map<string, Verifier>>>();

/** No anchors and no pins: the application's word is the only one. */
function asked(host: Host, verify: NonNullable<SecurityInit["verify"]>, protocol: ProtocolName): VerifyPeer {
  return async (ask, signal = never) => {
    const known = presented(host, ask);
    if (known === undefined) return unreadable();
    const question = {
      protocol,
      peer: known.peer,
      serverName: ask.serverName,
      validated: false,
      problem: "no trust anchors were given",
    } as const;
    if (await verify(question, { signal })) return known;
    return {
      trusted: false,
      failure: tlsFailure("access-denied", "Certificate", "the application does not trust the peer"),
    };
  };
}

/** Opportunistic security: whoever it is (RFC 9622 §6.3, RFC 7435). */
const anybody =
  (host: Host): VerifyPeer =>
  (ask) =>
    presented(host, ask) ?? unreadable();

/** The peer's identity as it was presented, believed by nobody yet. */
function presented(host: Host, ask: Parameters<VerifyPeer>[0]): Extract<PeerVerdict, { trusted: true }> | undefined {
  const { rawPublicKey, certificates } = ask;
  const certificate = certificates[0] === undefined ? undefined : parseCertificate(certificates[0]);
  if (certificate !== undefined && isPkiFailure(certificate)) return undefined;
  const spki = rawPublicKey ?? certificate?.spki;
  const publicKey = spki && host.crypto.publicKey(spki);
  if (publicKey === undefined) return undefined;
  const peer =
    rawPublicKey === undefined
      ? ({ kind: "certificate", chain: certificates, publicKey } as const)
      : ({ kind: "raw-public-key", publicKey } as const);
  return { trusted: true, publicKey, peer };
}

const unreadable = (): PeerVerdict => ({
  trusted: false,
  failure: tlsFailure("bad-certificate", "Certificate", "the peer's certificate cannot be read"),
});

/** Where a client's sessions wait (RFC 9622 §6.3.6): the application's store, or this scope's memory. */
function clientSessions(
  host: Host,
  init: SecurityInit,
  scope: StackScope,
  { protocol }: Family,
): ClientSessionCache | undefined {
  const { maxCachedSessions, cachedSessionLifetimeSeconds, sessionCache } = init;
  if (maxCachedSessions === 0) return undefined;
  const store =
    sessionCache ??
    scope.of(`${protocol} sessions ${maxCachedSessions ?? ""}`, () =>
      maxCachedSessions === undefined
        ? new MemorySessionStore()
        : new MemorySessionStore({ keysMax: maxCachedSessions, perKeyMax: maxCachedSessions }),
    );
  return new ClientSessionCache(
    cachedSessionLifetimeSeconds === undefined ? store : shortLived(store, host, cachedSessionLifetimeSeconds * 1000),
  );
}

function shortLived(store: SessionStore, host: Host, lifetimeMs: number): SessionStore {
  return {
    add: (key, session) =>
      store.add(key, { ...session, expiresAt: Math.min(session.expiresAt, host.now() + lifetimeMs) }),
    take: (key, now) => store.take(key, now),
    peek: (key, now) => store.peek(key, now),
    remove: (key) => store.remove(key),
  };
}

/** What must be the same for a session to be resumed: whom we trusted, who we were, who was asked. */
function configurationOf({ crypto }: Host, { mode, init }: SecurityParameters, { protocol }: Family): string {
  const hash = (parts: readonly Uint8Array[]) => toHex(crypto.hash("SHA-256").digest(...parts));
  const { trust: anchors = "system", pins = [], verify, sign, identity } = init;
  const { allowed, groups: named, ciphersuites, signatureAlgorithms } = init;
  return [
    protocol,
    mode,
    // A session that was made under other rules is not resumed under these.
    JSON.stringify([allowed, named, ciphersuites, signatureAlgorithms]),
    anchors === "system" ? anchors : hash(anchors),
    hash(pins),
    ...[verify, sign, identity].map((each) => (each === undefined ? "" : numberOf(each))),
  ].join(" ");
}

/** A function or identity is the same only as itself. */
function numberOf(each: object): string {
  const known = numbers.get(each) ?? ++counted;
  numbers.set(each, known);
  return String(known);
}
const numbers = new WeakMap<object, number>();
let counted = 0;
