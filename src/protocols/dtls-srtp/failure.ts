import { Failure, type Fault } from "../../contract/index.js";

const faults = {
  "bad-fingerprint": "decode",
  "no-common-profile": "incompatible",
  "bad-configuration": "misuse",
} as const satisfies Record<string, Fault>;

export type DtlsSrtpReason = keyof typeof faults;

export function failure(
  reason: DtlsSrtpReason,
  message: string,
  more: { at?: string; hint?: string } = {},
): Failure<DtlsSrtpReason> {
  return new Failure({ protocol: "SRTP", fault: faults[reason], reason, message, ...more });
}
