import { addressFamily } from "../../bytes/index.js";
import { equalInConstantTime, type Failure, Secret } from "../../contract/index.js";
import {
  type AcceptConnection,
  connect,
  listen as listenMinimalt,
  type MinimaltClientOptions,
  type MinimaltOptions,
  type MinimaltServerOptions,
  type MinimaltSink,
  RecordMemory,
} from "../../protocols/minimalt/index.js";
import { TapsFailure } from "../failure.js";
import type { SecurityInit, TrustQuestion } from "../security.js";
import type { ListenRequest, OpenRequest, StackRequest, Transport, TransportListener } from "./stack.js";
import { announces, StreamsGroup } from "./streams.js";
import { keepAliveOf } from "./tcp.js";

const keepAliveDefaultMs = 15_000;

export function open(request: OpenRequest): Transport {
  const { host, network, remote, local, interface: on, sink, early, properties } = request;
  const { connPriority } = properties;
  const group = new StreamsGroup({ host, ours: true, direction: "bidirectional" });
  const below = {
    network,
    ...(local !== undefined && { local }),
    ...(on !== undefined && { datagram: { interface: on } }),
  };
  const session = connect(host, remote, clientOptions(request), sinkOf(group, request.security.init), below);
  group.attach(session, session);
  const wish = { direction: "bidirectional", connPriority, announce: announces(properties) } as const;
  return group.openStream(sink, wish, early);
}

export async function listen(request: ListenRequest): Promise<TransportListener> {
  const { host, network, local, interface: on, accept, handshakeFailed } = request;
  const groups = new Set<StreamsGroup>();
  let isOpen = true;
  const listener = await listenMinimalt(
    host,
    local,
    serverOptions(request),
    (session) => {
      const group = new StreamsGroup({ host, ours: false, direction: "bidirectional", accept }).attach(
        session,
        session,
      );
      groups.add(group);
      if (!isOpen) group.endWhenIdle();
      return {
        ...sinkOf(group, {}),
        closed(failure) {
          groups.delete(group);
          if (failure !== undefined && group.isIdle && !group.isConfirmed) handshakeFailed?.(failure);
          group.closed(failure);
        },
      };
    },
    { network, ...(on !== undefined && { datagram: { interface: on } }) },
  );
  return {
    local: listener.local,
    closed: listener.closed,
    // What was accepted lives on, and is waited for by nobody here.
    close() {
      isOpen = false;
      void listener.stop();
      for (const group of groups) group.endWhenIdle();
      return Promise.resolve();
    },
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  };
}

function sharedOptions({ security: { init } }: StackRequest): MinimaltOptions {
  const key = init.preSharedKeys?.[0]?.key;
  if (key === undefined) return {};
  return { importedKey: key instanceof Secret ? new Uint8Array(key.expose()) : key };
}

/** RFC 9622 §6.3 in MinimaLT's own words, for a client. */
function clientOptions(request: OpenRequest): MinimaltClientOptions {
  const { security, serverName, remote, properties, scope } = request;
  const { init } = security;
  const { keyPair, peerKeys = [] } = init;
  const name = init.serverName ?? serverName;
  const isName = name !== undefined && name !== remote.address && addressFamily(name) === undefined;
  const keepAliveMs =
    properties.keepAlive === "prohibit" ? 0 : (keepAliveOf(properties, keepAliveDefaultMs) ?? keepAliveDefaultMs);
  const [keys] = peerKeys;
  return {
    ...sharedOptions(request),
    keepAliveMs,
    cache: scope.of("MinimaLT records", () => new RecordMemory()),
    ...(keys !== undefined && { serverKey: keys.slice(0, 32), serverBoxKey: keys.slice(32) }),
    // A server that is known by its keys may have any name; who asks a directory asks by name.
    ...(isName && (init.serverName !== undefined || keys === undefined) && { serverName: name }),
    ...(keyPair !== undefined && { user: keyPair }),
    ...init.protocolOptions?.MinimaLT,
  };
}

/** The same, for a server. */
function serverOptions(request: ListenRequest): MinimaltServerOptions {
  const { init } = request.security;
  const users = usersOf(init);
  const own = init.protocolOptions?.MinimaLT as Pick<MinimaltServerOptions, "identity">;
  return {
    ...sharedOptions(request),
    ...(users !== undefined && { users }),
    ...own,
  };
}

/** Keys that are named are let in, and of these those that the application accepts too; with neither, all are. */
function usersOf({ peerKeys, verify }: SecurityInit): readonly Uint8Array[] | AcceptConnection | undefined {
  if (verify === undefined) return peerKeys;
  return ({ user, service }, signal = never) => {
    const isNamed = user !== undefined && peerKeys?.some((key) => equalInConstantTime(key, user));
    if (peerKeys !== undefined && isNamed !== true) return false;
    const key = user ?? new Uint8Array(0);
    return verify(question(key, service, isNamed === true), { signal });
  };
}

const question = (key: Uint8Array, serverName: string, validated: boolean): TrustQuestion => ({
  protocol: "MinimaLT",
  peer: { kind: "static-key", key },
  serverName,
  validated,
  problem: validated ? undefined : "no keys of peers were given",
});

/** For those who ask without a way to take the question back. */
const never = new AbortController().signal;

/** A client's application is asked about the server before anything is Ready; a server's has been asked by connection. */
function sinkOf(group: StreamsGroup, { verify }: Pick<SecurityInit, "verify">): MinimaltSink {
  let refusal: Failure | undefined;
  return {
    confirmed(outcome, session) {
      if (verify === undefined || session.role === "server" || outcome.peer === undefined) {
        group.confirmed();
        return;
      }
      const asked = question(outcome.peer.key, outcome.serverName, true);
      const judge = (isTrusted: boolean): void => {
        if (isTrusted) {
          group.confirmed();
          return;
        }
        refusal = new TapsFailure({
          reason: "establishment-failed",
          message: "the application does not trust the peer",
          fault: "refused",
          at: "MinimaLT",
        });
        session.abort();
      };
      Promise.resolve()
        .then(() => verify(asked, { signal: never }))
        .then(judge, () => judge(false));
    },
    stream: (stream) => group.stream(stream),
    softError: (failure) => group.softError(failure),
    // RFC 9622 §8.3.2: the tunnel is the group's, and so is its path.
    moved: (from, to) => group.pathChange({ what: "handover", detail: { from, to } }),
    closed: (failure) => group.closed(refusal ?? failure),
  };
}
