/** What a person may ask the explorer for: enough to see, and over in a moment. */
export const limits = {
  /** One way, in milliseconds. */
  delayMsMax: 5_000,
  /** Packets lost, in a hundred. */
  lossPercentMax: 50,
  /** Bytes that are echoed once the session stands. */
  bytesMax: 1_048_576,
  /** Milliseconds of virtual time until a scene that goes on is ended. */
  sceneMsMax: 120_000,
  /** Packets that a page draws; what comes behind them is counted. */
  drawnPacketsMax: 400,
  /** Bytes of a packet that a page shows. */
  shownBytesMax: 512,
  /** Requests that wait their turn. */
  waitingMax: 16,
} as const;
