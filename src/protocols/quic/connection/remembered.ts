import { concat, DecodeError } from "../../../bytes/index.js";
import { readParameters, type TransportParameters, writeParameters } from "../wire/transport-parameters.js";

/** Limits that a client remembers with a ticket, and under which its 0-RTT data stand (RFC 9000 §7.4.1, RFC 9221 §3). */
const limitNames = [
  "activeConnectionIdLimit",
  "initialMaxData",
  "initialMaxStreamDataBidiLocal",
  "initialMaxStreamDataBidiRemote",
  "initialMaxStreamDataUni",
  "initialMaxStreamsBidi",
  "initialMaxStreamsUni",
  "maxDatagramFrameSize",
] as const satisfies readonly (keyof TransportParameters)[];

/** Beside the limits; a change of these does not make 0-RTT impossible. */
const otherNames = ["maxIdleTimeoutMs", "maxUdpPayloadSize", "disableActiveMigration"] as const;

/** What stands in a session's `applicationData`: the version that it is good for (RFC 9369 §5), and the parameters. */
export interface Remembered {
  readonly version: number;
  readonly parameters: TransportParameters;
}

export function remember(version: number, parameters: TransportParameters): Uint8Array {
  const kept = Object.fromEntries([...limitNames, ...otherNames].map((name) => [name, parameters[name]]));
  const code = Uint8Array.of(version >>> 24, version >>> 16, version >>> 8, version);
  return concat(code, writeParameters(kept));
}

/** Undefined for what was stored by something else. */
export function recall(stored: Uint8Array): Remembered | undefined {
  if (stored.length < 4) return undefined;
  try {
    const version = ((stored[0]! << 24) | (stored[1]! << 16) | (stored[2]! << 8) | stored[3]!) >>> 0;
    return { version, parameters: readParameters(stored.subarray(4), "server") };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The first limit that has become less: 0-RTT under the old ones cannot be taken (RFC 9000 §7.4.1). */
export function reducedLimit(before: TransportParameters, now: TransportParameters): string | undefined {
  return limitNames.find((name) => now[name] < before[name]);
}
