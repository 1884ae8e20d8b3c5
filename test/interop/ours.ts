import { X509Certificate } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { brotliCompressSync, brotliDecompressSync, deflateSync, inflateSync } from "node:zlib";
import { type Failure, type Host, type PortListener, Secret } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import {
  type CertificateCompressor,
  ClientSessionCache,
  connect,
  listen,
  MemorySessionStore,
  type PeerAsk,
  type PeerVerdict,
  ServerSessionCache,
  StrikeRegister,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsIdentity,
  type TlsOptions,
  type TlsOutcome,
  type TlsServerOptions,
  type TlsSession,
  type TlsSink,
  tlsFailure,
} from "../../src/protocols/tls/index.js";
import { authority, der, type IdentityName, identity, type TlsEnd, type TlsSetup } from "./peers/index.js";

/** The host of all our ends in a test file. */
export const host: Host = nodeHost({ keyLogPath: undefined });

/** Our own end of a conversation, in this process, with all that it was told kept for reading. */
export class OurEnd implements TlsEnd, TlsSink {
  /** Names of what the sink was told, in order: "confirmed", "ended", "keyUpdated read" … */
  readonly told: string[] = [];
  #session: TlsSession | undefined;
  #failure: Failure | undefined;
  #isClosed = false;
  #said = "";
  #early = "";
  #outcome: TlsOutcome | undefined;
  #take: ((bytes: Uint8Array) => void) | undefined;
  #wake: (() => void)[] = [];
  #drained: (() => void)[] = [];
  readonly #label: string | undefined;

  constructor(label: string | undefined) {
    this.#label = label;
  }

  get session(): TlsSession {
    if (!this.#session) throw new Error("the session is not there yet");
    return this.#session;
  }

  use(session: TlsSession): this {
    this.#session = session;
    // Who awaits nothing must not be killed by the rejection.
    session.confirmed.catch(() => {});
    return this;
  }

  /** The agreement, when the handshake is confirmed; rejects if it failed. */
  async outcome(): Promise<TlsOutcome> {
    await this.until("be confirmed", () => this.#outcome);
    return this.#outcome!;
  }

  async exporter(): Promise<string> {
    await this.outcome();
    return Buffer.from(this.session.exportKey(this.#label!, 32)).toString("hex");
  }

  async say(line: string): Promise<void> {
    await this.outcome();
    this.session.write(new TextEncoder().encode(`${line}\n`));
  }

  async hears(text: string | RegExp): Promise<void> {
    await this.until(`hear ${text}`, () => this.#said.match(text) ?? undefined);
  }

  /** What came before the handshake was confirmed. */
  get heardEarly(): string {
    return this.#early;
  }

  async updateKeys(requestPeer: boolean): Promise<void> {
    this.session.updateKeys({ requestPeer });
  }

  async close(): Promise<void> {
    this.session.close();
  }

  /** Waits for the end and answers why it ended; undefined after a clean close. */
  async ending(patience = true): Promise<Failure | undefined> {
    await this.until("close", () => this.#isClosed || undefined, true, patience ? patienceMs : 2 ** 31 - 1);
    return this.#failure;
  }

  async tells(what: string, times = 1): Promise<void> {
    const count = () => this.told.filter((each) => each === what).length;
    await this.until(`tell ${what}`, () => count() >= times || undefined);
  }

  /** From now on what is received goes to this function alone. */
  stream(take: (bytes: Uint8Array) => void): void {
    this.#take = take;
  }

  /** Writes, and waits when the session asks its caller to wait. */
  async push(bytes: Uint8Array): Promise<void> {
    if (!this.session.write(bytes)) await new Promise<void>((go) => this.#drained.push(go));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#session?.abort();
    await this.ending();
  }

  confirmed(outcome: TlsOutcome): void {
    this.#outcome = outcome;
    this.#tell("confirmed");
  }

  bytes(bytes: Uint8Array): void {
    if (this.#take) this.#take(bytes);
    else this.#said += Buffer.from(bytes).toString("latin1");
    this.#tell("bytes");
  }

  earlyBytes(bytes: Uint8Array): void {
    this.#early += Buffer.from(bytes).toString("latin1");
    this.#tell("earlyBytes");
  }

  earlyData(status: "accepted" | "rejected"): void {
    this.#tell(`earlyData ${status}`);
  }

  keyUpdated(direction: "read" | "write", byPeer: boolean): void {
    this.#tell(`keyUpdated ${direction}${byPeer ? " by peer" : ""}`);
  }

  authenticated(peer: TlsOutcome["peer"]): void {
    this.#tell(`authenticated ${peer?.kind ?? "nobody"}`);
  }

  ticket(): void {
    this.#tell("ticket");
  }

  ended(): void {
    this.#tell("ended");
  }

  drained(): void {
    for (const go of this.#drained.splice(0)) go();
  }

  closed(failure?: Failure): void {
    this.#failure = failure;
    this.#isClosed = true;
    this.#tell("closed");
    this.drained();
  }

  #tell(what: string): void {
    this.told.push(what);
    for (const wake of this.#wake.splice(0)) wake();
  }

  async until<T>(what: string, look: () => T | undefined, evenClosed = false, ms = patienceMs): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      for (const wake of this.#wake.splice(0)) wake();
    }, ms);
    try {
      for (;;) {
        const found = look();
        if (found !== undefined) return found;
        if (late) throw new Error(`our end did not ${what} within ${ms} ms; it told: ${this.told.join(", ")}`);
        if (this.#isClosed && !evenClosed) {
          throw new Error(`our end closed before it could ${what}: ${this.#failure?.message ?? "cleanly"}`, {
            cause: this.#failure,
          });
        }
        await new Promise<void>((wake) => this.#wake.push(wake));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

const patienceMs = 20_000;

/** What our end can be told beside the common vocabulary. */
export interface OurExtras {
  readonly client?: TlsClientOptions;
  readonly server?: TlsServerOptions;
}

export function connectOurs(port: number, setup: TlsSetup, extras: OurExtras = {}): OurEnd {
  const end = new OurEnd(setup.exporterLabel);
  return end.use(connect(host, { address: "127.0.0.1", port }, clientOptions(setup, extras), end));
}

/** Our server: it takes one visitor after the other. */
export class OurServer implements AsyncDisposable {
  readonly port: number;
  readonly #listener: PortListener;
  readonly #visitors: OurEnd[];
  #next = 0;
  readonly #arrivals: (() => void)[];

  static async start(setup: TlsSetup, extras: OurExtras = {}): Promise<OurServer> {
    const visitors: OurEnd[] = [];
    const arrivals: (() => void)[] = [];
    const options = serverOptions(setup, extras);
    const listener = await listen(host, { address: "127.0.0.1", port: 0 }, options, (session) => {
      const end = new OurEnd(setup.exporterLabel).use(session);
      visitors.push(end);
      for (const go of arrivals.splice(0)) go();
      return end;
    });
    return new OurServer(listener, visitors, arrivals);
  }

  private constructor(listener: PortListener, visitors: OurEnd[], arrivals: (() => void)[]) {
    this.port = listener.local.port;
    this.#listener = listener;
    this.#visitors = visitors;
    this.#arrivals = arrivals;
  }

  /** The next visitor, as soon as it has knocked. */
  async next(): Promise<OurEnd> {
    while (this.#visitors[this.#next] === undefined) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((go, fail) => {
        this.#arrivals.push(go);
        timer = setTimeout(() => fail(new Error(`nobody came within ${patienceMs} ms`)), patienceMs);
      }).finally(() => clearTimeout(timer));
    }
    return this.#visitors[this.#next++]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const visitor of this.#visitors) await visitor[Symbol.asyncDispose]();
    await this.#listener.close();
  }
}

/** Sessions of our clients, by the name of the file in which a stranger would keep them. */
const sessionCaches = new Map<string, ClientSessionCache>();

function sessionCache(path: string): ClientSessionCache {
  let cache = sessionCaches.get(path);
  if (!cache) sessionCaches.set(path, (cache = new ClientSessionCache(new MemorySessionStore())));
  return cache;
}

export function clientOptions(setup: TlsSetup, extras: OurExtras = {}): TlsClientOptions {
  const session = setup.useSession ?? setup.saveSession;
  return {
    ...common(setup),
    serverName: setup.serverName ?? "localhost",
    ...(setup.identity ? { identity: ourIdentity(setup.identity, setup) } : {}),
    ...(session ? { sessions: sessionCache(session) } : {}),
    ...(setup.groups ? { keyShares: setup.groups.slice(0, 1) } : {}),
    ...(setup.maxFragmentLength ? { maxFragmentLength: setup.maxFragmentLength } : {}),
    requestStatus: setup.staple !== undefined,
    ...extras.client,
  };
}

export function serverOptions(setup: TlsSetup, extras: OurExtras = {}): TlsServerOptions {
  const names: IdentityName[] = setup.psk && !setup.identity ? [] : [setup.identity ?? "p256"];
  if (setup.alternative) names.push(setup.alternative);
  const asks = { optional: "request", required: "require" } as const;
  return {
    ...common(setup),
    identity: names.map((name) => ourIdentity(name, setup)),
    tickets: new TicketKeyRing({ crypto: host.crypto, entropy: host.entropy }),
    sessionCache: new ServerSessionCache(new MemorySessionStore()),
    ...(setup.askClient ? { clientAuthentication: asks[setup.askClient] } : {}),
    // The register remembers from before the test began, or it would refuse everything for a while (RFC 9846 §8.2).
    ...(setup.earlyDataMax
      ? { earlyDataMax: setup.earlyDataMax, antiReplay: new StrikeRegister(host.now() - 60_000) }
      : {}),
    ...extras.server,
  };
}

function common(setup: TlsSetup): TlsOptions {
  const { keyLog } = setup;
  return {
    verify,
    ...(setup.version ? { versions: [setup.version] } : {}),
    ...(setup.suites ? { suites: setup.suites } : {}),
    ...(setup.groups ? { groups: setup.groups } : {}),
    ...(setup.schemes ? { signatureSchemes: setup.schemes } : {}),
    ...(setup.alpn ? { alpn: setup.alpn } : {}),
    ...(setup.rawPublicKey ? { certificateTypes: ["raw-public-key"], peerCertificateTypes: ["raw-public-key"] } : {}),
    ...(setup.compression ? { certificateCompression: [compressors[setup.compression]] } : {}),
    ...(setup.psk
      ? { psks: [{ identity: new TextEncoder().encode(setup.psk.identity), key: Secret.copy(setup.psk.key) }] }
      : {}),
    ...(setup.recordSizeLimit ? { recordSizeLimit: setup.recordSizeLimit } : {}),
    ...(keyLog ? { keyLog: (line: string) => appendFileSync(keyLog, `${line}\n`, { mode: 0o600 }) } : {}),
  };
}

const identities = new Map<string, TlsIdentity>();

export function ourIdentity(name: IdentityName, setup: TlsSetup = {}): TlsIdentity {
  const staple = typeof setup.staple === "string" ? setup.staple : undefined;
  const id = `${name} ${staple ?? ""}`;
  const known = identities.get(id);
  if (known) return known;
  const files = identity(name);
  const key = host.crypto.privateKey(der(files.key)[0]!);
  if (!key) throw new Error(`our provider cannot read the key of ${name}`);
  const made: TlsIdentity = {
    certificates: der(files.certificate),
    publicKey: key.publicKey,
    sign: (algorithm, message) => key.sign(algorithm, message),
    ...(staple ? { ocspResponse: new Uint8Array(readFileSync(staple)) } : {}),
  };
  identities.set(id, made);
  return made;
}

/** Trusts what the run's authority issued, judged by Node's X.509 so that TLS is tried apart from our own. */
export function verify(ask: PeerAsk): PeerVerdict {
  if (ask.rawPublicKey) {
    const publicKey = host.crypto.publicKey(ask.rawPublicKey);
    if (!publicKey) return distrust("unsupported-certificate", "the raw key is not one that we know");
    return { trusted: true, publicKey, peer: { kind: "raw-public-key", publicKey } };
  }
  const chain = ask.certificates.map((bytes) => new X509Certificate(bytes));
  const root = new X509Certificate(readFileSync(authority()));
  const leaf = chain[0];
  if (!leaf) return distrust("missing-certificate", "there is no certificate");
  const path = [...chain, root];
  const isWhole = chain.every((each, at) => each.checkIssued(path[at + 1]!) && each.verify(path[at + 1]!.publicKey));
  if (!isWhole) return distrust("unknown-authority", "the chain does not end at the run's authority");
  const name = ask.serverName;
  if (name !== undefined && !(isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name)))
    return distrust("wrong-name", `not ${name}`);
  const publicKey = host.crypto.publicKey(leaf.publicKey.export({ type: "spki", format: "der" }));
  if (!publicKey) return distrust("unsupported-certificate", "the key is not one that we know");
  return { trusted: true, publicKey, peer: { kind: "certificate", chain: ask.certificates, publicKey } };
}

const distrust = (reason: Parameters<typeof tlsFailure>[0], message: string): PeerVerdict => ({
  trusted: false,
  failure: tlsFailure(reason, "Certificate", message),
});

const compressors: Record<NonNullable<TlsSetup["compression"]>, CertificateCompressor> = {
  zlib: { algorithm: "zlib", compress: (bytes) => deflateSync(bytes), decompress: (bytes) => inflateSync(bytes) },
  brotli: {
    algorithm: "brotli",
    compress: (bytes) => brotliCompressSync(bytes),
    decompress: (bytes) => brotliDecompressSync(bytes),
  },
  zstd: { algorithm: "zstd", compress: () => undefined, decompress: () => undefined },
};
