import { addressFamily } from "../../bytes/index.js";
import { deferred } from "../../contract/deferred.js";
import { type DatagramPort, type DatagramSink, Failure, type SocketAddress } from "../../contract/index.js";
import { type DtlsSrtpSession, over as overDtls } from "../../protocols/dtls-srtp/index.js";
import { over, type SrtpOptions, type SrtpSession } from "../../protocols/srtp/index.js";
import { over as overZrtp, type ZrtpSession } from "../../protocols/zrtp/index.js";
import { dscpOf } from "../capacity.js";
import { TapsFailure } from "../failure.js";
import { udpPayloadMax } from "../limits.js";
import type { CapacityProfile, ConnectionProperties } from "../properties.js";
import type {
  ListenRequest,
  OpenRequest,
  SrtpSecurity,
  StackRequest,
  Transport,
  TransportListener,
  TransportSink,
} from "./stack.js";

export const open = (request: OpenRequest): Transport => {
  const transport = new SrtpTransport(request);
  transport.connect(request);
  return transport;
};

export async function listen(request: ListenRequest): Promise<TransportListener> {
  const listener = new SrtpListener(request);
  await listener.bind();
  return listener;
}

/** What a packet of 1,500 bytes leaves behind the headers of IPv4 and UDP, and of IPv6 and UDP. */
const payloadOf = { 4: 1_472, 6: 1_452 } as const;

/** Any of the sessions: all are ports whose messages are packets. */
interface Layers {
  readonly session: SrtpSession | DtlsSrtpSession | ZrtpSession;
  readonly lower: DatagramSink;
  attach(port: DatagramPort): void;
}

class SrtpTransport implements Transport {
  sink!: TransportSink;
  readonly closesWhole = true;
  readonly #request: StackRequest;
  #layers!: Layers;
  #port: DatagramPort | undefined;
  #remote: SocketAddress = nowhere;
  /** The port is a Listener's, which goes on without us. */
  #leave: (() => void) | undefined;
  #isClosing = false;
  #isTold = false;

  constructor(request: StackRequest) {
    this.#request = request;
  }

  connect(request: OpenRequest): void {
    const { host, network, remote, local, interface: on, security } = request;
    const { srtp } = security.init;
    this.sink = request.sink;
    this.#remote = remote;
    if (srtp !== undefined && "role" in srtp) {
      const { role, ...options } = srtp;
      const layers = overDtls(host, role, options, remote, this.#listening());
      layers.session.confirmed.then(() => this.sink.ready()).catch(() => {}); // `closed` says why
      this.#layers = layers;
    } else if (srtp !== undefined && "zrtp" in srtp) {
      const layers = overZrtp(host, srtp.zrtp, this.#listening(), remote);
      layers.session.confirmed.then(() => this.sink.ready()).catch(() => {}); // likewise
      this.#layers = layers;
    } else this.#layers = over(host, srtp!, this.#listening(), remote);
    const any = addressFamily(remote.address) === 6 ? "::" : "0.0.0.0";
    const options = { remote, ...(on !== undefined && { interface: on }) };
    network.bindDatagrams({ address: local?.address ?? any, port: local?.port ?? 0 }, this.#layers.lower, options).then(
      (port) => {
        this.#attach(port);
        if (!this.#isClosing && !this.#isKeyedOnTheFlow) this.sink.ready();
      },
      (error: unknown) => this.#ended(error instanceof Failure ? error : undefined),
    );
  }

  /** A session that a first authentic packet has begun, on a Listener's port. */
  accepted(layers: Layers, port: DatagramPort, remote: SocketAddress, leave: () => void): this {
    this.#layers = layers;
    this.#leave = leave;
    this.#port = port;
    this.#remote = { ...remote };
    return this;
  }

  #attach(port: DatagramPort): void {
    this.#port = port;
    this.#layers.attach(port);
    if (this.#isClosing) this.#layers.session.close();
  }

  get #isKeyedOnTheFlow(): boolean {
    return "confirmed" in this.#layers.session;
  }

  /** The record protocol, once there are keys. */
  get #srtp(): SrtpSession | undefined {
    const { session } = this.#layers;
    return "confirmed" in session ? session.srtp : session;
  }

  get security(): SrtpSecurity {
    const { session } = this.#layers;
    const isDtls = "dtls" in session;
    return {
      protocol: "SRTP",
      outcome: isDtls ? session.dtls.outcome : undefined,
      zrtp: session.protocol === "ZRTP" ? session : undefined,
      peer: isDtls ? session.dtls.peer : session.protocol === "ZRTP" ? session.peer : undefined,
      session: this.#srtp,
      onKeyExpiring: (call) => session.onKeyExpiring(call),
    };
  }

  get local(): SocketAddress {
    return this.#port?.local ?? nowhere;
  }

  get remote(): SocketAddress {
    return this.#remote;
  }

  get sendMax(): number {
    return udpPayloadMax - (this.#srtp?.overhead ?? 0);
  }

  readonly receiveMax = udpPayloadMax;

  get singularMax(): number {
    return payloadOf[addressFamily(this.#remote.address) ?? 6] - (this.#srtp?.overhead ?? 0);
  }

  send(bytes: Uint8Array, _how: unknown, sent: () => void): boolean {
    const { session } = this.#layers;
    const drops = this.#srtp?.sendDrops;
    const before = drops === undefined ? 0 : sum(drops);
    session.send(bytes);
    if (drops !== undefined && sum(drops) > before) throw unsent(drops);
    sent();
    return !session.blocked;
  }

  /** RTP has no word for the end of one direction. */
  finish(): void {}

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#leave?.();
    const isLeft = this.#port === undefined || this.#leave !== undefined;
    if (isLeft) this.#request.host.soon(() => this.#ended(undefined));
    else this.#layers.session.close();
  }

  abort(): void {
    const { session } = this.#layers;
    if ("confirmed" in session) session.abort();
    this.close();
  }

  pause(): void {}
  resume(): void {}

  ref(): void {
    this.#port?.ref();
  }

  unref(): void {
    this.#port?.unref();
  }

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    if (name !== "connCapacityProfile") return false;
    return this.#port?.set("dscp", dscpOf[value as CapacityProfile]) === true;
  }

  /** What the session tells goes to whoever listens to this Transport. */
  #listening(): DatagramSink {
    return {
      datagrams: (bytes, from) => this.heard(bytes, from),
      writable: () => this.sink.writable(),
      softError: (failure) => this.sink.softError(failure),
      closed: (failure) => this.#ended(failure),
    };
  }

  /** One authentic packet. */
  heard(bytes: Uint8Array, from: SocketAddress): void {
    const old = this.#remote;
    const { session } = this.#layers;
    // With imported keys whoever has them is the peer, wherever it is now (RFC 4961).
    const now = "confirmed" in session ? undefined : session.remote;
    if (now !== undefined && (now.port !== old.port || now.address !== old.address)) {
      this.#remote = { ...from };
      this.sink.pathChange({ what: "handover", detail: { from: old, to: this.#remote } });
    }
    this.sink.received(bytes.slice());
  }

  ended(failure?: Failure): void {
    this.#ended(failure);
  }

  #ended(failure: Failure | undefined): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.sink.closed(this.#isClosing ? undefined : failure);
  }
}

/**
 * One port, one pair of keys, and so one peer at a time, wherever it is: it has a Connection from its first authentic packet on,
 * and another one if it goes on when that is closed.
 */
class SrtpListener implements TransportListener {
  readonly #request: ListenRequest;
  readonly #layers: Layers;
  readonly #whenClosed = deferred<Failure | undefined>();
  #port: DatagramPort | undefined;
  #transport: SrtpTransport | undefined;
  #isAccepting = true;

  constructor(request: ListenRequest) {
    this.#request = request;
    // `unfit` has refused any other.
    this.#layers = over(request.host, request.security.init.srtp as SrtpOptions, {
      datagrams: (bytes, from) => this.#heard(bytes, from),
      writable: () => this.#transport?.sink.writable(),
      softError: (failure) => (this.#transport?.sink ?? request).softError(failure),
      closed: (failure) => {
        this.#transport?.ended(failure);
        this.#whenClosed.resolve(failure);
      },
    });
  }

  async bind(): Promise<void> {
    const { network, local, interface: on } = this.#request;
    this.#port = await network.bindDatagrams(local, this.#layers.lower, { ...(on !== undefined && { interface: on }) });
    this.#layers.attach(this.#port);
  }

  #heard(bytes: Uint8Array, from: SocketAddress): void {
    if (this.#transport === undefined) {
      if (!this.#isAccepting) return;
      const transport = new SrtpTransport(this.#request).accepted(this.#layers, this.#port!, from, () => {
        this.#transport = undefined;
        if (!this.#isAccepting) this.#layers.session.close();
      });
      this.#transport = transport;
      transport.sink = this.#request.accept(transport);
      transport.sink.ready();
    }
    this.#transport?.heard(bytes, from);
  }

  get local(): SocketAddress {
    return this.#port!.local;
  }

  get closed(): Promise<Failure | undefined> {
    return this.#whenClosed.promise;
  }

  /** The Connection, if there is one, goes on; the port closes with it. */
  close(): Promise<void> {
    this.#isAccepting = false;
    if (this.#transport === undefined) this.#layers.session.close();
    return Promise.resolve();
  }

  ref(): void {
    this.#port?.ref();
  }

  unref(): void {
    this.#port?.unref();
  }
}

const sum = (counts: Readonly<Record<string, number>>): number => {
  let all = 0;
  for (const reason in counts) all += counts[reason]!;
  return all;
};

/** Why the last packet was not sent: SRTP protects RTP and RTCP, each packet once, as long as its keys last. */
const unsent = (drops: SrtpSession["sendDrops"]): TapsFailure =>
  new TapsFailure({
    reason: "protocol-failed",
    fault: drops["expired-keys"] > 0 ? "expired" : "misuse",
    message: "SRTP does not send it: it is no RTP or RTCP packet, or has been sent before, or the keys are used up",
    hint: "connection.security.session.sendDrops counts why",
  });

const nowhere: SocketAddress = { address: "::", port: 0 };
