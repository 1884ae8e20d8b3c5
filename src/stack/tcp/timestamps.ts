import type { Instant } from "../../contract/index.js";
import { timestampLifetimeMs } from "../limits.js";
import type { OptionsOut, Segment } from "./segment.js";

/** The clock of a connection's timestamps, of one millisecond (RFC 7323 §5.4). */
export function timestampAt(now: Instant, offset: number): number {
  return (Math.floor(now) + offset) >>> 0;
}

/** Timestamps of one connection (RFC 7323): ours, the peer's that we echo, and what is too old to be believed. */
export class Timestamps {
  /** Both ends use them; until that is known, we offer them. */
  agreed = true;
  /** The least offset of what we have not acknowledged (§4.3). */
  lastAckSent = 0;
  /** §7.1: clocks of connections differ, so that nobody learns when we were started. */
  readonly #offset: number;
  #recent = 0;
  #recentAt: Instant = 0;

  constructor(offset: number) {
    this.#offset = offset;
  }

  /** What the peer's SYN said. */
  begin(timestamp: number | undefined, now: Instant): void {
    this.agreed = timestamp !== undefined;
    this.#recent = timestamp ?? 0;
    this.#recentAt = now;
    this.lastAckSent = 1;
  }

  /** §5.3: a timestamp before the last one means an old duplicate. */
  isOld(segment: Segment, now: Instant): boolean {
    if (((segment.timestamp - this.#recent) | 0) >= 0) return false;
    return now - this.#recentAt < timestampLifetimeMs;
  }

  /** The timestamp of an acceptable segment that starts at this offset is echoed from now on, if it is its turn. */
  take(segment: Segment, start: number, now: Instant): void {
    if (!segment.hasTimestamps || start > this.lastAckSent || this.isOld(segment, now)) return;
    this.#recent = segment.timestamp;
    this.#recentAt = now;
  }

  write(options: OptionsOut, now: Instant): void {
    options.timestamps = this.agreed;
    if (!this.agreed) return;
    options.timestamp = timestampAt(now, this.#offset);
    options.echo = this.#recent;
  }

  /** Milliseconds since what the peer echoes was sent; nothing if it echoes nothing of ours. */
  echoMs(segment: Segment, now: Instant): number | undefined {
    if (!this.agreed || !segment.hasTimestamps || segment.echo === 0) return undefined;
    const age = (timestampAt(now, this.#offset) - segment.echo) | 0;
    return age >= 0 && age < 3_600_000 ? Math.max(age, 1) : undefined;
  }
}
