import {
  type AskOf,
  equalInConstantTime,
  type Failure,
  type Host,
  type Instant,
  type SocketAddress,
} from "../../../contract/index.js";
import { DatagramDriver, SharedPort } from "../../../mechanisms/driver/index.js";
import { Gathering } from "../../../mechanisms/streams/gathering.js";
import { minimaltFailure } from "../failure.js";
import { MinimaltEndpoint } from "../machine.js";
import type { MinimaltServerOptions } from "../options.js";
import type { MinimaltSession, MinimaltSink } from "../session.js";
import type { Approach } from "../tunnel/client.js";
import type { MinimaltEvent, MinimaltInput, TunnelEvent } from "../vocabulary.js";
import type { ServiceRecord } from "../wire/record.js";
import { SessionOfTunnel } from "./session.js";

/** What is asked over a tunnel of its own that carries no connections. */
export interface Errand {
  /** A host's record, by its name; or the registration of one. */
  readonly what:
    | { readonly kind: "request"; readonly name: string }
    | { readonly kind: "give"; readonly record: ServiceRecord };
  /** Called once; undefined is no. */
  done(record: ServiceRecord | undefined, failure?: Failure): void;
}

/** An endpoint on its port, and the sessions on it. */
export class Station {
  readonly host: Host;
  readonly endpoint: MinimaltEndpoint;
  readonly driver: DatagramDriver<MinimaltInput, MinimaltEvent>;
  readonly shared: SharedPort<SessionOfTunnel>;
  readonly #errands = new Map<number, Errand>();
  readonly #received = new Gathering();
  readonly #server: MinimaltServerOptions | undefined;
  readonly #accept: ((session: MinimaltSession) => MinimaltSink) | undefined;
  /** Told of each new record. */
  onRecord: ((record: ServiceRecord, notAfter: Instant) => void) | undefined;

  constructor(host: Host, server?: MinimaltServerOptions, accept?: (session: MinimaltSession) => MinimaltSink) {
    this.host = host;
    this.#server = server && { trace: host.trace, ...server };
    this.#accept = accept;
    this.endpoint = new MinimaltEndpoint(host, this.#server);
    this.driver = new DatagramDriver<MinimaltInput, MinimaltEvent>(host, this.endpoint, {
      event: (event) => this.#event(event),
      answer: (question, signal) => this.#answer(question, signal),
      settled: () => this.#received.flush(),
      softError: (failure) => {
        for (const session of [...this.shared.sessions.values()]) session.softError(failure);
      },
      closed: (failure) => this.#closed(failure),
    });
    this.shared = new SharedPort(host, this.driver);
  }

  /** A client's session, whose tunnel begins when all is known that it needs. */
  client(remote: SocketAddress, sink: MinimaltSink): SessionOfTunnel {
    const session = new SessionOfTunnel(this, "client", this.shared.nextNumber(), remote, sink);
    this.shared.sessions.set(session.number, session);
    return session;
  }

  /** Begins a tunnel for one question; it is closed when that is answered. */
  run(approach: Approach, errand: Errand): { cancel(): void } {
    const tunnel = this.shared.nextNumber();
    this.#errands.set(tunnel, errand);
    this.driver.give({ kind: "connect", tunnel, approach });
    const { what } = errand;
    if (what.kind === "request") this.driver.give({ kind: "request", tunnel, request: 0, name: what.name });
    else this.driver.give({ kind: "give", tunnel, request: 0, record: what.record });
    return {
      cancel: () => {
        this.#errands.delete(tunnel);
        this.driver.give({ kind: "abort", tunnel });
      },
    };
  }

  /** It never came to a tunnel. */
  forget(number: number): void {
    this.shared.over();
    this.shared.forget(number);
  }

  #event(event: Exclude<MinimaltEvent, { readonly kind: "question" }>): void {
    if (event.kind === "new-record") {
      this.onRecord?.(event.record, event.notAfter);
      return;
    }
    const session = this.shared.sessions.get(event.tunnel);
    if (event.kind === "data") {
      if (session !== undefined) this.#received.gather(session, event.connection, event.bytes);
      return;
    }
    this.#received.flush();
    if (event.kind === "accepted") {
      const accepted = new SessionOfTunnel(this, "server", event.tunnel, event.from, quiet);
      this.shared.sessions.set(event.tunnel, accepted);
      accepted.sink = this.#accept!(accepted);
      return;
    }
    if (session === undefined) this.#errand(event);
    session?.tell(event);
    if (event.kind === "over" && session !== undefined) this.shared.over();
    if (event.kind === "gone") this.shared.forget(event.tunnel);
  }

  #errand(event: TunnelEvent): void {
    const errand = this.#errands.get(event.tunnel);
    if (errand === undefined) return;
    if (event.kind === "record") {
      this.#errands.delete(event.tunnel);
      this.driver.give({ kind: "close", tunnel: event.tunnel });
      errand.done(event.record);
    } else if (event.kind === "over") {
      this.#errands.delete(event.tunnel);
      errand.done(undefined, event.failure);
    }
  }

  #answer(question: AskOf<MinimaltEvent>, signal: AbortSignal): unknown {
    if (question.kind === "find-record") return this.#server?.nameService?.find?.(question.name, signal);
    const users = this.#server?.users;
    if (typeof users === "function") return users(question, signal);
    const { user } = question;
    return users === undefined || (user !== undefined && users.some((key) => equalInConstantTime(key, user)));
  }

  #closed(cause: Failure | undefined): void {
    const failure = cause && minimaltFailure("connection-lost", "port", "the port below was closed", { cause });
    for (const errand of this.#errands.values()) errand.done(undefined, failure);
    this.#errands.clear();
    this.shared.lost(failure, (session) => session.tell({ kind: "over", tunnel: session.number, failure }));
  }
}

const quiet: MinimaltSink = { stream: () => undefined, closed: () => undefined };
