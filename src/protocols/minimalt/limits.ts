/** Every bound of the room. Sizes are in bytes and times in milliseconds unless the name says otherwise. */
export const limits = {
  /** Tunnels that one server holds unless the options say otherwise, and at the most; one more is dropped. */
  tunnelsMaxDefault: 4_096,
  tunnelsMax: 65_536,
  /** Tunnels that begin a second, after a burst of so many, before strangers are posed puzzles. */
  tunnelsPerSecond: 200,
  tunnelBurst: 256,
  /** Puzzles that wait to be sent; more strangers get none. */
  puzzlesWaitingMax: 256,
  /** Keys C' that have begun a tunnel under one S'; with more, S' is replaced early. */
  spentMax: 65_536,
  /** Connections of one tunnel that are open at a time, by either side. */
  connectionsMax: 1_024,
  /** Connections that wait for the application's word. */
  questionsMax: 256,
  /** Requests of records that wait for their answer, a tunnel. */
  requestsMax: 64,
  /** Records that a name service holds. */
  recordsMax: 4_096,
  /** Records that a client's cache in memory holds. */
  cachedRecordsMax: 256,
  /** Segments that may be unacknowledged, and out of order. Both sides keep to it. */
  segmentsMax: 4_096,
  /** Bytes that may be received and not yet read, a connection: default and bounds of `receiveBuffer`. */
  receiveBufferDefault: 1_048_576,
  receiveBufferMin: 65_536,
  receiveBufferMax: 67_108_864,
  /** Bytes of control RPCs that wait; a peer that makes us answer more without taking the answers is in the wrong. */
  controlQueueMax: 262_144,
  /** Ranges that one `received` tells. */
  rangesTold: 32,
  /** Packets that one `transmit` batches, and their bytes. */
  batchPacketsMax: 48,
  batchSizeMax: 60_000,
  /** Names of hosts and services. */
  nameMax: 255,
  /** Encoded certificates and records. */
  certificateMax: 512,
  /** Packets of a tunnel, either way: a number counts no further. */
  packetsMax: 2 ** 52,
  /** Bytes of a connection. */
  positionsMax: 2 ** 53 - 1,
  /** Puzzles solved a step, so that nothing waits for long. */
  hashesPerStep: 2_048,
  /** Puzzles' difficulty, in bits: what a server poses unless it says otherwise, what a client solves, and the most either may say. */
  puzzleBitsDefault: 12,
  puzzleBitsTaken: 18,
  puzzleBitsMax: 24,
  /** First packets that a client sends again, each with its wait doubled. */
  firstPacketsMax: 8,
} as const;

/** Greatest packet: what any path of IPv6 carries (RFC 8200 §5: 1,280 with IP and UDP headers). */
export const packetSizeMax = 1_232;
/** Smallest packet that begins a tunnel; the paper's measurements (§6.2) have the same. */
export const firstPacketMin = 1_024;
/** What each side may send on a connection before the first `windowSize`. */
export const windowFirst = 65_536;

/** Bytes written and not yet sent above which a stream asks its writer to hold back, and below which it may go on. */
export const writeQueueMark = 1_048_576;
export const writeQueueLow = 524_288;

/** Life of a server's ephemeral key as its record says it, and as long again until it is wiped. */
export const ephemeralLifetimeMs = 600_000;
export const ephemeralLifetimeMinMs = 1_000;
/** A record that ends so soon is fetched anew. */
export const recordMarginMs = 1_000;
/** A puzzle's solution is good for so long. */
export const puzzleLifetimeMs = 30_000;
/** How long a client waits for the server's first packet. */
export const confirmTimeoutMs = 15_000;
/** Something is under way, and nothing authentic was heard for so long: the peer is gone. */
export const silenceMs = 60_000;
/** Nothing authentic for so long: the tunnel is forgotten. */
export const idleMs = 300_000;
/** A client that has sent nothing for so long says that it is there. */
export const keepAliveMs = 15_000;
/** A key's life unless the options say otherwise: then the client begins the next (§5.5). */
export const keyErasureMs = 3_600_000;
/** How long a tunnel that is closed sees its last packets acknowledged, and acknowledges the peer's. */
export const lingerMs = 2_000;
/** How long a listener that closes waits for its sessions. */
export const closeWaitMs = 1_000;
/** How long an acknowledgement may wait. */
export const ackDelayMs = 25;
/** A server asks a client of which nothing was heard for so long whether it is there. */
export const livenessMs = 120_000;
/** A tunnel that asks for records alone is given up after so long without a request. */
export const lookupIdleMs = 10_000;
