import { putVarint, varintSize } from "../../../bytes/index.js";
import { FrameType } from "./frame-types.js";

/** Ascending, half-open ranges of packet numbers, as received. */
export interface AckRanges {
  readonly count: number;
  from(index: number): number;
  to(index: number): number;
}

/**
 * Writes an ACK frame (RFC 9000 §19.3) with the highest ranges that fit before `end`, and answers where the next frame goes;
 * `at` itself if not even one fits. Ranges below the index `lowest` need not be told; `delay` is encoded already.
 */
export function putAck(
  into: Uint8Array,
  at: number,
  end: number,
  ranges: AckRanges,
  lowest: number,
  delay: number,
  ecn: { readonly ect0: number; readonly ect1: number; readonly ce: number } | undefined,
): number {
  const top = ranges.count - 1;
  if (top < 0) return at;
  const largest = ranges.to(top) - 1;
  const first = largest - ranges.from(top);
  const ecnSize = ecn === undefined ? 0 : varintSize(ecn.ect0) + varintSize(ecn.ect1) + varintSize(ecn.ce);
  // The count takes one byte up to 63 ranges; we never write more.
  let size = 1 + varintSize(largest) + varintSize(delay) + 1 + varintSize(first) + ecnSize;
  if (at + size > end) return at;
  let more = 0;
  for (let i = top - 1; i >= lowest && more < 63; i--) {
    const gap = ranges.from(i + 1) - ranges.to(i) - 1;
    const length = ranges.to(i) - ranges.from(i) - 1;
    size += varintSize(gap) + varintSize(length);
    if (at + size > end) break;
    more++;
  }
  into[at] = ecn === undefined ? FrameType.ack : FrameType.ackEcn;
  let to = putVarint(into, at + 1, largest);
  to = putVarint(into, to, delay);
  into[to++] = more;
  to = putVarint(into, to, first);
  for (let i = top - 1; i >= top - more; i--) {
    to = putVarint(into, to, ranges.from(i + 1) - ranges.to(i) - 1);
    to = putVarint(into, to, ranges.to(i) - ranges.from(i) - 1);
  }
  if (ecn === undefined) return to;
  to = putVarint(into, to, ecn.ect0);
  to = putVarint(into, to, ecn.ect1);
  return putVarint(into, to, ecn.ce);
}

/** Bytes of a CRYPTO frame's head; the data follow. */
export const cryptoHeadSize = (offset: number, size: number): number => 1 + varintSize(offset) + varintSize(size);

export function putCryptoHead(into: Uint8Array, at: number, offset: number, size: number): number {
  into[at] = FrameType.crypto;
  return putVarint(into, putVarint(into, at + 1, offset), size);
}

/** PATH_CHALLENGE or PATH_RESPONSE, §19.17. */
export function putPath(into: Uint8Array, at: number, type: 0x1a | 0x1b, data: Uint8Array): number {
  into[at] = type;
  into.set(data, at + 1);
  return at + 1 + data.length;
}

export function putNewToken(into: Uint8Array, at: number, token: Uint8Array): number {
  into[at] = FrameType.newToken;
  const to = putVarint(into, at + 1, token.length);
  into.set(token, to);
  return to + token.length;
}

/** CONNECTION_CLOSE, §19.19; the reason is cut to what fits. `about` is the frame type of a transport's error. */
export function putClose(
  into: Uint8Array,
  at: number,
  end: number,
  code: number,
  about: number | undefined,
  reason: Uint8Array,
): number {
  into[at] = about === undefined ? FrameType.applicationClose : FrameType.connectionClose;
  let to = putVarint(into, at + 1, code);
  if (about !== undefined) to = putVarint(into, to, about);
  const size = Math.max(0, Math.min(reason.length, end - to - 2));
  to = putVarint(into, to, size);
  into.set(reason.subarray(0, size), to);
  return to + size;
}
