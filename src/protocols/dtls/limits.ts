/** Every bound of the room. Sizes are in bytes unless the name says otherwise. */
export const limits = {
  /** Associations that one endpoint holds; one more is refused until others end. */
  associationsMax: 65_536,
  /** Associations of a server whose handshake is not over. They have all returned a cookie. */
  handshakesMax: 4_096,
  /** First ClientHellos in pieces that wait for the rest, each from an address that has proved nothing. */
  partialHellosMax: 256,
  /** How many of them may be of one address. */
  partialHellosOfAddressMax: 16,
  /** Pieces of one, all but the last of the same size: smaller ones are not kept. */
  partialHelloPiecesMax: 32,
  /** What one of them may hold, and for how many milliseconds: all together a mebibyte. */
  partialHelloSizeMax: 4_096,
  partialHelloLifetimeMs: 2_000,
  /** Answers to strangers that wait to be sent; more strangers are not answered. */
  answersWaitingMax: 1_024,
  /** How many times what a stranger sent it may be sent (RFC 9147 §5.1 wants none; a bound that no answer here comes near). */
  amplificationMax: 3,
  /** A handshake message's body; certificate messages may be larger. */
  messageMax: 65_536,
  certificateMessageMax: 131_072,
  /** Messages ahead of the one that is due, and what all that wait may hold together. */
  messagesAheadMax: 16,
  messageBytesWaitingMax: 262_144,
  /** Separate pieces of one message that are remembered. */
  piecesMax: 64,
  /** Records whose keys are not there yet, and application data that wait for the peer's Finished. */
  recordsHeldMax: 16,
  recordBytesHeldMax: 16_384,
  /** Separate pieces of a message of ours that are not acknowledged: more than the largest message can have. */
  unacknowledgedRangesMax: 4_096,
  /** Records of one flight of which it is remembered what they held, for ACKs. */
  recordsTrackedMax: 256,
  /** Record numbers in one ACK. */
  ackNumbersMax: 64,
  /** Epochs whose keys are kept for reading: the newest, and those before whose records may be late. */
  readEpochsMax: 4,
  /** Epochs that can be written: those of the handshake for flights that go again, and the newest. */
  writeEpochsMax: 4,
  /** Bytes of application data that one association holds for sending; more are dropped and counted. */
  sendQueueMax: 1_048_576,
  /** Plaintext of a record (RFC 9147 §4). */
  recordSizeMax: 16_384,
  /** Records that one `transmit` batches. */
  batchRecordsMax: 64,
  /** Bits of a replay window, for each epoch. */
  replayWindowBits: 256,
  /** Times that a flight is sent again before the peer counts as gone. */
  retransmissionsMax: 8,
  /** Alerts said again to a peer that has not heard them. */
  alertRepeatsMax: 4,
  /** Connection IDs of the peer's that are kept in reserve, and of ours that the peer may use. */
  spareConnectionIdsMax: 8,
  /** NewConnectionId and RequestConnectionId messages without application data between them. */
  connectionIdMessagesMax: 32,
  /** Payload of a heartbeat that is answered; a longer one is dropped. */
  heartbeatPayloadMax: 1_024,
  /** Paths that wait for a path_response. */
  pathChallengesMax: 2,
} as const;

/** First wait before a flight is sent again (RFC 6347 §4.2.4.1, RFC 9147 §5.8.2), and the longest. */
export const retransmitMs = 1_000;
export const retransmitMsMax = 60_000;

/** From the first ClientHello to Finished. */
export const handshakeTimeoutMs = 60_000;

/** Greatest datagram that we send unless the options say otherwise: no path of IPv6 splits it. */
export const defaultMtu = 1_200;
/**
 * What datagrams fall to when nothing gets through (RFC 6347 §4.1.1.1): first to what fits the packet of 576 bytes that every
 * host of IPv4 takes, and less than that only for a path that does not keep to it.
 */
export const mtuBase = 548;
export const mtuMin = 256;
/** How long a heartbeat's answer is waited for (RFC 8899 §5.1.1, PROBE_TIMER). */
export const probeWaitMs = 1_000;
/** Refusals of large datagrams that come faster than this are one: each is looked at for every association. */
export const tooBigEveryMs = 100;
/** How long a session that sends waits before it asks whether its datagrams still arrive (CONFIRMATION_TIMER). */
export const confirmPathMs = 5_000;
/** Times that a flight is sent again before its datagrams get smaller (RFC 6347 §4.1.1.1). */
export const retransmissionsBeforeSmaller = 2;
export const retransmissionsBeforeLeast = 4;

/** How long the last flight is kept for a peer that has not got it: twice the maximum segment lifetime, RFC 6347 §4.2.4. */
export const lastFlightKeptMs = 240_000;
/** How long an association stays after its end, to tell a peer again that has not heard of it. */
export const lingerMs = 4_000;
/** A server's association from which nothing authentic has come for so long is forgotten. */
export const idleTimeoutMs = 1_800_000;
/** How long a path may take to answer (RFC 9853 §5). */
export const pathTimeoutMs = 3_000;
/** How long a listener that closes waits for its peers to close too. */
export const closeWaitMs = 1_000;
