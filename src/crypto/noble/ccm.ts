import { cbc, ctr } from "@noble/ciphers/aes.js";
import { equalInConstantTime } from "../../contract/secret.js";
import type { StartMessage } from "./wrap.js";

/*
 * CCM (RFC 3610) with nonces of 12 bytes, so L = 3: AES-CBC-MAC over
 *
 *   B0 = flags nonce size | the size of the associated data, the data, zeros | the text, zeros
 *
 * and AES-CTR from A0 = 2 nonce 0: its first block hides the tag, the others the text.
 */
export function ccm(tagSize: 8 | 16): StartMessage {
  return (key, nonce, associated) => {
    const tagOf = (plain: Uint8Array): Uint8Array => {
      const blocks = authenticated(nonce, associated, plain, tagSize);
      return cbc(key, zeros, { disablePadding: true }).encrypt(blocks).subarray(-16);
    };
    /** Tag first, as A0 comes before A1. */
    const crypt = (tag: Uint8Array, text: Uint8Array): Uint8Array => {
      const both = new Uint8Array(16 + text.length);
      both.set(tag);
      both.set(text, 16);
      return ctr(key, counter(nonce)).encrypt(both);
    };
    return {
      encrypt(plain) {
        const both = crypt(tagOf(plain), plain);
        const sealed = new Uint8Array(plain.length + tagSize);
        sealed.set(both.subarray(16));
        sealed.set(both.subarray(0, tagSize), plain.length);
        return sealed;
      },
      decrypt(sealed) {
        const size = sealed.length - tagSize;
        const both = crypt(sealed.subarray(size), sealed.subarray(0, size));
        const plain = both.subarray(16);
        if (!equalInConstantTime(both.subarray(0, tagSize), tagOf(plain).subarray(0, tagSize))) return undefined;
        return plain;
      },
    };
  };
}

const zeros = new Uint8Array(16);

function counter(nonce: Uint8Array): Uint8Array {
  const block = new Uint8Array(16);
  block[0] = 2;
  block.set(nonce, 1);
  return block;
}

function authenticated(nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array, tagSize: number): Uint8Array {
  const { length } = associated;
  const prefixSize = length === 0 ? 0 : length < 0xff00 ? 2 : 6;
  const textAt = 16 + 16 * Math.ceil((prefixSize + length) / 16);
  const bytes = new Uint8Array(textAt + 16 * Math.ceil(plain.length / 16));
  const view = new DataView(bytes.buffer);
  bytes[0] = (length > 0 ? 0x40 : 0) | (((tagSize - 2) / 2) << 3) | 2;
  bytes.set(nonce, 1);
  bytes[13] = plain.length >> 16;
  view.setUint16(14, plain.length & 0xffff);
  if (prefixSize === 2) view.setUint16(16, length);
  if (prefixSize === 6) {
    view.setUint16(16, 0xfffe);
    view.setUint32(18, length);
  }
  bytes.set(associated, 16 + prefixSize);
  bytes.set(plain, textAt);
  return bytes;
}
