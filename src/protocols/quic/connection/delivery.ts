import type { Instant } from "../../../contract/index.js";
import type { SentContents } from "../../../mechanisms/recovery/index.js";
import { Held } from "../contents.js";
import { PacketType } from "../protection/versions.js";
import type { Core } from "./core.js";
import type { SpaceId } from "./space.js";

/** What our packets hold beside what the parts write themselves (`Held`). */
export const HeldHere = {
  /** to: the size of a packet that looks for a larger MTU. */
  mtuProbe: 32,
} as const;

/** Tells each part what became of what it had sent (RFC 9000 §13.3). */
export class Delivery implements SentContents {
  core!: Core;

  acknowledged(space: SpaceId, kind: number, id: number, from: number, to: number): void {
    const { core } = this;
    if (isOfStreams(kind)) core.streams.acknowledged(kind, id, from, to);
    else if (kind === Held.crypto) core.spaces[space].sender.acknowledged(from, to);
    else if (kind === Held.ack) core.spaces[space].received.confirmedBelow(to);
    else if (kind === Held.retireConnectionId) core.peerCids.acknowledged(id);
    else if (kind === Held.datagram) core.datagrams.acknowledged(id);
    else if (kind === HeldHere.mtuProbe) core.mtu.acknowledged(to);
  }

  lost(space: SpaceId, kind: number, id: number, from: number, to: number): void {
    const { core } = this;
    if (isOfStreams(kind)) core.streams.lost(kind, id, from, to);
    else if (kind === Held.crypto) core.spaces[space].sender.lost(from, to);
    else if (kind === Held.newConnectionId) core.ownCids.lost(id);
    else if (kind === Held.retireConnectionId) core.peerCids.lost(id);
    else if (kind === Held.datagram) core.datagrams.lost(id);
    else if (kind === Held.newToken) core.newToken = core.lastToken;
    else if (kind === Held.handshakeDone) core.handshakeDoneWanted = true;
    else if (kind === HeldHere.mtuProbe) core.mtu.probeLost(to);
  }

  packetLost(space: SpaceId, number: number, now: Instant): void {
    this.core.tracer?.lost(packetTypes[space], number, now);
  }
}

const packetTypes = [PacketType.initial, PacketType.handshake, PacketType.oneRtt] as const;

/** Those kinds stand together in `Held`. */
const isOfStreams = (kind: number): boolean => kind >= Held.stream && kind <= Held.streamsBlockedUni;
