import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  parseStun,
  readXorMappedAddress,
  stunAttribute,
  stunType,
  verifyStun,
  writeStun,
  xorMappedAddress,
} from "../../../../src/adapters/webrtc/index.js";
import { concat, fromHex, toHex, utf8 } from "../../../../src/bytes/index.js";
import { Secret } from "../../../../src/contract/index.js";
import { provider as crypto } from "../../../support/provider.js";

const hex = (text: string): Uint8Array => fromHex(text.replace(/\s/g, ""));
const password = new Secret(utf8("VOkJxbRl1RmTxUk/WvJxBt"));

const request = hex(`000100582112a442b7e7a701bc34d686fa87dfae 802200105354554e207465737420636c69656e74 002400046e0001ff
  80290008932ff9b151263b36 000600096576746a3a68367659202020 000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004e57a3bcf`);
const response4 =
  hex(`0101003c2112a442b7e7a701bc34d686fa87dfae 8022000b7465737420766563746f7220 002000080001a147e112a643
  000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004c07d4c96`);
const response6 = hex(`010100482112a442b7e7a701bc34d686fa87dfae 8022000b7465737420766563746f7220
  002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9 00080014a382954e4be67bf11784c97c8292c275bfe3ed41 80280004c8fb0b4c`);
const longTerm = hex(`000100602112a44278ad3433c6ad72c029da412e 00060012e3839ee38388e383aae38383e382afe382b90000
  0015001c662f2f3439396b393534643 64f4c33346f4c39465354767936347341 0014000b6578616d706c652e6f726700
  00080014f67024656dd64a3e02b8e0712e85c9a28ca89666`);

test("RFC 5769 §2.1: the sample request parses and is authentic", () => {
  const message = parseStun(request)!;
  assert.equal(message.type, stunType.bindingRequest);
  assert.equal(toHex(message.transaction), "b7e7a701bc34d686fa87dfae");
  assert.equal(new TextDecoder().decode(message.attributes.get(stunAttribute.username)), "evtj:h6vY");
  assert.equal(toHex(message.attributes.get(stunAttribute.priority)!), "6e0001ff");
  assert.ok(verifyStun(crypto, message, password));
  assert.ok(!verifyStun(crypto, message, new Secret(utf8("another"))));
});

for (const [section, bytes, address] of [
  ["2.2", response4, "192.0.2.1"],
  ["2.3", response6, "2001:db8:1234:5678:11:2233:4455:6677"],
] as const) {
  test(`RFC 5769 §${section}: the sample response says ${address}, and is what we write but for its padding`, () => {
    const message = parseStun(bytes)!;
    assert.equal(message.type, stunType.bindingSuccess);
    assert.ok(verifyStun(crypto, message, password));
    const mapped = message.attributes.get(stunAttribute.xorMappedAddress)!;
    assert.deepEqual(readXorMappedAddress(mapped, message.transaction), { address, port: 32_853 });
    assert.equal(toHex(xorMappedAddress({ address, port: 32_853 }, message.transaction)), toHex(mapped));
    // The RFC pads with a space, which the integrity covers; with the space as a byte of the value all else is ours.
    const software = concat(message.attributes.get(stunAttribute.software)!);
    const fields = [
      [stunAttribute.software, software],
      [stunAttribute.xorMappedAddress, mapped],
    ] as const;
    const ours = writeStun(crypto, message.type, message.transaction, fields, password);
    assert.equal(ours.length, bytes.length);
    assert.ok(verifyStun(crypto, parseStun(ours)!, password));
  });
}

test("RFC 5769 §2.4: long-term credentials, whose key is an MD5", () => {
  const key = new Secret(crypto.hash("MD5").digest(utf8("マトリックス:example.org:TheMatrIX")));
  assert.ok(verifyStun(crypto, parseStun(longTerm)!, key));
});

test("what is written is read again; a changed bit is noticed, a missing byte too", () => {
  const transaction = hex("0102030405060708090a0b0c");
  const bytes = writeStun(
    crypto,
    stunType.bindingRequest,
    transaction,
    [
      [stunAttribute.username, utf8("a:bcd")],
      [stunAttribute.useCandidate, new Uint8Array(0)],
    ],
    password,
  );
  const message = parseStun(bytes)!;
  assert.ok(message.attributes.has(stunAttribute.useCandidate) && verifyStun(crypto, message, password));
  // FINGERPRINT is no part of what is authentic: as another attribute it would be one that does not count.
  for (let bit = 0; bit < 8 * (bytes.length - 8); bit++) {
    const changed = bytes.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    const read = parseStun(changed);
    assert.ok(read === undefined || !verifyStun(crypto, read, password), `bit ${bit}`);
  }
  for (let size = 0; size < bytes.length; size++) assert.equal(parseStun(bytes.subarray(0, size)), undefined);
});

test("attributes behind MESSAGE-INTEGRITY do not count", () => {
  const plain = writeStun(crypto, stunType.bindingRequest, new Uint8Array(12), [], password);
  const late = concat(plain.subarray(0, plain.length - 8), hex("00250000"));
  late[3] = late.length - 20;
  const message = parseStun(late)!;
  assert.ok(message.integrityAt !== undefined);
  assert.ok(!message.attributes.has(stunAttribute.useCandidate));
});

test("no bytes make the parser throw", () => {
  const header = hex("000100002112a442b7e7a701bc34d686fa87dfae");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (body, framed) => {
      const bytes = framed ? concat(header, body.subarray(0, body.length & ~3)) : body;
      if (framed) bytes[3] = bytes.length - 20;
      const message = parseStun(bytes);
      if (message) verifyStun(crypto, message, password);
    }),
    { numRuns: 2_000 },
  );
});
