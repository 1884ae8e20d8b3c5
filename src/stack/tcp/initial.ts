import { concat } from "../../bytes/index.js";
import type { CryptoProvider, Entropy, Instant, Mac } from "../../contract/index.js";
import { putU16, putU32, u32 } from "../ip/header.js";
import { synCookieLifetimeMs } from "../limits.js";
import type { TcpNegotiated } from "./interfaces.js";
import type { Segment } from "./segment.js";
import type { TcpTuple } from "./tuple-map.js";

/** Segment sizes that two bits of a cookie stand for. */
const cookieSizes = [536, 1_220, 1_360, 1_460] as const;
/** Milliseconds of one tick of a cookie's clock. */
const cookieTickMs = synCookieLifetimeMs / 2;

/** Initial sequence numbers (RFC 6528), timestamp offsets (RFC 7323 §7.1), SYN cookies (RFC 4987 §3.6). */
export class InitialNumbers {
  readonly #sequences: Mac;
  readonly #timestamps: Mac;
  readonly #cookies: Mac;

  constructor(crypto: CryptoProvider, entropy: Entropy) {
    const key = (): Mac => crypto.blake2s(entropy.fill(new Uint8Array(32)), 8);
    this.#sequences = key();
    this.#timestamps = key();
    this.#cookies = key();
  }

  /** RFC 6528 §3: a clock of four microseconds and a keyed hash of the four-tuple. */
  sequence(tuple: TcpTuple, now: Instant): number {
    return (Math.floor(now * 250) + u32(this.#sequences.compute(tupleBytes(tuple)), 0)) >>> 0;
  }

  timestampOffset(tuple: TcpTuple): number {
    return u32(this.#timestamps.compute(tupleBytes(tuple)), 0);
  }

  /**
   * A sequence number that holds what a SYN said, under a MAC: five bits of clock, two of segment size, twenty-five of
   * MAC. Scale, SACK and timestamps do not fit, so a connection made under such pressure does without them.
   */
  cookie(tuple: TcpTuple, peerInitial: number, mss: number | undefined, now: Instant): number {
    const tick = Math.floor(now / cookieTickMs) & 31;
    let size = cookieSizes.length - 1;
    while (size > 0 && cookieSizes[size]! > (mss ?? 536)) size--;
    return (((tick << 27) | (size << 25)) >>> 0) + this.#cookieMac(tuple, peerInitial, tick, size);
  }

  /** What the SYN said, if the acknowledgement proves that our SYN-ACK was received; undefined if it does not. */
  open(tuple: TcpTuple, segment: Segment, now: Instant): { initial: number; peer: TcpNegotiated } | undefined {
    const cookie = (segment.acknowledgment - 1) >>> 0;
    const peerInitial = (segment.sequence - 1) >>> 0;
    const tick = cookie >>> 27;
    const age = (Math.floor(now / cookieTickMs) - tick) & 31;
    const size = (cookie >>> 25) & 3;
    if (age > 1 || (cookie & 0x1ff_ffff) !== this.#cookieMac(tuple, peerInitial, tick, size)) return undefined;
    return {
      initial: cookie,
      peer: {
        initial: peerInitial,
        mss: cookieSizes[size]!,
        windowScale: undefined,
        sackPermitted: false,
        timestamp: undefined,
        ecn: false,
      },
    };
  }

  #cookieMac(tuple: TcpTuple, peerInitial: number, tick: number, size: number): number {
    const more = new Uint8Array(6);
    putU32(more, 0, peerInitial);
    more[4] = tick;
    more[5] = size;
    return u32(this.#cookies.compute(tupleBytes(tuple), more), 0) & 0x1ff_ffff;
  }
}

function tupleBytes({ local, localPort, remote, remotePort }: TcpTuple): Uint8Array {
  const ports = new Uint8Array(4);
  putU16(ports, 0, localPort);
  putU16(ports, 2, remotePort);
  return concat(local, remote, ports);
}
