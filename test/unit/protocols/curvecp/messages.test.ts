import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  blockFor,
  headerSize,
  MessageView,
  messageSizeFor,
  writeMessage,
} from "../../../../src/protocols/curvecp/messages/message.js";
import {
  magic,
  type PacketType,
  packetType,
  readU64,
  writeU64,
} from "../../../../src/protocols/curvecp/messages/packets.js";
import { decodeServerName, encodeServerName } from "../../../../src/protocols/curvecp/messages/server-name.js";

const acknowledgement = (next: number, ...ranges: number[]) => ({
  next,
  ranges: Float64Array.from([...ranges, ...new Array<number>(10 - ranges.length).fill(0)]),
  count: ranges.length,
});

test("a message is read as it was written, with all six ranges", () => {
  const bytes = new Uint8Array(600).fill(0xaa);
  const ranges = [5_000_000_100, 5_000_000_200, 5_000_000_300, 5_000_065_835, 5_000_131_370, 5_000_131_371];
  writeMessage(bytes, 8, 576, 7, 9, acknowledgement(5_000_000_000, ...ranges), 2 ** 40, 512, "success");
  bytes.fill(0x11, 8 + 64, 8 + 576);
  const view = new MessageView();
  assert.ok(view.read(bytes, 8, 576));
  assert.deepEqual([view.id, view.answered, view.size, view.end, view.position], [7, 9, 512, "success", 2 ** 40]);
  assert.equal(view.dataAt, 72);
  assert.deepEqual([...view.ranges].slice(0, 8), [0, 5_000_000_000, ...ranges]);
  assert.deepEqual([...view.ranges].slice(8), new Array<number>(4).fill(5_000_131_371));
});

test("padding is zero, and messages have few lengths", () => {
  const bytes = new Uint8Array(192).fill(0xff);
  writeMessage(bytes, 0, 192, 1, 0, acknowledgement(0), 0, 4, undefined);
  assert.ok(bytes.subarray(headerSize, 188).every((byte) => byte === 0));
  assert.deepEqual(
    [0, 1, 128, 129, 256, 257, 512, 513, 1_024].map(messageSizeFor),
    [192, 192, 192, 320, 320, 576, 576, 1_088, 1_088],
  );
  assert.equal(blockFor(640), 512);
  assert.equal(blockFor(1_088), 1_024);
});

test("a message that contradicts itself is refused", () => {
  const write = (word: number, position = 0, length = 192): Uint8Array => {
    const bytes = new Uint8Array(length);
    bytes[38] = word & 255;
    bytes[39] = word >> 8;
    writeU64(bytes, 40, position);
    return bytes;
  };
  const view = new MessageView();
  const reads = (bytes: Uint8Array) => view.read(bytes, 0, bytes.length);
  assert.ok(reads(write(144)));
  assert.ok(!reads(write(145)), "a block that is longer than the message");
  assert.ok(!reads(write(1_025, 0, 1_088)), "a block of more than 1024 bytes");
  assert.ok(!reads(write(2_048 + 4_096)), "success and failure at once");
  assert.ok(!reads(write(8_192)), "a bit that means nothing");
  assert.ok(!reads(write(0, 2 ** 53)), "a position that is too great");
  assert.ok(!reads(new Uint8Array(32)), "too short for its header");
  const far = write(0);
  far.fill(0xff, 8, 16);
  assert.ok(!reads(far), "an acknowledgement of more than there can be");
});

test("fuzz: any message is read or refused, and what is read is in bounds", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 1_088 }), (bytes) => {
      const view = new MessageView();
      if (!view.read(bytes, 0, bytes.length)) return;
      assert.ok(view.dataAt >= headerSize && view.dataAt + view.size === bytes.length && view.size <= 1_024);
      for (let i = 1; i < view.ranges.length; i++) assert.ok(view.ranges[i]! >= view.ranges[i - 1]!);
    }),
    { numRuns: 2_000 },
  );
});

test("a packet is known by its name and its size", () => {
  const right: readonly (readonly [PacketType, number])[] = [
    ["hello", 224],
    ["cookie", 200],
    ["initiate", 560],
    ["initiate", 1_184],
    ["client-message", 112],
    ["client-message", 1_184],
    ["server-message", 80],
    ["server-message", 1_152],
  ];
  for (const [type, size] of right) {
    const bytes = new Uint8Array(size + 16);
    bytes.set(magic[type]);
    assert.equal(packetType(bytes, 0, size), type);
    for (const wrong of [size - 1, size + 1, size + 8]) assert.equal(packetType(bytes, 0, wrong), undefined);
    bytes[3]! ^= 1;
    assert.equal(packetType(bytes, 0, size), undefined);
  }
  const long = new Uint8Array(1_300);
  long.set(magic.initiate);
  assert.equal(packetType(long, 0, 1_200), undefined);
  assert.equal(packetType(new Uint8Array(39), 0, 39), undefined);
});

test("fuzz: any datagram has a type or none", () => {
  const names = fc.constantFrom(...Object.values(magic), new Uint8Array(0));
  fc.assert(
    fc.property(names, fc.uint8Array({ maxLength: 1_300 }), (name, rest) => {
      const bytes = new Uint8Array([...name, ...rest]);
      const type = packetType(bytes, 0, bytes.length);
      assert.ok(type === undefined || bytes.length >= 80);
    }),
    { numRuns: 1_000 },
  );
});

test("numbers of 64 bits keep what a number can hold", () => {
  const bytes = new Uint8Array(8);
  for (const value of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 48 + 3, Number.MAX_SAFE_INTEGER]) {
    writeU64(bytes, 0, value);
    assert.equal(readU64(bytes, 0), value);
  }
});

test("server names are DNS's wire form in 256 bytes, and come back", () => {
  const encoded = encodeServerName("www.example.com")!;
  assert.equal(encoded.length, 256);
  assert.deepEqual([...encoded.subarray(0, 5)], [3, 119, 119, 119, 7]);
  assert.equal(decodeServerName(encoded), "www.example.com");
  assert.equal(decodeServerName(encodeServerName("example.com.")!), "example.com");
  assert.equal(decodeServerName(encodeServerName("")!), "");
  for (const wrong of ["a..b", "a".repeat(64), `${"a.".repeat(127)}b`, "é.example", "a b.example", ".example"]) {
    assert.equal(encodeServerName(wrong), undefined, wrong);
  }
  assert.ok(encodeServerName(`${"a.".repeat(126)}b`));
});

test("fuzz: 256 bytes are a name that encodes to them, or none", () => {
  const label = fc.string({ unit: fc.constantFrom(..."abc-9_"), minLength: 1, maxLength: 63 });
  fc.assert(
    fc.property(fc.array(label, { maxLength: 6 }), (labels) => {
      const name = labels.join(".");
      const encoded = encodeServerName(name);
      if (encoded !== undefined) assert.equal(decodeServerName(encoded), name);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 256 }), (start) => {
      const bytes = new Uint8Array(256);
      bytes.set(start);
      const name = decodeServerName(bytes);
      if (name !== undefined) assert.deepEqual(encodeServerName(name), bytes);
    }),
    { numRuns: 1_000 },
  );
});
