import { equal } from "../../bytes/index.js";
import type { AskOf, CryptoProvider, Instant } from "../../contract/index.js";
import { tlsFailure } from "./failure.js";
import type { FoundPsk, PeerVerdict, SelectIdentityAsk, TlsAsks } from "./handshake/questions.js";
import { limits } from "./limits.js";
import type { TlsEvent } from "./machine.js";
import type { ExternalPsk, TlsClientOptions, TlsIdentity, TlsOptions, TlsServerOptions } from "./options.js";
import type { Dialect } from "./parameters/dialect.js";
import { fits, schemeByName } from "./parameters/schemes.js";
import { importedFrom, pskIdentities } from "./psk.js";
import type { CacheScope } from "./store/cache.js";
import { decodeSession, encodeSession, expiryOf, type ResumableSession } from "./store/session.js";

/** Options of either role: each question is asked by one of them only. */
export type AnyOptions = TlsOptions & Partial<TlsClientOptions> & Partial<TlsServerOptions>;

/** What answers depend on, beside the options. */
export interface Answering {
  readonly options: AnyOptions;
  readonly crypto: CryptoProvider;
  readonly dialect: Dialect;
  readonly scope: CacheScope;
}

type Answers = {
  readonly [K in keyof TlsAsks & string]: (
    ask: TlsAsks[K]["ask"],
    by: Answering,
    signal: AbortSignal,
  ) => TlsAsks[K]["answer"] | Promise<TlsAsks[K]["answer"]>;
};

/** Answers a handshake's questions out of the options: at once where it can, later where a store or key is elsewhere. */
export function answerQuestion(question: AskOf<TlsEvent>, by: Answering, signal: AbortSignal): unknown {
  // The table's row takes exactly what its kind asks; a union of rows cannot say so.
  const answer = answers[question.kind] as (ask: object, by: Answering, signal: AbortSignal) => unknown;
  return answer(question, by, signal);
}

const answers: Answers = {
  "verify-peer": (ask, { options }, signal) => {
    if (options.verify !== undefined) return verdict(() => options.verify!(ask, signal));
    return {
      trusted: false,
      failure: tlsFailure("certificate-unknown", "Certificate", "there is nothing to judge the peer by", {
        hint: "give `verify`: a verifier with trusted roots, pinned keys, or a function of your own",
      }),
    };
  },
  "select-identity": (ask, { options: { identity } }) => {
    if (typeof identity === "function") return identity(ask);
    return choose(identity === undefined ? [] : "certificates" in identity ? [identity] : identity, ask);
  },
  sign: (ask, _, signal) => {
    const { identity, algorithm, message } = ask;
    return ask.delegated === true && identity.delegatedCredential !== undefined
      ? identity.delegatedCredential.sign(ask)
      : identity.sign(algorithm, message, signal);
  },
  "offer-psks": async (ask, { options, scope }) => {
    const session = await options.sessions?.take?.(scope, ask.at);
    return { ...(session && { session }), external: typeof options.psks === "function" ? [] : (options.psks ?? []) };
  },
  "find-psk": (ask, by) => findPsk(ask.identities, ask.at, by),
  "store-session": ({ session }, { options, scope }) => options.sessions?.add(scope, session),
  "issue-ticket": ({ session, at }, { options }) => options.tickets?.seal(encodeSession(session), at),
  "judge-early-data": ({ offer, at }, { options }) => options.antiReplay?.judge(offer, at),
  "compress-certificate": ({ algorithm, bytes }, { options }) =>
    options.certificateCompression?.find((each) => each.algorithm === algorithm)?.compress(bytes),
  "decompress-certificate": ({ algorithm, bytes, size }, { options }) =>
    options.certificateCompression?.find((each) => each.algorithm === algorithm)?.decompress(bytes, size),
  "find-session": async ({ ticket, sessionId, at }, { options }) => {
    const opened = ticket.length > 0 ? await options.tickets?.open(ticket, at) : undefined;
    const session = opened ? decodeSession(opened) : undefined;
    if (session !== undefined) return alive(session, at);
    return sessionId.length > 0 ? options.sessionCache?.find(sessionId, at) : undefined;
  },
  "keep-session": ({ id, session }, { options }) => options.sessionCache?.add(id, session),
};

/** What a verifier throws is a no, with its reason. */
async function verdict(judge: () => PeerVerdict | Promise<PeerVerdict>): Promise<PeerVerdict> {
  try {
    return await judge();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "the verifier failed";
    return { trusted: false, failure: tlsFailure("certificate-unknown", "Certificate", message, { cause }) };
  }
}

/** The first identity for the name, of a type that the peer can check; a wildcard stands for one label. */
function choose(identities: readonly TlsIdentity[], ask: SelectIdentityAsk): TlsIdentity | undefined {
  const usable = identities.filter(
    ({ publicKey }) =>
      (ask.keyTypes === undefined || ask.keyTypes.includes(publicKey.type)) &&
      ask.schemes.some((name) => fits(schemeByName.get(name)!, publicKey, ask.version)),
  );
  const chosen = serving(usable, ask.serverName);
  // A 1.3 server then says that there is no common scheme, rather than that it knows no such name.
  if (chosen === undefined && ask.role === "server" && ask.keyTypes === undefined)
    return serving(identities, ask.serverName);
  return chosen;
}

function serving(identities: readonly TlsIdentity[], serverName: string | undefined): TlsIdentity | undefined {
  if (serverName === undefined) return identities[0];
  const named = identities.find(({ names }) => names?.some((pattern) => matches(pattern, serverName)));
  return named ?? identities.find(({ names }) => names === undefined);
}

function matches(pattern: string, name: string): boolean {
  const [wanted, given] = [pattern.toLowerCase(), name.toLowerCase()];
  if (!wanted.startsWith("*.")) return wanted === given;
  const dot = given.indexOf(".");
  return dot > 0 && given.slice(dot) === wanted.slice(1);
}

/** The first identity that is a ticket of ours, or the name of an external key. */
async function findPsk(identities: readonly Uint8Array[], at: Instant, by: Answering): Promise<FoundPsk | undefined> {
  const { options } = by;
  for (const [index, identity] of identities.slice(0, limits.pskIdentitiesMax).entries()) {
    const opened = await options.tickets?.open(identity, at);
    const session = opened && decodeSession(opened);
    if (session?.version === 0x0304 && alive(session, at)) return { index, kind: "resumption", session };
    const psk = await findExternal(identity, options, by);
    if (psk !== undefined) return { index, kind: "external", psk };
  }
  return undefined;
}

async function findExternal(
  identity: Uint8Array,
  { psks }: TlsOptions,
  { dialect }: Answering,
): Promise<ExternalPsk | undefined> {
  if (psks === undefined) return undefined;
  if (typeof psks !== "function") {
    return psks.find((psk) => pskIdentities(dialect, psk).some((each) => equal(each, identity)));
  }
  const found = await psks(identity);
  if (found !== undefined) return found;
  const inner = importedFrom(identity);
  const imported = inner && (await psks(inner));
  return imported?.importer === undefined ? undefined : imported;
}

const alive = (session: ResumableSession, at: Instant): ResumableSession | undefined =>
  expiryOf(session) > at ? session : undefined;

/** Where a client's sessions with this server are kept. */
export function scopeOf(options: TlsClientOptions, host: string, port: number): CacheScope {
  return {
    serverName: options.serverName ?? host,
    port,
    alpn: options.alpn ?? [],
    configuration: "",
    ...options.sessionScope,
  };
}
