/** Every bound of the room. Sizes are in bytes unless the name says otherwise. */
export const limits = {
  /** Handshake bytes that wait for those before them (RFC 9000 §7.5 asks for at least 4096). */
  cryptoBufferMax: 65_536,
  /** Handshake bytes of ours that wait for acknowledgement: long chains and many tickets. */
  cryptoSendMax: 1_048_576,
  /** Datagrams that came before the keys for them, kept until those are there (RFC 9001 §5.7). */
  earlyDatagramsMax: 16,
  /** Versions of a peer's list that are looked at. */
  versionsMax: 64,
  /** Places from which a peer is heard at a time, beside the one at which it is: probes, rebindings (RFC 9000 §9). */
  pathsMax: 4,
  /** PATH_CHALLENGE frames of a path that wait to be answered; the oldest goes unanswered. */
  pathResponsesMax: 4,
  /** Datagrams with our CONNECTION_CLOSE that are sent for what still arrives. */
  closePacketsMax: 16,
  /** Bytes of a reason phrase that we send, and keep of the peer's. */
  reasonMax: 256,
  /** Datagrams in one transmit: what UDP_SEGMENT takes, and what a socket's buffer holds. */
  batchDatagramsMax: 44,
  batchBytesMax: 65_000,
  /** Packets of an endpoint that wait to be sent: version negotiations, retries, resets, refusals. */
  statelessQueueMax: 256,
  /** Stateless resets a second, after a burst of so many: they must not be a weapon (RFC 9000 §10.3.3). */
  resetsPerSecond: 256,
  /** Messages that wait to leave in DATAGRAM frames. */
  datagramQueueMax: 1_048_576,
} as const;

/** UDP payload that every path carries (RFC 9000 §14). */
export const udpPayloadMin = 1_200;
/** A larger one is looked for at once: Ethernet's 1500 less IPv6 and UDP. */
export const mtuUsual = 1_452;
/** And a larger one still, that of jumbo frames of 9000, once three probes of it in vain are no more than a hundredth. */
export const mtuMaxDefault = 8_952;
export const wideAfterBytes = 4_194_304;

export const defaults = {
  idleTimeoutMs: 30_000,
  handshakeTimeoutMs: 30_000,
  receiveWindow: 1_048_576,
  receiveWindowMax: 50_331_648,
  streamReceiveWindow: 524_288,
  streamReceiveWindowMax: 16_777_216,
  peerBidirectionalStreams: 128,
  peerUnidirectionalStreams: 128,
  activeConnectionIds: 4,
  ackDelayMaxMs: 25,
  udpPayloadMax: 65_527,
  connectionIdSize: 8,
  connectionsMax: 100_000,
  halfOpenMax: 4_096,
} as const;

/** Part of `halfOpenMax` from which on new clients are asked to prove their address. */
export const busyAt = 0.25;
