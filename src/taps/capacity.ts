import type { CapacityProfile } from "./properties.js";

/**
 * The DSCP that RFC 9622 §8.1.6 hints at for each profile. It lists AF44, AF34 … as though RFC 2597 had four drop
 * precedences; there are three, and the lowest (AFx1) is taken.
 */
export const dscpOf: Readonly<Record<CapacityProfile, number>> = {
  default: 0,
  scavenger: 1, // LE, RFC 8622
  "low-latency-interactive": 34, // AF41
  "low-latency-non-interactive": 18, // AF21
  "constant-rate-streaming": 26, // AF31
  "capacity-seeking": 10, // AF11
};
