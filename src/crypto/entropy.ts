import { chacha20 } from "@noble/ciphers/chacha.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Entropy } from "../contract/crypto.js";
import { misuse } from "./failure.js";

/**
 * Entropy for the simulator and for tests: the ChaCha20 key stream of a seed, so that the same seed gives the same
 * bytes, whatever the sizes of the requests. Never for real keys.
 */
export function seededEntropy(seed: number | string | Uint8Array): Entropy {
  const material = typeof seed === "object" ? seed : new TextEncoder().encode(String(seed));
  const key = sha256(material);
  const nonce = new Uint8Array(12);
  const stream = new Uint8Array(streamSize);
  let used = streamSize;
  let block = 0;
  return {
    fill(into) {
      for (let at = 0; at < into.length; ) {
        if (used === streamSize) {
          if (block > 0xffff_ffff) throw misuse("used-up", "a seed gives no more than 256 GiB");
          stream.fill(0);
          chacha20(key, nonce, stream, stream, block);
          block += streamSize / 64;
          used = 0;
        }
        const size = Math.min(into.length - at, streamSize - used);
        into.set(stream.subarray(used, used + size), at);
        used += size;
        at += size;
      }
      return into;
    },
  };
}

const streamSize = 1024;
