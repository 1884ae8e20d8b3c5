import { crc32 } from "node:zlib";
import { formatAddress, parseAddress } from "../../bytes/index.js";
import { type CryptoProvider, equalInConstantTime, type Secret, type SocketAddress } from "../../contract/index.js";
import { attributesMax, stunSizeMax } from "./limits.js";

/**
 * STUN messages (RFC 8489 §5), as far as ICE needs them.
 *
 * ```
 *   00 | method, class | length | 2112A442 | transaction ID, 12 bytes | attributes: type, length, value, padding
 * ```
 */
export const stunType = {
  bindingRequest: 0x0001,
  bindingIndication: 0x0011,
  bindingSuccess: 0x0101,
  bindingError: 0x0111,
} as const;

/** Attributes (RFC 8489 §18.3, RFC 8445 §16.1). */
export const stunAttribute = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  xorMappedAddress: 0x0020,
  priority: 0x0024,
  useCandidate: 0x0025,
  software: 0x8022,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
} as const;

const cookie = 0x2112a442;
const headerSize = 20;
const integritySize = 20;
/** FINGERPRINT is XORed with this, so that it is not taken for another protocol's CRC (§14.7). */
const fingerprintMask = 0x5354554e;

/** A message that parsed: its fields lie in `bytes`, which it does not copy. */
export interface StunMessage {
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly transaction: Uint8Array;
  /** Values by type, the first of each (§14); those behind MESSAGE-INTEGRITY but FINGERPRINT are not there (§14.5). */
  readonly attributes: ReadonlyMap<number, Uint8Array>;
  /** Where MESSAGE-INTEGRITY begins, if there is one. */
  readonly integrityAt: number | undefined;
}

/** Reads a message; undefined if it is none, is cut, or bears a wrong FINGERPRINT. */
export function parseStun(bytes: Uint8Array): StunMessage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < headerSize || bytes.length > stunSizeMax || bytes.length % 4 !== 0) return undefined;
  const type = view.getUint16(0);
  if (type >= 0x4000 || view.getUint16(2) !== bytes.length - headerSize || view.getUint32(4) !== cookie)
    return undefined;
  const attributes = new Map<number, Uint8Array>();
  let integrityAt: number | undefined;
  let count = 0;
  for (let at = headerSize; at < bytes.length; ) {
    if (at + 4 > bytes.length || ++count > attributesMax) return undefined;
    const attribute = view.getUint16(at);
    const size = view.getUint16(at + 2);
    const end = at + 4 + size;
    if (end > bytes.length) return undefined;
    if (attribute === stunAttribute.fingerprint) {
      // §14.7: it is the last one.
      if (size !== 4 || end !== bytes.length || view.getUint32(at + 4) !== fingerprintOf(bytes.subarray(0, at)))
        return undefined;
    }
    if (integrityAt === undefined || attribute === stunAttribute.fingerprint) {
      if (attribute === stunAttribute.messageIntegrity) {
        if (size !== integritySize) return undefined;
        integrityAt = at;
      }
      if (!attributes.has(attribute)) attributes.set(attribute, bytes.subarray(at + 4, end));
    }
    at = (end + 3) & ~3;
  }
  return { bytes, type, transaction: bytes.subarray(8, headerSize), attributes, integrityAt };
}

/** Is the message authentic under a key: the password, in short-term credentials (§9.1, §14.5)? */
export function verifyStun(crypto: CryptoProvider, message: StunMessage, key: Secret): boolean {
  const { bytes, integrityAt, attributes } = message;
  const shown = attributes.get(stunAttribute.messageIntegrity);
  if (integrityAt === undefined || shown === undefined) return false;
  const covered = bytes.slice(0, integrityAt);
  putU16(covered, 2, integrityAt - headerSize + 4 + integritySize);
  return equalInConstantTime(hmac(crypto, key, covered), shown);
}

/** An attribute to be written: its type and value. */
export type StunField = readonly [type: number, value: Uint8Array];

/** Writes a message, with MESSAGE-INTEGRITY under `key` if there is one, and FINGERPRINT. */
export function writeStun(
  crypto: CryptoProvider,
  type: number,
  transaction: Uint8Array,
  fields: readonly StunField[],
  key?: Secret,
): Uint8Array {
  const body = fields.reduce((size, [, value]) => size + 4 + ((value.length + 3) & ~3), 0);
  const bytes = new Uint8Array(headerSize + body + (key ? 4 + integritySize : 0) + 8);
  putU16(bytes, 0, type);
  putU32(bytes, 4, cookie);
  bytes.set(transaction, 8);
  let at = headerSize;
  const put = (attribute: number, value: Uint8Array): void => {
    putU16(bytes, at, attribute);
    putU16(bytes, at + 2, value.length);
    bytes.set(value, at + 4);
    at += 4 + ((value.length + 3) & ~3);
  };
  for (const [attribute, value] of fields) put(attribute, value);
  if (key) {
    putU16(bytes, 2, at - headerSize + 4 + integritySize);
    put(stunAttribute.messageIntegrity, hmac(crypto, key, bytes.subarray(0, at)));
  }
  putU16(bytes, 2, at - headerSize + 8);
  const check = new Uint8Array(4);
  putU32(check, 0, fingerprintOf(bytes.subarray(0, at)));
  put(stunAttribute.fingerprint, check);
  return bytes;
}

/** The value of XOR-MAPPED-ADDRESS (§14.2). */
export function xorMappedAddress({ address, port }: SocketAddress, transaction: Uint8Array): Uint8Array {
  const raw = parseAddress(address)!;
  const value = new Uint8Array(4 + raw.length);
  value[1] = raw.length === 4 ? 1 : 2;
  putU16(value, 2, port ^ (cookie >>> 16));
  value.set(xored(raw, transaction), 4);
  return value;
}

/** And back; undefined if it is none. */
export function readXorMappedAddress(value: Uint8Array, transaction: Uint8Array): SocketAddress | undefined {
  if (!(value[1] === 1 && value.length === 8) && !(value[1] === 2 && value.length === 20)) return undefined;
  const port = ((value[2]! << 8) | value[3]!) ^ (cookie >>> 16);
  return { address: formatAddress(xored(value.subarray(4), transaction)), port };
}

/** The value of ERROR-CODE (§14.8). */
export function errorCode(code: number, reason: string): Uint8Array {
  return Uint8Array.of(0, 0, Math.floor(code / 100), code % 100, ...new TextEncoder().encode(reason));
}

function xored(raw: Uint8Array, transaction: Uint8Array): Uint8Array {
  const mask = new Uint8Array(16);
  putU32(mask, 0, cookie);
  mask.set(transaction, 4);
  return raw.map((byte, i) => byte ^ mask[i]!);
}

const fingerprintOf = (bytes: Uint8Array): number => (crc32(bytes) ^ fingerprintMask) >>> 0;

function hmac(crypto: CryptoProvider, key: Secret, bytes: Uint8Array): Uint8Array {
  const mac = crypto.hash("SHA-1").hmac(key.expose());
  const tag = mac.compute(bytes);
  mac.destroy();
  return tag;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  putU16(bytes, at, value >>> 16);
  putU16(bytes, at + 2, value);
}
