/** What a packet held, in four numbers: a kind, whose it was, and a range or a value. Recovery hands them back. */
export const Held = {
  /** id: number of the message; from … to: offsets in it. */
  crypto: 1,
  /** id: the stream; from … to: offsets. */
  stream: 2,
  /** The same, and the stream ends at `to`. */
  streamFin: 3,
  rstStream: 4,
  /** id: the stream, 0 for the connection. */
  windowUpdate: 5,
  blocked: 6,
  /** to: one more than the largest number acknowledged. */
  ack: 7,
  /** to: the size of a packet that looks for a larger MTU. */
  mtuProbe: 8,
  /** id: the queue's number for it. */
  message: 9,
} as const;

/** Notes what the packet under construction holds. Recovery is one. */
export interface Holder {
  hold(kind: number, id: number, from: number, to: number): void;
}
