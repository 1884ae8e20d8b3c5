import { dtlsFailure } from "../failure.js";

/** ExtensionType and HeartbeatModes of RFC 6520 §2. */
export const heartbeatExtension = 15;
export type HeartbeatMode = "peer_allowed_to_send" | "peer_not_allowed_to_send";

const modes: ReadonlyMap<number, HeartbeatMode> = new Map([
  [1, "peer_allowed_to_send"],
  [2, "peer_not_allowed_to_send"],
]);

/** What we say of ourselves: we answer. */
export const ourHeartbeatMode = Uint8Array.of(1);

/** What the peer says of itself; undefined if it says nothing. Throws `illegal-parameter`. */
export function readHeartbeatMode(extensions: ReadonlyMap<number, Uint8Array>): HeartbeatMode | undefined {
  const data = extensions.get(heartbeatExtension);
  return data && heartbeatMode(data);
}

export function heartbeatMode(data: Uint8Array): HeartbeatMode {
  const mode = data.length === 1 ? modes.get(data[0]!) : undefined;
  if (mode === undefined) throw dtlsFailure("illegal-parameter", "heartbeat", "there is no such HeartbeatMode");
  return mode;
}
