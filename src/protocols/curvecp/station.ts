import { deferred } from "../../contract/deferred.js";
import type {
  AskOf,
  DatagramOptions,
  DatagramPort,
  Failure,
  Host,
  Instant,
  Network,
  SocketAddress,
} from "../../contract/index.js";
import { equalInConstantTime } from "../../contract/index.js";
import { DatagramDriver } from "../../mechanisms/driver/index.js";
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
  readonly #sessions = new Map<number, PeerSession>();
  readonly #server: CurveCpServerOptions | undefined;
  readonly #accept: ((session: CurveCpSession) => CurveCpSink) | undefined;
  #nextConnection = 1;
  readonly #whenClosed = deferred<Failure | undefined>();
  /** Told when a session is over; the peer may still have to hear of it. */
  onOver: (() => void) | undefined;
  /** Told when the last session is forgotten. */
  onEmpty: (() => void) | undefined;
  /** Goes on from another port. */
  rebind: (local?: SocketAddress) => Promise<void> = () =>
    Promise.reject(curvecpFailure("misuse", "migrate", "a server stays where it is"));

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
        for (const session of [...this.#sessions.values()]) session.softError(failure);
      },
      closed: (failure) => this.#closed(failure),
    });
  }

  /** Resolves when the port is gone, with the failure if it was taken from us. */
  get closed(): Promise<Failure | undefined> {
    return this.#whenClosed.promise;
  }

  get sessions(): Iterable<PeerSession> {
    return this.#sessions.values();
  }

  bind(
    network: Pick<Network, "bindDatagrams">,
    local: SocketAddress,
    options?: DatagramOptions,
  ): Promise<DatagramPort> {
    return this.driver.bind(network, local, options);
  }

  connect(remote: SocketAddress, options: CurveCpClientOptions, sink: CurveCpSink): PeerSession {
    const connection = this.#nextConnection;
    this.#nextConnection += 2;
    const session = new PeerSession(this, "client", connection, remote, sink);
    this.#sessions.set(connection, session);
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
      this.#sessions.set(event.connection, session.attach(this.endpoint.connection(event.connection)));
      session.sink = this.#accept!(session);
      return;
    }
    this.#sessions.get(event.connection)?.tell(event);
    if (event.kind === "over") this.onOver?.();
    if (event.kind === "gone") {
      this.#sessions.delete(event.connection);
      if (this.#sessions.size === 0) this.onEmpty?.();
    }
  }

  #drained(): void {
    for (const session of this.#sessions.values()) session.drained();
  }

  #answer(question: AskOf<CurveCpEvent>, signal: AbortSignal): unknown {
    const clients = this.#server?.clients;
    if (typeof clients === "function") return clients(question, signal);
    return clients?.some((key) => equalInConstantTime(key, question.publicKey)) ?? true;
  }

  #closed(cause: Failure | undefined): void {
    const failure = cause && curvecpFailure("connection-lost", "port", "the port below was closed", { cause });
    for (const session of [...this.#sessions.values()]) session.lost(failure);
    this.#sessions.clear();
    this.#whenClosed.resolve(failure);
  }
}

export const silent: CurveCpSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
