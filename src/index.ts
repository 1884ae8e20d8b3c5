import { systemServices } from "./adapters/system.js";
import type { OpenTunnel, TunnelOptions } from "./adapters/tunnel/index.js";
import { nodeHost } from "./hosts/node/index.js";
import {
  type Connection,
  type DialOptions,
  dial as dialOn,
  type Handler,
  type ListenerOptions,
  type Preconnection,
  type PreconnectionInit,
  type SecurityMode,
  type ServeOptions,
  type Server,
  serve as serveOn,
  type TransportServices,
  type UrlOptions,
} from "./taps/index.js";

export { certificatesFromPem, identityFromPem, type PemIdentityInit } from "./adapters/pem.js";
export type {
  AcceptedAddresses,
  OpenTunnel,
  TunnelEvents,
  TunnelOptions,
  TunnelPeerStatus,
  TunnelStatus,
} from "./adapters/tunnel/index.js";
export * from "./contract/index.js";
export * from "./taps/index.js";

let system: TransportServices | undefined;

/**
 * The Transport Services system of this process, made when it is first asked for: the Node host with every stack, under
 * the policy of /etc/sealport/policy.json or of the file that `SEALPORT_POLICY` names.
 */
export function transportServices(): TransportServices {
  return (system ??= systemServices({ host: nodeHost() }));
}

/**
 * A Preconnection on this host (RFC 9622 §6). Security is on unless `disabled()` says otherwise.
 *
 *     const connection = await preconnection({ remote: { host: "example.com", port: 443 } }).connect();
 */
export function preconnection<Mode extends SecurityMode = "secure">(
  init: PreconnectionInit<Mode>,
): Preconnection<Mode> {
  return transportServices().preconnection(init);
}

/**
 * A Connection to a URL, Ready to use. Rejects with an EstablishmentError.
 *
 *     await using connection = await dial("tls://example.com:443", { alpn: ["h2"], timeout: 5_000 });
 */
export function dial(url: string | URL, options?: DialOptions): Promise<Connection> {
  return dialOn(transportServices(), url, options);
}

/**
 * Serves a URL with a handler, which is given each Connection and a signal that says when to stop.
 *
 *     await using server = await serve("tls://*:8443", async (connection) => { … }, { identity });
 */
export function serve(
  url: string | URL,
  handler: Handler,
  options?: UrlOptions & ServeOptions & ListenerOptions,
): Promise<Server> {
  return serveOn(transportServices(), url, handler, options);
}

/**
 * Opens a tunnel from a wg-quick file, by its path or its text, with no root, no device and no side-car.
 *
 *     await using office = await tunnel("./office.conf");
 *     const page = await (await office.fetch("http://intranet.office/")).text();
 *     const pool = new Pool({ host: "db.office", stream: () => office.socket() });
 *
 * Nothing is sent before something inside wants to be. Rejects with `misuse/bad-configuration`, which names the line.
 *
 * While it is open, its interface is a path of `transportServices`, for those who ask for it by name:
 *
 *     preconnection({ remote, transport: reliableInorderStream.with({ interface: { "wg:office": "require" } }) })
 */
export async function tunnel(source: string | URL, options?: TunnelOptions): Promise<OpenTunnel> {
  const { openTunnel } = await import("./adapters/tunnel/open-tunnel.js");
  const services = transportServices();
  const opened = await openTunnel(services.host, source, options);
  try {
    const path = services.attach(opened.network);
    opened.once("closed", () => path[Symbol.dispose]());
  } catch (error) {
    await opened.close();
    throw error;
  }
  return opened;
}
