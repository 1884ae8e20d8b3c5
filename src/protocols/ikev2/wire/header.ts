import { DecodeError, Reader, Writer } from "../../../bytes/index.js";

/** The IKE header without its length, which is the datagram's (RFC 7296 §3.1). */
export interface Header {
  /** 8 bytes each. The responder's is zero in the first message. */
  readonly spiInitiator: Uint8Array;
  readonly spiResponder: Uint8Array;
  readonly nextPayload: number;
  readonly exchange: number;
  /** Was it sent by who began the IKE SA? */
  readonly isInitiator: boolean;
  readonly isResponse: boolean;
  readonly messageId: number;
}

export const headerSize = 28;
export const spiSize = 8;

const initiatorFlag = 0x08;
const responseFlag = 0x20;
const majorVersion = 2;

/** Throws DecodeError for another major version, and unless the length is that of the bytes. */
export function readHeader(bytes: Uint8Array): Header {
  const from = new Reader(bytes);
  const spiInitiator = from.take(spiSize);
  const spiResponder = from.take(spiSize);
  const nextPayload = from.u8();
  const version = from.u8();
  if (version >> 4 !== majorVersion) throw new DecodeError(`IKE version ${version >> 4}`);
  const exchange = from.u8();
  const flags = from.u8();
  const messageId = from.u32();
  const length = from.u32();
  if (length !== bytes.length) throw new DecodeError(`a length of ${length} in a datagram of ${bytes.length}`);
  if (spiInitiator.every((byte) => byte === 0)) throw new DecodeError("an initiator's SPI of zero");
  return {
    spiInitiator,
    spiResponder,
    nextPayload,
    exchange,
    isInitiator: (flags & initiatorFlag) !== 0,
    isResponse: (flags & responseFlag) !== 0,
    messageId,
  };
}

/** @param length of the whole message in bytes */
export function writeHeader(to: Writer, header: Header, length: number): void {
  const { spiInitiator, spiResponder, nextPayload, exchange, isInitiator, isResponse, messageId } = header;
  to.put(spiInitiator)
    .put(spiResponder)
    .u8(nextPayload)
    .u8(majorVersion << 4)
    .u8(exchange);
  to.u8((isInitiator ? initiatorFlag : 0) | (isResponse ? responseFlag : 0));
  to.u32(messageId).u32(length);
}

/** A whole message whose payloads are in the clear. */
export function clearMessage(header: Header, payloads: Uint8Array): Uint8Array {
  const to = new Writer(headerSize + payloads.length);
  writeHeader(to, header, headerSize + payloads.length);
  return to.put(payloads).take();
}

/** Four zero bytes stand in front of IKE messages where ESP shares the port (RFC 3948 §2.2). */
export const markerSize = 4;

/** Does it begin with the Non-ESP Marker? No SPI of ESP does. */
export const isMarked = (bytes: Uint8Array): boolean =>
  bytes.length >= markerSize + headerSize && bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0;
