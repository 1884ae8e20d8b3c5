import { finish, fold, pseudoHeaderSum, sum } from "../../bytes/checksum.js";
import { putU16, putU32, u32, writeHeader } from "../ip/header.js";
import { Protocol } from "../ip/protocols.js";
import { icmpv4QuoteMax, ipv6MtuMin } from "../limits.js";

/** What ICMP can say to us, by meaning: its types and codes differ between the versions (RFC 792, RFC 4443). */
export type IcmpMeaning =
  | "echo-request"
  | "echo-reply"
  | "network-unreachable"
  | "host-unreachable"
  | "port-unreachable"
  | "prohibited"
  | "too-big"
  | "time-exceeded"
  | "parameter-problem";

const errors4: Readonly<Record<number, readonly (IcmpMeaning | undefined)[]>> = {
  3: [
    "network-unreachable",
    "host-unreachable",
    "host-unreachable",
    "port-unreachable",
    "too-big",
    "host-unreachable",
    "network-unreachable",
    "host-unreachable",
    "host-unreachable",
    "prohibited",
    "prohibited",
    "network-unreachable",
    "host-unreachable",
    "prohibited",
  ],
  11: ["time-exceeded", "time-exceeded"],
  12: ["parameter-problem", "parameter-problem", "parameter-problem"],
};

const errors6: Readonly<Record<number, readonly (IcmpMeaning | undefined)[]>> = {
  1: ["network-unreachable", "prohibited", "host-unreachable", "host-unreachable", "port-unreachable", "prohibited"],
  2: ["too-big"],
  3: ["time-exceeded", "time-exceeded"],
  4: ["parameter-problem", "parameter-problem", "parameter-problem"],
};

/** Types and codes of what we say. */
const sent = {
  4: {
    "echo-request": [8, 0],
    "echo-reply": [0, 0],
    "host-unreachable": [3, 1],
    "port-unreachable": [3, 3],
    "parameter-problem": [12, 0],
  },
  6: {
    "echo-request": [128, 0],
    "echo-reply": [129, 0],
    "host-unreachable": [1, 3],
    "port-unreachable": [1, 4],
    "parameter-problem": [4, 2],
  },
} as const;

export interface IcmpMessage {
  readonly meaning: IcmpMeaning;
  /** The second word: echo's identifier and sequence, a packet-too-big's MTU. */
  readonly word: number;
  /** Echo data, or the start of the packet that the error is about. */
  readonly body: Uint8Array;
}

/** Reads an ICMP message; undefined if it is malformed or says nothing to us. */
export function readIcmp(
  version: 4 | 6,
  bytes: Uint8Array,
  at: number,
  end: number,
  source: Uint8Array,
  destination: Uint8Array,
): IcmpMessage | undefined {
  if (end - at < 8) return undefined;
  const pseudo = version === 6 ? pseudoHeaderSum(source, destination, Protocol.icmpv6, end - at) : 0;
  if (fold(pseudo + sum(bytes, at, end - at)) !== 0xffff) return undefined;
  const [type, code] = [bytes[at]!, bytes[at + 1]!];
  const echo = version === 4 ? { 8: "echo-request", 0: "echo-reply" } : { 128: "echo-request", 129: "echo-reply" };
  const meaning = (echo as Record<number, IcmpMeaning>)[type] ?? (version === 4 ? errors4 : errors6)[type]?.[code];
  if (meaning === undefined) return undefined;
  const word = version === 4 && meaning === "too-big" ? u32(bytes, at + 4) & 0xffff : u32(bytes, at + 4);
  return { meaning, word, body: bytes.subarray(at + 8, end) };
}

/** Makes a whole packet with an ICMP message; an error quotes as much of `body` as it may. */
export function writeIcmp(
  meaning: keyof (typeof sent)[4],
  word: number,
  body: Uint8Array,
  source: Uint8Array,
  destination: Uint8Array,
): Uint8Array {
  const version = source.length === 4 ? 4 : 6;
  const isEcho = meaning === "echo-request" || meaning === "echo-reply";
  const quoteMax = version === 4 ? icmpv4QuoteMax : ipv6MtuMin - 48;
  const quote = isEcho ? body : body.subarray(0, quoteMax);
  const headerSize = version === 4 ? 20 : 40;
  const size = 8 + quote.length;
  const packet = new Uint8Array(headerSize + size);
  const protocol = version === 4 ? Protocol.icmp : Protocol.icmpv6;
  writeHeader(packet, 0, source, destination, protocol, size, 0, 0, 0);
  const [type, code] = sent[version][meaning];
  packet[headerSize] = type;
  packet[headerSize + 1] = code;
  putU32(packet, headerSize + 4, word);
  packet.set(quote, headerSize + 8);
  const pseudo = version === 6 ? pseudoHeaderSum(source, destination, protocol, size) : 0;
  putU16(packet, headerSize + 2, finish(pseudo + sum(packet, headerSize, size)));
  return packet;
}
