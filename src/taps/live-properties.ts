import { TapsFailure } from "./failure.js";
import type { ConnectionGroup, GroupMember } from "./group.js";
import type { Intake } from "./intake.js";
import type { Line } from "./line.js";
import type { Progress } from "./progress.js";
import {
  type ConnectionProperties,
  type ConnectionState,
  connectionPropertyNames,
  defaultsFor,
  type TransportValues,
} from "./properties.js";
import type { SendQueue } from "./sending.js";
import type { Transport } from "./stacks/stack.js";
import type { TransportProperties } from "./transport-properties.js";

export type SetResult = { readonly ok: true } | { readonly ok: false; readonly error: TapsFailure };

/** The Connection that has the properties. */
export interface PropertiesOwner extends GroupMember {
  readonly state: ConnectionState;
  readonly line: Line | undefined;
  readonly group: ConnectionGroup;
  readonly sending: SendQueue;
  readonly intake: Intake;
  readonly progress: Progress;
  connPriority: number;
  note(name: string, data: Readonly<Record<string, unknown>>): void;
}

/** The Connection Properties of a Connection as they stand (RFC 9622 §8): shared with its group, and made to act on its line. */
export class LiveProperties {
  readonly #owner: PropertiesOwner;
  /** Those that the application set; the others keep their defaults without a word. */
  readonly #asked = new Set<keyof ConnectionProperties>();

  constructor(owner: PropertiesOwner, given: TransportProperties) {
    this.#owner = owner;
    for (const name of connectionPropertyNames) if (given.has(name)) this.#asked.add(name);
  }

  get<Name extends keyof ConnectionProperties>(name: Name): ConnectionProperties[Name] {
    const { connPriority, group } = this.#owner;
    return name === "connPriority" ? (connPriority as ConnectionProperties[Name]) : group.values[name];
  }

  /** Sets a property on this Connection, or on the group where it is shared; a failure is an answer (§8). */
  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): SetResult {
    const owner = this.#owner;
    const { state, group } = owner;
    if (state === "closed" || state === "closing") return refused("wrong-state", name, "the Connection is closed");
    if (name === "isolateSession" && state !== "establishing") {
      return refused("wrong-state", name, "sessions are isolated from the start or not at all (§8.1.10)");
    }
    if (name === "tcp.userTimeoutChangeable" && value === true && this.get("connTimeout") !== "disabled") {
      return refused("wrong-state", name, "connTimeout is in use, which fixes the user timeout (RFC 9622 §8.2)");
    }
    const before = this.get(name);
    this.#store(name, value);
    if (state === "establishing") {
      this.#asked.add(name);
      return done;
    }
    if (!this.#apply(name)) {
      this.#store(name, before);
      return refused("unsupported", name, `${owner.line!.stack.name} on this network cannot make ${name} act`);
    }
    if (name === "connTimeout" && value !== "disabled") group.values["tcp.userTimeoutChangeable"] = false;
    if (name !== "connPriority") for (const member of group.members) if (member !== owner) member.applyShared(name);
    return done;
  }

  /** A line is there: what was asked for acts on it, and what cannot is noted. */
  begin(line: Line): void {
    for (const name of connectionPropertyNames) {
      // A stream joins a group whose values may be others than the defaults.
      const joins = line.transport.session !== undefined && this.#owner.group.members.size > 1;
      if ((!this.#asked.has(name) && !joins) || this.#apply(name)) continue;
      this.#owner.note("property_unsupported", { property: name, value: this.get(name), stack: line.stack.name });
    }
  }

  /** Another member of the group has changed it. */
  applyShared(name: keyof ConnectionProperties): void {
    const { line } = this.#owner;
    if (line !== undefined && !this.#apply(name)) this.#owner.note("property_unsupported", { property: name });
  }

  #store<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): void {
    if (name === "connPriority") this.#owner.connPriority = value as number;
    else this.#owner.group.values[name] = value;
  }

  /** Makes a property act on the line; false if it cannot. What bounds nothing always can. */
  #apply(name: keyof ConnectionProperties): boolean {
    const owner = this.#owner;
    const { transport, stack } = owner.line!;
    const value = this.get(name);
    switch (name) {
      case "connPriority":
      case "connScheduler":
        // The group's own scheduler acts in any case; streams have one below it.
        applyTo(transport, name, value);
        return true;
      case "isolateSession":
        return true;
      case "groupConnLimit":
        return transport.session !== undefined || value === "unlimited";
      case "maxSendRate":
        owner.sending.rate = value as number | "unlimited";
        return true;
      case "maxRecvRate":
        owner.intake.rate = value as number | "unlimited";
        // Datagrams cannot be held back at their sender.
        return value === "unlimited" || stack.dataUnit === "byte-stream";
      case "keepAliveTimeout": {
        // §8.1.4: keep-alives that come later than the Connection would fail are none.
        const limit = this.get("connTimeout");
        const isVoid = typeof value === "number" && limit !== "disabled" && value > limit;
        return transport.set(name, isVoid ? "disabled" : (value as number | "disabled")) || value === "disabled";
      }
      case "connTimeout":
        owner.progress.guard();
        transport.set(name, value as number | "disabled");
        return true;
      default:
        return applyTo(transport, name, value) || value === connectionDefaults[name];
    }
  }
}

function applyTo<Name extends keyof ConnectionProperties>(
  transport: Transport,
  name: Name,
  value: ConnectionProperties[keyof ConnectionProperties],
): boolean {
  return transport.set(name, value as ConnectionProperties[Name]);
}

const done: SetResult = Object.freeze({ ok: true });

function refused(reason: "unsupported" | "wrong-state", at: string, message: string): SetResult {
  return { ok: false, error: new TapsFailure({ reason, message, at }) };
}

/** Those of all properties that are a Connection's. */
export function pickConnectionValues(values: TransportValues): ConnectionProperties {
  return Object.fromEntries(
    connectionPropertyNames.map((name) => [name, values[name]]),
  ) as unknown as ConnectionProperties;
}

const connectionDefaults = pickConnectionValues(defaultsFor("initiate"));
