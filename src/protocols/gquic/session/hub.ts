import { deferred } from "../../../contract/deferred.js";
import type { AskOf, DatagramPort, Failure, Host } from "../../../contract/index.js";
import { DatagramDriver, type DriverHandlers } from "../../../mechanisms/driver/index.js";
import { Gathering } from "../../../mechanisms/streams/gathering.js";
import type { GquicEndpoint } from "../endpoint/endpoint.js";
import type { GquicClientOptions, GquicServerOptions, ProofVerdict } from "../options.js";
import type { ConnectionEvent, ConnectionNumber, GquicEvent, GquicInput } from "../vocabulary.js";
import type { SessionOfConnection } from "./session.js";

/** What drives an endpoint, and hands what it tells to the sessions. */
export class Hub {
  readonly host: Host;
  readonly endpoint: GquicEndpoint;
  readonly driver: DatagramDriver<GquicInput, GquicEvent>;
  readonly sessions = new Map<ConnectionNumber, SessionOfConnection>();
  /** A server's new connection. */
  accepted: ((event: Extract<ConnectionEvent, { readonly kind: "accepted" }>) => void) | undefined;
  /** The last connection is gone, or the port is. */
  idle: (() => void) | undefined;
  readonly #whenClosed = deferred<Failure | undefined>();
  /** Bytes for streams, until all that has come is told. */
  readonly received = new Gathering();

  constructor(host: Host, endpoint: GquicEndpoint, options: GquicClientOptions | GquicServerOptions) {
    this.host = host;
    this.endpoint = endpoint;
    const handlers: DriverHandlers<GquicEvent> = {
      event: (event) => this.#tell(event),
      answer: (question, signal) => answer(question, options, signal),
      settled: () => this.received.flush(),
      softError: (failure) => {
        // A probe, most likely: what packets may be as large as is found by what arrives (RFC 8899).
        if (failure.reason === "message-too-big") return;
        for (const session of this.sessions.values()) session.softError(failure);
      },
      closed: (failure) => this.#closed(failure),
    };
    this.driver = new DatagramDriver<GquicInput, GquicEvent>(host, endpoint, handlers, { tellsFirst: true });
  }

  /** Resolves when the last port is gone, with the failure if it was taken from us. */
  get closed(): Promise<Failure | undefined> {
    return this.#whenClosed.promise;
  }

  get ports(): readonly DatagramPort[] {
    return this.driver.ports;
  }

  #tell(event: Exclude<GquicEvent, { readonly kind: "question" }>): void {
    if (event.kind === "accepted") this.accepted?.(event);
    this.sessions.get(event.connection)?.tell(event);
    if (event.kind !== "gone") return;
    this.sessions.delete(event.connection);
    if (this.sessions.size === 0) this.idle?.();
  }

  #closed(failure: Failure | undefined): void {
    for (const session of this.sessions.values()) session.portGone(failure);
    this.sessions.clear();
    this.idle?.();
    this.#whenClosed.resolve(failure);
  }
}

/** Answers a handshake's questions out of the options. */
function answer(
  question: AskOf<GquicEvent>,
  options: GquicClientOptions | GquicServerOptions,
  signal: AbortSignal,
): unknown {
  if (question.kind === "sign-proof") {
    const { identity } = options as GquicServerOptions;
    const chosen = typeof identity === "function" ? identity(question.serverName) : identity;
    return chosen?.sign(question.algorithm, question.message, signal);
  }
  const { verify } = options as GquicClientOptions;
  if (verify === undefined)
    return { trusted: false, message: "there is nothing to judge the server by: give `verify`" };
  return verdict(() => verify(question, signal));
}

/** What a verifier throws is a no, with its reason. */
async function verdict(judge: () => ProofVerdict | Promise<ProofVerdict>): Promise<ProofVerdict> {
  try {
    return await judge();
  } catch (cause) {
    return { trusted: false, message: cause instanceof Error ? cause.message : "the verifier failed", cause };
  }
}
