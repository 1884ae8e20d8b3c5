import type { Failure, SocketAddress } from "../../contract/index.js";
import {
  connect,
  type DtlsClientOptions,
  type DtlsListener,
  type DtlsServerOptions,
  type DtlsSession,
  type DtlsSink,
  dtlsProfile,
  listen,
} from "../../protocols/dtls/index.js";
import { suites12, suites13, type TlsVersion } from "../../protocols/tls/index.js";
import { dscpOf } from "../capacity.js";
import { earlyDataMax } from "../limits.js";
import type { CapacityProfile, ConnectionProperties } from "../properties.js";
import {
  clientOptions,
  type Family,
  serverOptions,
  sharedOptions,
  unfitFor,
  versionsFor,
} from "./handshake-options.js";
import {
  type ListenRequest,
  type OpenRequest,
  over,
  type SendHow,
  type StackRequest,
  type Transport,
  type TransportSink,
} from "./stack.js";
import { udp } from "./udp.js";

const family: Family = { protocol: "DTLS", versions: { "1.3": suites13, "1.2": suites12 } };

/**
 * DTLS over UDP: a Connection is a DTLS session, Ready once the peer has proved itself, and its data are Messages that may be
 * lost, as RFC 9623 §10.3 has them for UDP. close_notify ends both directions.
 */
export const dtls = over(dtlsProfile, udp, {
  // A peer is known, and can be sent to, once it has shaken hands.
  provides: { ...udp.provides, zeroRttMsg: "optional", activeReadBeforeSend: "always" },
  connectedness: "connection-oriented",
  connectionObject: "DTLS session on a UDP socket pair",
  messageProperties: ["msgLifetime", "msgPriority", "safelyReplayable"],
  unfit: (security, allowed, role) => unfitFor(family, security, allowed, role),
  open: (request) => new DtlsTransport(request.sink).connect(request),
  async listen(request) {
    const { host, network, local, interface: on } = request;
    const listener: DtlsListener = await listen(
      host,
      local,
      dtlsServerOptions(request),
      (session) => new Newcomer(session, request),
      { network, ...(on !== undefined && { datagram: { interface: on } }) },
    );
    return {
      local: listener.local,
      close: () => listener.stop(),
      ref: () => listener.ref(),
      unref: () => listener.unref(),
    };
  },
});

function dtlsClientOptions(request: OpenRequest): DtlsClientOptions {
  return {
    ...choices(request),
    ...sharedOptions(request, family, "client"),
    ...clientOptions(request, family),
    ...request.security.init.protocolOptions?.DTLS,
  };
}

function dtlsServerOptions(request: StackRequest): DtlsServerOptions {
  const options = serverOptions(request);
  return {
    ...choices(request),
    ...sharedOptions(request, family, "server"),
    ...options,
    // A cookie would cost the round trip that 0-RTT saves (RFC 9147 §5.1).
    ...(options.antiReplay !== undefined && { earlyDataMax, addressValidation: "none" }),
    ...request.security.init.protocolOptions?.DTLS,
  };
}

function choices({ allowed, security: { init } }: StackRequest): Pick<DtlsClientOptions, "versions" | "suites"> {
  return {
    versions: versionsFor(family, allowed, init) as readonly TlsVersion[],
    ...(init.ciphersuites !== undefined && { suites: init.ciphersuites }),
  };
}

/** Becomes a Connection when its handshake is over, and only then. */
class Newcomer implements DtlsSink {
  readonly #session: DtlsSession;
  readonly #request: ListenRequest;
  #transport: DtlsTransport | undefined;

  constructor(session: DtlsSession, request: ListenRequest) {
    this.#session = session;
    this.#request = request;
  }

  confirmed(): void {
    this.#become().confirmed();
  }

  /** 0-RTT data come before that. */
  earlyDatagram(bytes: Uint8Array): void {
    this.#become().earlyDatagram(bytes);
  }

  datagrams(bytes: Uint8Array): void {
    this.#transport?.datagrams(bytes);
  }

  writable(): void {
    this.#transport?.writable();
  }

  moved(from: SocketAddress, to: SocketAddress): void {
    this.#transport?.moved(from, to);
  }

  softError(failure: Failure): void {
    this.#transport?.softError(failure);
  }

  closed(failure?: Failure): void {
    if (this.#transport !== undefined) this.#transport.closed(failure);
    else if (failure !== undefined) this.#request.handshakeFailed?.(failure);
  }

  #become(): DtlsTransport {
    if (this.#transport === undefined) {
      const transport = new DtlsTransport(undefined).attach(this.#session);
      this.#transport = transport;
      transport.sink = this.#request.accept(transport);
    }
    return this.#transport;
  }
}

class DtlsTransport implements Transport, DtlsSink {
  sink!: TransportSink;
  readonly closesWhole = true;
  readonly receiveMax = 16_384;
  #session: DtlsSession | undefined;
  #wasEarly = false;
  #closing = false;

  constructor(sink: TransportSink | undefined) {
    if (sink !== undefined) this.sink = sink;
  }

  connect(request: OpenRequest): this {
    const { host, network, remote, local, interface: on, early } = request;
    const any = remote.address.includes(":") ? "::" : "0.0.0.0";
    const below = {
      network,
      local: { address: local?.address ?? any, port: local?.port ?? 0 },
      ...(on !== undefined && { datagram: { interface: on } }),
    };
    this.attach(connect(host, remote, dtlsClientOptions(request), this, below));
    if (early !== undefined) {
      this.#wasEarly = true;
      this.security.sendEarly(early);
    }
    return this;
  }

  attach(session: DtlsSession): this {
    this.#session = session;
    return this;
  }

  get security(): DtlsSession {
    return this.#session!;
  }

  get local(): SocketAddress {
    return this.security.local;
  }

  get remote(): SocketAddress {
    return this.security.remote;
  }

  get sendMax(): number {
    return this.security.messageMax;
  }

  /** Every record is one datagram, which is never longer than the path is known to carry. */
  get singularMax(): number {
    return this.security.messageMax;
  }

  get earlyAccepted(): boolean {
    return this.#wasEarly && this.security.outcome?.earlyData === "accepted";
  }

  send(bytes: Uint8Array, _how: SendHow, sent: () => void): boolean {
    this.security.send(bytes);
    sent();
    return !this.security.blocked;
  }

  /** DTLS has no word for the end of one direction. */
  finish(): void {}

  close(): void {
    this.#closing = true;
    this.security.close();
  }

  abort(): void {
    this.security.abort();
  }

  pause(): void {}
  resume(): void {}

  ref(): void {
    this.security.ref();
  }

  unref(): void {
    this.security.unref();
  }

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    if (name !== "connCapacityProfile") return false;
    return this.security.set("dscp", dscpOf[value as CapacityProfile]);
  }

  // What the session tells

  confirmed(): void {
    this.sink.ready();
  }

  datagrams(bytes: Uint8Array): void {
    this.sink.received(bytes.slice());
  }

  earlyDatagram(bytes: Uint8Array): void {
    this.sink.received(bytes.slice(), { early: true });
  }

  writable(): void {
    this.sink.writable();
  }

  softError(failure: Failure): void {
    this.sink.softError(failure);
  }

  moved(from: SocketAddress, to: SocketAddress): void {
    this.sink.pathChange({ what: "handover", detail: { from, to } });
  }

  closed(failure?: Failure): void {
    if (failure === undefined) this.sink.ended();
    this.sink.closed(this.#closing ? undefined : failure);
  }
}
