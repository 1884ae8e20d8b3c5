import type { ProtocolName } from "../contract/index.js";
import { misuse, nearest, TapsFailure } from "./failure.js";
import { type Preference, type PreferenceName, preferenceNames, preferences } from "./properties.js";
import { areEquivalent, type SecurityParameters, type SecurityProtocol, secure } from "./security.js";

/** What the administrator of a host lays down for all its Connections: the `taps` policy file, as JSON. */
export interface SystemPolicy {
  /** Nothing else is used, whatever an application allows. */
  readonly allowedSecurityProtocols?: readonly SecurityProtocol[];
  /** Sets of protocols held equal in strength; they race without the application's word. */
  readonly equivalentSecurityProtocols?: readonly (readonly SecurityProtocol[])[];
  /** `"prohibited"` refuses `disabled()` and the cleartext half of `opportunistic()`. Default `"permitted"`. */
  readonly cleartext?: "permitted" | "prohibited";
  /** Preferences for interfaces by name or type. Require and Prohibit bind; the others break ties. */
  readonly interface?: Readonly<Record<string, Preference>>;
  /** Preferences for what stacks provide. Require and Prohibit bind; the others break ties. */
  readonly transport?: Readonly<Partial<Record<PreferenceName, Preference>>>;
  readonly racing?: Readonly<Partial<RacingTimes>>;
}

/** Happy Eyeballs' times, milliseconds (RFC 8305 §8, and the working group's version 3). */
export interface RacingTimes {
  /** How long a name's IPv4 addresses wait for its IPv6 ones. */
  readonly resolutionDelayMs: number;
  /** From the start of one attempt to the start of the next. */
  readonly attemptDelayMs: number;
}

export const racingDefaults: RacingTimes = { resolutionDelayMs: 50, attemptDelayMs: 250 };
/** An attempt delay is never below 10 ms, and never above 2 s (RFC 8305 §5). */
const attemptDelayBounds = { least: 10, most: 2_000 };

/** What the project itself lays down where nobody else spoke. */
const defaultAllowed: readonly SecurityProtocol[] = ["TLS"];

/** The three layers as one answer (RFC 9623 §3.2): the application's word, the system's, the defaults. All must agree. */
export class Policy {
  readonly system: SystemPolicy;

  constructor(system: SystemPolicy = {}) {
    this.system = system;
  }

  get racing(): RacingTimes {
    const { resolutionDelayMs, attemptDelayMs } = { ...racingDefaults, ...this.system.racing };
    const { least, most } = attemptDelayBounds;
    return { resolutionDelayMs, attemptDelayMs: Math.min(most, Math.max(least, attemptDelayMs)) };
  }

  get allowsCleartext(): boolean {
    return this.system.cleartext !== "prohibited";
  }

  /** Protocols, with their versions, that the application named (or the defaults did) and the system lets it use. */
  allowed(security: SecurityParameters): readonly SecurityProtocol[] {
    const asked = security.init.allowed ?? this.system.allowedSecurityProtocols ?? defaultAllowed;
    const limit = this.system.allowedSecurityProtocols;
    if (limit === undefined) return asked;
    // "TLS" narrowed by "TLS 1.3" is "TLS 1.3"; the narrower word of the two holds.
    return asked.flatMap((each) =>
      limit.includes(each)
        ? [each]
        : limit.flatMap((bound) => (covers(bound, each) ? [each] : covers(each, bound) ? [bound] : [])),
    );
  }

  /** Throws `policy-prohibited` where the mode itself is not allowed here. */
  check(security: SecurityParameters): void {
    if (security.mode === "disabled" && !this.allowsCleartext) {
      throw new TapsFailure({
        reason: "policy-prohibited",
        message: "the system's policy prohibits cleartext",
        at: "NewDisabledSecurityParameters",
      });
    }
    if (security.mode !== "disabled" && this.allowed(security).length === 0) {
      throw new TapsFailure({
        reason: "policy-prohibited",
        message: `the system's policy allows none of ${security.init.allowed?.join(", ")}`,
        at: "allowedSecurityProtocols",
        hint: `it allows ${this.system.allowedSecurityProtocols?.join(", ")}`,
      });
    }
  }

  equivalent(security: SecurityParameters, a: ProtocolName, b: ProtocolName): boolean {
    return (
      areEquivalent(security.init.equivalent, a, b) || areEquivalent(this.system.equivalentSecurityProtocols, a, b)
    );
  }
}

/** Does the protocol without a version cover the one with? */
const covers = (wide: SecurityProtocol, narrow: SecurityProtocol): boolean => narrow.startsWith(`${wide} `);

/** Reads a policy file's JSON; every key and value is checked, and throws `invalid-configuration` with its place. */
export function readSystemPolicy(json: unknown): SystemPolicy {
  const source = object(json, "policy");
  for (const key of Object.keys(source)) {
    if (key in readers) continue;
    const like = nearest(key, Object.keys(readers));
    throw misuse(`the policy has no key ${key}`, `policy.${key}`, like && `did you mean ${like}?`);
  }
  const read: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(source)) {
    read[key] = readers[key as keyof SystemPolicy](value, `policy.${key}`);
  }
  return Object.freeze(read);
}

const readers: Readonly<Record<keyof SystemPolicy, (value: unknown, at: string) => unknown>> = {
  allowedSecurityProtocols: protocols,
  equivalentSecurityProtocols: (value, at) => array(value, at).map((set) => protocols(set, at)),
  cleartext: (value, at) => {
    if (value === "permitted" || value === "prohibited") return value;
    throw misuse(`${at} is permitted or prohibited`, at);
  },
  interface: (value, at) => preferenceRecord(value, at),
  transport: (value, at) => preferenceRecord(value, at, preferenceNames),
  racing: (value, at) => {
    const times = object(value, at);
    for (const [name, time] of Object.entries(times)) {
      if (!(name in racingDefaults)) throw misuse(`there is no ${name}`, `${at}.${name}`);
      if (typeof time !== "number" || !(time >= 0 && time <= 60_000)) throw misuse("0 … 60000 ms", `${at}.${name}`);
    }
    return Object.freeze({ ...times });
  },
};

function protocols(value: unknown, at: string): readonly SecurityProtocol[] {
  if (!array(value, at).every((each) => typeof each === "string")) throw misuse(`${at} is a list of names`, at);
  // `secure` knows the names.
  return secure({ allowed: array(value, at) as SecurityProtocol[] }).init.allowed!;
}

function preferenceRecord(value: unknown, at: string, names?: readonly string[]): Readonly<Record<string, Preference>> {
  const record = object(value, at);
  for (const [name, each] of Object.entries(record)) {
    if (names !== undefined && !names.includes(name)) {
      const like = nearest(name, names);
      throw misuse(`there is no preference ${name}`, `${at}.${name}`, like && `did you mean ${like}?`);
    }
    if (!preferences.includes(each as Preference)) throw misuse(`one of ${preferences.join(", ")}`, `${at}.${name}`);
  }
  return Object.freeze({ ...record }) as Readonly<Record<string, Preference>>;
}

function object(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw misuse(`${at} is an object`, at);
}

function array(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw misuse(`${at} is a list`, at);
}
