import { DecodeError, equal } from "../../../bytes/index.js";
import type { Entropy } from "../../../contract/index.js";
import { quicFailure, refuse } from "../failure.js";
import type { Version } from "../protection/versions.js";
import type { Settings } from "../settings.js";
import type { StreamLimits } from "../streams/index.js";
import { readParameters, type TransportParameters, writeParameters } from "../wire/transport-parameters.js";

const at = "quic_transport_parameters";

/** Ours, from the settings; ids and addresses come from elsewhere. */
export function ownParameters(
  settings: Settings,
  more: Partial<TransportParameters>,
  chosen: Version,
): Partial<TransportParameters> {
  return {
    maxIdleTimeoutMs: settings.idleTimeoutMs,
    maxUdpPayloadSize: settings.udpPayloadMax,
    initialMaxData: settings.receiveWindow,
    initialMaxStreamDataBidiLocal: settings.streamReceiveWindow,
    initialMaxStreamDataBidiRemote: settings.streamReceiveWindow,
    initialMaxStreamDataUni: settings.streamReceiveWindow,
    initialMaxStreamsBidi: settings.peerBidirectionalStreams,
    initialMaxStreamsUni: settings.peerUnidirectionalStreams,
    maxAckDelayMs: settings.ackDelayMaxMs,
    activeConnectionIdLimit: settings.activeConnectionIds,
    maxDatagramFrameSize: settings.datagramFrameMax,
    greaseQuicBit: settings.grease,
    versionInformation: { chosen: chosen.code, available: settings.versions.map(({ code }) => code) },
    ...more,
  };
}

/** What of the parameters is the streams' business. */
export const streamLimits = (from: Partial<TransportParameters>): StreamLimits => ({
  maxData: from.initialMaxData ?? 0,
  maxStreamDataBidiLocal: from.initialMaxStreamDataBidiLocal ?? 0,
  maxStreamDataBidiRemote: from.initialMaxStreamDataBidiRemote ?? 0,
  maxStreamDataUni: from.initialMaxStreamDataUni ?? 0,
  maxStreamsBidi: from.initialMaxStreamsBidi ?? 0,
  maxStreamsUni: from.initialMaxStreamsUni ?? 0,
});

/** Reserved parameters keep peers honest (RFC 9000 §18.1): 31 × N + 27. */
export function encodeParameters(
  parameters: Partial<TransportParameters>,
  settings: Settings,
  entropy: Entropy,
): Uint8Array {
  if (!settings.grease) return writeParameters(parameters);
  const random = entropy.fill(new Uint8Array(8));
  const data = random.subarray(2, 2 + (random[0]! & 3));
  return writeParameters(parameters, { id: 31 * (1_000 + random[1]!) + 27, data });
}

/** The peer's; throws TRANSPORT_PARAMETER_ERROR for what is not allowed. */
export function peerParameters(bytes: Uint8Array, sender: "client" | "server"): TransportParameters {
  try {
    return readParameters(bytes, sender);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw quicFailure("malformed-parameters", at, `the peer's transport parameters do not parse: ${error.message}`);
  }
}

/** RFC 9000 §7.3: the ids that the peer has seen must be those that we have seen. */
export function checkIds(
  found: TransportParameters,
  seen: {
    readonly initialSource: Uint8Array;
    /** Client alone. */
    readonly originalDestination?: Uint8Array;
    readonly retrySource?: Uint8Array | undefined;
  },
): void {
  const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
    a === undefined || b === undefined ? a === b : equal(a, b);
  if (!same(found.initialSourceConnectionId, seen.initialSource)) {
    refuse(
      "wrong-connection-id",
      "initial_source_connection_id",
      "it is not the one that the peer's packets came with",
    );
  }
  if (seen.originalDestination === undefined) return;
  if (!same(found.originalDestinationConnectionId, seen.originalDestination)) {
    refuse("wrong-connection-id", "original_destination_connection_id", "it is not the one that we began with");
  }
  if (!same(found.retrySourceConnectionId, seen.retrySource)) {
    refuse("wrong-connection-id", "retry_source_connection_id", "it does not fit the Retry that came, or did not come");
  }
}

/**
 * Server: the version for this client (RFC 9368 §2.3): the first of ours that it could go on with. Undefined: its own
 * information contradicts itself.
 */
export function chooseVersion(
  client: TransportParameters,
  original: Version,
  ours: readonly Version[],
): Version | undefined {
  const information = client.versionInformation;
  if (information === undefined) return original;
  if (information.chosen !== original.code || !information.available.includes(original.code)) return undefined;
  return ours.find(({ code }) => information.available.includes(code)) ?? original;
}

/**
 * Client: has somebody talked us into a worse version (RFC 9368 §4)? `offered` are ours, most wanted first; `refused` is
 * the version with which we began if a Version Negotiation made us begin again.
 */
export function checkVersion(
  server: TransportParameters,
  negotiated: Version,
  ours: readonly Version[],
  refused: Version | undefined,
): void {
  const information = server.versionInformation;
  if (information === undefined) {
    if (refused !== undefined)
      refuse("version-negotiation", "version_information", "it is missing after a negotiation");
    return;
  }
  if (information.chosen !== negotiated.code) {
    refuse("version-negotiation", "version_information", "the server says that it chose another version");
  }
  // What a Version Negotiation told us must lead to the same choice as what the handshake has authenticated.
  if (refused === undefined) return;
  if (information.available.length === 0 || information.available.includes(refused.code)) {
    refuse("version-negotiation", "version_information", "the server takes the version that was said to be refused");
  }
  const best = ours.find(({ code }) => information.available.includes(code));
  if (best !== undefined && best !== negotiated) {
    refuse("version-negotiation", "version_information", "we share a better version than the negotiated one");
  }
}
