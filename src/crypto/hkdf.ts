import type { Hash, Mac } from "../contract/crypto.js";
import { misuse } from "./failure.js";
import { hkdfBlocksMax } from "./limits.js";

/** HKDF-Extract (RFC 5869 §2.2): a pseudorandom key out of input keying material. An empty salt counts as zeros. */
export function extract(hash: Hash, salt: Uint8Array, keyingMaterial: Uint8Array): Uint8Array {
  const mac = hash.hmac(salt);
  const key = mac.compute(keyingMaterial);
  mac.destroy();
  return key;
}

/** HKDF-Expand (RFC 5869 §2.3): `size` bytes bound to `info`, at most 255 digests. */
export function expand(hash: Hash, pseudorandomKey: Uint8Array, info: Uint8Array, size: number): Uint8Array {
  const mac = hash.hmac(pseudorandomKey);
  const bytes = expandWith(mac, info, size);
  mac.destroy();
  return bytes;
}

/** The same with a key whose Mac is kept, for key schedules that expand one key many times. */
export function expandWith(mac: Mac, info: Uint8Array, size: number): Uint8Array {
  const blocks = Math.ceil(size / mac.size);
  if (!(blocks <= hkdfBlocksMax && size >= 0)) throw misuse("too-long", `HKDF cannot give ${size} bytes`);
  if (blocks === 1) {
    const block = mac.compute(info, first);
    return size === block.length ? block : block.slice(0, size);
  }
  const bytes = new Uint8Array(size);
  let block: Uint8Array = none;
  for (let i = 0; i < blocks; i++) {
    block = mac.compute(block, info, Uint8Array.of(i + 1));
    const at = i * mac.size;
    bytes.set(size - at < block.length ? block.subarray(0, size - at) : block, at);
  }
  return bytes;
}

const none = new Uint8Array(0);
const first = Uint8Array.of(1);
