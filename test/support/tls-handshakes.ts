import { equal } from "../../src/bytes/index.js";
import type { Instant, PeerIdentity, PrivateKey } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { type MakableKey, makeCertificate, makePrivateKey, PkiFailure, parseCertificate } from "../../src/pki/index.js";
import { clientHandshake } from "../../src/protocols/tls/client/start.js";
import { clientConfig, serverConfig } from "../../src/protocols/tls/config.js";
import type { Handshake } from "../../src/protocols/tls/handshake/handshake.js";
import {
  type ClientSession,
  type Dialect,
  decodeSession,
  dialects,
  type Epoch,
  type ExternalPsk,
  encodeSession,
  type FindSessionAsk,
  type PeerAsk,
  type PeerVerdict,
  type SelectIdentityAsk,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsFailure,
  type TlsHandshakeOutput,
  type TlsIdentity,
  type TlsOutcome,
  type TlsServerOptions,
} from "../../src/protocols/tls/index.js";
import { serverHandshake } from "../../src/protocols/tls/server/start.js";
import { provider as crypto } from "./provider.js";

export const startOfTime: Instant = Date.UTC(2026, 6, 1);
const day = 86_400_000;

/** An identity with a certificate of its own, the same in every run. */
export function makeIdentity(kind: MakableKey): TlsIdentity {
  const privateKey = crypto.privateKey(makePrivateKey(kind, seededEntropy(`key ${kind}`)).expose());
  if (privateKey === undefined) throw new Error(`no ${kind}`);
  return identityOf(privateKey);
}

export function identityOf(privateKey: PrivateKey): TlsIdentity {
  const certificate = makeCertificate({
    provider: crypto,
    entropy: seededEntropy("certificate"),
    key: privateKey,
    san: ["server.test"],
    notBefore: startOfTime - day,
    notAfter: startOfTime + day,
  });
  return {
    certificates: [certificate.raw],
    publicKey: privateKey.publicKey,
    sign: (algorithm, message) => privateKey.sign(algorithm, message),
  };
}

export interface Sent {
  readonly from: "client" | "server";
  readonly epoch: Epoch;
  readonly bytes: Uint8Array;
}

export interface PairOptions {
  readonly client?: TlsClientOptions;
  readonly server?: TlsServerOptions;
  readonly session?: ClientSession | undefined;
  readonly seed?: number;
  /** What arrives in place of a message; the same message if absent. */
  readonly onTheWay?: (sent: Sent, index: number) => readonly Sent[];
  readonly now?: Instant;
  /** Default: TLS. */
  readonly dialect?: Dialect;
  readonly tickets?: TicketKeyRing;
}

export interface End {
  readonly handshake: Handshake;
  readonly outputs: TlsHandshakeOutput[];
  outcome: TlsOutcome | undefined;
  failure: TlsFailure | undefined;
}

export interface Pair {
  readonly client: End;
  readonly server: End;
  readonly sent: readonly Sent[];
  /** Sessions that the client was given. */
  readonly stored: readonly ClientSession[];
  /** Gives an end handshake bytes, and lets both talk until they are silent. */
  deliver(to: "client" | "server", epoch: Epoch, bytes: Uint8Array): void;
}

export const newTickets = (seed = 1): TicketKeyRing => new TicketKeyRing({ crypto, entropy: seededEntropy(seed) });

/** Lets a client and a server shake hands, without records: each message is carried over as it is. */
export function shakeHands(options: PairOptions = {}): Pair {
  const { seed = 1, now = startOfTime } = options;
  const sent: Sent[] = [];
  const stored: ClientSession[] = [];
  const ground = (name: string) => ({
    crypto,
    entropy: seededEntropy(`${name} ${seed}`),
    dialect: options.dialect ?? dialects.tls,
  });
  const end = (handshake: Handshake): End => ({ handshake, outputs: [], outcome: undefined, failure: undefined });
  const client = end(clientHandshake(clientConfig(ground("client"), options.client ?? {})) as unknown as Handshake);
  const server = end(serverHandshake(serverConfig(ground("server"), options.server ?? {})) as unknown as Handshake);
  const ends = { client, server } as const;
  const waiting: { readonly to: "client" | "server"; readonly epoch: Epoch; readonly bytes: Uint8Array }[] = [];

  const drain = (side: "client" | "server"): void => {
    const { handshake, outputs } = ends[side];
    for (let output = handshake.output(); output !== undefined; output = handshake.output()) {
      outputs.push(output);
      if (output.kind === "confirmed") ends[side].outcome = output.outcome;
      else if (output.kind === "failed") ends[side].failure = output.failure as TlsFailure;
      else if (output.kind === "question") {
        handshake.answer({ kind: "answer", id: output.id, answer: answer(side, output.question as Asked) }, now);
      } else if (output.kind === "message") {
        const message: Sent = { from: side, epoch: output.epoch, bytes: output.bytes };
        const arriving = options.onTheWay?.(message, sent.length) ?? [message];
        sent.push(message);
        for (const { from, epoch, bytes } of arriving) {
          waiting.push({ to: from === "client" ? "server" : "client", epoch, bytes });
        }
      }
    }
  };
  const run = (): void => {
    drain("client");
    drain("server");
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      ends[next.to].handshake.receive(next.epoch, next.bytes, now);
      drain(next.to);
    }
  };

  type Asked = { readonly kind: string };
  const answer = (side: "client" | "server", question: Asked): unknown => {
    const settings = side === "client" ? options.client : options.server;
    switch (question.kind) {
      case "verify-peer":
        return verdict(question as unknown as PeerAsk);
      case "select-identity":
        return identityFor(settings?.identity, question as unknown as SelectIdentityAsk);
      case "sign": {
        const { identity, algorithm, message } = question as unknown as {
          identity: TlsIdentity;
          algorithm: Parameters<TlsIdentity["sign"]>[0];
          message: Uint8Array;
        };
        return identity.sign(algorithm, message);
      }
      case "offer-psks": {
        const psks = settings?.psks;
        return { session: options.session, external: typeof psks === "function" ? [] : (psks ?? []) };
      }
      case "find-psk": {
        const psks = settings?.psks as readonly ExternalPsk[] | undefined;
        const { identities } = question as unknown as { identities: readonly Uint8Array[] };
        const index = identities.findIndex((identity) => psks?.some((psk) => equal(psk.identity, identity)));
        const psk = psks?.find((each) => index >= 0 && equal(each.identity, identities[index]!));
        return psk && { index, kind: "external", psk };
      }
      case "store-session":
        stored.push((question as unknown as { session: ClientSession }).session);
        return undefined;
      case "issue-ticket":
        return options.tickets?.seal(encodeSession((question as unknown as { session: ClientSession }).session), now);
      case "find-session": {
        const { ticket, sessionId } = question as unknown as FindSessionAsk;
        const opened = ticket.length > 0 ? options.tickets?.open(ticket, now) : undefined;
        return opened ? decodeSession(opened) : kept.get(String(sessionId));
      }
      case "keep-session": {
        const { id, session } = question as unknown as { id: Uint8Array; session: ClientSession };
        kept.set(String(id), session);
        return undefined;
      }
      default:
        return undefined;
    }
  };
  server.handshake.start(now);
  client.handshake.start(now);
  run();
  return {
    client,
    server,
    sent,
    stored,
    deliver: (to, epoch, bytes) => {
      ends[to].handshake.receive(epoch, bytes, now);
      run();
    },
  };
}

/** Sessions that servers of this process keep under their IDs. */
const kept = new Map<string, unknown>();

function verdict(ask: PeerAsk): PeerVerdict | undefined {
  const [leaf] = ask.certificates;
  const parsed = leaf && parseCertificate(leaf);
  if (parsed instanceof PkiFailure) return undefined;
  const publicKey = crypto.publicKey(parsed?.spki ?? ask.rawPublicKey ?? new Uint8Array());
  if (publicKey === undefined) return undefined;
  const peer: PeerIdentity = parsed
    ? { kind: "certificate", chain: ask.certificates, publicKey }
    : { kind: "raw-public-key", publicKey };
  return { trusted: true, publicKey, peer };
}

function identityFor(identity: TlsServerOptions["identity"], ask: SelectIdentityAsk): TlsIdentity | undefined {
  if (identity === undefined || typeof identity === "function") return undefined;
  const all = Array.isArray(identity) ? (identity as readonly TlsIdentity[]) : [identity as TlsIdentity];
  return all.find(({ publicKey }) => ask.keyTypes === undefined || ask.keyTypes.includes(publicKey.type));
}
