import { DecodeError } from "../../../bytes/index.js";
import { type Answer, Failure, type Instant } from "../../../contract/index.js";
import type { Config } from "../config.js";
import { type TlsFailure, tlsFailure } from "../failure.js";
import { ExtensionsError } from "../messages/extensions.js";
import { messageName } from "../messages/handshake.js";
import type { TlsVersion } from "../options.js";
import { Asking, type ConnectedState, Context, type LoneExporter, type State } from "./context.js";
import { Reassembly } from "./reassembly.js";
import type { Epoch, HandshakeProtocol, TlsHandshakeOutput } from "./vocabulary.js";

/** Drives the states; see `HandshakeProtocol` for what it promises. */
export class Handshake<C extends Config = Config> implements HandshakeProtocol {
  readonly #cx: Context<C>;
  readonly #messages = new Reassembly();
  readonly #begin: (cx: Context<C>) => State<C>;
  #state: State<C> | undefined;
  #failure: TlsFailure | undefined;
  #deadline: Instant | undefined;
  /** The session's own state, also while a late authentication has taken its place. */
  #session: ConnectedState<C> | undefined;
  #begun = false;

  constructor(config: C, begin: (cx: Context<C>) => State<C>) {
    this.#cx = new Context(config);
    this.#begin = begin;
  }

  get failure(): TlsFailure | undefined {
    return this.#failure;
  }

  get deadline(): Instant | undefined {
    return this.#deadline;
  }

  get isMidMessage(): boolean {
    return this.#messages.isMidMessage || this.#messages.isWaiting;
  }

  /** Does it wait for an answer before it can read on? */
  get isBlocked(): boolean {
    return this.#state instanceof Asking;
  }

  get isConfirmed(): boolean {
    return this.#session !== undefined;
  }

  /** Of the ClientHello; undefined until there is one. */
  get clientRandom(): Uint8Array | undefined {
    const { clientRandom } = this.#cx;
    return clientRandom.length === 0 ? undefined : clientRandom;
  }

  /** The epoch in which the next message must come; undefined when it is over. */
  get awaitedEpoch(): Epoch | undefined {
    return this.#state?.epoch;
  }

  /** Has a message been sent or received? */
  get hasBegun(): boolean {
    return this.#begun;
  }

  /** Undefined until it is negotiated. */
  get version(): TlsVersion | undefined {
    return this.#cx.version;
  }

  /** Application data came: floods of post-handshake messages are counted from here. */
  dataReceived(): void {
    this.#cx.quietMessages = 0;
  }

  start(now: Instant): void {
    if (this.#failure !== undefined || this.#state !== undefined) return;
    this.#deadline = now + this.#cx.config.handshakeTimeoutMs;
    this.#guard(now, () => {
      this.#state = this.#begin(this.#cx);
      this.#begun = this.#cx.config.role === "client";
    });
  }

  receive(epoch: Epoch, bytes: Uint8Array, now: Instant): void {
    this.#guard(now, () => {
      this.#messages.add(epoch, bytes);
      this.#advance();
    });
  }

  answer({ id, answer }: Answer, now: Instant): void {
    this.#guard(now, () => {
      const state = this.#state;
      if (state instanceof Asking && state.id === id) {
        this.#state = state.answer(answer);
        this.#advance();
      } else this.#cx.answerAside(id, answer);
    });
  }

  wake(now: Instant): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    const waited = this.#state?.name ?? "nothing";
    this.fail(tlsFailure("handshake-timeout", waited, `the handshake took too long, waiting for ${waited}`));
  }

  output(): TlsHandshakeOutput | undefined {
    return this.#cx.out.shift();
  }

  /** Ends it from outside: the record protocol found something, or the application has had enough. */
  fail(failure: TlsFailure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#deadline = undefined;
    this.#state = undefined;
    this.#messages.clear();
    this.#cx.exporter?.wipe();
    this.#cx.out.push({ kind: "failed", failure });
  }

  /** Throws `misuse` before the handshake is confirmed. */
  updateKeys(requestPeer: boolean, now: Instant): void {
    this.#cx.now = now;
    this.#connected("updateKeys").updateKeys(this.#cx, requestPeer);
  }

  requestAuthentication(now: Instant): void {
    this.#cx.now = now;
    this.#connected("requestAuthentication").requestAuthentication(this.#cx);
  }

  /** RFC 5705 and RFC 9846 §7.5; throws `misuse` before the keys are there. */
  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    const { exporter } = this.#cx;
    if (exporter === undefined) throw tooEarly("exportKey");
    return exporter.export(label, context, length);
  }

  /** All that remains of a session which neither sends nor takes messages any more. Throws `misuse` before the keys are there. */
  loneExporter(): LoneExporter {
    const { exporter } = this.#cx;
    if (exporter === undefined) throw tooEarly("loneExporter");
    return exporter.alone();
  }

  exportEarlyKey(label: string, length: number, context: Uint8Array = new Uint8Array(0)): Uint8Array {
    const { earlyExporter } = this.#cx;
    if (earlyExporter === undefined) {
      throw tlsFailure("misuse", "exportEarlyKey", "there is an early exporter only with early data or a PSK");
    }
    return earlyExporter(label, context, length);
  }

  channelBinding(type: "tls-exporter" | "tls-unique" | "tls-server-end-point"): Uint8Array | undefined {
    const { exporter } = this.#cx;
    if (exporter === undefined) throw tooEarly("channelBinding");
    // RFC 9266 §4: label EXPORTER-Channel-Binding, no context, 32 bytes.
    if (type === "tls-exporter") return exporter.export("EXPORTER-Channel-Binding", new Uint8Array(0), 32);
    return exporter.channelBinding(type);
  }

  /** Forgets the secrets. */
  wipe(): void {
    this.#cx.exporter?.wipe();
    this.#messages.clear();
    this.#deadline = undefined;
  }

  #advance(): void {
    while (this.#state !== undefined && !(this.#state instanceof Asking)) {
      const next = this.#messages.next();
      if (next === undefined) break;
      const { epoch, message } = next;
      const name = messageName(message.type);
      this.#cx.trace("message_received", { message: name, epoch, size: message.bytes.length });
      if (epoch !== this.#state.epoch) {
        throw tlsFailure("unexpected-message", name, `${name} came under ${epoch} keys, not ${this.#state.epoch}`);
      }
      this.#begun = true;
      this.#cx.readKeysChanged = false;
      this.#state = this.#state.handle(message, this.#cx);
      this.#checkKeyChange(epoch);
    }
    this.#session ??= connected(this.#state);
    if (this.#session !== undefined) this.#deadline = undefined;
  }

  /** Messages may not span a key change (RFC 9846 §5.1): nothing more of this epoch may be here already. */
  #checkKeyChange(epoch: Epoch): void {
    if (this.#cx.readKeysChanged && this.#messages.holds(epoch)) {
      throw tlsFailure("message-spans-key-change", "Handshake", "messages go on where the key changes");
    }
  }

  /** The edge: here everything that a peer can do wrong becomes one failure. */
  #guard(now: Instant, step: () => void): void {
    if (this.#failure !== undefined) return;
    this.#cx.now = now;
    try {
      step();
    } catch (error) {
      this.fail(toFailure(error, this.#state?.name ?? "start"));
    }
  }

  #connected(what: string): ConnectedState<C> {
    return this.#session ?? refuseEarly(what);
  }
}

function toFailure(error: unknown, at: string): TlsFailure {
  if (error instanceof ExtensionsError) return tlsFailure(error.reason, error.at, error.message);
  if (error instanceof DecodeError) return tlsFailure("malformed-message", at, `it does not parse: ${error.message}`);
  if (error instanceof Failure && error.protocol === "TLS") return error as TlsFailure;
  return tlsFailure("internal-error", at, "something that cannot happen did", { cause: error });
}

function connected<C extends Config>(state: State<C> | undefined): ConnectedState<C> | undefined {
  return state !== undefined && "connected" in state ? (state as ConnectedState<C>) : undefined;
}

const tooEarly = (what: string): TlsFailure =>
  tlsFailure("misuse", what, "the handshake is not confirmed", { hint: "await `confirmed` first" });

function refuseEarly(what: string): never {
  throw tooEarly(what);
}
