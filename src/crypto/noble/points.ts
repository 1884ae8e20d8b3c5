import { p256, p384, p521 } from "@noble/curves/nist.js";
import { type CurveName, curves } from "../algorithms.js";

const nist = { "P-256": p256, "P-384": p384, "P-521": p521 } as const;

/** The compressed form (SEC 1 §2.3.3, IEEE 1363 §E.2.3) of an uncompressed point, which is not checked. */
export function compressPoint(point: Uint8Array): Uint8Array {
  const size = (point.length - 1) / 2;
  const compressed = point.slice(0, 1 + size);
  compressed[0] = 2 | (point[2 * size]! & 1);
  return compressed;
}

/** The uncompressed form of a compressed point; undefined if it is not one of the curve's (SEC 1 §2.3.4, IEEE 1363 §A.16.10). */
export function decompressPoint(name: CurveName, compressed: Uint8Array): Uint8Array | undefined {
  const form = compressed[0];
  if (compressed.length !== 1 + curves[name].size || (form !== 2 && form !== 3)) return undefined;
  try {
    return nist[name].Point.fromBytes(compressed).toBytes(false);
  } catch {
    return undefined; // No such x.
  }
}
