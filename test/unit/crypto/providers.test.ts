import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, fromHex, toHex } from "../../../src/bytes/bytes.js";
import type {
  AeadName,
  AgreementName,
  CipherName,
  CryptoProvider,
  HashName,
  SignatureName,
} from "../../../src/contract/index.js";
import { aeads, agreements, ciphers, curves, hashes, signatures } from "../../../src/crypto/algorithms.js";
import { seededEntropy } from "../../../src/crypto/entropy.js";
import { nobleCrypto } from "../../../src/crypto/noble/index.js";
import { portableCrypto, portableTables } from "../../../src/hosts/node/crypto-portable/index.js";
import { openNativeCrypto } from "../../../src/hosts/node/native/crypto.js";
import { Curve } from "../../../src/hosts/node/native/ecdsa.js";
import { openLibcrypto } from "../../../src/hosts/node/native/libcrypto.js";
import { isProven, isProvenCurve, knownAnswers, probe } from "../../../src/hosts/node/native/probe.js";
import { published } from "../../vectors/wycheproof.js";

const native = openNativeCrypto();
const providers: readonly CryptoProvider[] = [native, portableCrypto, nobleCrypto];
const seed = 20_250_314;
const keysOf = <K extends string>(table: Record<K, unknown>): K[] => Object.keys(table) as K[];
const privateKeys = published<readonly { pkcs8: string }[]>("keys/signers.json").map(({ pkcs8 }) =>
  Uint8Array.from(Buffer.from(pkcs8, "base64")),
);
const publicKeys = privateKeys.map((pkcs8) => portableCrypto.privateKey(pkcs8)!.publicKey.spki);

test("every provider gives the known answers of the probe", () => {
  const names = keysOf(knownAnswers);
  assert.ok(names.length >= 26, `${names.length} are known`);
  for (const name of names) {
    for (const provider of providers.filter((each) => each.has(name as AeadName))) {
      const row =
        name in hashes
          ? provider.hash(name as HashName)
          : name in aeads
            ? provider.aead(name as AeadName)
            : name in ciphers
              ? provider.cipher(name as CipherName)
              : provider.agreement(name as AgreementName);
      assert.equal(probe(row), knownAnswers[name], `${name} of ${provider.name}`);
    }
  }
});

test("an algorithm that lies, that throws or that nobody knows is not proven", () => {
  const sha = portableCrypto.hash("SHA-256");
  assert.equal(isProven(sha), true);
  assert.equal(isProven({ ...sha, digest: () => new Uint8Array(32) }), false);
  assert.equal(isProven({ ...sha, hmac: () => assert.fail("broken") }), false);
  assert.equal(isProven(portableCrypto.agreement("ML-KEM-768")), false);
  const box = portableCrypto.aead("AES-128-GCM");
  assert.equal(isProven({ ...box, opener: () => ({ open: () => true, destroy() {} }) }), false);
});

test("a curve is proven by keys that tell right from wrong, and by nothing less", () => {
  const libcrypto = openLibcrypto();
  for (const name of keysOf(curves)) {
    const curve = Curve.open(libcrypto, name, portableTables.hashes)!;
    assert.equal(isProvenCurve(curve), true, name);
    const publicKey = (spki: Uint8Array) => curve.publicKey(spki);
    const privateKey = (pkcs8: Uint8Array, spki: Uint8Array) => curve.privateKey(pkcs8, spki);
    const credulous = (spki: Uint8Array) => {
      const key = curve.publicKey(spki);
      return key && { ...key, spki, type: key.type, bits: key.bits, verify: () => true };
    };
    assert.equal(isProvenCurve({ name, publicKey: credulous, privateKey }), false);
    assert.equal(isProvenCurve({ name, publicKey: () => undefined, privateKey }), false);
    assert.equal(isProvenCurve({ name, publicKey, privateKey: () => undefined }), false);
    const mute = { publicKey: portableCrypto.publicKey(publicKeys[0]!)!, sign: () => new Uint8Array(70) };
    assert.equal(isProvenCurve({ name, publicKey, privateKey: () => mute }), false);
  }
});

test("native's rows are OpenSSL's own: none was doubted", () => {
  const doubted: string[] = [];
  const asked = openNativeCrypto((name) => doubted.push(name));
  const names = [...keysOf(hashes), ...keysOf(aeads), ...keysOf(ciphers), "X25519", "X448"] as const;
  for (const name of names) assert.equal(asked.has(name), true, name);
  for (const spki of publicKeys) assert.equal(toHex(asked.publicKey(spki)!.spki), toHex(spki));
  assert.deepEqual(doubted, []);
});

test("a box of one provider is the same bytes in another, whatever its place and sizes", () => {
  const name = fc.constantFrom(...keysOf(aeads));
  fc.assert(
    fc.property(
      name,
      fc.nat(3000),
      fc.nat(40),
      fc.nat(600),
      fc.integer(),
      (name: AeadName, size: number, at: number, associatedSize: number, salt: number) => {
        const entropy = seededEntropy(`${seed} ${salt}`);
        const bytes = (n: number) => entropy.fill(new Uint8Array(n));
        const [key, nonce, plain] = [bytes(aeads[name].keySize), bytes(aeads[name].nonceSize), bytes(size)];
        const associated = bytes(name === "XSalsa20-Poly1305" ? 0 : associatedSize);
        const able = providers.filter((provider) => provider.has(name));
        const boxes = able.map((provider) => {
          const memory = new Uint8Array(at + size + aeads[name].tagSize + 5);
          memory.set(plain, at);
          const sealer = provider.aead(name).sealer(key);
          sealer.seal(memory, at, size, nonce, associated);
          sealer.destroy();
          return memory;
        });
        for (const [i, provider] of able.entries()) {
          assert.equal(toHex(boxes[i]!), toHex(boxes[0]!));
          const theirs = boxes[(i + 1) % boxes.length]!.slice();
          const opener = provider.aead(name).opener(key);
          assert.equal(opener.open(theirs, at, size + aeads[name].tagSize, nonce, associated), true);
          assert.equal(toHex(theirs.subarray(at, at + size)), toHex(plain));
        }
      },
    ),
    { seed, numRuns: 150 },
  );
});

test("random boxes are refused by every provider, and never thrown at", () => {
  fc.assert(
    fc.property(fc.constantFrom(...keysOf(aeads)), fc.uint8Array({ maxLength: 300 }), (name, box) => {
      const nonce = new Uint8Array(aeads[name].nonceSize);
      for (const provider of providers) {
        if (!provider.has(name)) continue;
        const opener = provider.aead(name).opener(new Uint8Array(aeads[name].keySize));
        assert.equal(opener.open(box.slice(), 0, box.length, nonce, new Uint8Array(0)), false);
      }
    }),
    { seed, numRuns: 300 },
  );
});

test("ciphers and MACs agree between providers", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...keysOf(ciphers)),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 500 }),
      (name, key, text) => {
        const { keySize, ivSize, blockSize } = ciphers[name];
        const size = text.length - (text.length % blockSize);
        const outputs = providers.map((provider) => {
          const bytes = text.slice();
          const cipher = provider.cipher(name).encryptor(key.subarray(0, keySize));
          // A counter that runs over its end is no counter that a protocol uses.
          cipher.apply(
            bytes,
            0,
            size,
            key.subarray(8, 8 + ivSize).map((byte) => byte & 0x7f),
          );
          return toHex(bytes) + toHex(provider.hash("SHA-384").hmac(key).compute(text));
        });
        assert.deepEqual(new Set(outputs).size, 1);
      },
    ),
    { seed, numRuns: 200 },
  );
});

test("providers agree with each other on every group that both have", () => {
  for (const name of keysOf(agreements)) {
    const able = providers.filter((provider) => provider.has(name));
    const entropy = seededEntropy(name);
    for (const [i, ours] of able.entries()) {
      const theirs = able[(i + 1) % able.length]!;
      const mine = ours.agreement(name).initiate(entropy);
      const answer = theirs.agreement(name).respond(mine.share, entropy);
      assert.ok(answer, name);
      assert.ok(ours.agreement(name).conclude(mine.privateKey, answer.share)?.equals(answer.secret), name);
      assert.equal(
        toHex(ours.agreement(name).initiate(seededEntropy(1)).share),
        toHex(theirs.agreement(name).initiate(seededEntropy(1)).share),
        `${name}: same seed, other share`,
      );
    }
  }
});

test("the hybrids put their parts in the order of the draft", () => {
  const part = (name: AgreementName) => portableCrypto.agreement(name).initiatorShareSize;
  const orders = [
    ["X25519MLKEM768", "ML-KEM-768", "X25519"],
    ["SecP256r1MLKEM768", "P-256", "ML-KEM-768"],
    ["SecP384r1MLKEM1024", "P-384", "ML-KEM-1024"],
  ] as const;
  for (const [name, first, second] of orders) {
    const both = portableCrypto.agreement(name).initiate(seededEntropy(3));
    const entropy = seededEntropy(3);
    const a = portableCrypto.agreement(first).initiate(entropy);
    const b = portableCrypto.agreement(second).initiate(entropy);
    assert.equal(toHex(both.share), toHex(concat(a.share, b.share)));
    assert.equal(both.share.length, part(first) + part(second));
  }
});

test("random and foreign shares never throw", () => {
  const names = keysOf(agreements).filter((name) => !/ffdhe[468]/.test(name));
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.integer(), fc.nat(4), (name, salt, extra) => {
      const entropy = seededEntropy(`share ${salt}`);
      for (const provider of providers) {
        if (!provider.has(name)) continue;
        const agreement = provider.agreement(name);
        const share = entropy.fill(new Uint8Array(agreement.initiatorShareSize + (extra === 4 ? 1 : 0)));
        if (/^P-|Sec/.test(name)) share[0] = 4;
        const answer = agreement.respond(share, entropy);
        assert.ok(answer === undefined || answer.secret.size === agreement.secretSize);
        const { privateKey } = agreement.initiate(entropy);
        const back = entropy.fill(new Uint8Array(agreement.responderShareSize));
        const secret = agreement.conclude(privateKey, back);
        assert.ok(secret === undefined || secret.size === agreement.secretSize);
      }
    }),
    { seed, numRuns: 60 },
  );
});

test("keys: every strict prefix, a byte behind, and most bit flips are no key, and none throws", () => {
  for (const provider of providers) {
    for (const spki of publicKeys) {
      const type = portableCrypto.publicKey(spki)!.type;
      const isLacking = provider === nobleCrypto && type.startsWith("RSA");
      assert.equal(provider.publicKey(spki) === undefined, isLacking, `${provider.name}, ${type}`);
      for (let size = 0; size < spki.length; size++)
        assert.equal(provider.publicKey(spki.subarray(0, size)), undefined);
      assert.equal(provider.publicKey(concat(spki, Uint8Array.of(0))), undefined);
    }
    for (const pkcs8 of privateKeys) {
      const known = provider.privateKey(pkcs8) !== undefined;
      assert.ok(known || provider === nobleCrypto);
      for (let size = 0; size < pkcs8.length; size += 7) {
        assert.equal(provider.privateKey(pkcs8.subarray(0, size)), undefined);
      }
      assert.equal(provider.privateKey(concat(pkcs8, Uint8Array.of(0))), undefined);
    }
  }
  fc.assert(
    fc.property(
      fc.constantFrom(...publicKeys, ...privateKeys),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.uint8Array({ maxLength: 80 }),
      (key, at, flip, noise) => {
        const changed = key.slice();
        changed[at % Math.min(key.length, 60)]! ^= flip;
        for (const provider of providers) {
          for (const bytes of [changed, noise]) {
            const found = provider.publicKey(bytes) ?? provider.privateKey(bytes)?.publicKey;
            assert.ok(found === undefined || found.bits >= 256);
          }
        }
      },
    ),
    { seed, numRuns: 200 },
  );
});

test("random signatures are refused under every algorithm, and never thrown at", () => {
  const names = [...signatures.keys()];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.constantFrom(...publicKeys),
      fc.uint8Array({ maxLength: 300 }),
      (name: SignatureName, spki, signature) => {
        for (const provider of providers) {
          assert.equal(provider.publicKey(spki)?.verify(name, spki, signature) ?? false, false);
        }
      },
    ),
    { seed, numRuns: 150 },
  );
});

test("a point off the curve is no public key", () => {
  const spki = publicKeys[0]!.slice();
  spki[spki.length - 1]! ^= 1;
  for (const provider of providers) assert.equal(provider.publicKey(spki), undefined, provider.name);
});

test("seeded entropy is one stream, however it is cut", () => {
  const whole = seededEntropy(7).fill(new Uint8Array(5000));
  const cut = seededEntropy(7);
  const pieces = [1, 31, 0, 1000, 24, 2000, 1944].map((size) => cut.fill(new Uint8Array(size)));
  assert.equal(toHex(concat(...pieces)), toHex(whole));
  assert.notEqual(toHex(seededEntropy(8).fill(new Uint8Array(32))), toHex(whole.subarray(0, 32)));
  assert.equal(toHex(seededEntropy(fromHex("37")).fill(new Uint8Array(32))), toHex(whole.subarray(0, 32)));
});
