import { Agent, type AgentOptions, type ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";
import type { Dialer } from "./dialer.js";
import { ConnectionSocket, nodeError } from "./socket.js";

/** What `http.request` tells an agent of the connection that it wants. */
interface Wanted {
  readonly host?: string | null;
  readonly hostname?: string | null;
  readonly port?: number | string | null;
  readonly servername?: string;
  readonly signal?: AbortSignal;
}

/**
 * An agent for `http.request`, and with `isSecure` for `https.request`, whose connections are Connections:
 *
 *     https.get("https://example.com/", { agent: httpAgent(dialer(transportServices()), { isSecure: true }) });
 */
export function httpAgent(
  dial: Dialer,
  { isSecure = false, ...options }: AgentOptions & { readonly isSecure?: boolean } = {},
): Agent {
  return new ConnectionAgent(dial, isSecure, options);
}

class ConnectionAgent extends Agent {
  readonly #dial: Dialer;
  readonly #isSecure: boolean;
  /** Read by `https.request`, which refuses agents of another protocol. */
  readonly protocol: string;
  readonly defaultPort: number;

  constructor(dial: Dialer, isSecure: boolean, options: AgentOptions) {
    super(options);
    this.#dial = dial;
    this.#isSecure = isSecure;
    this.protocol = isSecure ? "https:" : "http:";
    this.defaultPort = isSecure ? 443 : 80;
  }

  override createConnection(
    wanted: ClientRequestArgs,
    done?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | undefined {
    const { host, hostname, port, servername, signal } = wanted as Wanted;
    const to = {
      host: hostname ?? host ?? "localhost",
      port: Number(port ?? this.defaultPort),
      isSecure: this.#isSecure,
      ...(this.#isSecure && { alpn: ["http/1.1"] }),
      ...(servername ? { serverName: servername } : {}),
    };
    const socket = new ConnectionSocket((_, abort) => this.#dial(to, { signal: signal ?? abort }));
    socket.once("connect", () => done?.(null, socket));
    socket.once("error", (error) => {
      if (socket.connecting) done?.(nodeError(error), socket);
    });
    socket.connect({ port: to.port, host: to.host });
    // Answered through `done`: an agent that is given a socket here would use it before it is connected.
    return done === undefined ? socket : undefined;
  }
}
