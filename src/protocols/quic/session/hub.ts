import { deferred } from "../../../contract/deferred.js";
import type { AskOf, DatagramPort, Failure, Host } from "../../../contract/index.js";
import { DatagramDriver, type DriverHandlers } from "../../../mechanisms/driver/index.js";
import { Gathering } from "../../../mechanisms/streams/gathering.js";
import { answerQuestion, scopeOf } from "../../tls/answers.js";
import { dialects } from "../../tls/index.js";
import type { QuicEndpoint } from "../endpoint/endpoint.js";
import type { QuicClientOptions, QuicServerOptions } from "../options.js";
import type { ConnectionEvent, ConnectionNumber, QuicEvent, QuicInput } from "../vocabulary.js";
import type { SessionOfConnection } from "./session.js";

/** What drives an endpoint, and hands what it tells to the sessions. */
export class Hub {
  readonly host: Host;
  readonly endpoint: QuicEndpoint;
  readonly driver: DatagramDriver<QuicInput, QuicEvent>;
  readonly sessions = new Map<ConnectionNumber, SessionOfConnection>();
  /** A server's new connection. */
  accepted: ((event: Extract<ConnectionEvent, { readonly kind: "accepted" }>) => void) | undefined;
  /** A client was given a token for its next connection. */
  token: ((token: Uint8Array) => void) | undefined;
  /** The last connection is gone, or the port is. */
  idle: (() => void) | undefined;
  /** One of several ports is gone, and this is why. */
  portLost: ((failure: Failure) => void) | undefined;
  readonly #whenClosed = deferred<Failure | undefined>();

  /** Bytes for streams, until all that has come is told. */
  readonly received = new Gathering();

  constructor(host: Host, endpoint: QuicEndpoint, options: QuicClientOptions | QuicServerOptions) {
    this.host = host;
    this.endpoint = endpoint;
    const handlers: DriverHandlers<QuicEvent> = {
      event: (event) => this.#tell(event),
      answer: (question, signal) => this.#answer(question, options, signal),
      settled: () => this.received.flush(),
      softError: (failure) => {
        // A probe, most likely: what packets may be as large as is found by what arrives (RFC 8899).
        if (failure.reason === "message-too-big") return;
        for (const session of this.sessions.values()) session.softError(failure);
        this.portLost?.(failure);
      },
      closed: (failure) => this.#closed(failure),
    };
    this.driver = new DatagramDriver<QuicInput, QuicEvent>(host, endpoint, handlers, { tellsFirst: true });
  }

  /** Resolves when the last port is gone, with the failure if it was taken from us. */
  get closed(): Promise<Failure | undefined> {
    return this.#whenClosed.promise;
  }

  get ports(): readonly DatagramPort[] {
    return this.driver.ports;
  }

  #tell(event: Exclude<QuicEvent, { readonly kind: "question" }>): void {
    if (event.kind === "accepted") this.accepted?.(event);
    this.sessions.get(event.connection)?.tell(event);
    if (event.kind === "gone") {
      this.sessions.delete(event.connection);
      if (this.sessions.size === 0) this.idle?.();
    }
  }

  #answer(question: AskOf<QuicEvent>, options: QuicClientOptions | QuicServerOptions, signal: AbortSignal): unknown {
    const session = this.sessions.get(question.connection);
    const { address, port } = session?.remote ?? { address: "", port: 0 };
    const { earlyData: _, versions: __, ...tls } = options;
    // A session of TLS over a stream is no session of QUIC's, though the server's name and protocol be the same.
    const scope = {
      ...scopeOf(tls, address, port),
      configuration: "quic",
      ...(options as QuicClientOptions).sessionScope,
    };
    return answerQuestion(question, { options: tls, crypto: this.host.crypto, dialect: dialects.quic, scope }, signal);
  }

  #closed(failure: Failure | undefined): void {
    for (const session of this.sessions.values()) session.portGone(failure);
    this.sessions.clear();
    this.idle?.();
    this.#whenClosed.resolve(failure);
  }
}
