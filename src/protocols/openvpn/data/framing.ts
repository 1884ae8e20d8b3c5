/** A payload in a packet: from `at`, `size` bytes. */
export interface Span {
  at: number;
  size: number;
}

/**
 * What may stand around a packet inside the data channel for compression's sake (README: nothing is ever compressed here).
 * `wrap` and `unwrap` work in place on `span`; false means a packet that is compressed.
 */
export interface Framing {
  /** Bytes in front of the packet that must be free for `wrap`; then the span begins with them. */
  readonly head: number;
  /** Bytes behind it. */
  readonly tail: number;
  wrap(bytes: Uint8Array, span: Span): void;
  unwrap(bytes: Uint8Array, span: Span): boolean;
}

const noCompress = 0xfa;
const noCompressSwap = 0xfb;
const secondVersion = 0x50;

/** By the options that ask for them: nothing; `comp-lzo no`; `compress` or `compress stub`; `compress stub-v2`. */
export const framings = {
  none: { head: 0, tail: 0, wrap: () => {}, unwrap: () => true },
  lzo: {
    head: 1,
    tail: 0,
    wrap: (bytes, span) => {
      bytes[--span.at] = noCompress;
      span.size++;
    },
    unwrap: (bytes, span) => {
      if (bytes[span.at] !== noCompress) return false;
      span.at++;
      span.size--;
      return true;
    },
  },
  /** The first byte goes to the end, so that what is behind it stays aligned. */
  stub: {
    head: 0,
    tail: 1,
    wrap: (bytes, span) => {
      bytes[span.at + span.size] = bytes[span.at]!;
      bytes[span.at] = noCompressSwap;
      span.size++;
    },
    unwrap: (bytes, span) => {
      if (span.size < 2 || bytes[span.at] !== noCompressSwap) return false;
      bytes[span.at] = bytes[span.at + span.size - 1]!;
      span.size--;
      return true;
    },
  },
  /** Only what could be taken for a header gets one. IP packets begin with 4 or 6, pings with 0x2a. */
  "stub-v2": {
    head: 0,
    tail: 0,
    wrap: () => {},
    unwrap: (bytes, span) => {
      if (bytes[span.at] !== secondVersion) return true;
      if (span.size < 2 || bytes[span.at + 1] !== 0) return false;
      span.at += 2;
      span.size -= 2;
      return true;
    },
  },
} as const satisfies Readonly<Record<string, Framing>>;

export type FramingName = keyof typeof framings;
