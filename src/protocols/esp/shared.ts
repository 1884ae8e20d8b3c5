import { earliest, type Instant } from "../../contract/index.js";
import { type DropCounts, type DropReason, noDrops } from "./failure.js";
import { Flows } from "./flows.js";
import type { EspConfig, EspEvent } from "./interfaces.js";
import { keepaliveMs, lingerMs } from "./limits.js";
import type { Pair } from "./pair.js";

/** What both directions share: the pairs, what is told and counted, when the next duty falls. */
export class Shared {
  readonly config: EspConfig;
  readonly flows = new Flows();
  readonly events: EspEvent[] = [];
  readonly drops: DropCounts = noDrops();
  /** Pairs that owe a NAT a sign of life. */
  readonly silent: Pair[] = [];
  /** No duty falls before this moment. It may be too early, never too late. */
  dueAt: Instant | undefined;
  readonly #keepaliveMs: number;

  constructor(config: EspConfig) {
    this.config = config;
    this.#keepaliveMs = config.keepaliveMs ?? keepaliveMs;
  }

  drop(reason: DropReason, now: Instant): void {
    this.drops[reason]++;
    if (this.config.trace !== undefined) this.trace("dropped", { reason }, now);
  }

  trace(name: string, data: Readonly<Record<string, unknown>>, now: Instant): void {
    this.config.trace?.({ at: now, protocol: "ESP", name: `esp:${name}`, data });
  }

  /** After a packet: have its pair's limits been reached? */
  wear(pair: Pair, now: Instant): void {
    const soft = pair.softLimit(now);
    if (soft !== undefined) {
      this.events.push({ kind: "expiring", spiIn: pair.spiIn, limit: soft });
      this.trace("expiring", { spi: pair.spiIn, limit: soft }, now);
    }
    const hard = pair.hardLimit(now);
    if (hard === undefined) return;
    this.remove(pair, false, now);
    this.events.push({ kind: "expired", spiIn: pair.spiIn, limit: hard });
    this.trace("expired", { spi: pair.spiIn, limit: hard }, now);
  }

  /** The pair sends from now on, in place of whichever of its flow did. */
  begin(pair: Pair, now: Instant): void {
    pair.isPending = false;
    pair.sentAt = now;
    this.flows.flowOf(pair).sender = pair;
    this.schedule();
  }

  remove(pair: Pair, gently: boolean, now: Instant): void {
    const flow = this.flows.flowOf(pair);
    pair.lingersUntil = gently ? now + lingerMs : now;
    if (flow.sender === pair || flow.sender === undefined) {
      flow.sender = undefined;
      const next = flow.pairs.findLast(({ lingersUntil }) => lingersUntil === undefined);
      if (next !== undefined) this.begin(next, now);
    }
    if (!gently) {
      this.flows.delete(pair);
      pair.destroy();
    }
    this.trace("removed", { spi: pair.spiIn, gently }, now);
    this.schedule();
  }

  /** Everything whose time has come. */
  wake(now: Instant): void {
    for (const pair of this.flows.pairs()) {
      if (pair.lingersUntil !== undefined) {
        if (now >= pair.lingersUntil) this.remove(pair, false, now);
        continue;
      }
      const due = this.#keepaliveAt(pair);
      if (due !== undefined && now >= due) {
        pair.sentAt = now;
        this.silent.push(pair);
      }
      this.wear(pair, now);
    }
    this.schedule();
  }

  schedule(): void {
    let dueAt: Instant | undefined;
    for (const pair of this.flows.pairs()) dueAt = earliest(dueAt, earliest(pair.limitAt(), this.#keepaliveAt(pair)));
    this.dueAt = dueAt;
  }

  #keepaliveAt(pair: Pair): Instant | undefined {
    const isOwed = this.#keepaliveMs > 0 && pair.isEncapsulated && this.flows.flowOf(pair).sender === pair;
    return isOwed ? pair.sentAt + this.#keepaliveMs : undefined;
  }
}
