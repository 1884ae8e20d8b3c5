import type { TlsClientOptions, TlsServerOptions, TlsVersion } from "../../protocols/tls/index.js";
import { earlyDataMax } from "../limits.js";
import { families, versionsFor } from "./family.js";
import { clientOptions, serverOptions, sharedOptions } from "./handshake-options.js";
import type { OpenRequest, StackRequest } from "./stack.js";

const family = families.TLS;

/** RFC 9622 §6.3 in TLS's own words, for a client. */
export function tlsClientOptions(request: OpenRequest): TlsClientOptions {
  return {
    ...choices(request),
    ...sharedOptions(request, family, "client"),
    ...clientOptions(request, family),
    ...request.security.init.protocolOptions?.TLS,
  };
}

/** The same, for a server. */
export function tlsServerOptions(request: StackRequest): TlsServerOptions {
  const options = serverOptions(request);
  return {
    ...choices(request),
    ...sharedOptions(request, family, "server"),
    ...options,
    ...(options.antiReplay !== undefined && { earlyDataMax }),
    ...request.security.init.protocolOptions?.TLS,
  };
}

function choices({ allowed, security: { init } }: StackRequest): Pick<TlsClientOptions, "versions" | "suites"> {
  return {
    versions: versionsFor(family, allowed, init) as readonly TlsVersion[],
    ...(init.ciphersuites !== undefined && { suites: init.ciphersuites }),
  };
}
