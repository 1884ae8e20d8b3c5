import type { ControllerFactory } from "../../mechanisms/congestion/index.js";
import { Bbr, Cubic, NewReno } from "../../mechanisms/congestion/index.js";
import { type QuicReason, quicFailure } from "./failure.js";
import { defaults, mtuMaxDefault, udpPayloadMin } from "./limits.js";
import type { CongestionName, QuicClientOptions, QuicOptions, QuicServerOptions } from "./options.js";
import { type Version, versions } from "./protection/versions.js";

/** Options with every default in its place, and nothing in them that cannot be. */
export interface Settings {
  readonly versions: readonly Version[];
  readonly idleTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly keepAliveMs: number | undefined;
  readonly receiveWindow: number;
  readonly receiveWindowMax: number;
  readonly streamReceiveWindow: number;
  readonly streamReceiveWindowMax: number;
  readonly peerBidirectionalStreams: number;
  readonly peerUnidirectionalStreams: number;
  readonly datagramFrameMax: number;
  readonly activeConnectionIds: number;
  readonly ackDelayMaxMs: number;
  readonly udpPayloadMax: number;
  readonly congestion: ControllerFactory;
  readonly pacing: boolean;
  readonly ecn: boolean;
  readonly mtuMax: number;
  readonly grease: boolean;
  readonly packetsPerKeyMax: number;
}

const controllers: Readonly<Record<CongestionName, ControllerFactory>> = {
  cubic: (packetSize) => new Cubic(packetSize),
  newreno: (packetSize) => new NewReno(packetSize),
  bbr: (packetSize) => new Bbr(packetSize),
};

/** Throws `misuse` for options that make no sense; so a connection that began never fails for them. */
export function settingsOf(options: QuicClientOptions | QuicServerOptions | QuicOptions): Settings {
  const congestion = options.congestion ?? "cubic";
  const names = options.versions ?? ["1", "2"];
  if (names.length === 0) wrong("versions", "no version is allowed");
  const settings: Settings = {
    versions: names.map((name) => versions[name] ?? wrong("versions", `there is no version ${name}`)),
    idleTimeoutMs: whole(options, "idleTimeoutMs", 0, 2 ** 40),
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? defaults.handshakeTimeoutMs,
    keepAliveMs: options.keepAliveMs,
    receiveWindow: whole(options, "receiveWindow", 1_024, 2 ** 40),
    receiveWindowMax: 0,
    streamReceiveWindow: whole(options, "streamReceiveWindow", 1_024, 2 ** 40),
    streamReceiveWindowMax: 0,
    peerBidirectionalStreams: whole(options, "peerBidirectionalStreams", 0, 2 ** 32),
    peerUnidirectionalStreams: whole(options, "peerUnidirectionalStreams", 0, 2 ** 32),
    datagramFrameMax: options.datagramFrameMax ?? 0,
    activeConnectionIds: whole(options, "activeConnectionIds", 2, 8),
    ackDelayMaxMs: whole(options, "ackDelayMaxMs", 0, 2 ** 14 - 1),
    udpPayloadMax: whole(options, "udpPayloadMax", udpPayloadMin, 65_527),
    congestion: typeof congestion === "function" ? congestion : controllers[congestion],
    pacing: options.pacing ?? true,
    ecn: options.ecn ?? true,
    mtuMax: Math.max(udpPayloadMin, options.mtuMax ?? mtuMaxDefault),
    grease: options.grease ?? true,
    packetsPerKeyMax: options.packetsPerKeyMax ?? Number.POSITIVE_INFINITY,
  };
  return {
    ...settings,
    receiveWindowMax: Math.max(settings.receiveWindow, options.receiveWindowMax ?? defaults.receiveWindowMax),
    streamReceiveWindowMax: Math.max(
      settings.streamReceiveWindow,
      options.streamReceiveWindowMax ?? defaults.streamReceiveWindowMax,
    ),
  };
}

type NumberOption = {
  [K in keyof QuicOptions & keyof typeof defaults]: QuicOptions[K] extends number | undefined ? K : never;
}[keyof QuicOptions & keyof typeof defaults];

function whole(options: QuicOptions, name: NumberOption, min: number, max: number): number {
  const value = options[name] ?? defaults[name];
  if (!Number.isInteger(value) || value < min || value > max) wrong(name, `it must be ${min} … ${max}`);
  return value;
}

function wrong(option: string, message: string): never {
  throw quicFailure("misuse" satisfies QuicReason, option, `${option}: ${message}`);
}
