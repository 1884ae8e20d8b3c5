import { addressFamily } from "../../bytes/index.js";
import { equalInConstantTime, type Failure } from "../../contract/index.js";
import {
  type AcceptClient,
  type CurveCpClientOptions,
  type CurveCpOutcome,
  type CurveCpServerOptions,
  type CurveCpSession,
  type CurveCpSink,
  connect,
  listen as listenCurveCp,
} from "../../protocols/curvecp/index.js";
import { TapsFailure } from "../failure.js";
import type { SecurityInit, TrustQuestion } from "../security.js";
import { ByteStreamTransport } from "./port-transport.js";
import type { ListenRequest, Mover, OpenRequest, StackRequest, Transport, TransportListener } from "./stack.js";
import { keepAliveOf } from "./tcp.js";

const keepAliveDefaultMs = 15_000;

export const open = (request: OpenRequest): Transport => new CurveCpTransport(request).connect(request);

export async function listen(request: ListenRequest): Promise<TransportListener> {
  const { host, network, local, interface: on, accept } = request;
  const listener = await listenCurveCp(
    host,
    local,
    serverOptions(request),
    (session) => {
      const transport = new CurveCpTransport(request);
      transport.attach(session);
      transport.sink = accept(transport);
      return transport;
    },
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

/** RFC 9622 §6.3 in CurveCP's own words, for a client. */
function clientOptions({ security, serverName, remote, properties }: OpenRequest): CurveCpClientOptions {
  const { init } = security;
  const { keyPair, peerKeys = [] } = init;
  const name = init.serverName ?? serverName;
  const keepAliveMs =
    properties.keepAlive === "prohibit" ? 0 : (keepAliveOf(properties, keepAliveDefaultMs) ?? keepAliveDefaultMs);
  return {
    serverKey: peerKeys[0]!,
    keepAliveMs,
    ...(keyPair !== undefined && { identity: keyPair }),
    // An address is no name; the root is, and says that none was asked for.
    ...(name !== undefined && name !== remote.address && addressFamily(name) === undefined && { serverName: name }),
    ...init.protocolOptions?.CurveCP,
  };
}

/** The same, for a server. */
function serverOptions({ security: { init } }: StackRequest): CurveCpServerOptions {
  const clients = clientsOf(init);
  return {
    identity: init.keyPair!,
    ...(clients !== undefined && { clients }),
    ...init.protocolOptions?.CurveCP,
  };
}

/** Keys that are named are let in, and of these those that the application accepts too; with neither, all are. */
function clientsOf({ peerKeys, verify }: SecurityInit): readonly Uint8Array[] | AcceptClient | undefined {
  if (verify === undefined) return peerKeys;
  return ({ publicKey, serverName }, signal = never) => {
    const isNamed = peerKeys?.some((key) => equalInConstantTime(key, publicKey));
    if (isNamed === false) return false;
    return verify(question(publicKey, serverName, isNamed ?? false), { signal });
  };
}

const question = (key: Uint8Array, serverName: string, validated: boolean): TrustQuestion => ({
  protocol: "CurveCP",
  peer: { kind: "static-key", key },
  serverName,
  validated,
  problem: validated ? undefined : "no keys of peers were given",
});

/** For those who ask without a way to take the question back. */
const never = new AbortController().signal;

class CurveCpTransport extends ByteStreamTransport<CurveCpSession> implements CurveCpSink, Mover {
  onTrouble: Mover["onTrouble"];
  readonly #init: SecurityInit;
  #refusal: Failure | undefined;
  #isPaused = false;

  constructor({ security }: Pick<StackRequest, "security">) {
    super();
    this.#init = security.init;
  }

  connect(request: OpenRequest): this {
    this.sink = request.sink;
    const { host, network, remote, local, interface: on } = request;
    const below = {
      network,
      ...(local !== undefined && { local }),
      ...(on !== undefined && { datagram: { interface: on } }),
    };
    return this.attach(connect(host, remote, clientOptions(request), this, below));
  }

  get security(): CurveCpSession {
    return this.port;
  }

  get mover(): Mover {
    return this;
  }

  /** Only a client goes elsewhere; a server follows. */
  get migrate(): Mover["migrate"] {
    const { port } = this;
    if (port.role === "server") return undefined;
    return (local) => port.migrate({ address: port.local.address, port: 0, ...local });
  }

  override softError(failure: Failure): void {
    super.softError(failure);
    this.onTrouble?.(failure);
  }

  override pause(): void {
    this.#isPaused = true;
    super.pause();
  }

  override resume(): void {
    this.#isPaused = false;
    super.resume();
  }

  /** A client's application is asked about the key that it named; a server's has been asked before there was a session. */
  confirmed({ peer, serverName }: CurveCpOutcome, { role }: CurveCpSession): void {
    const { verify } = this.#init;
    if (role === "server" || verify === undefined) {
      this.sink.ready();
      return;
    }
    this.security.pause();
    const asked = question(peer.key, serverName, true);
    Promise.resolve()
      .then(() => verify(asked, { signal: never }))
      .then(
        (isTrusted) => this.#judged(isTrusted),
        () => this.#judged(false),
      );
  }

  override closed(failure?: Failure): void {
    if (this.#refusal === undefined) super.closed(failure);
    else this.sink.closed(this.#refusal);
  }

  #judged(isTrusted: boolean): void {
    if (isTrusted) {
      if (!this.#isPaused) this.security.resume();
      this.sink.ready();
      return;
    }
    this.#refusal = new TapsFailure({
      reason: "establishment-failed",
      message: "the application does not trust the peer",
      fault: "refused",
      at: "CurveCP",
    });
    this.security.abort();
  }
}
