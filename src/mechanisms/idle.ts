import { earliest, type Instant } from "../contract/index.js";

/** Silence: when it ends a connection, and when a PING breaks it (RFC 9000 §10.1). */
export class IdleTimer {
  /** 0: never. Settled when both sides' parameters are known. */
  timeoutMs: number;
  #keepAliveMs: number | undefined;
  #since: Instant;
  /** Has something that asks for an answer been sent since we last heard? Only the first counts (§10.1). */
  #asked = false;
  #heardAt: Instant;

  /** PINGs after so long a silence from now on; undefined sends none. */
  set keepAliveMs(ms: number | undefined) {
    this.#keepAliveMs = ms;
  }

  constructor(timeoutMs: number, keepAliveMs: number | undefined, now: Instant) {
    this.timeoutMs = timeoutMs;
    this.#keepAliveMs = keepAliveMs;
    this.#since = this.#heardAt = now;
  }

  heard(now: Instant): void {
    this.#since = this.#heardAt = now;
    this.#asked = false;
  }

  sent(now: Instant): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#since = now;
  }

  /** Never less than three probe timeouts. */
  #endsAt(ptoMs: number): Instant | undefined {
    return this.timeoutMs === 0 ? undefined : this.#since + Math.max(this.timeoutMs, 3 * ptoMs);
  }

  isOver(now: Instant, ptoMs: number): boolean {
    const at = this.#endsAt(ptoMs);
    return at !== undefined && now >= at;
  }

  /** Is a PING due that keeps the connection alive? */
  wantsPing(now: Instant): boolean {
    const at = this.#pingAt;
    return at !== undefined && now >= at;
  }

  /** Half the timeout at the latest, or there would be no point in it. */
  get #pingAt(): Instant | undefined {
    if (this.#keepAliveMs === undefined || this.#asked) return undefined;
    const half = this.timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.timeoutMs / 2;
    return this.#heardAt + Math.min(this.#keepAliveMs, half);
  }

  deadline(ptoMs: number, pings: boolean): Instant | undefined {
    return earliest(this.#endsAt(ptoMs), pings ? this.#pingAt : undefined);
  }
}
