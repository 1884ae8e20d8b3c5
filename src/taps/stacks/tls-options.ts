import {
  suites12,
  suites13,
  type TlsClientOptions,
  type TlsServerOptions,
  type TlsVersion,
} from "../../protocols/tls/index.js";
import { earlyDataMax } from "../limits.js";
import type { SecurityParameters, SecurityProtocol } from "../security.js";
import {
  clientOptions,
  type Family,
  serverOptions,
  sharedOptions,
  unfitFor,
  versionsFor,
} from "./handshake-options.js";
import type { OpenRequest, StackRequest } from "./stack.js";

const family: Family = { protocol: "TLS", versions: { "1.3": suites13, "1.2": suites12 } };

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

export const tlsUnfit = (
  security: SecurityParameters,
  allowed: readonly SecurityProtocol[],
  role: "client" | "server",
): string | undefined => unfitFor(family, security, allowed, role);

function choices({ allowed, security: { init } }: StackRequest): Pick<TlsClientOptions, "versions" | "suites"> {
  return {
    versions: versionsFor(family, allowed, init) as readonly TlsVersion[],
    ...(init.ciphersuites !== undefined && { suites: init.ciphersuites }),
  };
}
