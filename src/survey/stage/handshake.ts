import { equal } from "../../bytes/index.js";
import { Failure, type Host, type PeerIdentity, Secret } from "../../contract/index.js";
import { parseCertificate } from "../../pki/index.js";
import {
  MemorySessionStore,
  type SessionStore,
  type TlsIdentity,
  tlsFailure,
  type VerifyPeer,
} from "../../protocols/tls/index.js";
import { see } from "../probe.js";
import type { Authority } from "./authority.js";

/** What the cells of every protocol have in common whose handshake is TLS's: TLS, DTLS, QUIC and what is keyed by them. */

/** The name under which servers are asked for. */
export const name = "survey.test";

/** IPK: two names. */
export const names = ["a.survey.test", "b.survey.test"] as const;

/** Identities whose keys sign somewhere else and some time later, as those in a hardware module do. */
export class SlowSigner {
  signatures = 0;

  of(identity: TlsIdentity): TlsIdentity {
    return {
      ...identity,
      sign: async (algorithm, message, signal) => {
        await new Promise((later) => setTimeout(later, 1));
        this.signatures++;
        return identity.sign(algorithm, message, signal);
      },
    };
  }
}

/** A server's choice of an identity by SNI. */
export type Choice = (ask: { readonly serverName?: string | undefined }) => TlsIdentity;

/**
 * IPK: each of two names shows its own certificate by SNI, signed by an asynchronous signer.
 * @param meet - a handshake with a server of this choice, asked for by this name; answers whom the client saw
 */
export async function showsOwnIdentities(
  authority: Authority,
  meet: (serverName: string, identity: Choice) => Promise<PeerIdentity | undefined>,
): Promise<Choice> {
  const signer = new SlowSigner();
  const [a, b] = [signer.of(await authority.identity(names[0])), signer.of(await authority.identity(names[1]))];
  const choice: Choice = ({ serverName }) => (serverName === names[1] ? b : a);
  for (const serverName of names) {
    const peer = await meet(serverName, choice);
    see(peer?.kind === "certificate", "the server's certificate");
    see(equal(peer.chain[0]!, choice({ serverName }).certificates[0]!), `the certificate of ${serverName}`);
  }
  see(signer.signatures === 2, "a signature by the asynchronous signer in each handshake");
  return choice;
}

/** EXT: an extension that no handshake knows, which the server answers with the reverse of what was offered. */
export const strangeExtension = {
  type: 0xff5e,
  size: 6,
  client: [{ type: 0xff5e, data: new TextEncoder().encode("survey"), required: true }],
  server: [{ type: 0xff5e, data: (bytes: Uint8Array | undefined) => bytes && Uint8Array.from(bytes).reverse() }],
} as const;

/** EXT: that extension at both ends. */
export function seeStrangeExtension(outcome: {
  readonly client: { readonly extensions: ReadonlyMap<number, Uint8Array> };
  readonly server: { readonly extensions: ReadonlyMap<number, Uint8Array> };
}): void {
  const { type, client } = strangeExtension;
  const offered = client[0].data;
  const seen = outcome.server.extensions.get(type);
  see(seen !== undefined && equal(seen, offered), "the client's extension at the server");
  const answered = outcome.client.extensions.get(type);
  see(
    answered !== undefined && equal(answered, Uint8Array.from(offered).reverse()),
    "the server's answer at the client",
  );
}

/** CM: the application's own store: asynchronous, and it counts. */
export class CountingStore implements SessionStore {
  puts = 0;
  taken = 0;
  readonly #inner = new MemorySessionStore();
  #watchers: (() => void)[] = [];

  async add(...[key, session]: Parameters<SessionStore["add"]>): Promise<void> {
    await new Promise((later) => setTimeout(later, 1));
    this.#inner.add(key, session);
    this.puts++;
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  async take(...[key, now]: Parameters<SessionStore["take"]>) {
    await new Promise((later) => setTimeout(later, 1));
    const session = this.#inner.take(key, now);
    if (session !== undefined) this.taken++;
    return session;
  }

  async peek(...[key, now]: Parameters<SessionStore["peek"]>) {
    return this.#inner.peek(key, now);
  }

  async remove(key: string): Promise<void> {
    this.#inner.remove(key);
  }

  async added(count: number): Promise<void> {
    while (this.puts < count) await new Promise<void>((told) => this.#watchers.push(told));
  }
}

/** PSKI: a key of 32 bytes under the identity "survey", and another under the same. */
export function newPsk({ entropy }: Host) {
  const bytes = entropy.fill(new Uint8Array(32));
  const identity = new TextEncoder().encode("survey");
  return {
    identity,
    bytes,
    right: () => ({ identity, key: Secret.copy(bytes) }),
    wrong: () => ({ identity, key: new Secret(bytes.map((each) => each ^ 1)) }),
  };
}

/** PSKI: both ends by key alone, and the server knows by which. */
export function seePsk(
  { client, server }: Record<"client" | "server", { readonly mode: string; readonly peer?: PeerIdentity | undefined }>,
  identity: Uint8Array,
): void {
  see(client.mode === "psk" && server.mode === "psk", "the mode psk at both ends");
  see(
    server.peer?.kind === "pre-shared-key" && equal(server.peer.identity, identity),
    "the key's identity at the server",
  );
}

/** IV: an application's own rule behind full validation: this one key, whoever signed it. Asynchronous, and it counts. */
export class Pin {
  asked = 0;
  readonly #authority: Authority;

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  to({ publicKey: { spki } }: TlsIdentity): VerifyPeer {
    return async (ask) => {
      await new Promise((later) => setTimeout(later, 1));
      this.asked++;
      const verdict = await this.#authority.verify(ask);
      if (!verdict.trusted || equal(verdict.publicKey.spki, spki)) return verdict;
      return { trusted: false, failure: tlsFailure("bad-certificate", "pin", "the key is not the pinned one") };
    };
  }
}

/** The failure of what must fail. */
export async function failing(work: Promise<AsyncDisposable>): Promise<Failure> {
  try {
    await using _ = await work;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("not seen: a failure");
}

/** "by certificate CN=demo.test". */
export function by(peer: PeerIdentity | undefined): string {
  if (peer?.kind !== "certificate") return `by ${peer?.kind ?? "nothing"}`;
  const certificate = parseCertificate(peer.chain[0]!);
  return "subject" in certificate && "text" in certificate ? `by certificate ${certificate.text}` : "by certificate";
}
