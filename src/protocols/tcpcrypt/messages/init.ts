import { Reader, Writer } from "../../../bytes/index.js";
import { agreements } from "../../../crypto/algorithms.js";
import { compressPoint, decompressPoint } from "../../../crypto/index.js";
import { nonceSize, type Tep } from "../parameters.js";

/** RFC 8548 §4.3. */
export const initMagic = { init1: 0x15101a0e, init2: 0x097105e0 } as const;

/** Magic number and length, from which the size of either message follows. */
export const initHeaderSize = 8;

/** Init1 (RFC 8548 §4.1): A's ciphers, nonce and public key. */
export interface Init1 {
  readonly ciphers: readonly number[];
  readonly nonce: Uint8Array;
  /** As the key agreement has it: the share of Curve25519 and Curve448, an uncompressed point of the others. */
  readonly share: Uint8Array;
}

/** Init2: the cipher that B chose, B's nonce and public key. */
export interface Init2 {
  readonly cipher: number;
  readonly nonce: Uint8Array;
  readonly share: Uint8Array;
}

export const writeInit1 = (tep: Tep, { ciphers, nonce, share }: Init1): Uint8Array =>
  message(initMagic.init1, (writer) => {
    writer.u8(ciphers.length);
    for (const id of ciphers) writer.u16(id);
    writer.put(nonce);
    writePublicKey(writer, tep, share);
  });

export const writeInit2 = (tep: Tep, { cipher, nonce, share }: Init2): Uint8Array =>
  message(initMagic.init2, (writer) => {
    writer.u16(cipher).put(nonce);
    writePublicKey(writer, tep, share);
  });

/** Reads a whole Init1; what stands behind the key is ignored (§4.1). Throws DecodeError; a key off the curve is undefined. */
export function readInit1(bytes: Uint8Array, tep: Tep): Omit<Init1, "share"> & { share: Uint8Array | undefined } {
  const reader = new Reader(bytes);
  reader.take(initHeaderSize);
  const ciphers: number[] = [];
  for (let left = reader.u8(); left > 0; left--) ciphers.push(reader.u16());
  return { ciphers, nonce: reader.take(nonceSize).slice(), share: readPublicKey(reader, tep) };
}

/** Reads a whole Init2, in the same way. */
export function readInit2(bytes: Uint8Array, tep: Tep): Omit<Init2, "share"> & { share: Uint8Array | undefined } {
  const reader = new Reader(bytes);
  reader.take(initHeaderSize);
  return { cipher: reader.u16(), nonce: reader.take(nonceSize).slice(), share: readPublicKey(reader, tep) };
}

function message(magic: number, body: (writer: Writer) => void): Uint8Array {
  const writer = new Writer();
  writer.u32(magic).u32(0);
  body(writer);
  const bytes = writer.view().slice();
  new DataView(bytes.buffer).setUint32(4, bytes.length);
  return bytes;
}

/** §5: the length before a point counts its own two bytes, as the drawing there has it. */
function writePublicKey(writer: Writer, tep: Tep, share: Uint8Array): void {
  if (tep.curve === undefined) writer.put(share);
  else {
    const point = compressPoint(share);
    writer.u16(2 + point.length).put(point);
  }
}

function readPublicKey(reader: Reader, tep: Tep): Uint8Array | undefined {
  if (tep.curve === undefined) return reader.take(agreements[tep.agreement].initiatorShareSize).slice();
  const size = reader.u16() - 2;
  return decompressPoint(tep.curve, reader.take(Math.max(0, size)));
}
