import { type CryptoProvider, equalInConstantTime, type Hash, type Secret } from "../../../contract/index.js";
import type { ClientConfig, Config, ServerConfig } from "../config.js";
import { refuse, tlsFailure } from "../failure.js";
import type { ConnectedState, Context, Exporter, State } from "../handshake/context.js";
import { serverEndPoint } from "../handshake/end-point.js";
import { expect } from "../handshake/expect.js";
import {
  exportKeyingMaterial,
  type KeyBlock,
  keyBlock,
  type MainSecretBinding,
  mainSecret,
  type Randoms,
  verifyData,
} from "../keys12.js";
import { handshakeType, type Message, messageName } from "../messages/handshake.js";
import type { Suite12 } from "../parameters/suites12.js";

type Side = "client" | "server";

/** The secrets of a 1.2 session and what follows from them. */
export class Session12 implements Exporter {
  readonly version = "1.2";
  readonly suite: Suite12;
  readonly extendedMainSecret: boolean;
  readonly #crypto: CryptoProvider;
  readonly #hash: Hash;
  readonly #randoms: Randoms;
  readonly #main: Secret;
  readonly #keys: KeyBlock;
  /** verify_data of the handshake's first Finished: tls-unique, RFC 5929 §3.1. */
  #firstFinished: Uint8Array | undefined;
  /** For tls-server-end-point, RFC 5929 §4. */
  #serverCertificate: Uint8Array | undefined;

  constructor(crypto: CryptoProvider, suite: Suite12, randoms: Randoms, main: Secret, extendedMainSecret: boolean) {
    this.suite = suite;
    this.extendedMainSecret = extendedMainSecret;
    this.#crypto = crypto;
    this.#hash = crypto.hash(suite.hash);
    this.#randoms = randoms;
    this.#main = main;
    this.#keys = keyBlock(crypto, suite, main, randoms);
  }

  /** Out of a premaster secret, which is wiped. */
  static agree(
    crypto: CryptoProvider,
    suite: Suite12,
    randoms: Randoms,
    premaster: Secret,
    sessionHash: Uint8Array | undefined,
  ): Session12 {
    const binding: MainSecretBinding = sessionHash === undefined ? { randoms } : { sessionHash };
    const main = mainSecret(crypto.hash(suite.hash), premaster, binding);
    premaster.wipe();
    return new Session12(crypto, suite, randoms, main, sessionHash !== undefined);
  }

  /** The main secret, for whoever stores the session. */
  secret(): Uint8Array {
    return this.#main.expose().slice();
  }

  logKeys(cx: Context): void {
    cx.logKey("CLIENT_RANDOM", this.#main);
  }

  /** Renegotiation is none of ours, so there is nothing that it could let go of. */
  alone(): this {
    return this;
  }

  /** Remembers the server's certificate, if it has one, for channel bindings. */
  serverIs(certificate: Uint8Array | undefined): void {
    this.#serverCertificate = certificate;
  }

  /** New keys for one direction. When reading, they begin to count with the peer's ChangeCipherSpec. */
  install(cx: Context, direction: "read" | "write"): void {
    const ours = cx.config.role;
    if (direction === "write") cx.out.push({ kind: "change-cipher-spec" });
    const side: Side = direction === "write" ? ours : ours === "client" ? "server" : "client";
    cx.keys("application", direction, { version: "1.2", suite: this.suite, keys: this.#keys[side] });
  }

  /** Our Finished, over all that is in the transcript. */
  sendFinished(cx: Context): void {
    const ours = verifyData(this.#hash, this.#main, cx.config.role, cx.transcript.digest());
    this.#firstFinished ??= ours;
    cx.send("application", handshakeType.finished, ours);
  }

  /** The peer's Finished: RFC 5246 §7.4.9. */
  checkFinished(message: Message, cx: Context): void {
    const theirs = expect(message, handshakeType.finished);
    const side: Side = cx.config.role === "client" ? "server" : "client";
    const wanted = verifyData(this.#hash, this.#main, side, cx.transcript.digest());
    if (!equalInConstantTime(theirs, wanted)) {
      refuse("bad-finished", "Finished", "the two sides have not seen the same handshake");
    }
    this.#firstFinished ??= wanted;
    cx.transcript.add(message.bytes);
  }

  export(label: string, context: Uint8Array | undefined, length: number): Uint8Array {
    return exportKeyingMaterial(this.#hash, this.#main, this.#randoms, label, length, context);
  }

  /** tls-unique is not unique without the extended main secret: RFC 7627 §1. */
  channelBinding(type: "tls-unique" | "tls-server-end-point"): Uint8Array | undefined {
    if (type === "tls-server-end-point") {
      return this.#serverCertificate && serverEndPoint(this.#crypto, this.#serverCertificate);
    }
    return this.extendedMainSecret ? this.#firstFinished : undefined;
  }

  wipe(): void {
    this.#main.wipe();
    this.#keys.wipe();
  }
}

/** After the handshake a 1.2 peer has nothing more to say: there is no renegotiation (RFC 9325 §3.5). */
export class Connected12<C extends Config = ClientConfig | ServerConfig> implements ConnectedState<C> {
  readonly connected = true;
  readonly name = "nothing more";
  readonly epoch = "application";

  handle(message: Message): State<C> {
    if (message.type === handshakeType.helloRequest || message.type === handshakeType.clientHello) {
      refuse("renegotiation-refused", messageName(message.type), "the peer asked for a renegotiation");
    }
    refuse("unexpected-message", messageName(message.type), "no such message may come after the handshake");
  }

  updateKeys(): never {
    throw tlsFailure("misuse", "updateKeys", "TLS 1.2 cannot change its keys", {
      hint: "allow TLS 1.3 alone where key updates are needed",
    });
  }

  requestAuthentication(): never {
    throw tlsFailure("misuse", "requestAuthentication", "TLS 1.2 cannot ask for a certificate after the handshake");
  }
}
