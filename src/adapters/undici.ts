import type { Dialer } from "./dialer.js";
import { ConnectionSocket, nodeError } from "./socket.js";

/** What undici tells its connector. */
export interface UndiciDestination {
  readonly hostname: string;
  readonly host?: string;
  readonly protocol: string;
  readonly port: string;
  readonly servername?: string | null;
}

/**
 * A connector for undici's Agent, Pool and Client, and so for `fetch`:
 *
 *     const dispatcher = new Agent({ connect: undiciConnector(dialer(transportServices())) });
 *     await fetch("https://example.com/", { dispatcher });
 */
export function undiciConnector(
  dial: Dialer,
): (to: UndiciDestination, done: (error: Error | null, socket: ConnectionSocket | null) => void) => void {
  return ({ hostname, protocol, port, servername }, done) => {
    const isSecure = protocol === "https:";
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const to = {
      host,
      port: Number(port || (isSecure ? 443 : 80)),
      isSecure,
      ...(isSecure && { alpn: ["http/1.1"] }),
      ...(servername ? { serverName: servername } : {}),
    };
    // A promise's reaction is never synchronous, which undici could not bear.
    dial(to).then(
      (connection) => done(null, new ConnectionSocket(connection)),
      (error: unknown) => done(nodeError(error), null),
    );
  };
}
