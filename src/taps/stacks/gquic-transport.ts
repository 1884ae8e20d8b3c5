import {
  connect,
  type GquicClientOptions,
  type GquicOptions,
  type GquicServerOptions,
  type GquicSession,
  type GquicSink,
  type GquicVersion,
  listen as listenGquic,
  MemoryKnownServers,
  type VerifyServer,
} from "../../protocols/gquic/index.js";
import { identitiesFor, versionsOf } from "../security.js";
import { challenged, verifierOfPeers } from "./handshake-options.js";
import type { ListenRequest, OpenRequest, StackRequest, Transport, TransportListener } from "./stack.js";
import { announces, type GroupSession, StreamsGroup } from "./streams.js";
import { keepAliveOf } from "./tcp.js";

/** Keep-alives where no time was named: often enough for NATs, which forget UDP after 30 s (RFC 9308 §3.2). */
const keepAliveDefaultMs = 15_000;
/** Every stream has both directions, whichever of them is used. */
const direction = "bidirectional";

export function open(request: OpenRequest): Transport {
  const { host, network, remote, local, interface: on, sink, early, properties } = request;
  const { connPriority } = properties;
  const group = new StreamsGroup({ host, ours: true, direction });
  const below = {
    network,
    ...(local !== undefined && { local }),
    ...(on !== undefined && { datagrams: { interface: on } }),
  };
  const session = connect(host, remote, clientOptions(request), sinkOf(group), below);
  group.attach(twoWay(session), session);
  return group.openStream(sink, { direction, connPriority, announce: announces(properties) }, early);
}

export async function listen(request: ListenRequest): Promise<TransportListener> {
  const { host, network, local, interface: on, accept, handshakeFailed } = request;
  const groups = new Set<StreamsGroup>();
  let isOpen = true;
  const listener = await listenGquic(
    host,
    local,
    serverOptions(request),
    (session) => {
      const group = new StreamsGroup({ host, ours: false, direction, accept }).attach(twoWay(session), session);
      groups.add(group);
      if (!isOpen) group.endWhenIdle();
      return {
        ...sinkOf(group),
        closed(failure) {
          groups.delete(group);
          if (failure !== undefined && group.isIdle && !group.isConfirmed) handshakeFailed?.(failure);
          group.closed(failure);
        },
      };
    },
    { network, ...(on !== undefined && { datagrams: { interface: on } }) },
  );
  return {
    local: listener.local,
    closed: listener.closed,
    // What was accepted lives on, and is waited for by nobody here.
    close() {
      isOpen = false;
      void listener.close();
      for (const group of groups) group.endWhenIdle();
      return Promise.resolve();
    },
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  };
}

/** RFC 9622 §6.3 and the properties that concern a session, in Google QUIC's own words, for a client. */
function clientOptions(request: OpenRequest): GquicClientOptions {
  const { host, security, scope, serverName, remote } = request;
  const { init, mode } = security;
  const judge = verifierOfPeers(host, init, mode, "gQUIC");
  const verify: VerifyServer = async ({ chain, serverName: name, at }, signal) => {
    const verdict = await judge({ certificates: chain, serverName: name, at }, signal);
    if (!verdict.trusted) return { trusted: false, message: verdict.failure.message, cause: verdict.failure };
    return { trusted: true, peer: verdict.peer };
  };
  // Who trusts others, or less, is not served from what was found trustworthy for somebody else.
  const isUsual = init.verify === undefined && init.pins === undefined && (init.trust ?? "system") === "system";
  const known = mode === "secure" && isUsual && init.maxCachedSessions !== 0;
  return {
    ...sessionOptions(request, 0),
    serverName: init.serverName ?? serverName ?? remote.address,
    verify,
    ...(known && { known: scope.of("gQUIC servers", () => new MemoryKnownServers()) }),
    ...init.protocolOptions?.gQUIC,
  };
}

/** The same, for a server. */
function serverOptions(request: ListenRequest): GquicServerOptions {
  const { security, allowed } = request;
  const { init } = security;
  const [identity] = identitiesFor(security, "server", "gQUIC", allowed).map((each) => challenged(each, init));
  return {
    // The first stream makes the group; `groupConnLimit` counts those that join it.
    ...sessionOptions(request, 1),
    identity: identity ?? (() => undefined),
    ...init.protocolOptions?.gQUIC,
  };
}

function sessionOptions({ properties, allowed }: StackRequest, first: number): GquicOptions {
  const { connTimeout, groupConnLimit } = properties;
  const inTime = connTimeout === "disabled" ? keepAliveDefaultMs : Math.min(keepAliveDefaultMs, connTimeout / 2);
  const keepAliveMs = keepAliveOf(properties, inTime);
  const versions = versionsOf(allowed, "gQUIC");
  return {
    ...(versions !== undefined && { versions: versions as readonly GquicVersion[] }),
    // Whole seconds, of which the protocol knows 1 to 600.
    ...(connTimeout !== "disabled" && { idleTimeoutMs: Math.min(600_000, Math.max(1_000, Math.ceil(connTimeout))) }),
    ...(keepAliveMs !== undefined && { keepAliveMs }),
    ...(groupConnLimit !== "unlimited" && { peerStreams: groupConnLimit + first }),
  };
}

/** Connections of one direction use a stream of both. */
function twoWay(session: GquicSession): GroupSession {
  return {
    get local() {
      return session.local;
    },
    get remote() {
      return session.remote;
    },
    get datagramMax() {
      return session.datagramMax;
    },
    openStream: (sink, options) => session.openStream(sink, { ...options, direction }),
    sendDatagram: (bytes, options) => session.sendDatagram(bytes, options),
    close: () => session.close(),
    abort: () => session.abort(),
    migrate: (local) => session.migrate(local),
    ref: () => session.ref(),
    unref: () => session.unref(),
  };
}

function sinkOf(group: StreamsGroup): GquicSink {
  return {
    confirmed: () => group.confirmed(),
    stream: (stream) => group.stream(stream, stream.early),
    datagram: (bytes) => group.datagram(bytes),
    softError: (failure) => group.softError(failure),
    // RFC 9622 §8.3.2: the session is the group's, and so is its path.
    moved: (move) => group.pathChange({ what: "handover", detail: { ...move } }),
    mtu: (size) => group.pathChange({ what: "mtu", detail: { size } }),
    closed: (failure) => group.closed(failure),
  };
}
