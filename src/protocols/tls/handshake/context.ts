import { toHex } from "../../../bytes/index.js";
import { type Instant, type Question, Secret } from "../../../contract/index.js";
import type { Config } from "../config.js";
import { frame, type Message, messageName } from "../messages/handshake.js";
import type { TlsOutcome, TlsVersion } from "../options.js";
import type { TlsAsks } from "./questions.js";
import { Transcript } from "./transcript.js";
import type { Epoch, EpochKeys, TlsHandshakeOutput } from "./vocabulary.js";

/**
 * One step of a handshake: it holds exactly what is known by then, takes one message, and becomes the next. What a peer
 * does wrong is thrown by `refuse` and caught at the handshake's edge.
 */
export interface State<C extends Config = Config> {
  /** The specification's name for what is awaited. */
  readonly name: string;
  /** Epoch in which the next message must come. */
  readonly epoch: Epoch;
  handle(message: Message, cx: Context<C>): State<C>;
}

/** The last state: the session lives, and messages go on coming. */
export interface ConnectedState<C extends Config = Config> extends State<C> {
  readonly connected: true;
  /** New keys for our direction (RFC 9846 §4.7.3); throws `misuse` in versions that cannot. */
  updateKeys(cx: Context<C>, requestPeer: boolean): void;
  /** Server: a certificate, please (RFC 9846 §4.7.2). */
  requestAuthentication(cx: Context<C>): void;
}

/** A state between a question and its answer. Messages wait. */
export class Asking<C extends Config> implements State<C> {
  readonly name: string;
  readonly epoch: Epoch;
  readonly id: number;
  readonly #then: (answer: unknown) => State<C>;

  constructor(kind: string, epoch: Epoch, id: number, then: (answer: unknown) => State<C>) {
    this.name = `answer to ${kind}`;
    this.epoch = epoch;
    this.id = id;
    this.#then = then;
  }

  handle(): State<C> {
    return this;
  }

  answer(answer: unknown): State<C> {
    return this.#then(answer);
  }
}

/** What a session's secrets can do once they are there; each version has its own way. */
export interface Exporter {
  readonly version: TlsVersion;
  export(label: string, context: Uint8Array | undefined, length: number): Uint8Array;
  channelBinding(type: "tls-unique" | "tls-server-end-point"): Uint8Array | undefined;
  /** The same for a session that neither sends nor takes messages any more: what else it knows is let go of. */
  alone(): LoneExporter;
  wipe(): void;
}

export type LoneExporter = Pick<Exporter, "export" | "wipe">;

/** What all states of one handshake share: the ground they stand on and the ways out. */
export class Context<C extends Config = Config> {
  readonly config: C;
  transcript = new Transcript();
  readonly out: TlsHandshakeOutput[] = [];
  now: Instant = 0;
  /** Random of the ClientHello, which names the session in key logs. */
  clientRandom: Uint8Array = new Uint8Array(0);
  exporter: Exporter | undefined;
  /** Known once it is negotiated. */
  version: TlsVersion | undefined;
  /** The message in hand changed the keys that we read with. */
  readKeysChanged = false;
  /** Post-handshake messages without application data between them. */
  quietMessages = 0;
  earlyExporter: ((label: string, context: Uint8Array, length: number) => Uint8Array) | undefined;
  readonly #aside = new Map<number, (answer: unknown) => void>();
  #lastQuestion = 0;

  constructor(config: C) {
    this.config = config;
  }

  /** A message of ours: into the transcript, and on its way. Answers its bytes. */
  send(epoch: Epoch, type: number, body: Uint8Array): Uint8Array {
    const bytes = frame(type, body);
    this.transcript.add(bytes, "ours");
    this.put(epoch, type, bytes);
    return bytes;
  }

  /** A message that no transcript takes: those after the handshake. */
  put(epoch: Epoch, type: number, bytes: Uint8Array): void {
    this.trace("message_sent", { message: messageName(type), epoch, size: bytes.length });
    this.out.push({ kind: "message", epoch, bytes });
  }

  keys(epoch: Epoch, direction: "read" | "write", keys: EpochKeys): void {
    if (direction === "read" && keys.version === "1.3") this.readKeysChanged = true;
    const given = keys.version === "1.3" ? { ...keys, secret: Secret.copy(keys.secret.expose()) } : keys;
    this.out.push({ kind: "keys", epoch, direction, keys: given });
  }

  /** 1.2's key change, or 1.3's for middleboxes (RFC 9846 Appendix E.4). */
  changeCipherSpec(): void {
    this.out.push({ kind: "change-cipher-spec" });
  }

  /** Asks, and waits: the answer makes the next state. */
  ask<K extends keyof TlsAsks & string>(
    kind: K,
    ask: TlsAsks[K]["ask"],
    epoch: Epoch,
    then: (answer: TlsAsks[K]["answer"]) => State<C>,
  ): State<C> {
    const id = this.#question(kind, ask);
    return new Asking<C>(kind, epoch, id, (answer) => then(answer as TlsAsks[K]["answer"]));
  }

  /** Asks, and goes on meanwhile. */
  askAside<K extends keyof TlsAsks & string>(
    kind: K,
    ask: TlsAsks[K]["ask"],
    then?: (answer: TlsAsks[K]["answer"]) => void,
  ): void {
    const id = this.#question(kind, ask);
    if (then !== undefined) this.#aside.set(id, (answer) => then(answer as TlsAsks[K]["answer"]));
  }

  /** The answer to a question that was asked aside. */
  answerAside(id: number, answer: unknown): void {
    const then = this.#aside.get(id);
    this.#aside.delete(id);
    then?.(answer);
  }

  /** What the peer said in the application's extensions; the record protocol hears of it at once. */
  heard(extensions: TlsOutcome["extensions"]): TlsOutcome["extensions"] {
    if (extensions.size > 0) this.out.push({ kind: "extensions", extensions });
    return extensions;
  }

  confirmed(outcome: TlsOutcome): void {
    this.out.push({ kind: "confirmed", outcome });
  }

  /** The transcript, for what may yet be authenticated; an idle session keeps none that nobody will ask for. */
  leaveTranscript(isWanted: boolean): Transcript | undefined {
    const left = this.transcript;
    this.transcript = new Transcript();
    return isWanted ? left : undefined;
  }

  random(size: number): Uint8Array {
    return this.config.entropy.fill(new Uint8Array(size));
  }

  /** One line of SSLKEYLOGFILE (RFC 9850). */
  logKey(label: string, secret: Secret): void {
    this.config.options.keyLog?.(`${label} ${toHex(this.clientRandom)} ${toHex(secret.expose())}`);
  }

  trace(name: string, data: Readonly<Record<string, unknown>>): void {
    this.config.options.trace?.({ at: this.now, protocol: "TLS", name: `tls:${name}`, data });
  }

  #question(kind: string, ask: object): number {
    const id = ++this.#lastQuestion;
    // Its callers pair kind and ask; here the pair is a union again.
    const question = { ...ask, kind } as Question<TlsAsks>["question"];
    this.out.push({ kind: "question", id, question });
    return id;
  }
}
