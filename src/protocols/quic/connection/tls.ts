import { fromUtf8 } from "../../../bytes/index.js";
import type { Answer, CryptoProvider, Entropy, Instant } from "../../../contract/index.js";
import {
  type ClientSession,
  clientConfig,
  clientHandshake,
  dialects,
  type Epoch,
  type FoundPsk,
  type Handshake,
  type OfferedPsk,
  type ResumableSession,
  serverConfig,
  serverHandshake,
  type TlsHandshakeOutput,
} from "../../tls/index.js";
import type { QuicClientOptions, QuicServerOptions } from "../options.js";
import type { TransportParameters } from "../wire/transport-parameters.js";
import { type Remembered, recall, reducedLimit, remember } from "./remembered.js";
import type { SpaceId } from "./space.js";

/** quic_transport_parameters, RFC 9001 §8.2. */
export const parametersExtension = 0x39;

type Handshaking = Pick<
  Handshake,
  | "start"
  | "receive"
  | "answer"
  | "wake"
  | "output"
  | "deadline"
  | "isMidMessage"
  | "exportKey"
  | "loneExporter"
  | "wipe"
  | "dataReceived"
>;

type LoneExporter = ReturnType<Handshake["loneExporter"]>;

/** A handshake of which nothing is left but its exporter. Nobody hands it messages: they are refused before. */
class Settled implements Handshaking {
  readonly deadline = undefined;
  readonly isMidMessage = false;
  readonly #exporter: LoneExporter;

  constructor(exporter: LoneExporter) {
    this.#exporter = exporter;
  }

  start(): void {}
  receive(): void {}
  answer(): void {}
  wake(): void {}
  dataReceived(): void {}

  output(): undefined {}

  loneExporter(): LoneExporter {
    return this.#exporter;
  }

  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#exporter.export(label, context, length);
  }

  wipe(): void {
    this.#exporter.wipe();
  }
}

export interface TlsGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
}

/** RFC 9001 §4: levels are epochs, and CRYPTO frames carry what records would. */
const epochs: readonly Epoch[] = ["initial", "handshake", "application"];

/**
 * TLS inside of QUIC (RFC 9001 §4). It also puts into tickets, and takes out of them, what QUIC must remember of a
 * session: questions pass through here on their way out, and answers on their way in.
 */
export class TlsGlue {
  /** Client: what 0-RTT data must keep to; told before the data can be sent. */
  remembered: Remembered | undefined;
  readonly #isServer: boolean;
  /** The version for which tickets are good, and the server's parameters that go with them. */
  readonly #version: () => number;
  readonly #serverParameters: () => TransportParameters | undefined;
  /** Kinds of the questions that are open, by their numbers. */
  #asked: Map<number, string> | undefined;
  /** Server: the protocol that 0-RTT data are for, before the handshake is over. */
  earlyAlpn: string | undefined;
  #resumed: Remembered | undefined;
  #handshake: Handshaking;

  private constructor(
    handshake: Handshaking,
    isServer: boolean,
    version: () => number,
    serverParameters: () => TransportParameters | undefined,
  ) {
    this.#handshake = handshake;
    this.#isServer = isServer;
    this.#version = version;
    this.#serverParameters = serverParameters;
  }

  static client(
    ground: TlsGround,
    options: QuicClientOptions,
    parameters: Uint8Array,
    version: () => number,
    serverParameters: () => TransportParameters | undefined,
  ): TlsGlue {
    const extensions = [...(options.extensions ?? []), { type: parametersExtension, data: parameters, required: true }];
    const config = clientConfig({ ...ground, dialect: dialects.quic }, { ...options, versions: ["1.3"], extensions });
    return new TlsGlue(clientHandshake(config), false, version, serverParameters);
  }

  /** `answer` takes the client's parameters, and answers ours. */
  static server(
    ground: TlsGround,
    options: QuicServerOptions,
    answer: (offered: Uint8Array) => Uint8Array,
    version: () => number,
    serverParameters: () => TransportParameters | undefined,
  ): TlsGlue {
    const data = (offered: Uint8Array | undefined): Uint8Array | undefined => offered && answer(offered);
    const extensions = [...(options.extensions ?? []), { type: parametersExtension, data, required: true }];
    const { earlyData, ...shared } = options;
    const earlyDataMax = earlyData === true ? dialects.quic.earlyDataMax : 0;
    const tls = { ...shared, versions: ["1.3"] as const, extensions, earlyDataMax };
    const config = serverConfig({ ...ground, dialect: dialects.quic }, tls);
    return new TlsGlue(serverHandshake(config), true, version, serverParameters);
  }

  start(now: Instant): void {
    this.#handshake.start(now);
  }

  receive(space: SpaceId, bytes: Uint8Array, now: Instant): void {
    this.#handshake.receive(epochs[space]!, bytes, now);
  }

  wake(now: Instant): void {
    this.#handshake.wake(now);
  }

  deadline(): Instant | undefined {
    return this.#handshake.deadline;
  }

  /**
   * Server: once its tickets are out, nothing of TLS's goes or comes any more (RFC 9001 §4.4, §6). Then all is forgotten but what
   * exports keys, for an idle connection is mostly this.
   */
  settle(): void {
    if (!this.#isServer || this.isSettled || this.#asked !== undefined || this.isMidMessage) return;
    this.#handshake = new Settled(this.#handshake.loneExporter());
  }

  get isSettled(): boolean {
    return this.#handshake instanceof Settled;
  }

  /** Is there half a message? Then no keys may change (RFC 9001 §4.1.3). */
  get isMidMessage(): boolean {
    return this.#handshake.isMidMessage;
  }

  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#handshake.exportKey(label, length, context);
  }

  wipe(): void {
    this.#handshake.wipe();
  }

  output(): TlsHandshakeOutput | undefined {
    const output = this.#handshake.output();
    if (output?.kind !== "question") return output;
    const { question } = output;
    (this.#asked ??= new Map()).set(output.id, question.kind);
    // RFC 9000 §7.4.1: what 0-RTT stands on goes with the ticket, on both sides.
    if (question.kind === "store-session" || question.kind === "issue-ticket") {
      return {
        ...output,
        question: { ...question, session: this.#withParameters(question.session) } as typeof question,
      };
    }
    return output;
  }

  answer(answer: Answer, now: Instant): void {
    const kind = this.#asked?.get(answer.id);
    this.#asked?.delete(answer.id);
    if (this.#asked?.size === 0) this.#asked = undefined;
    this.#handshake.answer(
      kind === undefined ? answer : { ...answer, answer: this.#adjusted(kind, answer.answer) },
      now,
    );
  }

  #withParameters<S extends ResumableSession | ClientSession>(session: S): S {
    const parameters = this.#serverParameters();
    return parameters === undefined ? session : { ...session, applicationData: remember(this.#version(), parameters) };
  }

  #adjusted(kind: string, answer: unknown): unknown {
    switch (kind) {
      case "offer-psks":
        return answer && this.#offered(answer as OfferedPsk);
      case "find-psk":
        return answer && this.#found(answer as FoundPsk);
      case "judge-early-data":
        return this.#keepsLimits ? answer : undefined;
      default:
        return answer;
    }
  }

  /** A ticket is good for the version that it came from alone (RFC 9369 §5). */
  #offered(offered: OfferedPsk): OfferedPsk {
    const { session } = offered;
    if (session === undefined) return offered;
    this.remembered = recall(session.applicationData);
    if (this.remembered?.version === this.#version()) return offered;
    this.remembered = undefined;
    return { external: offered.external };
  }

  #found(found: FoundPsk): FoundPsk | undefined {
    if (found.kind !== "resumption") return found;
    this.#resumed = recall(found.session.applicationData);
    this.earlyAlpn = fromUtf8(found.session.alpn) || undefined;
    return this.#resumed?.version === this.#version() ? found : undefined;
  }

  get #keepsLimits(): boolean {
    const now = this.#isServer ? this.#serverParameters() : undefined;
    return (
      this.#resumed !== undefined && now !== undefined && reducedLimit(this.#resumed.parameters, now) === undefined
    );
  }
}
