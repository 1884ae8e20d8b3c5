import type { Failure, SocketAddress } from "../../contract/index.js";
import {
  connect,
  type DtlsClientOptions,
  type DtlsListener,
  type DtlsServerOptions,
  type DtlsSession,
  type DtlsSink,
  listen as listenDtls,
} from "../../protocols/dtls/index.js";
import type { TlsVersion } from "../../protocols/tls/index.js";
import { dscpOf } from "../capacity.js";
import { earlyDataMax } from "../limits.js";
import type { CapacityProfile, ConnectionProperties } from "../properties.js";
import { families, versionsFor } from "./family.js";
import { clientOptions, serverOptions, sharedOptions } from "./handshake-options.js";
import { PortTransport } from "./port-transport.js";
import type {
  ListenRequest,
  OpenRequest,
  SendHow,
  StackRequest,
  Transport,
  TransportListener,
  TransportSink,
} from "./stack.js";

const family = families.DTLS;

export const open = (request: OpenRequest): Transport => new DtlsTransport(request.sink).connect(request);

export async function listen(request: ListenRequest): Promise<TransportListener> {
  const { host, network, local, interface: on } = request;
  const listener: DtlsListener = await listenDtls(
    host,
    local,
    dtlsServerOptions(request),
    (session) => new Newcomer(session, request),
    { network, ...(on !== undefined && { datagram: { interface: on } }) },
  );
  return {
    local: listener.local,
    closed: listener.closed,
    close: () => listener.stop(),
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  };
}

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

  messageMax(): void {
    this.#transport?.messageMax();
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

class DtlsTransport extends PortTransport<DtlsSession> implements DtlsSink {
  readonly closesWhole = true;
  readonly receiveMax = 16_384;
  #wasEarly = false;

  constructor(sink: TransportSink | undefined) {
    super();
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

  get security(): DtlsSession {
    return this.port;
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
    this.isClosing = true;
    this.security.close();
  }

  pause(): void {}
  resume(): void {}

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

  /** The path takes more than it did, or less (RFC 9622 §8.3.2). */
  messageMax(): void {
    this.sink.pathChange({ what: "mtu" });
  }

  override closed(failure?: Failure): void {
    if (failure === undefined) this.sink.ended();
    super.closed(failure);
  }
}
