import { addressFamily, fromUtf8, toHex } from "../../../bytes/index.js";
import type { Instant, SocketAddress, Trace } from "../../../contract/index.js";
import { cryptoError, type QuicFailure, transportErrorName } from "../failure.js";
import type { PacketType } from "../protection/versions.js";
import { FrameType, frameName } from "../wire/frame-types.js";
import { FrameView } from "../wire/frame-view.js";
import type { TransportParameters } from "../wire/transport-parameters.js";
import type { Core } from "./core.js";
import { packetName } from "./inbound.js";

type Data = Readonly<Record<string, unknown>>;

/**
 * What a connection tells of itself, in the words of qlog (draft-ietf-quic-qlog-quic-events). There is one only if somebody
 * listens. It never tells secrets: no keys, and no stateless reset tokens either.
 */
export class Tracer {
  readonly #core: Core;
  readonly #trace: Trace;
  readonly #frame = new FrameView();
  #congestion = "slow_start";
  #ecn = "testing";
  #mtu: number;

  constructor(core: Core, trace: Trace) {
    this.#core = core;
    this.#trace = trace;
    this.#mtu = core.mtu.current;
  }

  started(local: SocketAddress, remote: SocketAddress, now: Instant): void {
    this.#tell("connection_started", now, { local: endpoint(local), remote: endpoint(remote) });
    this.state("attempted", now);
  }

  state(state: "attempted" | "handshake_complete" | "handshake_confirmed", now: Instant): void {
    this.#tell("connection_state_updated", now, { new: state });
  }

  parameters(initiator: "local" | "remote", parameters: Partial<TransportParameters>, more: Data, now: Instant): void {
    this.#tell("parameters_set", now, { initiator, ...more, ...settings(parameters) });
  }

  /** Frames stand in the clear in `bytes[from … end)`. */
  sent(
    type: PacketType,
    number: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    size: number,
    now: Instant,
  ): void {
    this.#packet("packet_sent", type, number, this.#frames(bytes, from, end), size, now);
  }

  received(
    type: PacketType,
    number: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    size: number,
    now: Instant,
  ): void {
    this.#packet("packet_received", type, number, this.#frames(bytes, from, end), size, now);
  }

  dropped(length: number, now: Instant): void {
    this.#tell("packet_dropped", now, { raw: { length }, trigger: "general" });
  }

  lost(type: PacketType, number: number, now: Instant): void {
    this.#tell("packet_lost", now, { header: { packet_type: packetName(type), packet_number: number } });
  }

  /** After acknowledgements and timeouts: what recovery knows now, and what has changed its state. */
  metrics(now: Instant): void {
    const { recovery, ecn, mtu } = this.#core;
    const { rtt, controller } = recovery;
    this.#tell("recovery_metrics_updated", now, {
      ...(rtt.sampled && { min_rtt: rtt.minMs, latest_rtt: rtt.latestMs }),
      smoothed_rtt: rtt.smoothedMs,
      rtt_variance: rtt.variationMs,
      pto_count: recovery.ptoCount,
      congestion_window: Math.floor(controller.window),
      bytes_in_flight: recovery.bytesInFlight,
      ...finite("ssthresh", controller.slowStartThreshold),
      // Bits a second.
      ...finite("pacing_rate", controller.pacingRate * 8_000),
    });
    const congestion = controller.window < controller.slowStartThreshold ? "slow_start" : "congestion_avoidance";
    if (congestion !== this.#congestion) {
      this.#tell("congestion_state_updated", now, { old: this.#congestion, new: congestion });
      this.#congestion = congestion;
    }
    if (ecn.status !== this.#ecn && ecn.status !== "off") {
      this.#tell("ecn_state_updated", now, { old: this.#ecn, new: ecn.status });
      this.#ecn = ecn.status;
    }
    if (mtu.current !== this.#mtu) {
      this.#tell("mtu_updated", now, { old: this.#mtu, new: mtu.current, done: mtu.isComplete });
      this.#mtu = mtu.current;
    }
  }

  keysUpdated(byPeer: boolean, generation: number, now: Instant): void {
    const trigger = byPeer ? "remote_update" : "local_update";
    for (const key_type of ["client_1rtt_secret", "server_1rtt_secret"]) {
      this.#tell("key_updated", now, { key_type, key_phase: generation, trigger });
    }
  }

  moved(from: SocketAddress, to: SocketAddress, now: Instant): void {
    this.#tell("migration_state_updated", now, {
      new: "migration_started",
      tuple_remote: endpoint(to),
      old_remote: endpoint(from),
    });
  }

  /** @param failure undefined: in order */
  closed(failure: QuicFailure | undefined, now: Instant): void {
    const code = failure?.code;
    this.#tell("connection_closed", now, {
      initiator: failure?.byPeer ? "remote" : "local",
      ...(code !== undefined && { connection_error: errorName(code), error_code: code }),
      ...(failure !== undefined && { reason: failure.message }),
      trigger: (failure && triggers[failure.reason]) ?? (failure === undefined ? "application" : "error"),
    });
  }

  #packet(name: string, type: PacketType, number: number, frames: readonly Data[], length: number, now: Instant): void {
    this.#tell(name, now, {
      header: { packet_type: packetName(type), packet_number: number },
      frames,
      raw: { length },
    });
  }

  #frames(bytes: Uint8Array, from: number, end: number): readonly Data[] {
    const frames: Data[] = [];
    const frame = this.#frame;
    for (let at = from; at < end && frame.read(bytes, at, end); at = frame.next)
      frames.push(describe(frame, bytes, at));
    return frames;
  }

  #tell(name: string, at: Instant, data: Data): void {
    this.#trace({ at, protocol: "QUIC", name: `quic:${name}`, data: { connection: this.#core.number, ...data } });
  }
}

/** A frame as qlog has it: each type's own fields, a row a type. */
function describe(frame: FrameView, bytes: Uint8Array, at: number): Data {
  const { type } = frame;
  const base = { frame_type: names[type] ?? frameName(type) };
  if (type >= FrameType.stream && type < FrameType.maxData) {
    return { ...base, stream_id: frame.id, offset: frame.offset, fin: frame.fin, raw: { length: frame.dataSize } };
  }
  return { ...base, ...fields[type]?.(frame, bytes, at) };
}

/** Frames whose name in qlog is another than ours. */
const names: Readonly<Record<number, string>> = {
  [FrameType.ackEcn]: "ack",
  [FrameType.maxStreamsBidi]: "max_streams",
  [FrameType.maxStreamsUni]: "max_streams",
  [FrameType.streamsBlockedBidi]: "streams_blocked",
  [FrameType.streamsBlockedUni]: "streams_blocked",
  [FrameType.applicationClose]: "connection_close",
  [FrameType.datagramWithLength]: "datagram",
};

type Fields = (frame: FrameView, bytes: Uint8Array, at: number) => Data;

const ack: Fields = (frame) => ({
  acked_ranges: Array.from({ length: frame.rangeCount }, (_, i) => {
    const [first, last] = [frame.bounds[2 * i]!, frame.bounds[2 * i + 1]!];
    return first === last ? [first] : [first, last];
  }),
  ...(frame.type === FrameType.ackEcn && { ect0: frame.ect0, ect1: frame.ect1, ce: frame.ce }),
});
const data: Fields = ({ dataAt, dataSize }, bytes) => ({ data: toHex(bytes.subarray(dataAt, dataAt + dataSize)) });
const maximum: Fields = (frame) => ({ maximum: frame.maximum });
const limit: Fields = (frame) => ({ limit: frame.maximum });
const ofStreams = (stream_type: string, rest: Fields): Fields => {
  return (frame, bytes, at) => ({ stream_type, ...rest(frame, bytes, at) });
};
const reason: Fields = ({ code, dataAt, dataSize }, bytes) => ({
  error_code: code,
  reason: fromUtf8(bytes.subarray(dataAt, dataAt + dataSize)),
});

const fields: Readonly<Record<number, Fields>> = {
  [FrameType.padding]: (frame, _, at) => ({ raw: { payload_length: frame.next - at } }),
  [FrameType.ack]: ack,
  [FrameType.ackEcn]: ack,
  [FrameType.resetStream]: ({ id, code, finalSize }) => ({
    stream_id: id,
    error: "unknown",
    error_code: code,
    final_size: finalSize,
  }),
  [FrameType.stopSending]: ({ id, code }) => ({ stream_id: id, error: "unknown", error_code: code }),
  [FrameType.crypto]: ({ offset, dataSize }) => ({ offset, raw: { length: dataSize } }),
  [FrameType.newToken]: ({ dataSize }) => ({ token: { raw: { length: dataSize } } }),
  [FrameType.maxData]: maximum,
  [FrameType.maxStreamData]: (frame) => ({ stream_id: frame.id, maximum: frame.maximum }),
  [FrameType.maxStreamsBidi]: ofStreams("bidirectional", maximum),
  [FrameType.maxStreamsUni]: ofStreams("unidirectional", maximum),
  [FrameType.dataBlocked]: limit,
  [FrameType.streamDataBlocked]: (frame) => ({ stream_id: frame.id, limit: frame.maximum }),
  [FrameType.streamsBlockedBidi]: ofStreams("bidirectional", limit),
  [FrameType.streamsBlockedUni]: ofStreams("unidirectional", limit),
  [FrameType.newConnectionId]: ({ id, retirePriorTo, dataAt, dataSize }, bytes) => ({
    sequence_number: id,
    retire_prior_to: retirePriorTo,
    connection_id: toHex(bytes.subarray(dataAt, dataAt + dataSize)),
  }),
  [FrameType.retireConnectionId]: ({ id }) => ({ sequence_number: id }),
  [FrameType.pathChallenge]: data,
  [FrameType.pathResponse]: data,
  [FrameType.connectionClose]: (frame, bytes, at) => ({
    error_space: "transport",
    error: errorName(frame.code),
    trigger_frame_type: frameName(frame.about),
    ...reason(frame, bytes, at),
  }),
  [FrameType.applicationClose]: (frame, bytes, at) => ({
    error_space: "application",
    error: "unknown",
    ...reason(frame, bytes, at),
  }),
  [FrameType.datagram]: ({ dataSize }) => ({ raw: { length: dataSize } }),
  [FrameType.datagramWithLength]: ({ dataSize }) => ({ raw: { length: dataSize } }),
};

/** Why a connection ended, where qlog has a word of its own for it. */
const triggers: Readonly<Record<string, string>> = {
  "idle-timeout": "idle_timeout",
  "stateless-reset": "stateless_reset",
  "no-common-version": "version_mismatch",
  "closed-by-application": "application",
};

/** A CRYPTO_ERROR by its code, all others by their names. */
const errorName = (code: number): string =>
  code >= cryptoError && code < cryptoError + 256
    ? `crypto_error_0x${code.toString(16)}`
    : transportErrorName(code).toLowerCase();

const endpoint = ({ address, port }: SocketAddress): Data =>
  addressFamily(address) === 4 ? { ip_v4: address, port_v4: port } : { ip_v6: address, port_v6: port };

const finite = (name: string, value: number): Data => (Number.isFinite(value) ? { [name]: Math.floor(value) } : {});

/** Our names without their units, in qlog's spelling. */
function settings(parameters: Partial<TransportParameters>): Data {
  const told: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || untold.has(name)) continue;
    const spelled = name.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    told[spelled] = value instanceof Uint8Array ? toHex(value) : value;
  }
  return told;
}

const untold: ReadonlySet<string> = new Set(["statelessResetToken", "preferredAddress", "versionInformation"]);
