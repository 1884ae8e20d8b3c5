import assert from "node:assert/strict";
import { test } from "node:test";
import { seededEntropy } from "../../../src/crypto/entropy.js";
import {
  compress,
  decode12,
  decompress,
  encode12,
  multiplyInto,
  q,
  sampleBinomial,
  sampleUniform,
  transform,
  transformBack,
} from "../../../src/crypto/ml-kem/polynomial.js";

const mod = (a: number): number => ((a % q) + q) % q;
const polynomial = (seed: number): Int16Array => {
  const p = new Int16Array(256);
  assert.ok(sampleUniform(p, 0, seededEntropy(seed).fill(new Uint8Array(672))));
  return p;
};

test("a product by the transform is the product in the ring", () => {
  const vectors = [1, 2].map((seed) => [polynomial(seed), polynomial(seed + 10)]);
  const expected = new Float64Array(256);
  for (const i of [0, 1]) {
    const [a, b] = [vectors[0]![i]!, vectors[1]![i]!];
    for (let x = 0; x < 256; x++) {
      for (let y = 0; y < 256; y++) {
        const product = a[x]! * b[y]!; // X^256 = -1
        expected[(x + y) % 256]! += x + y < 256 ? product : -product;
      }
    }
  }
  const [a, b] = vectors.map(([first, second]) => {
    const both = new Int16Array(512);
    both.set(first!);
    both.set(second!, 256);
    transform(both, 0);
    transform(both, 256);
    return both;
  }) as [Int16Array, Int16Array];
  const sum = new Int16Array(256);
  multiplyInto(sum, a, 0, 256, b, 2);
  transformBack(sum, 0);
  assert.deepEqual([...sum].map(mod), [...expected].map(mod));
});

test("compression is the rounded quotient for every number, and decompression is nearest", () => {
  for (const d of [1, 4, 5, 10, 11]) {
    for (let first = 0; first < q; first += 256) {
      const p = Int16Array.from({ length: 256 }, (_, i) => (first + i) % q);
      const bytes = new Uint8Array(32 * d);
      compress(p, 0, d, bytes, 0);
      const back = new Int16Array(256);
      decompress(back, 0, d, bytes, 0);
      for (let i = 0; i < 256; i++) {
        const y = Math.round((2 ** d / q) * p[i]!) % 2 ** d;
        assert.equal(back[i], Math.round((q / 2 ** d) * y), `d ${d}, x ${p[i]}`);
      }
    }
  }
});

test("numbers of 12 bits come back, negative ones as their residues, and unreduced ones are told", () => {
  const p = polynomial(3).map((value, i) => (i % 2 === 0 ? value : value - q));
  const bytes = new Uint8Array(384);
  encode12(p, 0, bytes, 0);
  const back = new Int16Array(256);
  assert.equal(decode12(back, 0, bytes, 0), true);
  assert.deepEqual([...back], [...p].map(mod));
  bytes[0] = q & 0xff;
  bytes[1] = (bytes[1]! & 0xf0) | (q >> 8);
  assert.equal(decode12(back, 0, bytes, 0), false);
});

test("noise is the difference of its bits, and a short stream gives no polynomial", () => {
  for (const eta of [2, 3] as const) {
    const bytes = seededEntropy(eta).fill(new Uint8Array(64 * eta));
    const p = new Int16Array(256);
    sampleBinomial(p, 0, bytes, eta);
    const bit = (i: number) => (bytes[i >> 3]! >> (i & 7)) & 1;
    for (let j = 0; j < 256; j++) {
      let value = 0;
      for (let i = 0; i < eta; i++) value += bit(2 * eta * j + i) - bit(2 * eta * j + eta + i);
      assert.equal(p[j], value);
    }
  }
  assert.equal(sampleUniform(new Int16Array(256), 0, new Uint8Array(381)), false);
});
