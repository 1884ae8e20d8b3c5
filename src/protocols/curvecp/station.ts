import type { AskOf, Failure, Host, Instant, SocketAddress } from "../../contract/index.js";
import { equalInConstantTime } from "../../contract/index.js";
import { DatagramDriver, SharedPort } from "../../mechanisms/driver/index.js";
import { curvecpFailure } from "./failure.js";
import { CurveCpEndpoint } from "./machine.js";
import type { CurveCpClientOptions, CurveCpServerOptions } from "./options.js";
import { PeerSession } from "./peer-session.js";
import type { CurveCpSession, CurveCpSink } from "./session.js";
import type { CurveCpEvent, CurveCpInput } from "./vocabulary.js";

/** An endpoint on its port, and the sessions on it. */
export class Station {
  readonly host: Host;
  readonly endpoint: CurveCpEndpoint;
  readonly driver: DatagramDriver<CurveCpInput, CurveCpEvent>;
  readonly shared: SharedPort<PeerSession>;
  readonly #server: CurveCpServerOptions | undefined;
  readonly #accept: ((session: CurveCpSession) => CurveCpSink) | undefined;

  constructor(host: Host, server?: CurveCpServerOptions, accept?: (session: CurveCpSession) => CurveCpSink) {
    this.host = host;
    this.#server = server && this.#whole(server);
    this.#accept = accept;
    this.endpoint = new CurveCpEndpoint(host, this.#server);
    this.driver = new DatagramDriver<CurveCpInput, CurveCpEvent>(host, this.endpoint, {
      event: (event) => this.#event(event),
      answer: (question, signal) => this.#answer(question, signal),
      writable: () => this.#drained(),
      settled: () => this.#drained(),
      softError: (failure) => {
        for (const session of [...this.shared.sessions.values()]) session.softError(failure);
      },
      closed: (failure) => this.#closed(failure),
    });
    this.shared = new SharedPort(host, this.driver);
  }

  connect(remote: SocketAddress, options: CurveCpClientOptions, sink: CurveCpSink): PeerSession {
    const connection = this.shared.nextNumber();
    const session = new PeerSession(this, "client", connection, remote, sink);
    this.shared.sessions.set(connection, session);
    this.driver.give({ kind: "connect", connection, remote, options: this.#whole(options) });
    return session.attach(this.endpoint.connection(connection));
  }

  now(): Instant {
    return this.host.now();
  }

  #whole<Options>(options: Options): Options {
    return { trace: this.host.trace, ...options };
  }

  #event(event: Exclude<CurveCpEvent, { readonly kind: "question" }>): void {
    if (event.kind === "accepted") {
      const session = new PeerSession(this, "server", event.connection, event.from, silent);
      this.shared.sessions.set(event.connection, session.attach(this.endpoint.connection(event.connection)));
      session.sink = this.#accept!(session);
      return;
    }
    this.shared.sessions.get(event.connection)?.tell(event);
    if (event.kind === "over") this.shared.over();
    if (event.kind === "gone") this.shared.forget(event.connection);
  }

  #drained(): void {
    for (const session of this.shared.sessions.values()) session.drained();
  }

  #answer(question: AskOf<CurveCpEvent>, signal: AbortSignal): unknown {
    const clients = this.#server?.clients;
    if (typeof clients === "function") return clients(question, signal);
    return clients?.some((key) => equalInConstantTime(key, question.publicKey)) ?? true;
  }

  #closed(cause: Failure | undefined): void {
    const failure = cause && curvecpFailure("connection-lost", "port", "the port below was closed", { cause });
    this.shared.lost(failure, (session) => session.lost(failure));
  }
}

export const silent: CurveCpSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
