import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../../../src/bytes/index.js";
import { allAlgorithms } from "../../../../src/protocols/zrtp/algorithms.js";
import { formatHelloHash, parseHelloHash } from "../../../../src/protocols/zrtp/hello-hash.js";
import { decodeCommit, encodeCommit } from "../../../../src/protocols/zrtp/messages/commit.js";
import { decodeSealed, encodeConfirm, openConfirm } from "../../../../src/protocols/zrtp/messages/confirm.js";
import { decodeDhPart, encodeDhPart } from "../../../../src/protocols/zrtp/messages/dh-part.js";
import { frame, messageTypes, typeOf } from "../../../../src/protocols/zrtp/messages/frame.js";
import { compareVersion, decodeHello, encodeHello } from "../../../../src/protocols/zrtp/messages/hello.js";
import { openPacket, putPacket } from "../../../../src/protocols/zrtp/messages/packet.js";
import { decodeError, decodeGoClear, encodeError } from "../../../../src/protocols/zrtp/messages/short.js";
import { provider } from "../../../support/provider.js";

const bytes = (size: number, from = 1): Uint8Array => Uint8Array.from({ length: size }, (_, i) => from + i);
const flags = { signatureCapable: false, mitm: true, passive: true };
const hello = encodeHello({ client: "A client", h3: bytes(32), zid: bytes(12), flags, algorithms: allAlgorithms });
const choice = { hash: "S256", cipher: "AES1", authTag: "HS80", keyAgreement: "X255", sas: "B32" } as const;
const ids = { rs1: bytes(8), rs2: bytes(8, 9), auxiliary: bytes(8, 17), pbx: bytes(8, 25) };

test("a packet: header, cookie, source, message and CRC; anything else is none", () => {
  const message = frame("HelloACK");
  const packet = new Uint8Array(message.length + 16);
  assert.equal(putPacket(packet, 0xfffe, 0xdeadbeef, message), 28);
  assert.equal(toHex(packet.subarray(0, 24)), "1000fffe5a525450deadbeef505a000348656c6c6f41434b".slice(0, 48));
  const opened = openPacket(packet);
  assert.ok(typeof opened !== "string");
  assert.deepEqual([opened.sequence, opened.ssrc, toHex(opened.message)], [0xfffe, 0xdeadbeef, toHex(message)]);
  for (let bit = 0; bit < 8 * packet.length; bit++) {
    const changed = packet.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(typeof openPacket(changed), "string", `bit ${bit}`);
  }
  for (let size = 0; size < packet.length; size++) assert.equal(typeof openPacket(packet.subarray(0, size)), "string");
  assert.equal(openPacket(new Uint8Array(5000).fill(0x10)), "malformed");
});

test("messages have the lengths of the RFC's figures, and each its type", () => {
  const words = (message: Uint8Array): number => message.length / 4;
  for (const type of messageTypes) assert.equal(typeOf(frame(type)), type);
  assert.equal(typeOf(hello), "Hello");
  assert.equal(words(encodeCommit(bytes(32), bytes(12), choice, bytes(32))), 29);
  assert.equal(words(encodeCommit(bytes(32), bytes(12), { ...choice, keyAgreement: "Mult" }, bytes(16))), 25);
  assert.equal(words(encodeCommit(bytes(32), bytes(12), { ...choice, keyAgreement: "Prsh" }, bytes(16), bytes(8))), 27);
  for (const [valueWords, messageWords] of [
    [96, 117],
    [64, 85],
    [16, 37],
    [24, 45],
    [33, 54],
  ] as const) {
    assert.equal(words(encodeDhPart("DHPart1", bytes(32), ids, new Uint8Array(4 * valueWords))), messageWords);
  }
  assert.equal(words(encodeError(0x10)), 4);
  assert.equal(typeOf(bytes(12)), undefined);
  const wrongLength = frame("HelloACK");
  wrongLength[3]!++;
  assert.equal(typeOf(wrongLength), undefined);
});

test("Hello: what was listed, flags, client; no more than seven of a kind", () => {
  const read = decodeHello(hello)!;
  assert.equal(read.client.trimEnd(), "A client");
  assert.deepEqual(read.flags, flags);
  assert.deepEqual(read.algorithms.hashes, ["S256", "S384"]);
  assert.deepEqual(read.algorithms.sas, ["B32 ", "B256"]);
  assert.deepEqual(read.algorithms.keyAgreements, allAlgorithms.keyAgreements);
  assert.equal(toHex(read.h3), toHex(bytes(32)));
  const eight = hello.slice();
  eight[12 + 4 + 16 + 32 + 12 + 1] = 8;
  assert.equal(decodeHello(eight), undefined);
});

test("versions are compared by three characters", () => {
  assert.deepEqual(
    ["1.10", "1.1 ", "1.1a", "1.20", "2.00", "1.00", "0.85"].map((v) => Math.sign(compareVersion(v))),
    [0, 0, 0, 1, 1, -1, -1],
  );
});

test("every strict prefix of a message fails to decode, and so does one with more behind it", () => {
  const decoders: readonly (readonly [string, Uint8Array, (message: Uint8Array) => unknown])[] = [
    ["Hello", hello, decodeHello],
    ["Commit", encodeCommit(bytes(32), bytes(12), choice, bytes(32)), decodeCommit],
    [
      "Commit",
      encodeCommit(bytes(32), bytes(12), { ...choice, keyAgreement: "Prsh" }, bytes(16), bytes(8)),
      decodeCommit,
    ],
    ["DHPart1", encodeDhPart("DHPart1", bytes(32), ids, bytes(32)), (m) => decodeDhPart(m, 32)],
    ["GoClear", frame("GoClear", (w) => w.put(bytes(8))), decodeGoClear],
    ["Error", encodeError(0x61), decodeError],
  ];
  for (const [name, message, decode] of decoders) {
    assert.notEqual(decode(message), undefined, name);
    for (let size = 0; size < message.length; size++)
      assert.equal(decode(message.subarray(0, size)), undefined, `${name} of ${size}`);
    const longer = new Uint8Array(message.length + 4);
    longer.set(message);
    assert.equal(decode(longer), undefined, name);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (any) => {
      for (const [, , decode] of decoders) decode(any);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("Confirm: 19 words, encrypted, with flags and expiration; its signature is read to its end", () => {
  const cipher = provider.cipher("AES-128-CFB");
  const key = bytes(16);
  const confirmFlags = { enrollment: false, verified: true, allowClear: false, disclosure: true };
  const mac = () => bytes(32);
  const message = encodeConfirm(
    "Confirm1",
    { h0: bytes(32), flags: confirmFlags, expiration: 0xffff_ffff },
    cipher.encryptor(key),
    bytes(16),
    mac,
  );
  assert.equal(message.length, 19 * 4);
  const sealed = decodeSealed(message)!;
  assert.equal(toHex(sealed.mac), toHex(bytes(8)));
  assert.deepEqual(openConfirm(sealed, cipher.decryptor(key)), {
    h0: bytes(32),
    flags: confirmFlags,
    expiration: 0xffff_ffff,
    signature: undefined,
  });
  const open = (words: number, more: Uint8Array, octet = 0) => {
    const inner = new Uint8Array(40 + more.length);
    inner.set([0, words >>> 8, words, octet], 32);
    inner.set(more, 40);
    cipher.encryptor(key).apply(inner, 0, inner.length, bytes(16));
    return openConfirm({ mac: bytes(8), iv: bytes(16), sealed: inner }, cipher.decryptor(key));
  };
  const signature = open(3, fromHex("58353039" + "0102030405060708"))!.signature!;
  assert.deepEqual([signature.type, toHex(signature.bytes)], ["X509", "0102030405060708"]);
  assert.equal(open(2, fromHex("58353039" + "0102030405060708")), undefined);
  assert.equal(open(511, new Uint8Array(40)), undefined);
  // §7.3.1: who enrolls does not allow to go clear.
  assert.deepEqual(
    [open(0, new Uint8Array(), 0x0a)!.flags.allowClear, open(0, new Uint8Array(), 2)!.flags.allowClear],
    [false, true],
  );
});

test("a=zrtp-hash: the RFC's example, written as it was read; nothing else is one", () => {
  const example = "a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df";
  assert.equal(formatHelloHash(parseHelloHash(example)), example);
  assert.equal(formatHelloHash(parseHelloHash(`${example.slice(12)}\r\n`)), example);
  for (const wrong of ["", "1.10", example.slice(0, -1), `${example}00`, example.replace("fe", "gg"), "a=crypto:1 x"]) {
    assert.throws(() => parseHelloHash(wrong), { reason: "bad-hash-attribute", fault: "decode" });
  }
});
