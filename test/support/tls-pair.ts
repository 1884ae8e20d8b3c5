import type { Answer, AskOf, CryptoProvider, Instant, Wake } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { type MakableKey, makeCertificate, makePrivateKey, PkiFailure, parseCertificate } from "../../src/pki/index.js";
import { type AnyOptions, answerQuestion, scopeOf } from "../../src/protocols/tls/answers.js";
import {
  ClientSessionCache,
  dialects,
  MemorySessionStore,
  StrikeRegister,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsEvent,
  type TlsFailure,
  type TlsIdentity,
  type TlsInput,
  type TlsMachine,
  type TlsOutcome,
  type TlsServerOptions,
  tlsClient,
  tlsServer,
  type VerifyPeer,
} from "../../src/protocols/tls/index.js";
import { provider } from "./provider.js";

/** Two days into the certificates' life. */
export const startOfTime: Instant = Date.UTC(2026, 0, 3);
const day = 86_400_000;

/** An identity with a certificate of its own, the same in every run. */
export function identityFor(kind: MakableKey, crypto: CryptoProvider = provider): TlsIdentity {
  const key = crypto.privateKey(makePrivateKey(kind, seededEntropy(`key ${kind}`)).expose());
  if (key === undefined) throw new Error(`the provider has no ${kind}`);
  const { raw } = makeCertificate({
    provider: crypto,
    entropy: seededEntropy("certificate"),
    key,
    san: ["server.test"],
    notBefore: startOfTime - 2 * day,
    notAfter: startOfTime + 300 * day,
  });
  return {
    certificates: [raw],
    publicKey: key.publicKey,
    sign: (algorithm, message) => key.sign(algorithm, message),
  };
}

/** Trusts whoever shows a certificate that parses. */
export const trusting: VerifyPeer = (ask) => {
  const [first] = ask.certificates;
  const parsed = first && parseCertificate(first);
  const spki = parsed === undefined || parsed instanceof PkiFailure ? ask.rawPublicKey : parsed.spki;
  const publicKey = spki && provider.publicKey(spki);
  if (publicKey === undefined) throw new Error("it has no key");
  const peer =
    ask.rawPublicKey === undefined
      ? ({ kind: "certificate", chain: ask.certificates, publicKey } as const)
      : ({ kind: "raw-public-key", publicKey } as const);
  return { trusted: true, publicKey, peer };
};

export interface PairOptions {
  readonly client?: TlsClientOptions;
  readonly server?: TlsServerOptions;
  readonly seed?: number | string;
  readonly crypto?: CryptoProvider;
  readonly now?: Instant;
  /** Cuts what each side sends into pieces of at most this many bytes. */
  readonly pieceMax?: number;
  /** What arrives in place of what was sent. */
  readonly onTheWay?: (from: Side, bytes: Uint8Array) => Uint8Array;
  /** What is answered in place of an answer. */
  readonly onAnswer?: (answer: Answer) => readonly Answer[];
}

export type Side = "client" | "server";

/** One end: its machine, and all that it told. */
export class End {
  readonly side: Side;
  readonly machine: TlsMachine;
  readonly events: TlsEvent[] = [];
  readonly received: Uint8Array[] = [];
  readonly early: Uint8Array[] = [];
  /** Everything it transmitted. */
  readonly sent: Uint8Array[] = [];
  outcome: TlsOutcome | undefined;
  failure: TlsFailure | undefined;

  constructor(side: Side, machine: TlsMachine) {
    this.side = side;
    this.machine = machine;
  }

  get text(): string {
    return new TextDecoder().decode(concatAll(this.received));
  }

  get bytesReceived(): Uint8Array {
    return concatAll(this.received);
  }

  /** Names of the events so far. */
  get told(): string[] {
    return this.events.map(({ kind }) => kind);
  }
}

/** A client and a server machine with a lossless pipe between them. */
export class TlsPair {
  readonly client: End;
  readonly server: End;
  now: Instant;
  readonly #options: PairOptions;
  readonly #buffer = new Uint8Array(1 << 17);
  readonly #crypto: CryptoProvider;

  constructor(options: PairOptions = {}) {
    const { seed = 1, crypto = provider, now = startOfTime } = options;
    this.#options = options;
    this.#crypto = crypto;
    this.now = now;
    const clientOptions = { verify: trusting, ...options.client };
    const serverOptions = { verify: trusting, identity: p256(), ...options.server };
    const ground = (side: string) => ({ crypto, entropy: seededEntropy(`${side} ${seed}`) });
    this.client = new End("client", tlsClient(ground("client"), clientOptions));
    this.server = new End("server", tlsServer(ground("server"), serverOptions));
    this.#answering = { client: clientOptions, server: serverOptions };
  }

  readonly #answering: { readonly [S in Side]: AnyOptions };

  /** Opens both ends and lets them talk until they are silent. */
  async open(): Promise<this> {
    this.server.machine.handle({ kind: "opened" }, this.now);
    this.client.machine.handle({ kind: "opened" }, this.now);
    await this.settle();
    return this;
  }

  async give(side: Side, input: TlsInput | Wake): Promise<this> {
    this[side].machine.handle(input, this.now);
    await this.settle();
    return this;
  }

  async send(side: Side, data: string | Uint8Array): Promise<this> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    return this.give(side, { kind: "send", bytes });
  }

  async settle(): Promise<void> {
    for (let moved = true; moved; ) {
      moved = false;
      for (const side of ["client", "server"] as const) {
        if (await this.#events(this[side])) moved = true;
        if (this.#carry(side)) moved = true;
      }
    }
  }

  /** Carries what one side has to transmit to the other. */
  #carry(side: Side): boolean {
    const from = this[side];
    const to = side === "client" ? this.server : this.client;
    let moved = false;
    for (;;) {
      const transmit = from.machine.transmit(this.#buffer, this.now);
      if (transmit === undefined) return moved;
      moved = true;
      const sent = this.#buffer.slice(0, transmit.size);
      from.sent.push(sent);
      const arriving = this.#options.onTheWay?.(side, sent.slice()) ?? sent.slice();
      const piece = this.#options.pieceMax ?? arriving.length;
      for (let at = 0; at < arriving.length; at += piece) {
        to.machine.handle({ kind: "bytes", bytes: arriving.slice(at, at + piece) }, this.now);
      }
    }
  }

  async #events(end: End): Promise<boolean> {
    let moved = false;
    for (let event = end.machine.event(); event !== undefined; event = end.machine.event()) {
      moved = true;
      end.events.push(event);
      if (event.kind === "question") await this.#answer(end, event.id, event.question);
      else if (event.kind === "confirmed") end.outcome = event.outcome;
      else if (event.kind === "failed") end.failure = event.failure;
      else if (event.kind === "data") (event.early ? end.early : end.received).push(event.bytes.slice());
    }
    return moved;
  }

  async #answer(end: End, id: number, question: AskOf<TlsEvent>): Promise<void> {
    const options = this.#answering[end.side];
    const by = {
      options,
      crypto: this.#crypto,
      dialect: dialects.tls,
      scope: scopeOf(options, "server.test", 443),
    };
    const answer: Answer = {
      kind: "answer",
      id,
      answer: await answerQuestion(question, by, new AbortController().signal),
    };
    for (const each of this.#options.onAnswer?.(answer) ?? [answer]) end.machine.handle(each, this.now);
  }
}

/** A pair that has shaken hands. */
export const shake = (options?: PairOptions): Promise<TlsPair> => new TlsPair(options).open();

let made: TlsIdentity | undefined;
const p256 = (): TlsIdentity => (made ??= identityFor("P-256"));

/** What resumption takes, on both sides. */
export function resumption(seed: number | string = 1) {
  return {
    client: { sessions: new ClientSessionCache(new MemorySessionStore()) },
    server: {
      tickets: new TicketKeyRing({ crypto: provider, entropy: seededEntropy(`tickets ${seed}`) }),
      antiReplay: new StrikeRegister(startOfTime - day),
    },
  } as const;
}

export function concatAll(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
