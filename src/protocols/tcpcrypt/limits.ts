/** Every bound of tcpcrypt. Sizes are in bytes, times in milliseconds. */
export const limits = {
  /** Application data of one frame that we send; with header, flags, urgent and tag it fits a driver's slab (§3.6 allows 64 KiB). */
  frameDataMax: 16_384,
  /** An Init message with all ciphers that there may be, a key and some bytes to ignore (§4.1 sets no bound). */
  initSizeMax: 4_096,
  /** Frames under one key before our direction takes the next by itself: AES-GCM's bound for TLS (RFC 8446 §5.5), rounded down. */
  framesPerKeyMax: 2 ** 24,
  /** Bytes of the stream: numbers are exact up to here, far below the 2^64 of §3.6. */
  streamBytesMax: Number.MAX_SAFE_INTEGER,
  /** Application bytes that may wait to be sealed before `write` says to hold back. */
  sendQueueMark: 1 << 20,
  /** Bytes that may come while the application authenticates the session. */
  heldMax: 8 << 20,
  /** Frames without data, rekeying or not: so many at once, and so many a second after that. */
  emptyFramesMax: 1_024,
  emptyFramesPerSecond: 10,
  /** Sessions that a cache keeps. */
  sessionsMax: 1_024,
  /** SYNs that an opportunistic opener sends with the option before it tries without (RFC 8547 §4.6). */
  synsWithOptionMax: 4,
  /** How long an unanswered Init1, a verification, or a verified keep-alive (§3.9) may take. */
  exchangeTimeoutMs: 60_000,
  keepAliveTimeoutMs: 30_000,
  /** A stream that its peer does not end after ours, and its own, have ended. */
  lingerMs: 2_000,
} as const;
