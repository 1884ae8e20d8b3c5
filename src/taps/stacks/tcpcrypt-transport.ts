import {
  connect,
  listen as listenTcpcrypt,
  type TcpcryptOptions,
  type TcpcryptSession,
  TcpcryptSessions,
  type TcpcryptSink,
} from "../../protocols/tcpcrypt/index.js";
import { ByteStreamTransport } from "./port-transport.js";
import {
  type ListenRequest,
  type OpenRequest,
  type StackRequest,
  StackScope,
  type Transport,
  type TransportListener,
} from "./stack.js";
import { keepAliveOf, streamOptions } from "./tcp.js";

export const open = (request: OpenRequest): Transport => new TcpcryptTransport(request).connect(request);

export async function listen(request: ListenRequest): Promise<TransportListener> {
  const { host, network, local, interface: on, backlog, softError, accept } = request;
  return listenTcpcrypt(
    host,
    local,
    optionsOf(request, new StackScope()),
    (session) => {
      const transport = new TcpcryptTransport(request);
      transport.attach(session);
      transport.sink = accept(transport);
      return transport;
    },
    { network, listen: { backlog, softError, ...(on !== undefined && { interface: on }) } },
  );
}

/** RFC 9622 §6.3 in tcpcrypt's own words. Cleartext is for the race to decide, never for a stack: so never `opportunistic`. */
function optionsOf({ host, security: { init } }: StackRequest, scope: StackScope): TcpcryptOptions {
  const { maxCachedSessions, cachedSessionLifetimeSeconds: seconds, protocolOptions } = init;
  const sessions =
    maxCachedSessions === 0
      ? undefined
      : scope.of(
          `tcpcrypt sessions ${maxCachedSessions ?? ""}`,
          () =>
            new TcpcryptSessions(host.crypto, {
              ...(maxCachedSessions !== undefined && { sessionsMax: maxCachedSessions }),
              ...(seconds !== undefined && { lifetimeMs: seconds * 1_000 }),
            }),
        );
  return { ...(sessions && { sessions }), ...protocolOptions?.tcpcrypt, opportunistic: false };
}

class TcpcryptTransport extends ByteStreamTransport<TcpcryptSession> implements TcpcryptSink {
  readonly #request: Pick<StackRequest, "properties">;

  constructor(request: Pick<StackRequest, "properties">) {
    super();
    this.#request = request;
  }

  connect(request: OpenRequest): this {
    this.sink = request.sink;
    const { host, network, remote, scope } = request;
    const { keepAliveMs: _, ...stream } = streamOptions(request);
    return this.attach(connect(host, remote, optionsOf(request, scope), this, { network, stream }));
  }

  get security(): TcpcryptSession & { readonly peer?: undefined } {
    return this.port;
  }

  // RFC 9623 §4.4: Ready when the handshake is done, not when the stream is open.
  confirmed(): void {
    const keepAliveMs = keepAliveOf(this.#request.properties);
    if (keepAliveMs !== undefined) this.port.set("keepAliveMs", keepAliveMs);
    this.sink.ready();
  }
}
