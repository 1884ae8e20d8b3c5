import type { CryptoProvider, Entropy, Instant, Mac } from "../../contract/index.js";
import { putU32, u32 } from "../ip/header.js";
import { synCookieLifetimeMs } from "../limits.js";
import { tupleBytes } from "./initial.js";
import type { TcpNegotiated } from "./interfaces.js";
import { Flag, type OptionsOut, type Segment } from "./segment.js";
import { timestampAt } from "./timestamps.js";
import type { TcpTuple } from "./tuple-map.js";

/** Segment sizes that two bits of a cookie stand for. */
const cookieSizes = [536, 1_220, 1_360, 1_460] as const;
/** Milliseconds of one tick of a cookie's clock. */
const cookieTickMs = synCookieLifetimeMs / 2;

/** The low bits of a timestamp: four of window scale, of which fifteen is none; SACK; ECN. */
const scaleMask = 15;
const noScale = 15;
const sackBit = 16;
const ecnBit = 32;
const agreedMask = 63;

/**
 * SYN cookies (RFC 4987 §3.6). What a SYN said stands in our answer alone, and comes back with the acknowledgement: the
 * clock (five bits), the segment size (two) and a MAC (twenty-five) in the sequence number; window scale, SACK and ECN in
 * the low bits of our timestamp, which the peer echoes (RFC 7323 §3). A peer without timestamps does without those.
 */
export class SynCookies {
  readonly #mac: Mac;

  constructor(crypto: CryptoProvider, entropy: Entropy) {
    this.#mac = crypto.blake2s(entropy.fill(new Uint8Array(32)), 8);
  }

  /**
   * Answers a SYN: fills in all options but the segment size, and gives our sequence number.
   *
   * @param shift of the windows that we advertise
   * @param wantsEcn do we use ECN?
   */
  answer(
    tuple: TcpTuple,
    syn: Segment,
    shift: number,
    wantsEcn: boolean,
    offset: number,
    options: OptionsOut,
    now: Instant,
  ): number {
    let agreed = 0;
    if (syn.hasTimestamps) {
      agreed = syn.windowScale ?? noScale;
      if (syn.sackPermitted) agreed |= sackBit;
      if (wantsEcn && syn.has(Flag.ece) && syn.has(Flag.cwr)) agreed |= ecnBit;
      const clock = timestampAt(now, offset);
      // Never ahead of the clock: what follows must not look older (RFC 7323 §5).
      const marked = ((clock & ~agreedMask) | agreed) >>> 0;
      options.timestamps = true;
      options.timestamp = ((marked - clock) | 0) > 0 ? (marked - agreedMask - 1) >>> 0 : marked;
      options.echo = syn.timestamp;
      options.sackPermitted = syn.sackPermitted;
      if (syn.windowScale !== undefined) options.windowScale = shift;
    }
    const tick = Math.floor(now / cookieTickMs) & 31;
    let size = cookieSizes.length - 1;
    while (size > 0 && cookieSizes[size]! > (syn.mss ?? 536)) size--;
    return (((tick << 27) | (size << 25)) >>> 0) + this.#compute(tuple, syn.sequence, tick, size, agreed);
  }

  /** What the SYN said, if the acknowledgement proves that our answer was received; undefined if it does not. */
  open(
    tuple: TcpTuple,
    { sequence, acknowledgment, hasTimestamps, timestamp, echo }: Segment,
    now: Instant,
  ): { readonly initial: number; readonly peer: TcpNegotiated } | undefined {
    const cookie = (acknowledgment - 1) >>> 0;
    const peerInitial = (sequence - 1) >>> 0;
    const tick = cookie >>> 27;
    const age = (Math.floor(now / cookieTickMs) - tick) & 31;
    const size = (cookie >>> 25) & 3;
    // RFC 7323 §3.2: who has agreed on timestamps sends them always, so one without them is of nobody.
    const agreed = hasTimestamps ? echo & agreedMask : 0;
    const mac = this.#compute(tuple, peerInitial, tick, size, agreed);
    if (age > 1 || (cookie & 0x1ff_ffff) !== mac) return undefined;
    const scale = agreed & scaleMask;
    return {
      initial: cookie,
      peer: {
        initial: peerInitial,
        mss: cookieSizes[size]!,
        windowScale: hasTimestamps && scale !== noScale ? scale : undefined,
        sackPermitted: (agreed & sackBit) !== 0,
        timestamp: hasTimestamps ? timestamp : undefined,
        ecn: (agreed & ecnBit) !== 0,
      },
    };
  }

  #compute(tuple: TcpTuple, peerInitial: number, tick: number, size: number, agreed: number): number {
    const more = new Uint8Array(7);
    putU32(more, 0, peerInitial);
    more[4] = tick;
    more[5] = size;
    more[6] = agreed;
    return u32(this.#mac.compute(tupleBytes(tuple), more), 0) & 0x1ff_ffff;
  }
}
