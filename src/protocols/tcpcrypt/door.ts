import {
  type EnoStreams,
  type Host,
  type ListenOptions,
  type Network,
  networkFailure,
  type PortListener,
  type SocketAddress,
  type StreamOptions,
} from "../../contract/index.js";
import { negotiationOf, tcpcryptConfig } from "./config.js";
import type { Negotiation } from "./eno/negotiation.js";
import type { TcpcryptClientOptions, TcpcryptOptions } from "./options.js";
import type { TcpcryptSession, TcpcryptSink } from "./session.js";
import { StreamSession } from "./stream-session.js";

/** What the session stands on: a network whose TCP is ours, which the system's is not. */
export interface TcpcryptBelow {
  /** The inside of a tunnel, a stack on a device, a simulated one. Default: the host's. */
  readonly network?: Network;
}

/**
 * An active opener. The answer is there at once; `confirmed`, on it or on the sink, says when it is encrypted. Throws
 * `not-supported` where the network has no TCP-ENO, and `bad-configuration`.
 */
export function connect(
  host: Host,
  remote: SocketAddress,
  options: TcpcryptClientOptions,
  sink: TcpcryptSink,
  below: TcpcryptBelow & { readonly stream?: StreamOptions } = {},
): TcpcryptSession {
  const streams = enoStreamsOf(below.network ?? host.network);
  const session = StreamSession.active(host, remote, options, sink);
  return session.attach(streams.connect(remote, session.lower, session.negotiation, below.stream));
}

/** A passive opener of many. The sink that `accept` answers is told when each is confirmed, or why it never was. */
export async function listen(
  host: Host,
  local: SocketAddress,
  options: TcpcryptOptions,
  accept: (session: TcpcryptSession) => TcpcryptSink,
  below: TcpcryptBelow & { readonly listen?: ListenOptions } = {},
): Promise<PortListener> {
  const streams = enoStreamsOf(below.network ?? host.network);
  const whole = { trace: host.trace, ...options };
  const config = tcpcryptConfig(host, "passive", whole);
  return streams.listen(
    local,
    () => negotiationOf(config, whole, undefined),
    (port, extension) => {
      const session = StreamSession.passive(host, config, extension as Negotiation, silent).attach(port);
      session.sink = accept(session);
      return session.lower;
    },
    below.listen,
  );
}

function enoStreamsOf({ name, enoStreams }: Network): EnoStreams {
  if (enoStreams !== undefined) return enoStreams;
  throw networkFailure("not-supported", `the TCP of ${name} is not ours and negotiates no TCP-ENO`, {
    hint: "take a tunnel's inside, or a stack on a device",
  });
}

const silent: TcpcryptSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
