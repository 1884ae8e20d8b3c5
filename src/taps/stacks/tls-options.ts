import { toHex, utf8 } from "../../bytes/index.js";
import { type Host, type Identity, Secret } from "../../contract/index.js";
import { createVerifier, isPkiFailure, parseCertificate, pinOf, type Verifier } from "../../pki/index.js";
import {
  ClientSessionCache,
  type ExternalPsk,
  groups,
  MemorySessionStore,
  type PeerVerdict,
  type SessionStore,
  StrikeRegister,
  schemes,
  suites12,
  suites13,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsIdentity,
  type TlsOptions,
  type TlsServerOptions,
  type TlsVersion,
  tlsFailure,
  trust,
  type VerifyPeer,
} from "../../protocols/tls/index.js";
import { nearest } from "../failure.js";
import { earlyDataMax, verifiersPerAnchorsMax } from "../limits.js";
import {
  identitiesFor,
  type PreSharedKey,
  type SecurityInit,
  type SecurityParameters,
  type SecurityProtocol,
  versionsOf,
} from "../security.js";
import type { OpenRequest, StackRequest, StackScope } from "./stack.js";

/** RFC 9622 §6.3 in TLS's own words, for a client. */
export function tlsClientOptions(request: OpenRequest): TlsClientOptions {
  const { host, security, scope, serverName, remote, early, properties } = request;
  const { init } = security;
  const sessions = clientSessions(host, init, scope);
  return {
    ...common(request, "client"),
    serverName: serverName ?? remote.address,
    ...(sessions !== undefined && { sessions, sessionScope: { configuration: configurationOf(host, security) } }),
    // Only what was marked safely replayable is ever given to us as early data.
    earlyData: early !== undefined && properties.zeroRttMsg !== "prohibit",
    ...init.protocolOptions?.TLS,
  };
}

/** The same, for a server. */
export function tlsServerOptions(request: StackRequest): TlsServerOptions {
  const { host, security, properties } = request;
  const { init } = security;
  const wantsEarly = properties.zeroRttMsg === "require" || properties.zeroRttMsg === "prefer";
  const tickets =
    init.maxCachedSessions === 0 ? undefined : new TicketKeyRing({ crypto: host.crypto, entropy: host.entropy });
  return {
    ...common(request, "server"),
    clientAuthentication: init.clientAuthentication ?? "none",
    ...(tickets !== undefined && { tickets }),
    ...(init.cachedSessionLifetimeSeconds !== undefined && { ticketLifetimeS: init.cachedSessionLifetimeSeconds }),
    ...(wantsEarly && tickets !== undefined && { earlyDataMax, antiReplay: new StrikeRegister(host.now()) }),
    ...init.protocolOptions?.TLS,
  };
}

/** Why TLS cannot serve these parameters, before any packet: names that it does not know, an identity that is missing. */
export function tlsUnfit(
  { init }: SecurityParameters,
  allowed: readonly SecurityProtocol[],
  role: "client" | "server",
): string | undefined {
  const unknown =
    firstUnknown("supportedGroup", init.groups, groupNames) ??
    firstUnknown("ciphersuite", init.ciphersuites, suiteNames) ??
    firstUnknown("signatureAlgorithm", init.signatureAlgorithms, schemeNames);
  if (unknown !== undefined) return unknown;
  if (versionsFor(allowed, init).length === 0) return "no allowed version of TLS has one of the ciphersuites";
  if (role === "client") return undefined;
  const hasKey =
    init.identity !== undefined || (init.preSharedKeys?.length ?? 0) > 0 || "psks" in (init.protocolOptions?.TLS ?? {});
  return hasKey || "identity" in (init.protocolOptions?.TLS ?? {})
    ? undefined
    : "a TLS server needs an identity or a pre-shared key";
}

const groupNames: ReadonlySet<string> = new Set(groups.map(({ name }) => name));
const suiteNames: ReadonlySet<string> = new Set([...suites13, ...suites12].map(({ name }) => name));
const schemeNames: ReadonlySet<string> = new Set(schemes.map(({ name }) => name));

function firstUnknown(
  parameter: string,
  asked: readonly string[] | undefined,
  known: { has(name: string): boolean; keys(): Iterable<string> },
): string | undefined {
  const wrong = asked?.find((name) => !known.has(name));
  if (wrong === undefined) return undefined;
  const like = nearest(wrong, known.keys());
  return `TLS knows no ${parameter} ${wrong}${like === undefined ? "" : `; did you mean ${like}?`}`;
}

function common({ host, security, allowed }: StackRequest, role: "client" | "server"): TlsOptions {
  const { init, mode } = security;
  const versions = versionsFor(allowed, init);
  const identity = identitiesFor(security, role, "TLS", allowed).map((each) => challenged(each, init));
  const psks = init.preSharedKeys?.map(externalPsk);
  return {
    versions,
    ...(identity.length > 0 && { identity }),
    verify: mode === "opportunistic" ? anybody(host) : verifierFor(host, init),
    ...(init.alpn !== undefined && { alpn: init.alpn }),
    ...(init.groups !== undefined && { groups: init.groups }),
    ...(init.ciphersuites !== undefined && { suites: init.ciphersuites }),
    ...(init.signatureAlgorithms !== undefined && { signatureSchemes: init.signatureAlgorithms }),
    ...(psks !== undefined && { psks }),
    ...(init.keyLog !== undefined && { keyLog: init.keyLog }),
  };
}

/** Versions that are allowed and, where suites were named, have one of them (RFC 9622 §6.3.5). */
function versionsFor(allowed: readonly SecurityProtocol[], { ciphersuites }: SecurityInit): readonly TlsVersion[] {
  const named = (versionsOf(allowed, "TLS") ?? ["1.3", "1.2"]) as readonly TlsVersion[];
  if (ciphersuites === undefined) return named;
  const of: Readonly<Record<TlsVersion, readonly { readonly name: string }[]>> = { "1.3": suites13, "1.2": suites12 };
  return named.filter((version) => of[version].some(({ name }) => ciphersuites.includes(name as never)));
}

/** RFC 9622 §6.3.8, SetIdentityChallengeCallback: the application signs in place of the identity. */
function challenged(identity: Identity, { sign }: SecurityInit): TlsIdentity {
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

/**
 * Who is trusted: a valid path to an anchor, with a pinned key in it if there are pins; then the application's word.
 * With an empty list of anchors pinned keys are trusted in themselves, and without pins either, the application decides
 * alone.
 */
function verifierFor(host: Host, { trust: anchors = "system", pins, verify }: SecurityInit): VerifyPeer {
  const noAnchors = anchors !== "system" && anchors.length === 0;
  const provider = host.crypto;
  const pinned = pins?.map((der) => {
    const certificate = parseCertificate(der);
    return pinOf(provider, isPkiFailure(certificate) ? der : certificate.spki);
  });
  if (noAnchors && pinned === undefined && verify !== undefined) return asked(host, verify);
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
              const question = { protocol: "TLS", peer, serverName, validated: true, problem: undefined } as const;
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
function asked(host: Host, verify: NonNullable<SecurityInit["verify"]>): VerifyPeer {
  return async (ask, signal = never) => {
    const known = presented(host, ask);
    if (known === undefined) return unreadable();
    const question = {
      protocol: "TLS",
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
function clientSessions(host: Host, init: SecurityInit, scope: StackScope): ClientSessionCache | undefined {
  const { maxCachedSessions, cachedSessionLifetimeSeconds, sessionCache } = init;
  if (maxCachedSessions === 0) return undefined;
  const store =
    sessionCache ??
    scope.of(`TLS sessions ${maxCachedSessions ?? ""}`, () =>
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
function configurationOf({ crypto }: Host, { mode, init }: SecurityParameters): string {
  const hash = (parts: readonly Uint8Array[]) => toHex(crypto.hash("SHA-256").digest(...parts));
  const { trust: anchors = "system", pins = [], verify, sign, identity } = init;
  const { allowed, groups: named, ciphersuites, signatureAlgorithms } = init;
  return [
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
