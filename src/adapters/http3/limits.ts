/** Every bound of HTTP/3 here. Sizes are in bytes. */
export const http3Limits = {
  /**
   * A field section that we take, unpacked and with 32 for each line (RFC 9114 §4.2.2): SETTINGS_MAX_FIELD_SECTION_SIZE
   * unless the options say otherwise. A larger request is answered with 431, a larger response is given up.
   */
  fieldSectionMax: 65_536,
  /** Field lines of one section. */
  fieldLinesMax: 1_024,
  /** Payload of a SETTINGS frame; ours has 12. */
  settingsMax: 4_096,
  /** Payload of GOAWAY, CANCEL_PUSH and MAX_PUSH_ID: one integer. */
  idFrameMax: 8,
  /** Frames in a row on one stream that bring nothing: unknown types, empty DATA. */
  idleFramesMax: 1_000,
  /** Streams of unknown types that are being discarded at once; each is told to stop. */
  unknownStreamsMax: 64,
  /** Bytes of a request target or method that hq-interop takes. */
  hqRequestMax: 8_192,
  /** Bytes of a body that `text`, `json` and `bytes` gather unless they are told otherwise. */
  bodyMax: 268_435_456,
  /** Bytes of a piece that one DATA frame of ours carries. */
  dataFrameMax: 65_536,
  /** Requests that a server handles at once in one connection; more wait unread, which the streams' flow control bounds. */
  requestsMax: 1_024,
  /** Interim responses (1xx) to one request. */
  interimResponsesMax: 16,
  /** Milliseconds from a server's GOAWAY to its close, in which requests that crossed it are rejected by name. */
  goawayMs: 100,
} as const;
