import type {
  DatagramOptions,
  DatagramPort,
  DatagramSink,
  Host,
  Network,
  SocketAddress,
} from "../../contract/index.js";
import { type DtlsClientOptions, type DtlsServerOptions, over as dtlsOver } from "../dtls/index.js";
import { verifyFingerprint } from "./fingerprint.js";
import {
  type DtlsSrtpClientOptions,
  type DtlsSrtpCommon,
  type DtlsSrtpServerOptions,
  defaultProfiles,
  numbersOf,
} from "./options.js";
import { type DtlsSrtpSession, type DtlsSrtpSink, FlowSession } from "./session.js";

/** DTLS-SRTP over datagrams of any kind with one peer, in two steps: give `lower` what comes from it, and the port to `attach`. */
export interface DtlsSrtpLayered {
  readonly session: DtlsSrtpSession;
  readonly lower: DatagramSink;
  attach(port: DatagramPort): void;
}

/**
 * DTLS-SRTP over a flow with one peer, such as ICE has found, or a stream in frames (RFC 7850). `remote` is what sent
 * datagrams are addressed to. A server asks for the client's certificate if it is to have a fingerprint, and for no
 * cookie: whose address the flow has is signalling's to know, or ICE's.
 */
export function over(
  host: Host,
  role: "client" | "server",
  options: DtlsSrtpClientOptions | DtlsSrtpServerOptions,
  remote: SocketAddress,
  sink: DtlsSrtpSink,
): DtlsSrtpLayered {
  const session = new FlowSession(host, role, options, remote, sink);
  const layered =
    role === "client"
      ? dtlsOver(host, role, clientOptions(host, options as DtlsSrtpClientOptions), remote, () => session.dtlsSink)
      : dtlsOver(host, role, serverOptions(host, options as DtlsSrtpServerOptions), remote, () => session.dtlsSink);
  session.standsOn(layered);
  return {
    session,
    lower: session,
    attach: (port) => {
      session.attach(port);
      layered.attach(port);
    },
  };
}

/** DTLS-SRTP on a port of its own with a peer whose address is known. */
export async function bind(
  host: Host,
  role: "client" | "server",
  addresses: { readonly local: SocketAddress; readonly remote: SocketAddress },
  options: DtlsSrtpClientOptions | DtlsSrtpServerOptions,
  sink: DtlsSrtpSink,
  below: { readonly network?: Network; readonly datagrams?: DatagramOptions } = {},
): Promise<DtlsSrtpSession> {
  const { session, lower, attach } = over(host, role, options, addresses.remote, sink);
  attach(await (below.network ?? host.network).bindDatagrams(addresses.local, lower, below.datagrams));
  return session;
}

const offered = ({ profiles = defaultProfiles, mki }: DtlsSrtpCommon) => ({
  srtp: { profiles: numbersOf(profiles), ...(mki && { mki }), required: true },
});

const verifying = (host: Host, { fingerprints }: DtlsSrtpCommon) =>
  fingerprints === undefined ? {} : { verify: verifyFingerprint(host.crypto, fingerprints) };

function clientOptions(host: Host, options: DtlsSrtpClientOptions): DtlsClientOptions {
  return { ...options.dtls, ...verifying(host, options), ...offered(options) };
}

function serverOptions(host: Host, options: DtlsSrtpServerOptions): DtlsServerOptions {
  const authentication = options.fingerprints === undefined ? {} : ({ clientAuthentication: "require" } as const);
  return {
    addressValidation: "none",
    ...authentication,
    ...options.dtls,
    ...verifying(host, options),
    ...offered(options),
  };
}
