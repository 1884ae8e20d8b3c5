import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PrefixTable } from "../../../src/mechanisms/prefix-table.js";

const v4 = (text: string): Uint8Array => Uint8Array.from(text.split("."), Number);

test("the longest prefix wins, whatever the order of entry", () => {
  const entries: [string, number, string][] = [
    ["0.0.0.0", 0, "default"],
    ["10.0.0.0", 8, "ten"],
    ["10.1.0.0", 16, "ten-one"],
    ["10.1.2.3", 32, "host"],
  ];
  for (const order of [entries, [...entries].reverse()]) {
    const table = new PrefixTable<string>(4);
    for (const [address, length, value] of order) table.set(v4(address), length, value);
    assert.equal(table.size, 4);
    assert.equal(table.get(v4("10.1.2.3")), "host");
    assert.equal(table.get(v4("10.1.2.4")), "ten-one");
    assert.equal(table.get(v4("10.2.0.0")), "ten");
    assert.equal(table.get(v4("192.0.2.1")), "default");
  }
});

test("it answers as a list of all prefixes would, also after values were taken out", () => {
  const prefix = fc.record({
    address: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((a) => a.map((b) => b & 0x83)),
    length: fc.integer({ min: 0, max: 32 }),
    value: fc.integer({ min: 0, max: 4 }),
  });
  const matches = (a: Uint8Array, b: Uint8Array, length: number): boolean => {
    for (let i = 0; i < length; i++) if ((((a[i >> 3]! ^ b[i >> 3]!) >> (7 - (i & 7))) & 1) !== 0) return false;
    return true;
  };
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 40 }),
      fc.array(prefix),
      fc.integer({ min: 0, max: 4 }),
      (all, asked, gone) => {
        const table = new PrefixTable<number>(4);
        for (const { address, length, value } of all) table.set(address, length, value);
        for (const removed of [undefined, gone]) {
          if (removed !== undefined) table.deleteValue(removed);
          const last = all.filter(
            (a, i) => !all.some((b, j) => j > i && b.length === a.length && matches(a.address, b.address, a.length)),
          );
          const left = last.filter(({ value }) => value !== removed);
          assert.equal(table.size, left.length);
          for (const { address } of [...asked, ...all]) {
            const holding = left
              .filter((p) => matches(p.address, address, p.length))
              .sort((a, b) => b.length - a.length);
            assert.equal(table.get(address), holding[0]?.value);
          }
        }
      },
    ),
    { seed: 7, numRuns: 500 },
  );
});
