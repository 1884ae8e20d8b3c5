import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { decodeSection, encodeSection, sectionSize } from "../../../../src/adapters/http3/qpack/field-section.js";
import { huffmanDecode, huffmanEncode, huffmanSize } from "../../../../src/adapters/http3/qpack/huffman.js";
import { type Field, staticTable } from "../../../../src/adapters/http3/qpack/static-table.js";
import { InstructionReader } from "../../../../src/adapters/http3/qpack/streams.js";
import { DecodeError, fromHex, toHex } from "../../../../src/bytes/index.js";

const seed = 9_204;
const limits = { size: 65_536, lines: 1_024 };
const bytesOf = (hex: string) => fromHex(hex.replace(/\s/g, ""));
const pack = (text: string): Uint8Array => {
  const bytes = new Uint8Array(huffmanSize(text));
  assert.equal(huffmanEncode(text, bytes, 0), bytes.length);
  return bytes;
};
/** Any text whose characters are bytes. */
const latin1 = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1"));

test("Huffman: the strings of RFC 7541 Appendix C", () => {
  const published: readonly (readonly [string, string])[] = [
    ["www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff"], // C.4.1
    ["no-cache", "a8eb 1064 9cbf"], // C.4.2
    ["custom-key", "25a8 49e9 5ba9 7d7f"], // C.4.3
    ["custom-value", "25a8 49e9 5bb8 e8b4 bf"],
    ["302", "6402"], // C.6.1
    ["private", "aec3 771a 4b"],
    ["Mon, 21 Oct 2013 20:13:21 GMT", "d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"],
    ["https://www.example.com", "9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3"],
    ["307", "640e ff"], // C.6.2
    ["gzip", "9bd9 ab"], // C.6.3
    [
      "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
      "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ],
  ];
  for (const [text, hex] of published) {
    assert.equal(toHex(pack(text)), hex.replace(/ /g, ""), text);
    assert.equal(huffmanDecode(bytesOf(hex)), text);
  }
});

test("Huffman: every byte, as another implementation writes it", async () => {
  // Node's HTTP/2 packs header values in the same code; the bytes of its HEADERS frame are looked at on the way.
  const heard: Buffer[] = [];
  const server = createHttp2Server();
  const got: (string | undefined)[] = [];
  server.on("stream", (stream, headers) => {
    got.push(headers["x-tried"] as string);
    stream.respond({ ":status": 200 });
    stream.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const relay = createTcpServer((socket) => {
    const upstream = connectTcp((server.address() as AddressInfo).port, "127.0.0.1");
    socket.on("data", (bytes) => heard.push(bytes));
    socket.pipe(upstream).pipe(socket);
    socket.on("error", () => {});
    upstream.on("error", () => {});
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const session = connectHttp2(`http://127.0.0.1:${(relay.address() as AddressInfo).port}`);
  let tried = 0;
  for (let byte = 0x20; byte < 0x100; byte++) {
    if (byte === 0x7f) continue;
    // Enough short codes around it that the whole is shorter packed, whatever the code of the byte itself.
    const value = `${"a".repeat(12)}${String.fromCharCode(byte)}${"e".repeat(12)}`;
    heard.length = 0;
    const request = session.request({ ":path": "/", "x-tried": value });
    request.resume();
    request.end();
    await once(request, "close");
    assert.ok(Buffer.concat(heard).includes(Buffer.from(pack(value))), `byte 0x${byte.toString(16)}`);
    tried++;
  }
  session.destroy();
  server.close();
  relay.close();
  assert.equal(tried, 223);
  assert.equal(got.length, tried);
});

test("Huffman: any text is read again; no bytes throw", () => {
  fc.assert(
    fc.property(latin1, (text) => {
      assert.equal(huffmanDecode(pack(text)), text);
    }),
    { seed, numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const text = huffmanDecode(bytes);
      // There is one encoding of everything.
      if (text !== undefined) assert.deepEqual(pack(text), bytes);
    }),
    { seed, numRuns: 2_000 },
  );
});

test("Huffman: padding of zeros, padding of a whole byte and EOS are refused", () => {
  assert.equal(huffmanDecode(Uint8Array.of(0b00000_000)), undefined); // "0", then zeros
  assert.equal(huffmanDecode(Uint8Array.of(0b00000_111, 0xff)), undefined); // 11 bits of padding
  assert.equal(huffmanDecode(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), undefined); // EOS and two bits
  assert.equal(huffmanDecode(Uint8Array.of(0b00000_111)), "0");
});

test("field sections: RFC 9204 Appendix B.1, and what wants a dynamic table is refused", () => {
  assert.deepEqual(decodeSection(bytesOf("0000 510b 2f69 6e64 6578 2e68 746d 6c"), limits), [[":path", "/index.html"]]);
  for (const [name, hex] of [
    ["B.2", "0381 10 11"],
    ["B.4", "0500 80 c1 81"],
    ["a line of the dynamic table", "0000 80"],
    ["a name of the dynamic table", "0000 40 00"],
    ["a post-base line", "0000 10"],
    ["a post-base name", "0000 00 00"],
    ["a negative Base", "0080 c1"],
    ["an entry that is not there", "0000 ff24"],
    ["an integer above 2^32", "0000 ffffffffffff7f"],
    ["a value cut short", "0000 510b 2f69"],
    ["nothing", ""],
  ] as const) {
    assert.throws(() => decodeSection(bytesOf(hex), limits), DecodeError, name);
  }
  // Without references any Base is right.
  assert.deepEqual(decodeSection(bytesOf("0005 c1"), limits), [[":path", "/"]]);
});

test("field sections: the static table is used for lines and for names, and secrets are marked", () => {
  assert.equal(staticTable.length, 99);
  assert.deepEqual(staticTable[98], ["x-frame-options", "sameorigin"]);
  assert.equal(toHex(encodeSection([[":method", "GET"]])), "0000d1");
  assert.equal(toHex(encodeSection([["x-frame-options", "sameorigin"]])), "0000ff23");
  assert.equal(toHex(encodeSection([[":path", "/x"]])).slice(0, 6), "000051");
  // RFC 9204 §4.5.4: the N bit.
  assert.equal(encodeSection([["authorization", "x"]])[2]! & 0x20, 0x20);
  assert.equal(encodeSection([["accept-language", "x"]])[2]! & 0x20, 0);
});

const fields = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...staticTable.map(([name]) => name)), latin1), latin1), {
  maxLength: 20,
}) as fc.Arbitrary<Field[]>;

test("field sections: what is packed is unpacked; cut short or of any bytes nothing but a DecodeError comes", () => {
  fc.assert(
    fc.property(fields, fc.nat(), (lines, cut) => {
      const packed = encodeSection(lines);
      assert.deepEqual(decodeSection(packed, { size: Number.POSITIVE_INFINITY, lines: 100 }), lines);
      attempt(packed.subarray(0, cut % (packed.length + 1)));
    }),
    { seed, numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      attempt(bytes);
      attempt(Uint8Array.of(0, 0, ...bytes));
    }),
    { seed, numRuns: 2_000 },
  );
});

function attempt(bytes: Uint8Array): void {
  try {
    const section = decodeSection(bytes, limits);
    if (section !== "too-large") assert.ok(sectionSize(section) <= limits.size);
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
  }
}

test("field sections: larger than the limit, or of more lines, are too large", () => {
  const lines: Field[] = Array.from({ length: 10 }, (_, i) => [`x-${i}`, "v"]);
  const packed = encodeSection(lines);
  const size = sectionSize(lines);
  assert.equal(size, 10 * (3 + 1 + 32));
  assert.deepEqual(decodeSection(packed, { size, lines: 10 }), lines);
  assert.equal(decodeSection(packed, { size: size - 1, lines: 10 }), "too-large");
  assert.equal(decodeSection(packed, { size, lines: 9 }), "too-large");
});

test("QPACK's streams: capacity 0 and cancellations may come in pieces, all else may not", () => {
  const encoder = new InstructionReader("encoder");
  assert.ok(encoder.take(Uint8Array.of(0x20, 0x20)));
  for (const hex of ["3fbd01", "c00f7777", "4a63", "02", "81"]) {
    assert.ok(!new InstructionReader("encoder").take(bytesOf(hex)), hex);
  }
  const decoder = new InstructionReader("decoder");
  assert.ok(decoder.take(Uint8Array.of(0x48, 0x7f)));
  assert.ok(decoder.take(Uint8Array.of(0x80, 0x81)));
  assert.ok(decoder.take(Uint8Array.of(0x01, 0x40)));
  for (const hex of ["84", "01", "00", "7f80808080808080808080"]) {
    assert.ok(!new InstructionReader("decoder").take(bytesOf(hex)), hex);
  }
});
