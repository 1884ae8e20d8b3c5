/** Every bound of the room. Sizes are in bytes and times in milliseconds unless the name says otherwise. */
export const limits = {
  /** Clients that one server holds unless the options say otherwise, and at the most; one more is dropped. */
  clientsMaxDefault: 4_096,
  clientsMax: 65_536,
  /** Clients that wait for the application's word; more are dropped, and come again. */
  questionsMax: 256,
  /** Clients that were refused and are remembered, so that nobody is asked twice for each repeated Initiate. */
  refusedMax: 1_024,
  refusedLifetimeMs: 30_000,
  /** Cookies that wait to be sent; more strangers get none. */
  cookiesWaitingMax: 256,
  /** Hellos that are answered a second after a burst of so many. Each costs two scalar multiplications. */
  hellosPerSecond: 2_000,
  helloBurst: 512,
  /** Short-term keys of ended connections whose cookies could be used again. With more, the minute key is replaced early. */
  spentMax: 16_384,
  /** Addresses of one server that a client tries. */
  addressesMax: 8,
  /** Messages in flight that may be unacknowledged, and sequence numbers that are looked back on. */
  blocksMax: 8_192,
  transmissionsMax: 32_768,
  /** Bytes that may be received and not yet read, or out of order: default and bounds of `receiveBuffer`. */
  receiveBufferDefault: 1_048_576,
  receiveBufferMin: 2_048,
  receiveBufferMax: 67_108_864,
  /** Separate ranges received out of order. */
  rangesMax: 1_024,
  /** Packets that one `transmit` batches, and their bytes. */
  batchPacketsMax: 50,
  batchSizeMax: 60_000,
  /** Bits of a replay window. */
  replayWindowBits: 2_048,
  /** Counters of ours stop here: a number counts no further (the pages allow 2^64). */
  countersMax: 2 ** 53 - 1,
  /** Positions of a stream: the same bound (the pages allow 2^60). */
  positionsMax: 2 ** 53 - 1,
  /** Longest run of lost, then arrived, messages after which the order of arrival is believed. */
  reorderMax: 256,
} as const;

/** Bytes written and not yet sent above which a session asks its writer to hold back, and below which it may go on. */
export const writeQueueMark = 2_097_152;
export const writeQueueLow = 524_288;

/** First wait for a Cookie; each is half as long again, plus up to as much by chance (reference client). */
export const helloWaitMs = 1_000;
export const helloWaitFactor = 1.5;
/** Hellos in all (reference client). */
export const hellosMax = 8;

/** How long a server may be silent after a Cookie: by then the cookie is worth nothing. */
export const initiateTimeoutMs = 60_000;
/** A minute key's life (nonces page); the one before is kept as long. */
export const minuteKeyMs = 60_000;

/** First wait for an acknowledgement, while no round trip has been measured; then at least, and at the most. */
export const firstTimeoutMs = 1_000;
export const timeoutMsMin = 25;
export const timeoutMsMax = 10_000;
/** While the peer is there but takes nothing, its buffer being full, it is asked this often. */
export const fullBufferMs = 200;
/** Nothing heard for so long, though there was something to acknowledge: the peer is gone. */
export const silenceMs = 120_000;
/** Time-outs after which a peer that has said all and heard all but our end is taken to have left. */
export const endTimeoutsMax = 4;
/** Nothing authentic for so long: a server forgets its client. */
export const idleMs = 1_800_000;
/** How long an ended connection answers a peer that has not heard: it re-acknowledges. */
export const lingerMs = 2_000;
/** A client says where it is when it has sent nothing for so long. */
export const keepAliveMs = 15_000;
/** How long a listener that closes waits for its sessions. */
export const closeWaitMs = 1_000;
