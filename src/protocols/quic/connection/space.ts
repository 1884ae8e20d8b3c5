import { ReceivedPackets } from "../../../mechanisms/recovery/index.js";
import type { Protection } from "../protection/protection.js";
import { CryptoReceiver, CryptoSender } from "./crypto-stream.js";

/** Packet number spaces, RFC 9000 §12.3. */
export const SpaceId = { initial: 0, handshake: 1, application: 2 } as const;
export type SpaceId = (typeof SpaceId)[keyof typeof SpaceId];

export const spaceNames = ["initial", "handshake", "application_data"] as const;

/**
 * One packet number space: numbers, what has arrived, the handshake's bytes of its level, and its keys; those of 1-RTT
 * packets have a place of their own (`OneRttProtection`).
 */
export class Space {
  readonly id: SpaceId;
  received: ReceivedPackets;
  /** A client that begins anew in another version has other messages to send. */
  sender = new CryptoSender();
  receiver = new CryptoReceiver();
  /** Number of the next packet. */
  next = 0;
  read: Protection | undefined;
  write: Protection | undefined;
  /** Keys were here and are gone: what still comes is of no use. */
  isDiscarded = false;

  constructor(id: SpaceId, maxAckDelayMs: number) {
    this.id = id;
    this.received = new ReceivedPackets(maxAckDelayMs);
  }

  discard(): void {
    this.isDiscarded = true;
    this.read?.destroy();
    this.write?.destroy();
    this.read = this.write = undefined;
    if (this.id === SpaceId.application) return;
    this.sender = spent.sender;
    this.receiver = spent.receiver;
    this.received = spent.received;
  }
}

/** In the place of what served a handshake that is over, for all connections: without keys nothing is put into it. */
const spent = { sender: new CryptoSender(), receiver: new CryptoReceiver(), received: new ReceivedPackets(0) };
