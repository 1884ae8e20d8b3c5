/**
 * Every property of RFC 9622 as a row: its type, its default, its section. Types, parsing at the untyped edge,
 * `get` and `set`, and the conformance table are derived from these rows.
 */

/** RFC 9622 §6.2: how much a Selection Property matters. */
export type Preference = "require" | "prefer" | "none" | "avoid" | "prohibit";
export const preferences: readonly Preference[] = ["require", "prefer", "none", "avoid", "prohibit"];

/** A type of value: reads a value of unknown origin, or says undefined. */
export interface Kind<T> {
  /** As people read it in errors and in the conformance table. */
  readonly text: string;
  readonly read: (value: unknown) => T | undefined;
}

export interface PropertyRow<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  /** Section of RFC 9622. */
  readonly section: string;
  /** Set by the system alone. */
  readonly readOnly?: true;
}

const oneOf = <const T extends string>(...values: readonly T[]): Kind<T> => ({
  text: values.join(" | "),
  read: (value) => values.find((each) => each === (typeof value === "string" ? value.toLowerCase() : value)),
});

const preference: Kind<Preference> = { ...oneOf(...preferences), text: "Preference" };

const preferenceMap: Kind<Readonly<Record<string, Preference>>> = {
  text: "set of (Preference, name)",
  read: (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const read: Record<string, Preference> = {};
    for (const [name, each] of Object.entries(value)) {
      const wanted = preference.read(each);
      if (wanted === undefined) return undefined;
      read[name] = wanted;
    }
    return Object.freeze(read);
  },
};

const flag: Kind<boolean> = {
  text: "boolean",
  read: (value) =>
    value === true || value === "true" ? true : value === false || value === "false" ? false : undefined,
};

/** A number in a range, or a word for what no number says (§4: no magic zero). */
const number = <const Words extends readonly string[]>(
  least: "positive" | "non-negative integer",
  ...words: Words
): Kind<number | Words[number]> => ({
  text: [least, ...words].join(" | "),
  read: (value) => {
    const word = words.find((each) => each === value);
    if (word !== undefined) return word;
    const read = typeof value === "string" && /^[0-9.]+$/.test(value) ? Number(value) : value;
    if (typeof read !== "number" || !Number.isFinite(read)) return undefined;
    if (least === "positive" ? read <= 0 : read < 0) return undefined;
    return least === "non-negative integer" && !Number.isInteger(read) ? undefined : read;
  },
});

const row = <T>(section: string, kind: Kind<T>, byDefault: T): PropertyRow<T> => ({
  kind,
  default: byDefault,
  section,
});
const readOnly = <T>(section: string, kind: Kind<T>, byDefault: T): PropertyRow<T> => ({
  kind,
  default: byDefault,
  section,
  readOnly: true,
});

/** The preferences that a protocol stack meets or does not (RFC 9622 §6.2); each reads back as a boolean once Ready. */
export const preferenceProperties = {
  reliability: row<Preference>("6.2.1", preference, "require"),
  preserveMsgBoundaries: row<Preference>("6.2.2", preference, "none"),
  perMsgReliability: row<Preference>("6.2.3", preference, "none"),
  preserveOrder: row<Preference>("6.2.4", preference, "require"),
  zeroRttMsg: row<Preference>("6.2.5", preference, "none"),
  multistreaming: row<Preference>("6.2.6", preference, "prefer"),
  fullChecksumSend: row<Preference>("6.2.7", preference, "require"),
  fullChecksumRecv: row<Preference>("6.2.8", preference, "require"),
  congestionControl: row<Preference>("6.2.9", preference, "require"),
  keepAlive: row<Preference>("6.2.10", preference, "none"),
  /** The default stands for Initiate; Listen and Rendezvous avoid (`defaultsFor`). */
  useTemporaryLocalAddress: row<Preference>("6.2.13", preference, "prefer"),
  softErrorNotify: row<Preference>("6.2.17", preference, "none"),
  activeReadBeforeSend: row<Preference>("6.2.18", preference, "none"),
} as const;

const otherSelectionProperties = {
  /** Names (`eth0`) or types (`wifi`) of interfaces. A type is no proxy for "metered". */
  interface: row("6.2.11", preferenceMap, Object.freeze({})),
  pvd: row("6.2.12", preferenceMap, Object.freeze({})),
  /** The default stands for Initiate and Rendezvous; Listen is passive. */
  multipath: row<"disabled" | "active" | "passive">("6.2.14", oneOf("disabled", "active", "passive"), "disabled"),
  advertisesAltaddr: row("6.2.15", flag, false),
  direction: row<"bidirectional" | "unidirectional-send" | "unidirectional-receive">(
    "6.2.16",
    oneOf("bidirectional", "unidirectional-send", "unidirectional-receive"),
    "bidirectional",
  ),
} as const;

export const selectionProperties = { ...preferenceProperties, ...otherSelectionProperties } as const;

/** RFC 9622 §8.1.6; the DSCP that each hints at stands in `capacity.ts`. */
export type CapacityProfile =
  | "default"
  | "scavenger"
  | "low-latency-interactive"
  | "low-latency-non-interactive"
  | "constant-rate-streaming"
  | "capacity-seeking";
const capacityProfile = oneOf<CapacityProfile>(
  "default",
  "scavenger",
  "low-latency-interactive",
  "low-latency-non-interactive",
  "constant-rate-streaming",
  "capacity-seeking",
);

/** The schedulers of RFC 8260 §3. */
export type Scheduler =
  | "first-come-first-served"
  | "round-robin"
  | "round-robin-per-packet"
  | "priority-based"
  | "fair-capacity"
  | "weighted-fair-queueing";
const scheduler = oneOf<Scheduler>(
  "first-come-first-served",
  "round-robin",
  "round-robin-per-packet",
  "priority-based",
  "fair-capacity",
  "weighted-fair-queueing",
);

const rate = number("positive", "unlimited");
const checksumLength = number("non-negative integer", "full-coverage");

/** Times are milliseconds, rates bits per second over one second, lengths bytes. */
export const connectionProperties = {
  recvChecksumLen: row<number | "full-coverage">("8.1.1", checksumLength, "full-coverage"),
  /** Low wins. The one property that members of a group do not share. */
  connPriority: row<number>("8.1.2", number("non-negative integer"), 100),
  connTimeout: row<number | "disabled">("8.1.3", number("positive", "disabled"), "disabled"),
  keepAliveTimeout: row<number | "disabled">("8.1.4", number("positive", "disabled"), "disabled"),
  connScheduler: row<Scheduler>("8.1.5", scheduler, "weighted-fair-queueing"),
  connCapacityProfile: row<CapacityProfile>("8.1.6", capacityProfile, "default"),
  multipathPolicy: row<"handover" | "interactive" | "aggregate">(
    "8.1.7",
    oneOf("handover", "interactive", "aggregate"),
    "handover",
  ),
  minSendRate: row<number | "unlimited">("8.1.8", rate, "unlimited"),
  minRecvRate: row<number | "unlimited">("8.1.8", rate, "unlimited"),
  maxSendRate: row<number | "unlimited">("8.1.8", rate, "unlimited"),
  maxRecvRate: row<number | "unlimited">("8.1.8", rate, "unlimited"),
  groupConnLimit: row<number | "unlimited">("8.1.9", number("positive", "unlimited"), "unlimited"),
  isolateSession: row<boolean>("8.1.10", flag, false),
  "tcp.userTimeoutValue": row<number | "default">("8.2", number("positive", "default"), "default"),
  "tcp.userTimeoutEnabled": row<boolean>("8.2", flag, false),
  "tcp.userTimeoutChangeable": row<boolean>("8.2", flag, true),
} as const;

export type ConnectionState = "establishing" | "established" | "closing" | "closed";

/** What a Connection says of itself (RFC 9622 §8.1.11). Lengths are bytes; undefined is "not applicable". */
export const readOnlyProperties = {
  connState: readOnly<ConnectionState>(
    "8.1.11.1",
    oneOf("establishing", "established", "closing", "closed"),
    "establishing",
  ),
  canSend: readOnly<boolean>("8.1.11.2", flag, false),
  canReceive: readOnly<boolean>("8.1.11.3", flag, false),
  singularTransmissionMsgMaxLen: readOnly<number | undefined>("8.1.11.4", number("non-negative integer"), undefined),
  sendMsgMaxLen: readOnly<number>("8.1.11.5", number("non-negative integer"), 0),
  recvMsgMaxLen: readOnly<number>("8.1.11.6", number("non-negative integer"), 0),
} as const;

/** RFC 9622 §9.1.3. `"inherited"` takes the value that the Connection has. */
export const messageProperties = {
  msgLifetime: row<number | "infinite">("9.1.3.1", number("positive", "infinite"), "infinite"),
  /** Low wins; `connPriority` outranks it (§9.2.6). */
  msgPriority: row<number>("9.1.3.2", number("non-negative integer"), 100),
  msgOrdered: row<boolean | "inherited">("9.1.3.3", inheritable(flag), "inherited"),
  safelyReplayable: row<boolean>("9.1.3.4", flag, false),
  final: row<boolean>("9.1.3.5", flag, false),
  msgChecksumLen: row<number | "full-coverage">("9.1.3.6", checksumLength, "full-coverage"),
  msgReliable: row<boolean | "inherited">("9.1.3.7", inheritable(flag), "inherited"),
  msgCapacityProfile: row<CapacityProfile | "inherited">("9.1.3.8", inheritable(capacityProfile), "inherited"),
  noFragmentation: row<boolean>("9.1.3.9", flag, false),
  noSegmentation: row<boolean>("9.1.3.10", flag, false),
} as const;

function inheritable<T>(kind: Kind<T>): Kind<T | "inherited"> {
  return {
    text: `${kind.text} | inherited`,
    read: (value) => (value === "inherited" ? "inherited" : kind.read(value)),
  };
}

type ValuesOf<Rows extends { readonly [name: string]: { readonly default: unknown } }> = {
  readonly [Name in keyof Rows]: Rows[Name]["default"];
};

export type PreferenceName = keyof typeof preferenceProperties;
export type SelectionProperties = ValuesOf<typeof selectionProperties>;
export type ConnectionProperties = ValuesOf<typeof connectionProperties>;
export type ReadOnlyProperties = ValuesOf<typeof readOnlyProperties>;
export type MessageProperties = ValuesOf<typeof messageProperties>;
/** All that may be set on a Preconnection: RFC 9622 lets Connection and Message Properties be given there too. */
export type TransportValues = SelectionProperties & ConnectionProperties & MessageProperties;

export const settableProperties = { ...selectionProperties, ...connectionProperties, ...messageProperties } as const;
export const preferenceNames = Object.keys(preferenceProperties) as readonly PreferenceName[];
export const connectionPropertyNames = Object.keys(connectionProperties) as readonly (keyof ConnectionProperties)[];

/** The action that a Preconnection is used for; two defaults depend on it (§6.2.13, §6.2.14). */
export type Action = "initiate" | "listen" | "rendezvous";

/** Defaults of every property, as the action changes them. */
export function defaultsFor(action: Action): TransportValues {
  return { ...defaults, ...actionDefaults[action] };
}

const defaults = Object.freeze(
  Object.fromEntries(Object.entries(settableProperties).map(([name, { default: value }]) => [name, value])),
) as unknown as TransportValues;

const actionDefaults: Readonly<Record<Action, Partial<SelectionProperties>>> = {
  initiate: { useTemporaryLocalAddress: "prefer", multipath: "disabled" },
  listen: { useTemporaryLocalAddress: "avoid", multipath: "passive" },
  rendezvous: { useTemporaryLocalAddress: "avoid", multipath: "disabled" },
};
