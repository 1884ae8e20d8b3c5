import type { NotifyBody, Payload, PayloadKind, PayloadOf } from "./payloads.js";

/** The first payload of a kind. */
export function find<K extends PayloadKind>(payloads: readonly Payload[], kind: K): PayloadOf<K> | undefined {
  return payloads.find((payload): payload is PayloadOf<K> => payload.kind === kind);
}

/** All payloads of a kind. */
export function all<K extends PayloadKind>(payloads: readonly Payload[], kind: K): readonly PayloadOf<K>[] {
  return payloads.filter((payload): payload is PayloadOf<K> => payload.kind === kind);
}

/** The first notification of a type. */
export const notified = (payloads: readonly Payload[], type: number): PayloadOf<"N"> | undefined =>
  all(payloads, "N").find((each) => each.type === type);

/** A Notify payload. */
export const notify = (type: number, more: Omit<NotifyBody, "type"> = {}): PayloadOf<"N"> => ({
  kind: "N",
  type,
  ...more,
});
