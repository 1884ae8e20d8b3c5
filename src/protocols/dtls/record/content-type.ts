/** ContentType: RFC 9147 §4, of heartbeats RFC 6520 §6, of 1.2 with connection IDs RFC 9146 §4, and RFC 9853 §4. */
export const contentType = {
  changeCipherSpec: 20,
  alert: 21,
  handshake: 22,
  applicationData: 23,
  heartbeat: 24,
  tls12Cid: 25,
  ack: 26,
  returnRoutabilityCheck: 27,
} as const;

/** Bytes of DTLSPlaintext's header: type, version, epoch, sequence number, length. */
export const plainHeaderSize = 13;

/** Record versions: the first ClientHello may say 1.0, all else says 1.2 (RFC 9147 §4.1). */
export const recordVersion = 0xfefd;

/** Sequence numbers have 48 bits. */
export const sequenceMax = 2 ** 48 - 1;

/** Type, version, epoch, sequence number, length; a connection ID goes between the last two (RFC 9146 §4). */
export function writePlainHeader(
  bytes: Uint8Array,
  at: number,
  type: number,
  epoch: number,
  sequence: number,
  length: number,
  connectionId: Uint8Array = none,
): void {
  bytes[at] = type;
  bytes[at + 1] = recordVersion >> 8;
  bytes[at + 2] = recordVersion & 255;
  writeNumber(bytes, at + 3, epoch, sequence);
  for (let i = 0; i < connectionId.length; i++) bytes[at + 11 + i] = connectionId[i]!;
  const end = at + 11 + connectionId.length;
  bytes[end] = length >> 8;
  bytes[end + 1] = length & 255;
}

/** Epoch and sequence number as eight bytes. */
export function writeNumber(bytes: Uint8Array, at: number, epoch: number, sequence: number): void {
  bytes[at] = epoch >> 8;
  bytes[at + 1] = epoch & 255;
  const low = sequence % 0x1_0000_0000;
  const high = (sequence - low) / 0x1_0000_0000;
  bytes[at + 2] = high >> 8;
  bytes[at + 3] = high & 255;
  bytes[at + 4] = low >>> 24;
  bytes[at + 5] = (low >>> 16) & 255;
  bytes[at + 6] = (low >>> 8) & 255;
  bytes[at + 7] = low & 255;
}

export const readU16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

const readU32 = (bytes: Uint8Array, at: number): number => ((readU16(bytes, at) << 16) | readU16(bytes, at + 2)) >>> 0;

export const readSequence = (bytes: Uint8Array, at: number): number =>
  readU16(bytes, at) * 0x1_0000_0000 + readU32(bytes, at + 2);

const none = new Uint8Array(0);
