import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../../../src/bytes/index.js";
import { Failure } from "../../../../src/contract/index.js";
import { formatSdes, optionsOf, parseSdes } from "../../../../src/protocols/srtp/index.js";

const inline = "inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";

test("RFC 6904's sample: a suite, a key, a lifetime and an identifier", () => {
  const crypto = parseSdes(`a=crypto:1 AES_CM_128_HMAC_SHA1_32 ${inline}|2^20|1:32`);
  assert.equal(crypto.tag, 1);
  assert.equal(crypto.profile, "AES_CM_128_HMAC_SHA1_32");
  const [key] = crypto.keys;
  assert.equal(toHex(key.key.expose()), "37307877504835402f2c4c3a53317759");
  assert.equal(toHex(key.salt), "227e3d274570675425286 95f5663".replace(" ", ""));
  assert.equal(key.lifetime, 2 ** 20);
  assert.equal(toHex(key.mki!), `${"00".repeat(31)}01`);
});

test("what is written is what was read", () => {
  for (const text of [
    `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${inline}`,
    `a=crypto:7 AES_CM_128_HMAC_SHA1_80 ${inline}|2^31|1:4;${inline}|1000|258:4 KDR=24 UNENCRYPTED_SRTCP UNENCRYPTED_SRTP WSH=2000`,
    `a=crypto:2 F8_128_HMAC_SHA1_80 ${inline} KDR=3`,
  ]) {
    assert.equal(formatSdes(parseSdes(text)), text);
  }
});

test("the parameters become options", () => {
  const options = optionsOf(parseSdes(`1 AES_CM_128_HMAC_SHA1_80 ${inline} KDR=3 WSH=2000 UNENCRYPTED_SRTCP -X`));
  assert.equal(options.keyDerivationRate, 8);
  assert.equal(options.windowBits, 2_048);
  assert.equal(options.unencryptedRtcp, true);
});

const refused: readonly [string, string, string][] = [
  ["", "bad-sdes", "crypto"],
  ["1 AES_CM_128_HMAC_SHA1_80", "bad-sdes", "crypto"],
  [`1 ROT13 ${inline}`, "unsupported-sdes", "crypto-suite"],
  [`1 constructor ${inline}`, "unsupported-sdes", "crypto-suite"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline.replace("inline", "uri")}`, "bad-sdes", "key-method"],
  ["1 AES_CM_128_HMAC_SHA1_80 inline:!!!", "bad-sdes", "key-salt"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline}|0`, "bad-sdes", "lifetime"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline}|2^49`, "bad-sdes", "lifetime"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline}|1:0`, "bad-sdes", "mki"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline}|256:1`, "bad-sdes", "mki"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline};${inline}`, "bad-sdes", "key-params"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline} KDR=25`, "bad-sdes", "KDR"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline} WSH=63`, "bad-sdes", "WSH"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline} UNAUTHENTICATED_SRTP`, "unsupported-sdes", "UNAUTHENTICATED_SRTP"],
  [`1 AES_CM_128_HMAC_SHA1_80 ${inline} FEC_ORDER=FEC_SRTP`, "unsupported-sdes", "FEC_ORDER"],
];

for (const [text, reason, at] of refused) {
  test(`refused as ${reason}, at ${at}: ${text.replace(inline, "inline:…")}`, () => {
    assert.throws(
      () => parseSdes(text),
      (error) =>
        error instanceof Failure && error.reason === reason && error.at === at && !error.message.includes("NzB4"),
    );
  });
}

test("a key of the wrong size names the size that is wanted", () => {
  assert.throws(() => parseSdes(`1 AEAD_AES_256_GCM ${inline}`), /a master key of 32 bytes is needed, not 30/);
});

test("no text makes it throw anything but a failure", () => {
  const piece = fc.constantFrom(
    "1",
    " ",
    "AES_CM_128_HMAC_SHA1_80",
    inline,
    "|2^3",
    "|1:4",
    ";",
    "KDR=1",
    ":",
    "a=crypto:",
    "\n",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
      ),
      (text) => {
        try {
          parseSdes(text);
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
