import { body, decoded, frame, macSize } from "./frame.js";

/** A GoClear's clear_mac (RFC 6189 §5.11). */
export const decodeGoClear = (message: Uint8Array): Uint8Array | undefined =>
  decoded(message, (reader) => reader.take(macSize));

/** An Error's code (§5.9). */
export const decodeError = (message: Uint8Array): number | undefined => decoded(message, (reader) => reader.u32());

export const encodeError = (code: number): Uint8Array => frame("Error", (writer) => writer.u32(code));

/** Is it nothing but its type, as acknowledgements are? */
export const isBare = (message: Uint8Array): boolean => body(message).left === 0;
