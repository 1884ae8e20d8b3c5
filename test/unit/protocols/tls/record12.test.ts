import assert from "node:assert/strict";
import { createCipheriv, createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { concat, utf8 } from "../../../../src/bytes/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { type Suite12, suites12 } from "../../../../src/protocols/tls/index.js";
import { suite12ByName } from "../../../../src/protocols/tls/parameters/suites12.js";
import {
  type DirectionKeys,
  fragmentOpener,
  fragmentSealer,
  keySizes,
} from "../../../../src/protocols/tls/record12/protection.js";
import { provider as crypto } from "../../../support/provider.js";

const applicationData = 23;
const version = 0x0303;
const sequence = Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2);
const content = utf8("what the application said");

function keysFor(suite: Suite12): DirectionKeys {
  const { mac, key, iv } = keySizes(crypto, suite.protection);
  const entropy = seededEntropy(suite.name);
  const fresh = (size: number): Uint8Array => entropy.fill(new Uint8Array(size));
  return { macKey: fresh(mac), key: fresh(key), iv: fresh(iv) };
}

function sealed(suite: Suite12, keys: DirectionKeys, plain: Uint8Array): Uint8Array {
  const sealer = fragmentSealer(crypto, seededEntropy(1), suite, keys);
  const fragment = new Uint8Array(sealer.sealedSize(plain.length));
  fragment.set(plain, sealer.prefixSize);
  assert.equal(sealer.seal(fragment, 0, plain.length, applicationData, version, sequence), fragment.length);
  return fragment;
}

function opened(
  suite: Suite12,
  keys: DirectionKeys,
  fragment: Uint8Array,
  more: { type?: number; seq?: Uint8Array } = {},
) {
  const opener = fragmentOpener(crypto, suite, keys);
  const bytes = fragment.slice();
  const size = opener.open(bytes, 0, bytes.length, more.type ?? applicationData, version, more.seq ?? sequence);
  return size < 0 ? undefined : bytes.slice(opener.prefixSize, opener.prefixSize + size);
}

/** One suite for each way of protecting records. */
const kinds = [...new Map(suites12.map((suite) => [suite.protection, suite])).values()];

test("every protection of 1.2 gives back what it sealed, of any size", () => {
  assert.equal(kinds.length, 12);
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 300 }), (suite, plain) => {
      const keys = keysFor(suite);
      assert.deepEqual(opened(suite, keys, sealed(suite, keys, plain)), plain);
    }),
    { seed: 20260703, numRuns: 300 },
  );
});

test("a record with any bit turned, cut anywhere, of another type or out of its turn does not open", () => {
  for (const suite of kinds) {
    const keys = keysFor(suite);
    const fragment = sealed(suite, keys, content);
    for (let bit = 0; bit < 8 * fragment.length; bit++) {
      const turned = fragment.slice();
      turned[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(opened(suite, keys, turned), undefined, `${suite.name}, bit ${bit}`);
    }
    for (let size = 0; size < fragment.length; size++) {
      assert.equal(opened(suite, keys, fragment.subarray(0, size)), undefined, `${suite.name}, ${size} bytes`);
    }
    assert.equal(opened(suite, keys, fragment, { type: 22 }), undefined);
    assert.equal(opened(suite, keys, fragment, { seq: new Uint8Array(8) }), undefined);
  }
});

test("GCM records have the sequence number as explicit nonce, RFC 5288", () => {
  const suite = suite12ByName.get("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")!;
  const keys = keysFor(suite);
  const cipher = createCipheriv("aes-128-gcm", keys.key, concat(keys.iv, sequence));
  cipher.setAAD(concat(sequence, Uint8Array.of(23, 3, 3, 0, content.length)));
  const wanted = concat(sequence, cipher.update(content), cipher.final(), cipher.getAuthTag());
  assert.deepEqual(sealed(suite, keys, content), wanted);
});

test("ChaCha20-Poly1305 records carry no nonce: the sequence number is mixed into the IV, RFC 7905", () => {
  const suite = suite12ByName.get("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")!;
  const keys = keysFor(suite);
  const nonce = keys.iv.slice();
  sequence.forEach((byte, i) => void (nonce[4 + i]! ^= byte));
  const cipher = createCipheriv("chacha20-poly1305", keys.key, nonce, { authTagLength: 16 });
  cipher.setAAD(concat(sequence, Uint8Array.of(23, 3, 3, 0, content.length)), { plaintextLength: content.length });
  const wanted = concat(cipher.update(content), cipher.final(), cipher.getAuthTag());
  assert.deepEqual(sealed(suite, keys, content), wanted);
});

test("CBC records are encrypted, and then authenticated with their IV, RFC 7366", () => {
  const suite = suite12ByName.get("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384")!;
  const keys = keysFor(suite);
  const iv = seededEntropy(1).fill(new Uint8Array(16));
  const cipher = createCipheriv("aes-256-cbc", keys.key, iv);
  const padding = 16 - (content.length % 16);
  cipher.setAutoPadding(false);
  const padded = concat(content, new Uint8Array(padding).fill(padding - 1));
  const encrypted = concat(iv, cipher.update(padded), cipher.final());
  const header = concat(sequence, Uint8Array.of(23, 3, 3, 0, encrypted.length));
  const mac = createHmac("sha384", keys.macKey).update(header).update(encrypted).digest();
  assert.deepEqual(sealed(suite, keys, content), concat(encrypted, mac));
});

test("authentic CBC records with wrong padding do not open either", () => {
  const suite = suite12ByName.get("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256")!;
  const keys = keysFor(suite);
  const iv = new Uint8Array(16);
  for (const last of [
    [1, 3, 3, 3],
    [0, 0, 0, 16],
    [0, 0, 0, 255],
    [2, 2, 3, 2],
  ]) {
    const cipher = createCipheriv("aes-128-cbc", keys.key, iv);
    cipher.setAutoPadding(false);
    const encrypted = concat(iv, cipher.update(concat(new Uint8Array(12), Uint8Array.from(last))), cipher.final());
    const header = concat(sequence, Uint8Array.of(23, 3, 3, 0, encrypted.length));
    const mac = createHmac("sha256", keys.macKey).update(header).update(encrypted).digest();
    assert.equal(opened(suite, keys, concat(encrypted, mac)), undefined, last.join());
  }
});
