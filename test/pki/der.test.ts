import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DecodeError, fromHex, toHex } from "../../src/bytes/index.js";
import { DerReader, oidContent, oidText, readOne, stringText, Tag, write } from "../../src/pki/der/index.js";

const read = <T>(hex: string, by: (reader: DerReader) => T): T => readOne(fromHex(hex), by);
const refuses = (hex: string, by: (reader: DerReader) => unknown, why: RegExp): void =>
  assert.throws(
    () => read(hex, by),
    (error) => error instanceof DecodeError && why.test(error.message),
    hex,
  );

test("lengths are definite and in their shortest form", () => {
  assert.equal(read("0403616263", (r) => r.octets()).length, 3);
  refuses("0480 61 0000", (r) => r.octets(), /indefinite/);
  refuses("048103616263", (r) => r.octets(), /shortest/);
  refuses("04820003616263", (r) => r.octets(), /shortest/);
  refuses("0485 0000000003 616263", (r) => r.octets(), /more than four/);
  refuses("0484ffffffff61", (r) => r.octets(), /passes the end/);
  refuses("1f0100", (r) => r.next(), /tag number above 30/);
});

test("nothing may stand behind the end", () => {
  refuses("05000500", (r) => r.null(), /behind the end/);
  refuses("3003020101 00", (r) => r.sequence().integer(), /behind the end/);
});

test("integers are in their shortest form and booleans are 00 or FF", () => {
  assert.equal(
    read("02020080", (r) => r.smallInteger()),
    128,
  );
  refuses("0200", (r) => r.integer(), /without octets/);
  refuses("02020001", (r) => r.integer(), /shortest/);
  refuses("0202ff80", (r) => r.integer(), /shortest/);
  refuses("0201ff", (r) => r.smallInteger(), /negative/);
  refuses("02050080000000", (r) => r.smallInteger(), /above/);
  assert.equal(
    read("0101ff", (r) => r.boolean()),
    true,
  );
  refuses("010101", (r) => r.boolean(), /00 or FF/);
  refuses("01020000", (r) => r.boolean(), /00 or FF/);
  refuses("010100", (r) => r.defaultFalse(), /DEFAULT/);
});

test("bit strings have zeros where bits do not count", () => {
  assert.deepEqual(
    read("030205a0", (r) => r.namedBits()),
    [true, false, true],
  );
  refuses("030205a1", (r) => r.namedBits(), /not zero/);
  refuses("03020480", (r) => r.namedBits(), /named bit list/);
  refuses("0300", (r) => r.bits(), /unused/);
  refuses("030101", (r) => r.bits(), /unused/);
  refuses("03020800", (r) => r.bits(), /unused/);
  refuses("030201fe", (r) => r.wholeBits(), /whole octets/);
});

test("object identifiers keep their text, and their arcs the shortest form", () => {
  for (const text of [
    "2.5.29.17",
    "1.2.840.113549.1.1.11",
    "0.9.2342.19200300.100.1.25",
    "2.999.3",
    "2.16.840.1.101",
  ]) {
    assert.equal(oidText(oidContent(text)), text);
  }
  refuses("0600", (r) => r.oid(), /no or too many/);
  refuses("06032a8001", (r) => r.oid(), /shortest/);
  refuses("06022a86", (r) => r.oid(), /cut off/);
  assert.throws(() => oidContent("3.1"), TypeError);
  assert.throws(() => oidContent("1.40"), TypeError);
});

test("times have the one form of RFC 5280 §4.1.2.5", () => {
  const utc = (text: string) => toHex(Buffer.concat([Buffer.from([Tag.utcTime, text.length]), Buffer.from(text)]));
  const long = (text: string) =>
    toHex(Buffer.concat([Buffer.from([Tag.generalizedTime, text.length]), Buffer.from(text)]));
  const time = (hex: string) => read(hex, (r) => r.time());
  assert.equal(time(utc("491231235959Z")), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(time(utc("500101000000Z")), Date.UTC(1950, 0, 1));
  assert.equal(time(utc("240229000000Z")), Date.UTC(2024, 1, 29));
  assert.equal(time(long("20500101000000Z")), Date.UTC(2050, 0, 1));
  assert.equal(time(long("99991231235959Z")), 253402300799000);
  for (const text of [
    "2402290000Z",
    "240229000000+0000",
    "230229000000Z",
    "241301000000Z",
    "240100000000Z",
    "240101240000Z",
    "240101006000Z",
    "240101000060Z",
    "24010100000aZ",
  ]) {
    assert.throws(() => time(utc(text)), DecodeError, text);
  }
  for (const text of ["20490101000000Z", "20500101000000.5Z", "205001010000Z", "20500101000000"]) {
    assert.throws(() => time(long(text)), DecodeError, text);
  }
  assert.equal(toHex(write.time(Date.UTC(2049, 11, 31, 23, 59, 59))), utc("491231235959Z"));
  assert.equal(toHex(write.time(Date.UTC(2050, 0, 1))), long("20500101000000Z"));
});

test("a SET OF is sorted", () => {
  assert.equal(read("3106020101020102", (r) => r.setOf(9)).length, 2);
  refuses("3106020102020101", (r) => r.setOf(9), /sorted/);
  refuses("3106020101020102", (r) => r.setOf(1), /more than 1/);
});

test("strings keep to their alphabets", () => {
  const text = (hex: string) => read(hex, (r) => stringText(r.next()));
  assert.equal(text("130341 42 43"), "ABC");
  assert.equal(text("0c02c3a4"), "ä");
  assert.equal(text("1e0200e4"), "ä");
  assert.equal(text("1c04000000e4"), "ä");
  assert.equal(text("1401e4"), "ä");
  assert.equal(text("0401e4"), undefined);
  for (const hex of ["130121", "0c01e4", "1601e4", "120141", "1e0141", "1e02d800", "1c0400110000"]) {
    assert.throws(() => text(hex), DecodeError, hex);
  }
});

test("nesting ends at a limit, and with it the stack", () => {
  let hex = "0500";
  for (let i = 0; i < 40; i++) hex = toHex(write.sequence(fromHex(hex)));
  assert.throws(() => {
    let reader = new DerReader(fromHex(hex));
    while (reader.peek === Tag.sequence) reader = reader.sequence();
  }, /deeper/);
});

test("what the writer writes the reader reads, for any size", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70_000, size: "max" }), fc.nat(0x7fffffff), (bytes, number) => {
      const der = write.sequence(write.octetString(bytes), write.integer(number), write.boolean(true));
      readOne(der, (reader) => {
        const inner = reader.sequence();
        assert.deepEqual(inner.octets(), bytes);
        assert.equal(inner.smallInteger(), number);
        assert.equal(inner.boolean(), true);
        inner.end();
      });
    }),
    { seed: 5280, numRuns: 60 },
  );
});

test("random bytes either read or throw DecodeError, and nothing else", () => {
  const walk = (reader: DerReader): void => {
    while (reader.more) {
      const element = reader.next();
      if (element.tag & 0x20) walk(new DerReader(element.content, element.depth + 1));
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const by of [walk, (r: DerReader) => r.time(), (r: DerReader) => r.oid(), (r: DerReader) => r.bits()]) {
        try {
          by(new DerReader(bytes));
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }
    }),
    { seed: 690, numRuns: 2000 },
  );
});
