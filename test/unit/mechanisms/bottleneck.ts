import type { ControllerFactory } from "../../../src/mechanisms/congestion/index.js";
import { Recovery, Sent } from "../../../src/mechanisms/recovery/index.js";

export interface Path {
  /** Bytes a millisecond. */
  readonly rate: number;
  readonly rttMs: number;
  /** Bytes that wait before the bottleneck. */
  readonly buffer: number;
  /** Chance of a packet's loss. */
  readonly loss?: number;
  readonly seed?: number;
}

export interface Outcome {
  /** Bytes acknowledged a millisecond, as a part of the path's rate. */
  readonly share: number;
  /** Mean time that packets waited before the bottleneck. */
  readonly queueMs: number;
  /** Part of the packets that were lost. */
  readonly lost: number;
  readonly spurious: number;
}

const size = 1_200;

/** A sender that never runs dry, a bottleneck, and a receiver that acknowledges every second packet; in virtual time. */
export function transfer(controller: ControllerFactory, path: Path, durationMs: number): Outcome {
  let random = path.seed ?? 1;
  const chance = () => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    return random / 2 ** 32;
  };
  let acknowledgedBytes = 0;
  const recovery = new Recovery({
    spaces: 1,
    isClient: false,
    packetSize: size,
    controller,
    contents: { acknowledged: () => {}, lost: () => {} },
  });
  recovery.confirmed = true;
  const arrivals: { readonly at: number; readonly number: number }[] = [];
  let first = 0;
  let linkFreeAt = 0;
  let waitedMs = 0;
  let sent = 0;
  let received: number[] = [];
  const bounds = new Float64Array(2);
  let now = 0;
  while (now < durationMs) {
    while (recovery.allowance(now) >= size || recovery.probes > 0) {
      recovery.sent(0, sent, size, Sent.ackEliciting | Sent.inFlight, now);
      const waits = Math.max(0, linkFreeAt - now);
      if (waits * path.rate <= path.buffer && chance() >= (path.loss ?? 0)) {
        linkFreeAt = Math.max(linkFreeAt, now) + size / path.rate;
        waitedMs += waits;
        arrivals.push({ at: linkFreeAt + path.rttMs, number: sent });
      }
      sent++;
    }
    const next = arrivals[first];
    const times = [next?.at, recovery.deadline(), recovery.paceAt(now)].filter((at) => at !== undefined);
    now = Math.max(now, Math.min(...times));
    if (next !== undefined && next.at <= now) {
      first++;
      received.push(next.number);
      const behind = arrivals[first];
      if (received.length < 2 && behind !== undefined && behind.at - now < 25) continue;
      // The highest alone would do for a link in order; ranges are what was received since.
      for (const number of received) {
        bounds[0] = bounds[1] = number;
        recovery.acknowledge(0, bounds, 1, 0, now);
        acknowledgedBytes += recovery.newlyAckedBytes;
      }
      received = [];
    } else if ((recovery.deadline() ?? Number.POSITIVE_INFINITY) <= now) recovery.timeout(now);
  }
  return {
    share: acknowledgedBytes / durationMs / path.rate,
    queueMs: waitedMs / arrivals.length,
    lost: recovery.packetsLost / sent,
    spurious: recovery.packetsLostSpuriously,
  };
}
