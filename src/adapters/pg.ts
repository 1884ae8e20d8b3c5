import type { Dialer } from "./dialer.js";
import { ConnectionSocket } from "./socket.js";

/**
 * The `stream` option of `pg`: a socket for each of its clients, connected when pg says where to.
 *
 *     const pool = new Pool({ host: "db.internal", stream: pgStream(dialer(office)) });
 *
 * pg negotiates TLS inside its own protocol, so the way there is cleartext unless `isSecure` says that the server takes
 * TLS from the first byte (PostgreSQL 17's `sslnegotiation=direct`, or a proxy).
 */
export function pgStream(
  dial: Dialer,
  { isSecure = false }: { readonly isSecure?: boolean } = {},
): () => ConnectionSocket {
  return () =>
    new ConnectionSocket(({ host, port }, signal) =>
      dial({ host, port, isSecure, ...(isSecure && { alpn: ["postgresql"] }) }, { signal }),
    );
}
