import { nameSize } from "./packets.js";

const labelMax = 63;
const encodedMax = 255;

/**
 * A server's name as an Initiate packet bears it: DNS's wire form, padded with zeros to 256 bytes. The empty name is the
 * root. Undefined for what is no name: an empty or long label, more than 255 bytes, letters beyond ASCII.
 */
export function encodeServerName(name: string): Uint8Array | undefined {
  const encoded = new Uint8Array(nameSize);
  let at = 0;
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  if (bare === "") return encoded;
  for (const label of bare.split(".")) {
    if (label.length === 0 || label.length > labelMax || at + 1 + label.length + 1 > encodedMax) return undefined;
    encoded[at++] = label.length;
    for (let i = 0; i < label.length; i++) {
      const letter = label.charCodeAt(i);
      if (letter > 0x7e || letter < 0x21) return undefined;
      encoded[at++] = letter;
    }
  }
  return encoded;
}

/** The name in 256 bytes, without its last dot; undefined if they hold none. */
export function decodeServerName(encoded: Uint8Array): string | undefined {
  if (encoded.length !== nameSize) return undefined;
  const labels: string[] = [];
  let at = 0;
  for (;;) {
    const length = encoded[at++]!;
    if (length === 0) break;
    if (length > labelMax || at + length + 1 > encodedMax) return undefined;
    let label = "";
    for (let i = 0; i < length; i++) {
      const letter = encoded[at++]!;
      if (letter > 0x7e || letter < 0x21 || letter === 0x2e) return undefined;
      label += String.fromCharCode(letter);
    }
    labels.push(label);
  }
  for (; at < nameSize; at++) if (encoded[at] !== 0) return undefined;
  return labels.join(".");
}
