/** Every bound of the room. Sizes are in bytes unless the name says otherwise. */
export const limits = {
  /** Blocks of an ACK frame behind the first: what its count has room for. */
  ackBlocksMax: 255,
  /** Tags of a handshake message, and of one value (as Chromium has it). */
  tagsMax: 128,
  valueMax: 16_384,
  /** A handshake message as a whole, and handshake bytes that wait for those before them. */
  messageMax: 32_768,
  cryptoBufferMax: 65_536,
  /** A certificate chain that is unpacked, and the certificates in it. */
  chainMax: 65_536,
  certificatesMax: 10,
  /** Client hellos of one connection, as quic-go has it. */
  hellosMax: 4,
  /** Versions of a peer's list that are looked at. */
  versionsMax: 64,
  /** Datagrams that came before the keys for them, kept until those are there. */
  earlyDatagramsMax: 16,
  /** Streams of the peer's that it has skipped, and may still use. */
  skippedStreamsMax: 1_000,
  /** Datagrams with our CONNECTION_CLOSE that are sent for what still arrives. */
  closePacketsMax: 16,
  /** Bytes of a reason phrase that we send, and keep of the peer's. */
  reasonMax: 256,
  /** Datagrams in one transmit: what UDP_SEGMENT takes, and what a socket's buffer holds. */
  batchDatagramsMax: 44,
  batchBytesMax: 65_000,
  /** Packets of an endpoint that wait to be sent: version negotiations, resets. */
  statelessQueueMax: 256,
  /** Version negotiations and resets a second, after a burst of so many. */
  statelessPerSecond: 256,
  /** Nonces of client hellos that a server remembers, so that none is taken twice. */
  strikesMax: 65_536,
  /** Server configs that a server still takes after it has made a new one. */
  configsMax: 3,
  /** Servers whose config a client keeps. */
  knownServersMax: 256,
  /** Messages that wait to leave in MESSAGE frames. */
  datagramQueueMax: 1_048_576,
} as const;

/** UDP payload of what opens a connection, and of every packet before a larger one is known to pass. */
export const udpPayloadUsual = 1_350;
export const udpPayloadMin = 1_200;
/** The least that a hello takes: a server answers no shorter one (QUIC Crypto, "PAD"). */
export const helloMin = 1_024;
/** A larger one is looked for: Ethernet's 1500 less IPv6 and UDP, then jumbo frames. */
export const mtuUsual = 1_452;
export const mtuMaxDefault = 8_952;
export const wideAfterBytes = 4_194_304;
/** To an address that has not proved itself, no more than so many times what came from it. */
export const amplificationMax = 3;
/** How far a nonce's time may be from ours: it is refused outside, so strikes older than this may be forgotten. */
export const strikeWindowMs = 600_000;
/** How long tokens prove an address. */
export const tokenLifetimeMs = 86_400_000;
/** How long a server's config is good for new clients. */
export const configLifetimeMs = 172_800_000;

export const defaults = {
  idleTimeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  receiveWindow: 1_048_576,
  receiveWindowMax: 50_331_648,
  streamReceiveWindow: 524_288,
  streamReceiveWindowMax: 16_777_216,
  peerStreams: 100,
  ackDelayMaxMs: 25,
  connectionsMax: 100_000,
  halfOpenMax: 4_096,
} as const;
