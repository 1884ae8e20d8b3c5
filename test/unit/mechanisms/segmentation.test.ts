import assert from "node:assert/strict";
import { test } from "node:test";
import { finish, fold, pseudoHeaderSum, sum } from "../../../src/bytes/checksum.js";
import { seededEntropy } from "../../../src/crypto/index.js";
import { Merger, Splitter } from "../../../src/mechanisms/segmentation/index.js";

interface Shape {
  readonly version: 4 | 6;
  readonly protocol: 6 | 17;
  /** Bytes of options behind the fixed part of the TCP header. */
  readonly options: number;
  readonly payload: number;
  readonly step: number;
}

const entropy = seededEntropy(7);
const ackPsh = 0x18;

/** A super-packet as a kernel hands it over: its checksum field holds the pseudo header's sum. */
function superPacket({ version, protocol, options, payload }: Shape, flags = ackPsh, complete = false): Uint8Array {
  const ipSize = version === 4 ? 20 : 40;
  const headerSize = protocol === 6 ? 20 + options : 8;
  const packet = new Uint8Array(ipSize + headerSize + payload);
  const length = packet.length - ipSize;
  entropy.fill(packet.subarray(ipSize));
  const addressSize = version === 4 ? 4 : 16;
  const from = ipSize - 2 * addressSize;
  entropy.fill(packet.subarray(from, ipSize));
  if (version === 4) {
    packet.set([0x45, 0, packet.length >> 8, packet.length & 255, 0x12, 0xff, 0x40, 0, 64, protocol]);
    const check = finish(sum(packet, 0, 20));
    packet.set([check >> 8, check & 255], 10);
  } else packet.set([0x60, 0, 0, 0, length >> 8, length & 255, protocol, 64]);
  const checksumAt = ipSize + (protocol === 6 ? 16 : 6);
  if (protocol === 6) packet.set([((20 + options) / 4) << 4, flags], ipSize + 12);
  else packet.set([length >> 8, length & 255], ipSize + 4);
  packet.set([0, 0], checksumAt);
  const pseudo = pseudoOf(packet, version, protocol, length);
  const field = complete ? finish(pseudo + sum(packet, ipSize, length)) : fold(pseudo);
  packet.set([field >> 8, field & 255], checksumAt);
  return packet;
}

function pseudoOf(packet: Uint8Array, version: 4 | 6, protocol: number, length: number): number {
  const size = version === 4 ? 4 : 16;
  const from = version === 4 ? 12 : 8;
  const [source, destination] = [packet.slice(from, from + size), packet.slice(from + size, from + 2 * size)];
  return pseudoHeaderSum(source, destination, protocol, length);
}

function assertWhole(packet: Uint8Array, { version, protocol }: Shape): void {
  const ipSize = version === 4 ? 20 : 40;
  const length = packet.length - ipSize;
  if (version === 4) {
    assert.equal(fold(sum(packet, 0, 20)), 0xffff, "the IP header's checksum");
    assert.equal((packet[2]! << 8) | packet[3]!, packet.length);
  } else assert.equal((packet[4]! << 8) | packet[5]!, length);
  assert.equal(fold(pseudoOf(packet, version, protocol, length) + sum(packet, ipSize, length)), 0xffff);
}

function split(packet: Uint8Array, shape: Shape): { readonly bytes: Uint8Array; readonly ranges: Uint32Array } {
  const splitter = new Splitter();
  const ipSize = shape.version === 4 ? 20 : 40;
  const kind = shape.protocol === 6 ? "tcp" : "udp";
  const lent = packet.slice();
  assert.ok(splitter.start(lent, 0, lent.length, kind, shape.step, ipSize, shape.protocol === 6 ? 16 : 6));
  const bytes = new Uint8Array(200_000);
  const ranges: number[] = [];
  let at = 0;
  for (;;) {
    const expected = splitter.nextSize;
    const size = splitter.next(bytes, at);
    assert.equal(size, expected);
    if (size === 0) break;
    ranges.push(at, at + size);
    at += size + 4 - (size % 4);
  }
  return { bytes, ranges: Uint32Array.from(ranges) };
}

const shapes: readonly Shape[] = ([4, 6] as const).flatMap((version) => [
  { version, protocol: 6, options: 12, payload: 1_368 * 44, step: 1_368 },
  { version, protocol: 6, options: 12, payload: 1_368 * 3 + 1, step: 1_368 },
  { version, protocol: 6, options: 0, payload: 10_000, step: 1_379 },
  { version, protocol: 6, options: 40, payload: 700, step: 233 },
  { version, protocol: 6, options: 12, payload: 1_000, step: 1_368 },
]);

for (const shape of shapes) {
  const title = `IPv${shape.version}, ${shape.payload} bytes in steps of ${shape.step}, ${shape.options} of options`;
  test(`a super-packet is cut into segments that are right, and they make it again: ${title}`, () => {
    const packet = superPacket(shape);
    const { bytes, ranges } = split(packet, shape);
    const count = ranges.length / 2;
    assert.equal(count, Math.ceil(shape.payload / shape.step));
    const ipSize = shape.version === 4 ? 20 : 40;
    for (let i = 0; i < count; i++) {
      const segment = bytes.slice(ranges[2 * i]!, ranges[2 * i + 1]!);
      assertWhole(segment, shape);
      assert.equal(segment[ipSize + 13], i === count - 1 ? ackPsh : 0x10, "PSH is the last one's");
    }
    const merger = new Merger();
    assert.equal(merger.run(bytes, ranges, 0, count), count);
    if (count === 1) return;
    assert.equal(merger.segmentSize, shape.step);
    const merged = new Uint8Array(packet.length);
    merged.set(merger.header.subarray(0, merger.headerSize));
    for (let i = 0, at = merger.headerSize; i < count; i++) {
      const payload = bytes.subarray(ranges[2 * i]! + merger.headerSize, ranges[2 * i + 1]!);
      merged.set(payload, at);
      at += payload.length;
    }
    assertWhole(merged, shape);
    const inPlace = bytes.slice();
    const left = new Uint32Array(ranges.length);
    assert.equal(merger.compact(inPlace, ranges, count, left), 1);
    assert.deepEqual(inPlace.slice(left[0], left[1]), merged);
    // All that differs from what went in is the checksum, which had been left to the device.
    const checksumAt = ipSize + 16;
    assert.deepEqual(merged.subarray(0, checksumAt), packet.subarray(0, checksumAt));
    assert.deepEqual(merged.subarray(checksumAt + 2), packet.subarray(checksumAt + 2));
    // What one segment got wrong the whole gets wrong.
    merged[merged.length - 5]! ^= 1;
    assert.throws(() => assertWhole(merged, shape));
  });
}

test("a wrong segment makes a wrong whole", () => {
  const shape = shapes[0]!;
  const { bytes, ranges } = split(superPacket(shape), shape);
  const merger = new Merger();
  bytes[ranges[2]! + 700]! ^= 0x10;
  assert.equal(merger.run(bytes, ranges, 0, 3), 3);
  const merged = new Uint8Array(merger.headerSize + 3 * shape.step);
  merged.set(merger.header.subarray(0, merger.headerSize));
  for (let i = 0; i < 3; i++) {
    merged.set(
      bytes.subarray(ranges[2 * i]! + merger.headerSize, ranges[2 * i + 1]!),
      merger.headerSize + i * shape.step,
    );
  }
  assert.throws(() => assertWhole(merged, shape));
});

test("datagrams under one header are cut, too", () => {
  for (const version of [4, 6] as const) {
    const shape: Shape = { version, protocol: 17, options: 0, payload: 5_000, step: 1_200 };
    const { bytes, ranges } = split(superPacket(shape), shape);
    assert.equal(ranges.length / 2, 5);
    for (let i = 0; i < 5; i++) assertWhole(bytes.slice(ranges[2 * i]!, ranges[2 * i + 1]!), shape);
  }
});

test("the window's reduction is told by the first segment alone", () => {
  const shape = shapes[1]!;
  const { bytes, ranges } = split(superPacket(shape, 0x99), shape);
  const flags = [0, 1, 2, 3].map((i) => bytes[ranges[2 * i]! + 20 + 13]);
  assert.deepEqual(flags, [0x90, 0x10, 0x10, 0x19]);
});

test("a packet that is no super-packet goes as it is, with its checksum made if it was left to us", () => {
  const shape = shapes[4]!;
  const splitter = new Splitter();
  const into = new Uint8Array(2_000);
  const partial = superPacket(shape);
  assert.ok(splitter.start(partial, 0, partial.length, "packet", 0, 20, 16));
  assert.equal(splitter.next(into, 16), partial.length);
  assertWhole(into.slice(16, 16 + partial.length), shape);
  assert.equal(splitter.next(into, 16), 0);
  const complete = superPacket(shape, ackPsh, true);
  assert.ok(splitter.start(complete, 0, complete.length, "packet", 0, 0, 0));
  assert.equal(splitter.next(into, 0), complete.length);
  assert.deepEqual(into.subarray(0, complete.length), complete);
});

test("what makes no sense is refused, and nothing reaches beyond its memory", () => {
  const splitter = new Splitter();
  const packet = superPacket(shapes[0]!);
  const end = packet.length;
  assert.ok(!splitter.start(packet, 0, end, "tcp", 0, 20, 16), "no segment size");
  assert.ok(!splitter.start(packet, 0, end, "tcp", 1_368, 0, 0), "no transport header");
  assert.ok(!splitter.start(packet, 0, end, "tcp", 1_368, 60_300, 16), "a header behind the end");
  assert.ok(!splitter.start(packet, 0, end + 1, "tcp", 1_368, 20, 16), "more than there is");
  assert.ok(!splitter.start(packet, 0, 0, "packet", 0, 0, 0), "nothing");
  assert.ok(!splitter.start(packet, 0, 30, "packet", 0, 20, 16), "a checksum behind the end");
  assert.equal(splitter.next(new Uint8Array(100), 0), 0);
});

test("what does not follow is not merged", () => {
  const shape = shapes[0]!;
  const whole = split(superPacket(shape), shape);
  const merger = new Merger();
  const changed: readonly (readonly [string, (packet: Uint8Array) => void])[] = [
    ["another port", (packet) => packet.set([packet[21]! ^ 1], 21)],
    ["another address", (packet) => packet.set([packet[15]! ^ 1], 15)],
    ["a gap", (packet) => packet.set([packet[27]! ^ 1], 27)],
    ["another acknowledgement", (packet) => packet.set([packet[31]! ^ 1], 31)],
    ["another window", (packet) => packet.set([packet[35]! ^ 1], 35)],
    ["another timestamp", (packet) => packet.set([packet[47]! ^ 1], 47)],
    ["a FIN", (packet) => packet.set([0x11], 33)],
    ["another class", (packet) => packet.set([3], 1)],
    ["another hop limit", (packet) => packet.set([63], 8)],
    ["another protocol", (packet) => packet.set([17], 9)],
    ["a fragment", (packet) => packet.set([0x20], 6)],
  ];
  for (const [what, change] of changed) {
    const bytes = whole.bytes.slice();
    change(bytes.subarray(whole.ranges[6]!, whole.ranges[7]!));
    assert.equal(merger.run(bytes, whole.ranges, 0, 10), 3, what);
    assert.ok(merger.run(bytes, whole.ranges, 3, 10) <= 1 || what !== "a FIN", what);
  }
  // Acknowledgements without data are each their own.
  const acks = split(superPacket({ ...shape, payload: 0 }, 0x10), { ...shape, payload: 0 });
  assert.equal(merger.run(acks.bytes, acks.ranges, 0, 1), 1);
});

test("random packets never make it throw", () => {
  const merger = new Merger();
  const bytes = new Uint8Array(4_096);
  for (let round = 0; round < 2_000; round++) {
    entropy.fill(bytes);
    const ranges = new Uint32Array(64);
    let at = 0;
    for (let i = 0; i < 32; i++) {
      const size = 20 + (bytes[i]! % 100);
      ranges[2 * i] = at;
      ranges[2 * i + 1] = at + size;
      bytes.set(round % 2 === 0 ? [0x45, 0, 0, size, 0, 0, 0x40, 0, 64, 6] : [0x60, 0, 0, 0, 0, size - 40, 6], at);
      at += size;
    }
    for (let i = 0; i < 32; ) i += merger.run(bytes, ranges, i, 32);
    const splitter = new Splitter();
    const [a, b, c, d] = bytes.subarray(4_000);
    if (splitter.start(bytes.slice(0, 600), 0, 600, a! > 128 ? "tcp" : "udp", b!, c!, d!)) {
      const into = new Uint8Array(1_000);
      for (let i = 0; i < 600 && splitter.nextSize > 0; i++) assert.ok(splitter.next(into, 0) <= 1_000);
    }
  }
});
