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
import type { SharedProtocol } from "../../mechanisms/demultiplex.js";
import { DatagramDriver } from "../../mechanisms/driver/index.js";
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
  readonly #sessions = new Map<number, PeerSession>();
  readonly #loads: Load[] = [];
  readonly #server: DtlsServerOptions | undefined;
  readonly #accept: ((session: DtlsSession) => DtlsSink) | undefined;
  readonly #foreign: ForeignSink | undefined;
  #nextAssociation = 1;
  readonly #whenClosed = deferred<Failure | undefined>();
  /** Told when a session has ended, well or badly; it is not forgotten yet. */
  onEnded: (() => void) | undefined;
  /** Goes on from another port. */
  rebind: (local?: SocketAddress) => Promise<void> = () =>
    Promise.reject(dtlsFailure("misuse", "migrate", "what carries this session decides where it goes"));
  /** Told when the last session is forgotten. */
  onEmpty: (() => void) | undefined;

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
        for (const session of this.#sessions.values()) session.writable();
      },
      softError: (failure) => this.#softError(failure),
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

  connect(remote: SocketAddress, options: DtlsClientOptions, sink: DtlsSink): PeerSession {
    const whole = this.#whole(options);
    const association = this.#nextNumber();
    const session = this.#add("client", association, remote, whole, sink);
    this.driver.handle({ kind: "connect", association, remote, options: whole });
    return session;
  }

  /** A server's session with a peer that is known to be there. */
  expect(remote: SocketAddress, options: DtlsServerOptions, sink: DtlsSink): PeerSession {
    const whole = this.#whole(options);
    const association = this.#nextNumber();
    const session = this.#add("server", association, remote, whole, sink);
    this.driver.handle({ kind: "expect", association, remote, options: whole });
    return session;
  }

  #whole<Options>(options: Options): Options {
    const { keyLog, trace } = this.host;
    return { keyLog, trace, ...options };
  }

  #nextNumber(): number {
    const number = this.#nextAssociation;
    this.#nextAssociation += 2;
    return number;
  }

  #add(
    role: "client" | "server",
    association: number,
    remote: SocketAddress,
    options: AnyOptions,
    sink: DtlsSink,
  ): PeerSession {
    const session = new PeerSession(this, role, association, remote, options, sink);
    this.#sessions.set(association, session);
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
      this.#sessions.get(event.association)?.tell(event);
      if (event.kind === "ended") this.onEnded?.();
      if (event.kind === "gone") {
        this.#sessions.delete(event.association);
        if (this.#sessions.size === 0) this.onEmpty?.();
      }
    }
  }

  #accepted(association: number, from: SocketAddress): void {
    const session = this.#add("server", association, from, this.#server!, silent);
    session.sink = this.#accept!(session);
  }

  #answer(question: AskOf<DtlsEvent>, signal: AbortSignal): unknown {
    const session = this.#sessions.get(question.association);
    if (session === undefined) return undefined;
    const { options, remote } = session;
    const scope = scopeOf(options, remote.address, remote.port);
    return answerQuestion(question, { options, crypto: this.host.crypto, dialect: dialects.dtls, scope }, signal);
  }

  /** ICMP may say that nobody is there: that ends an attempt, and nothing that is established. Or that datagrams are too large. */
  #softError(failure: Failure): void {
    if (failure.reason === "message-too-big") this.driver.handle({ kind: "too-big" });
    for (const session of [...this.#sessions.values()]) session.softError(failure);
  }

  #closed(cause: Failure | undefined): void {
    const failure =
      cause === undefined ? undefined : dtlsFailure("connection-lost", "port", "the port below was closed", { cause });
    for (const session of [...this.#sessions.values()]) session.lost(failure);
    this.#sessions.clear();
    this.#whenClosed.resolve(failure);
  }

  now(): Instant {
    return this.host.now();
  }
}

export const silent: DtlsSink = { datagrams: () => undefined, closed: () => undefined };

const loadSize = 65_536;
const loadMessages = limits.batchRecordsMax * 2;
const loadsKept = 8;
