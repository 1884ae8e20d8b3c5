import type { Fault } from "../../contract/index.js";
import { failuresOf } from "../../contract/reasons.js";

const faults = {
  "bad-fingerprint": "decode",
  "no-common-profile": "incompatible",
  "bad-configuration": "misuse",
} as const satisfies Record<string, Fault>;

export type DtlsSrtpReason = keyof typeof faults;

export const failure = failuresOf("SRTP", faults);
