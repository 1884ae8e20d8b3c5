import { refuse } from "../failure.js";
import { fromLe, le, type Message, required } from "../messages/message.js";
import { Tag, tagText } from "../messages/tags.js";
import type { Settings } from "../settings.js";
import type { StreamLimits } from "../streams/table.js";

/** What a hello of either side says of its sender. */
export interface PeerParameters {
  readonly limits: StreamLimits;
  readonly idleTimeoutMs: number;
  /** The connection id is to be left out of packets to it (TCID 0). */
  readonly omitCid: boolean;
}

/** The least windows that a peer may state; less counts as so much (as Chromium has it). */
const windowMin = 16_384;
const idleMaxMs = 600_000;

export function putParameters(values: Map<number, Uint8Array>, settings: Settings): void {
  values.set(Tag.ICSL, le(Math.ceil(settings.idleTimeoutMs / 1000), 4));
  values.set(Tag.MIDS, le(settings.peerStreams, 4));
  values.set(Tag.CFCW, le(settings.receiveWindow, 4));
  values.set(Tag.SFCW, le(settings.streamReceiveWindow, 4));
}

export function readParameters(message: Message): PeerParameters {
  const number = (tag: number): number => fromLe(required(message, tag, 4));
  const idle = number(Tag.ICSL) * 1000;
  if (idle === 0) refuse("wrong-parameter", tagText(message.tag), "ICSL is 0");
  const tcid = message.values.get(Tag.TCID);
  return {
    limits: {
      connectionWindow: Math.max(windowMin, number(Tag.CFCW)),
      streamWindow: Math.max(windowMin, number(Tag.SFCW)),
      streams: number(Tag.MIDS),
    },
    idleTimeoutMs: Math.min(idle, idleMaxMs),
    omitCid: tcid?.length === 4 && fromLe(tcid) === 0,
  };
}

export const ownLimits = (settings: Settings): StreamLimits => ({
  connectionWindow: settings.receiveWindow,
  streamWindow: settings.streamReceiveWindow,
  streams: settings.peerStreams,
});
