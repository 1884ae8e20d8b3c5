import type { AskOf, Failure, Host, Instant, SocketAddress } from "../../contract/index.js";
import type { SharedProtocol } from "../../mechanisms/demultiplex.js";
import { DatagramDriver, SharedPort } from "../../mechanisms/driver/index.js";
import { type AnyOptions, answerQuestion, scopeOf } from "../tls/answers.js";
import { dialects } from "../tls/index.js";
import type { Batch } from "./association/outbound.js";
import { dtlsFailure } from "./failure.js";
import { limits } from "./limits.js";
import { DtlsEndpoint } from "./machine.js";
import type { DtlsClientOptions, DtlsServerOptions } from "./options.js";
import { PeerSession } from "./peer-session.js";
import type { DtlsSession, DtlsSink } from "./session.js";
import type { DtlsEvent, DtlsInput } from "./vocabulary.js";

/** Takes another protocol's datagram of the same port (RFC 7983). The bytes are lent until it returns. */
export type ForeignSink = (bytes: Uint8Array, from: SocketAddress, protocol: SharedProtocol | undefined) => void;

/** Messages of a session on their way to the machine. */
export interface Load extends Batch {
  readonly ends: Uint32Array;
  count: number;
  size: number;
}

/** An endpoint on its port, and the sessions on it. */
export class Station {
  readonly host: Host;
  readonly endpoint: DtlsEndpoint;
  readonly driver: DatagramDriver<DtlsInput, DtlsEvent>;
  readonly shared: SharedPort<PeerSession>;
  readonly #loads: Load[] = [];
  readonly #server: DtlsServerOptions | undefined;
  readonly #accept: ((session: DtlsSession) => DtlsSink) | undefined;
  readonly #foreign: ForeignSink | undefined;

  constructor(
    host: Host,
    options: {
      readonly server?: DtlsServerOptions | undefined;
      readonly connectionIdSize?: number | undefined;
      readonly accept?: ((session: DtlsSession) => DtlsSink) | undefined;
      readonly foreign?: ForeignSink | undefined;
    },
  ) {
    const { server, connectionIdSize, accept, foreign } = options;
    this.host = host;
    this.#server = server && this.#whole(server);
    this.#accept = accept;
    this.#foreign = foreign;
    this.endpoint = new DtlsEndpoint(host, {
      ...(this.#server === undefined ? {} : { server: this.#server }),
      ...(connectionIdSize === undefined ? {} : { connectionIdSize }),
      foreign: foreign !== undefined,
    });
    this.driver = new DatagramDriver<DtlsInput, DtlsEvent>(host, this.endpoint, {
      event: (event) => this.#event(event),
      answer: (question, signal) => this.#answer(question, signal),
      writable: () => {
        for (const session of this.shared.sessions.values()) session.writable();
      },
      softError: (failure) => this.#softError(failure),
      closed: (failure) => this.#closed(failure),
    });
    this.shared = new SharedPort(host, this.driver);
  }

  connect(remote: SocketAddress, options: DtlsClientOptions, sink: DtlsSink): PeerSession {
    const whole = this.#whole(options);
    const association = this.shared.nextNumber();
    const session = this.#add("client", association, remote, whole, sink);
    this.driver.handle({ kind: "connect", association, remote, options: whole });
    return session;
  }

  /** A server's session with a peer that is known to be there. */
  expect(remote: SocketAddress, options: DtlsServerOptions, sink: DtlsSink): PeerSession {
    const whole = this.#whole(options);
    const association = this.shared.nextNumber();
    const session = this.#add("server", association, remote, whole, sink);
    this.driver.handle({ kind: "expect", association, remote, options: whole });
    return session;
  }

  #whole<Options>(options: Options): Options {
    const { keyLog, trace } = this.host;
    return { keyLog, trace, ...options };
  }

  #add(
    role: "client" | "server",
    association: number,
    remote: SocketAddress,
    options: AnyOptions,
    sink: DtlsSink,
  ): PeerSession {
    const session = new PeerSession(this, role, association, remote, options, sink);
    this.shared.sessions.set(association, session);
    return session;
  }

  /** Memory for messages; `give` it back when the machine has sent them. */
  take(): Load {
    return (
      this.#loads.pop() ?? { bytes: new Uint8Array(loadSize), ends: new Uint32Array(loadMessages), count: 0, size: 0 }
    );
  }

  give(load: Load): void {
    load.count = load.size = 0;
    if (this.#loads.length < loadsKept) this.#loads.push(load);
  }

  #event(event: Exclude<DtlsEvent, { readonly kind: "question" }>): void {
    if (event.kind === "foreign") this.#foreign?.(event.bytes, event.from, event.protocol);
    else if (event.kind === "accepted") this.#accepted(event.association, event.from);
    else {
      this.shared.sessions.get(event.association)?.tell(event);
      if (event.kind === "ended") this.shared.over();
      if (event.kind === "gone") this.shared.forget(event.association);
    }
  }

  #accepted(association: number, from: SocketAddress): void {
    const session = this.#add("server", association, from, this.#server!, silent);
    session.sink = this.#accept!(session);
  }

  #answer(question: AskOf<DtlsEvent>, signal: AbortSignal): unknown {
    const session = this.shared.sessions.get(question.association);
    if (session === undefined) return undefined;
    const { options, remote } = session;
    const scope = scopeOf(options, remote.address, remote.port);
    return answerQuestion(question, { options, crypto: this.host.crypto, dialect: dialects.dtls, scope }, signal);
  }

  /** ICMP may say that nobody is there: that ends an attempt, and nothing that is established. Or that datagrams are too large. */
  #softError(failure: Failure): void {
    if (failure.reason === "message-too-big") this.driver.handle({ kind: "too-big" });
    for (const session of [...this.shared.sessions.values()]) session.softError(failure);
  }

  #closed(cause: Failure | undefined): void {
    const failure =
      cause === undefined ? undefined : dtlsFailure("connection-lost", "port", "the port below was closed", { cause });
    this.shared.lost(failure, (session) => session.lost(failure));
  }

  now(): Instant {
    return this.host.now();
  }
}

export const silent: DtlsSink = { datagrams: () => undefined, closed: () => undefined };

const loadSize = 65_536;
const loadMessages = limits.batchRecordsMax * 2;
const loadsKept = 8;
