import { concat, varintAt, varintSpan } from "../../../src/bytes/index.js";
import {
  initialProtection,
  readPacketNumber,
  unprotectHeader,
} from "../../../src/protocols/quic/protection/protection.js";
import { versions } from "../../../src/protocols/quic/protection/versions.js";
import { HeaderView } from "../../../src/protocols/quic/wire/header.js";
import { provider } from "../../support/provider.js";
import type { Datagram } from "./duel.js";
import { frame, seal } from "./forger.js";

/** The first flight of a client, taken apart: its ClientHello and its ids. Anybody on the path can do this. */
export interface FirstFlight {
  readonly hello: Uint8Array;
  readonly dcid: Uint8Array;
  readonly scid: Uint8Array;
}

export function readFirstFlight(datagrams: readonly Datagram[]): FirstFlight {
  const header = new HeaderView();
  const pieces = new Map<number, Uint8Array>();
  let dcid = new Uint8Array(0);
  let scid = dcid;
  for (const { bytes: sent } of datagrams) {
    const bytes = sent.slice();
    header.read(bytes, 0, bytes.length, 0);
    dcid = bytes.slice(header.dcidAt, header.dcidAt + header.dcidSize);
    scid = bytes.slice(header.scidAt, header.scidAt + header.scidSize);
    const { read, write } = initialProtection(provider, versions["1"], dcid, "server");
    const size = unprotectHeader(read.header, bytes, 0, header.bodyAt, header.end);
    const number = readPacketNumber(bytes, header.bodyAt, size, 0);
    const payload = header.bodyAt + size;
    if (!read.packet.open(bytes, 0, payload, header.end, number)) throw new Error("it does not open");
    collect(bytes.subarray(payload, header.end - 16), pieces);
    read.destroy();
    write.destroy();
  }
  const offsets = [...pieces.keys()].sort((a, b) => a - b);
  return { hello: concat(...offsets.map((offset) => pieces.get(offset)!)), dcid, scid };
}

/** The same flight with another ClientHello. */
export function writeFirstFlight({ hello, dcid, scid }: FirstFlight, like: Datagram): Datagram[] {
  const { read, write } = initialProtection(provider, versions["1"], dcid, "client");
  const out: Datagram[] = [];
  for (let at = 0; at < hello.length; at += 1_000) {
    const piece = hello.subarray(at, at + 1_000);
    const frames = frame(6, at, piece.length, piece);
    const padded = concat(frames, new Uint8Array(Math.max(0, 1_180 - frames.length)));
    out.push({ ...like, bytes: seal(write, "initial", dcid, scid, padded, { number: out.length }) });
  }
  read.destroy();
  write.destroy();
  return out;
}

/** A ClientHello whose quic_transport_parameters are these; without, if undefined (RFC 9001 §8.2). */
export function withParameters(hello: Uint8Array, parameters: Uint8Array | undefined): Uint8Array {
  // RFC 8446 §4.1.2: type and length, version, random, session id, suites, compression, extensions.
  let at = 4 + 2 + 32;
  at += 1 + hello[at]!;
  at += 2 + u16(hello, at);
  at += 1 + hello[at]!;
  const start = at;
  const kept: Uint8Array[] = [];
  let found = false;
  for (at += 2; at < hello.length; ) {
    const end = at + 4 + u16(hello, at + 2);
    if (u16(hello, at) !== 0x39) kept.push(hello.subarray(at, end));
    else found = true;
    at = end;
  }
  if (!found) throw new Error("it has no transport parameters");
  const ours = parameters === undefined ? [] : [concat(two(0x39), two(parameters.length), parameters)];
  // pre_shared_key would have to stay last; a first connection has none.
  const extensions = concat(...kept, ...ours);
  const body = concat(hello.subarray(4, start), two(extensions.length), extensions);
  return concat(Uint8Array.of(1, body.length >> 16, body.length >> 8, body.length), body);
}

function collect(frames: Uint8Array, pieces: Map<number, Uint8Array>): void {
  for (let at = 0; at < frames.length; ) {
    const type = frames[at++];
    if (type !== 6) continue;
    const offset = varintAt(frames, at, frames.length);
    at += varintSpan(frames[at]!);
    const size = varintAt(frames, at, frames.length);
    at += varintSpan(frames[at]!);
    pieces.set(offset, frames.slice(at, at + size));
    at += size;
  }
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
const two = (value: number): Uint8Array => Uint8Array.of(value >> 8, value);
