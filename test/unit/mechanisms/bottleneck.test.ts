import assert from "node:assert/strict";
import { test } from "node:test";
import { Bbr, type CongestionController, Cubic, NewReno } from "../../../src/mechanisms/congestion/index.js";
import { type Path, transfer } from "./bottleneck.js";

const all: readonly ((size: number) => CongestionController)[] = [
  (size) => new Cubic(size),
  (size) => new NewReno(size),
  (size) => new Bbr(size),
];
const nameOf = (make: (size: number) => CongestionController) => make(1_200).name;
/** 10 Mbit/s, 50 ms, and as much buffer as the path holds. */
const plain: Path = { rate: 1_250, rttMs: 50, buffer: 62_500 };

for (const make of all) {
  test(`${nameOf(make)} fills a plain bottleneck`, () => {
    const { share, spurious } = transfer(make, plain, 20_000);
    assert.ok(share > 0.9 && share <= 1, `${share}`);
    assert.equal(spurious, 0);
  });

  test(`${nameOf(make)} fills a fast and long path`, () => {
    const { share } = transfer(make, { rate: 12_500, rttMs: 100, buffer: 1_250_000 }, 20_000);
    assert.ok(share > 0.8, `${share}`);
  });
}

test("bbr keeps queues short where buffers are deep", () => {
  const deep: Path = { ...plain, buffer: 10 * plain.buffer };
  const bbr = transfer((size) => new Bbr(size), deep, 30_000);
  const cubic = transfer((size) => new Cubic(size), deep, 30_000);
  assert.ok(bbr.queueMs < cubic.queueMs / 3, `${bbr.queueMs} and ${cubic.queueMs}`);
  assert.ok(bbr.share > 0.9);
});

test("bbr does not take chance for congestion", () => {
  const lossy: Path = { ...plain, loss: 0.01, seed: 5 };
  const bbr = transfer((size) => new Bbr(size), lossy, 20_000);
  const cubic = transfer((size) => new Cubic(size), lossy, 20_000);
  assert.ok(bbr.share > 0.75, `${bbr.share}`);
  assert.ok(bbr.share > 2 * cubic.share, `${bbr.share} and ${cubic.share}`);
});

test("bbr loses little where buffers are shallow", () => {
  const { share, lost } = transfer((size) => new Bbr(size), { ...plain, buffer: plain.buffer / 4 }, 20_000);
  assert.ok(share > 0.8, `${share}`);
  assert.ok(lost < 0.05, `${lost}`);
});
