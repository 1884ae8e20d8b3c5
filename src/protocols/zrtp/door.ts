import type {
  DatagramOptions,
  DatagramPort,
  DatagramSink,
  Host,
  Network,
  SocketAddress,
} from "../../contract/index.js";
import type { ZrtpOptions } from "./options.js";
import { FlowSession, type ZrtpSession, type ZrtpSink } from "./session.js";

/** ZRTP over datagrams of any kind with one peer, in two steps: give `lower` what comes from it, and the port to `attach`. */
export interface ZrtpLayered {
  readonly session: ZrtpSession;
  readonly lower: DatagramSink;
  attach(port: DatagramPort): void;
}

/**
 * SRTP keyed by ZRTP over a flow with one peer. Either side may begin (RFC 6189 §4.2). Without `remote` nothing is said until a
 * Hello comes, from anywhere, and the peer is whoever sent it.
 */
export function over(host: Host, options: ZrtpOptions, sink: ZrtpSink, remote?: SocketAddress): ZrtpLayered {
  const session = new FlowSession(host, options, remote, sink);
  return { session, lower: session, attach: (port) => session.attach(port) };
}

/** The same on a port of its own. */
export async function bind(
  host: Host,
  addresses: { readonly local: SocketAddress; readonly remote?: SocketAddress },
  options: ZrtpOptions,
  sink: ZrtpSink,
  below: { readonly network?: Network; readonly datagrams?: DatagramOptions } = {},
): Promise<ZrtpSession> {
  const { session, lower, attach } = over(host, options, sink, addresses.remote);
  attach(await (below.network ?? host.network).bindDatagrams(addresses.local, lower, below.datagrams));
  return session;
}
