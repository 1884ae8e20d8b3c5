import { DecodeError, Reader, utf8, Writer } from "../../../bytes/index.js";

/** The sixteen messages (RFC 6189 §5.1.1, Table 1). Each name stands in 8 octets, with spaces behind it. */
export const messageTypes = [
  "Hello",
  "HelloACK",
  "Commit",
  "DHPart1",
  "DHPart2",
  "Confirm1",
  "Confirm2",
  "Conf2ACK",
  "Error",
  "ErrorACK",
  "GoClear",
  "ClearACK",
  "SASrelay",
  "RelayACK",
  "Ping",
  "PingACK",
] as const;

export type MessageType = (typeof messageTypes)[number];

const preamble = 0x505a;
/** Octets of a hash image, of a ZID, of a truncated MAC (§9, §4.9, §8.1.1). */
export const imageSize = 32;
export const zidSize = 12;
export const macSize = 8;
export const typeSize = 8;

/** A message's octets: preamble, length in words, type, and what `fill` writes. */
export function frame(type: MessageType, fill: (writer: Writer) => void = () => {}): Uint8Array {
  const writer = new Writer()
    .u16(preamble)
    .u16(0)
    .put(utf8(type.padEnd(typeSize)));
  fill(writer);
  const bytes = writer.take();
  const words = bytes.length / 4;
  bytes[2] = words >>> 8;
  bytes[3] = words;
  return bytes;
}

/** Its type, if it is one of the sixteen and its length says how long it is; else undefined. */
export function typeOf(message: Uint8Array): MessageType | undefined {
  if (message.length < 4 + typeSize || ((message[0]! << 8) | message[1]!) !== preamble) return undefined;
  if (4 * ((message[2]! << 8) | message[3]!) !== message.length) return undefined;
  return types.get(text(message.subarray(4, 4 + typeSize)));
}

/** Reads what stands behind the type. */
export const body = (message: Uint8Array): Reader => {
  const reader = new Reader(message);
  reader.take(4 + typeSize);
  return reader;
};

/** Runs a decoder; undefined for what does not parse. */
export function decoded<Message>(message: Uint8Array, decode: (reader: Reader) => Message): Message | undefined {
  try {
    const reader = body(message);
    const read = decode(reader);
    reader.end();
    return read;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Octets as characters, one for each, so that nothing is lost. */
export function text(bytes: Uint8Array): string {
  let characters = "";
  for (const byte of bytes) characters += String.fromCharCode(byte);
  return characters;
}

/** A block of four characters. */
export const block = (name: string): Uint8Array => utf8(name.padEnd(4));

const types: ReadonlyMap<string, MessageType> = new Map(messageTypes.map((type) => [type.padEnd(typeSize), type]));
