import { Bbr, type ControllerFactory, Cubic, NewReno } from "../../mechanisms/congestion/index.js";
import { gquicFailure } from "./failure.js";
import { defaults, mtuMaxDefault, udpPayloadUsual } from "./limits.js";
import type { CongestionName, GquicOptions } from "./options.js";
import { type Version, versions } from "./wire/versions.js";

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
  readonly peerStreams: number;
  readonly congestion: ControllerFactory;
  readonly pacing: boolean;
  readonly mtuMax: number;
}

const controllers: Readonly<Record<CongestionName, ControllerFactory>> = {
  cubic: (packetSize) => new Cubic(packetSize),
  newreno: (packetSize) => new NewReno(packetSize),
  bbr: (packetSize) => new Bbr(packetSize),
};

/** Throws `misuse` for options that make no sense; so a connection that began never fails for them. */
export function settingsOf(options: GquicOptions): Settings {
  const names = options.versions ?? ["Q050", "Q046", "Q043"];
  if (names.length === 0) wrong("versions", "no version is allowed");
  const { congestion = "cubic" } = options;
  const receiveWindow = whole(options, "receiveWindow", 16_384, 2 ** 31);
  const streamReceiveWindow = whole(options, "streamReceiveWindow", 16_384, 2 ** 31);
  return {
    versions: names.map((name) => versions[name] ?? wrong("versions", `there is no version ${name}`)),
    idleTimeoutMs: whole(options, "idleTimeoutMs", 1_000, 600_000),
    handshakeTimeoutMs: whole(options, "handshakeTimeoutMs", 1, 600_000),
    keepAliveMs: options.keepAliveMs,
    receiveWindow,
    receiveWindowMax: Math.max(receiveWindow, options.receiveWindowMax ?? defaults.receiveWindowMax),
    streamReceiveWindow,
    streamReceiveWindowMax: Math.max(
      streamReceiveWindow,
      options.streamReceiveWindowMax ?? defaults.streamReceiveWindowMax,
    ),
    peerStreams: whole(options, "peerStreams", 0, 2 ** 31),
    congestion:
      typeof congestion === "function"
        ? congestion
        : (controllers[congestion] ?? wrong("congestion", `there is no ${congestion}`)),
    pacing: options.pacing ?? true,
    mtuMax: Math.max(udpPayloadUsual, options.mtuMax ?? mtuMaxDefault),
  };
}

type NumberOption = "receiveWindow" | "streamReceiveWindow" | "idleTimeoutMs" | "handshakeTimeoutMs" | "peerStreams";

function whole(options: GquicOptions, name: NumberOption, min: number, max: number): number {
  const value = options[name] ?? defaults[name];
  if (!Number.isInteger(value) || value < min || value > max) wrong(name, `it must be ${min} … ${max}`);
  return value;
}

function wrong(option: string, message: string): never {
  throw gquicFailure("misuse", option, `${option}: ${message}`);
}
