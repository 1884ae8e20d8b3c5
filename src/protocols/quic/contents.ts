/**
 * What a packet held, in four numbers: a kind, whose it was, and a range or a value. Recovery keeps these beside a packet's
 * number and hands them back when the packet is acknowledged or lost (RFC 9000 §13.3), so that each part can send again what
 * still matters. Acknowledgements that were carried are held too: once they have arrived, the ranges are forgotten (§13.2.4).
 */
export const Held = {
  /** from … to: offsets of the space's CRYPTO stream. */
  crypto: 1,
  /** id: the stream; from … to: offsets. */
  stream: 2,
  /** The same, and the stream ends at `to`. */
  streamFin: 3,
  resetStream: 4,
  stopSending: 5,
  /** to: the value that was told. */
  maxData: 6,
  maxStreamData: 7,
  maxStreamsBidi: 8,
  maxStreamsUni: 9,
  dataBlocked: 10,
  streamDataBlocked: 11,
  streamsBlockedBidi: 12,
  streamsBlockedUni: 13,
  /** id: the sequence number. */
  newConnectionId: 14,
  retireConnectionId: 15,
  /** id: which of those that were given out. */
  newToken: 16,
  handshakeDone: 17,
  /** to: one more than the largest number acknowledged. */
  ack: 18,
  /** id: the queue's number for it. */
  datagram: 19,
} as const;

export type HeldKind = (typeof Held)[keyof typeof Held];

/** Notes what the packet under construction holds. Recovery is one. */
export interface Holder {
  hold(kind: number, id: number, from: number, to: number): void;
}
