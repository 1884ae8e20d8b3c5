import { DecodeError, Reader, Writer } from "../../../bytes/index.js";
import type { KeyedCipher } from "../../../contract/index.js";
import { decoded, frame, imageSize, macSize, text } from "./frame.js";

const ivSize = 16;

export interface ConfirmFlags {
  /** E: a PBX asks to be enrolled as a trusted man in the middle (RFC 6189 §7.3.1). */
  readonly enrollment: boolean;
  /** V: the user compared the words in an earlier session (§7.1). */
  readonly verified: boolean;
  /** A: GoClear is accepted (§4.7.2). */
  readonly allowClear: boolean;
  /** D: the session's key is disclosed to others (§11). */
  readonly disclosure: boolean;
}

/** A signature of the SAS as it came: nobody has verified it (§7.2). */
export interface SignatureBlock {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** What a Confirm encrypts (§5.7, Figure 10). */
export interface Confirmation {
  readonly h0: Uint8Array;
  readonly flags: ConfirmFlags;
  /** Seconds that the new retained secret is to be kept (§4.9). */
  readonly expiration: number;
  readonly signature: SignatureBlock | undefined;
}

/** What a PBX relays (§5.13, Figure 16). */
export interface RelayedSas {
  readonly flags: ConfirmFlags;
  readonly type: string;
  readonly sashash: Uint8Array;
}

/** Both lie behind a MAC and a CFB initialization vector, and are decrypted only once the MAC was right. */
export interface Sealed {
  readonly mac: Uint8Array;
  readonly iv: Uint8Array;
  readonly sealed: Uint8Array;
}

export type Sealing = (encrypted: Uint8Array) => Uint8Array;

/** Encrypts, computes the MAC over what came of it, and puts both into a message. */
export function encodeConfirm(
  type: "Confirm1" | "Confirm2",
  { h0, flags, expiration }: Omit<Confirmation, "signature">,
  cipher: KeyedCipher,
  iv: Uint8Array,
  mac: Sealing,
): Uint8Array {
  const inner = new Writer().put(h0).u24(0).u8(octetOf(flags)).u32(expiration).take();
  cipher.apply(inner, 0, inner.length, iv);
  return frame(type, (writer) => writer.put(mac(inner).subarray(0, macSize)).put(iv).put(inner));
}

export const decodeSealed = (message: Uint8Array): Sealed | undefined =>
  decoded(message, (reader) => ({ mac: reader.take(macSize), iv: reader.take(ivSize), sealed: reader.rest() }));

export function openConfirm({ iv, sealed }: Sealed, cipher: KeyedCipher): Confirmation | undefined {
  return opened(iv, sealed, cipher, (reader) => {
    const h0 = reader.take(imageSize);
    const word = reader.u32();
    const expiration = reader.u32();
    return { h0, flags: flagsOf(word & 0xff), expiration, signature: signature(reader, (word >>> 8) & 0x1ff) };
  });
}

export function openRelay({ iv, sealed }: Sealed, cipher: KeyedCipher): RelayedSas | undefined {
  return opened(iv, sealed, cipher, (reader) => {
    const word = reader.u32();
    const type = text(reader.take(4));
    const sashash = reader.take(imageSize);
    signature(reader, (word >>> 8) & 0x1ff);
    return { flags: flagsOf(word & 0xff), type, sashash };
  });
}

function opened<Inner>(
  iv: Uint8Array,
  sealed: Uint8Array,
  cipher: KeyedCipher,
  read: (reader: Reader) => Inner,
): Inner | undefined {
  const plain = sealed.slice();
  cipher.apply(plain, 0, plain.length, iv);
  try {
    const reader = new Reader(plain);
    const inner = read(reader);
    reader.end();
    return inner;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The length counts words, that of the type among them. */
function signature(reader: Reader, words: number): SignatureBlock | undefined {
  if (words === 0) return undefined;
  return { type: text(reader.take(4)), bytes: reader.take(4 * (words - 1)) };
}

/** §4.6. */
const octetOf = ({ enrollment, verified, allowClear, disclosure }: ConfirmFlags): number =>
  (enrollment ? 8 : 0) | (verified ? 4 : 0) | (allowClear ? 2 : 0) | (disclosure ? 1 : 0);

/** §7.3.1: who enrolls does not allow to go clear, whatever its flag says. */
const flagsOf = (octet: number): ConfirmFlags => ({
  enrollment: (octet & 8) !== 0,
  verified: (octet & 4) !== 0,
  allowClear: (octet & 2) !== 0 && (octet & 8) === 0,
  disclosure: (octet & 1) !== 0,
});
