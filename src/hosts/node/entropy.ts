import { randomFillSync } from "node:crypto";
import type { Entropy } from "../../contract/crypto.js";

const poolSize = 4096;
const pool = new Uint8Array(poolSize);
let used = poolSize;

/** The operating system's randomness through OpenSSL, drawn in larger portions: most wishes are for 32 bytes. */
export const nodeEntropy: Entropy = {
  fill(into) {
    if (into.length > poolSize / 8) return randomFillSync(into);
    if (used + into.length > poolSize) {
      randomFillSync(pool);
      used = 0;
    }
    const end = used + into.length;
    into.set(pool.subarray(used, end));
    pool.fill(0, used, end); // What was given away is not kept.
    used = end;
    return into;
  },
};
