import { misuse, nearest } from "./failure.js";
import {
  type Action,
  defaultsFor,
  type Preference,
  type PreferenceName,
  readOnlyProperties,
  settableProperties,
  type TransportValues,
} from "./properties.js";

/**
 * What an application needs of a transport (RFC 9622 §6.2, §8, §9.1.3): an immutable value; every call answers a new
 * one. Names are the RFC's. Times are milliseconds, rates bits per second, lengths bytes.
 */
export class TransportProperties {
  /** What was set, and nothing else: the defaults depend on the action. */
  readonly set: Readonly<Partial<TransportValues>>;

  constructor(values: Readonly<Partial<TransportValues>> = {}) {
    this.set = Object.freeze({ ...values });
  }

  /** From names and values of unknown origin: names in any case, values checked. Throws `invalid-configuration`. */
  static from(values: Readonly<Record<string, unknown>>): TransportProperties {
    const read: Record<string, unknown> = {};
    for (const [given, value] of Object.entries(values)) {
      const name = propertyName(given);
      if (name === undefined) throw unknownProperty(given);
      if (name in read) throw misuse(`${name} is given twice`, name);
      read[name] = readProperty(name, value);
    }
    return new TransportProperties(read);
  }

  require(...names: readonly PreferenceName[]): TransportProperties {
    return this.#prefer("require", names);
  }
  prefer(...names: readonly PreferenceName[]): TransportProperties {
    return this.#prefer("prefer", names);
  }
  noPreference(...names: readonly PreferenceName[]): TransportProperties {
    return this.#prefer("none", names);
  }
  avoid(...names: readonly PreferenceName[]): TransportProperties {
    return this.#prefer("avoid", names);
  }
  prohibit(...names: readonly PreferenceName[]): TransportProperties {
    return this.#prefer("prohibit", names);
  }

  /** Any properties by name; values are checked, so a wrong one throws here and not at the action. */
  with(values: Readonly<Partial<TransportValues>>): TransportProperties {
    return new TransportProperties({ ...this.set, ...TransportProperties.from(values).set });
  }

  /** Was it set, or is it a default? Explicit preferences weigh more (RFC 9623 §4.1.3). */
  has(name: keyof TransportValues): boolean {
    return name in this.set;
  }

  /** All properties, with the defaults of the action. */
  for(action: Action): TransportValues {
    return { ...defaultsFor(action), ...this.set };
  }

  #prefer(preference: Preference, names: readonly PreferenceName[]): TransportProperties {
    return new TransportProperties({
      ...this.set,
      ...Object.fromEntries(names.map((name) => [name, preference])),
    });
  }
}

/** RFC 9622 Appendix B.2.1. */
export const reliableInorderStream = new TransportProperties({
  reliability: "require",
  preserveOrder: "require",
  congestionControl: "require",
  preserveMsgBoundaries: "none",
});

/** RFC 9622 Appendix B.2.2. */
export const reliableMessage = new TransportProperties({
  reliability: "require",
  preserveOrder: "require",
  congestionControl: "require",
  preserveMsgBoundaries: "require",
});

/** RFC 9622 Appendix B.2.3. */
export const unreliableDatagram = new TransportProperties({
  reliability: "avoid",
  preserveOrder: "avoid",
  congestionControl: "none",
  preserveMsgBoundaries: "require",
  safelyReplayable: true,
});

const namesByLowerCase = new Map(Object.keys(settableProperties).map((name) => [name.toLowerCase(), name]));

/** RFC 9622 §4.1: property names do not differ by case. */
export function propertyName(given: string): keyof TransportValues | undefined {
  return namesByLowerCase.get(given.toLowerCase()) as keyof TransportValues | undefined;
}

/** The value if it fits the property's type; throws `invalid-configuration` otherwise. */
export function readProperty(name: keyof TransportValues, value: unknown): unknown {
  const { kind } = settableProperties[name];
  const read = kind.read(value);
  if (read === undefined) throw misuse(`${name} takes ${kind.text}, not ${describe(value)}`, name);
  return read;
}

function unknownProperty(given: string): Error {
  if (lowerReadOnly.has(given.toLowerCase())) return misuse(`${given} is read-only`, given);
  // RFC 9622 §4.1: `tcp.` and the other IANA keywords are the protocols' own; `_name.` is the vendors'.
  const like = nearest(given, Object.keys(settableProperties));
  return misuse(`there is no property ${given}`, given, like && `did you mean ${like}?`);
}

const lowerReadOnly = new Set(Object.keys(readOnlyProperties).map((name) => name.toLowerCase()));

const describe = (value: unknown): string => (typeof value === "string" ? `"${value}"` : String(value));
