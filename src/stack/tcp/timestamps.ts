import type { Instant } from "../../contract/index.js";

/** The clock of a connection's timestamps, of one millisecond (RFC 7323 §5.4). */
export function timestampAt(now: Instant, offset: number): number {
  return (Math.floor(now) + offset) >>> 0;
}
