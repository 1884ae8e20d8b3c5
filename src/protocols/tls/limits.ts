/** Every bound of the room. Sizes are in bytes unless the name says otherwise. */
export const limits = {
  /** A handshake message's body; certificate messages may be larger, see below. */
  handshakeMessageMax: 65_536,
  /** A Certificate or CompressedCertificate body, and what the latter may unfold to. */
  certificateMessageMax: 131_072,
  /** Handshake bytes that wait while a question is open. */
  unreadHandshakeMax: 262_144,
  /** Application data that waits behind an open question of a server that was sent early or half-RTT data. */
  recordsWaitingMax: 1_048_576,
  /** Extensions in one block. */
  extensionsMax: 128,
  /** Certificates in a chain. */
  certificatesMax: 16,
  /** Pre-shared keys that a server looks at in one hello. */
  pskIdentitiesMax: 8,
  /** Records without content in a row. */
  emptyRecordsMax: 32,
  /** Warning alerts in a row, user_canceled among them. */
  warningsMax: 4,
  /** change_cipher_spec records of middlebox compatibility in one handshake. */
  changeCipherSpecsMax: 4,
  /** KeyUpdates without application data between them. */
  keyUpdatesMax: 32,
  /** Session tickets that a client takes from one session; more are a flood. */
  ticketsMax: 64,
  /** CertificateRequests after the handshake without application data between them. */
  postHandshakeRequestsMax: 8,
  /** Requests and authenticators (RFC 9261) of one session. */
  authenticatorsMax: 256,
  /** Bytes of refused early data that a server skips before it gives up. */
  earlyDataSkippedMax: 65_536,
  /** Plaintext of a record (RFC 9846 §5.1). */
  recordSizeMax: 16_384,
  /** What protection may add to a record: 256 in 1.3, 2048 in 1.2. */
  recordExpansionMax: 256,
  recordExpansionMax12: 2_048,
  /** Application bytes that a machine holds for sending before it asks its caller to wait. */
  sendQueueMark: 1_048_576,
} as const;

/** From the first byte to Finished, unless the options say otherwise. */
export const handshakeTimeoutMs = 30_000;

/** How long a stream may stay after both directions are closed, or after an alert. */
export const lingerMs = 2_000;

/** Seconds for which a delegated credential may still be good (RFC 9345 §4.1.3). */
export const delegatedLifetimeMaxS = 604_800;
