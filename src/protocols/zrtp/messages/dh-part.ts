import type { Reader } from "../../../bytes/index.js";
import { decoded, frame, imageSize, macSize } from "./frame.js";

/** The hashes by which both sides see which secrets they share (RFC 6189 §4.3.1). */
export interface SecretIds {
  readonly rs1: Uint8Array;
  readonly rs2: Uint8Array;
  readonly auxiliary: Uint8Array;
  readonly pbx: Uint8Array;
}

export const idSize = 8;

/** §5.5 and §5.6, Figures 8 and 9. */
export interface DhPartMessage {
  readonly h1: Uint8Array;
  readonly ids: SecretIds;
  readonly value: Uint8Array;
  readonly mac: Uint8Array;
}

/** The message without its MAC. */
export function encodeDhPart(
  type: "DHPart1" | "DHPart2",
  h1: Uint8Array,
  ids: SecretIds,
  value: Uint8Array,
): Uint8Array {
  return frame(type, (writer) => {
    writer.put(h1).put(ids.rs1).put(ids.rs2).put(ids.auxiliary).put(ids.pbx).put(value).put(new Uint8Array(macSize));
  });
}

/** `valueSize` is that of the key agreement that was committed to. */
export const decodeDhPart = (message: Uint8Array, valueSize: number): DhPartMessage | undefined =>
  decoded(message, (reader: Reader) => ({
    h1: reader.take(imageSize),
    ids: {
      rs1: reader.take(idSize),
      rs2: reader.take(idSize),
      auxiliary: reader.take(idSize),
      pbx: reader.take(idSize),
    },
    value: reader.take(valueSize),
    mac: reader.take(macSize),
  }));
