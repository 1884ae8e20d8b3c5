import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { equal, toHex } from "../../src/bytes/bytes.js";
import {
  type AeadName,
  type AgreementName,
  type CipherName,
  type CryptoProvider,
  Failure,
  type HashName,
  Secret,
} from "../../src/contract/index.js";
import { aeads, agreements, ciphers, hashes } from "../../src/crypto/algorithms.js";
import { seededEntropy } from "../../src/crypto/entropy.js";

const keysOf = <K extends string>(table: Record<K, unknown>): K[] => Object.keys(table) as K[];
const bytes = (size: number, seed = 1): Uint8Array => seededEntropy(`law ${seed}`).fill(new Uint8Array(size));
const misuse = (reason: string) => (error: unknown) =>
  error instanceof Failure && error.fault === "misuse" && error.reason === reason;

/**
 * What every provider promises, whatever it is made of. `lacks` names the algorithms that it is known not to have:
 * a provider that loses another one fails.
 */
export function providerLaws(provider: CryptoProvider, lacks: readonly string[] = []): void {
  describe(`provider laws: ${provider.name}`, () => {
    test("it has every algorithm but those that it is known to lack", () => {
      const all = [...keysOf(hashes), ...keysOf(aeads), ...keysOf(ciphers), ...keysOf(agreements)];
      assert.deepEqual(
        all.filter((name) => !provider.has(name)),
        [...lacks],
      );
      assert.equal(provider.has("constructor" as HashName), false);
      assert.throws(() => provider.hash("SHA-3" as HashName), misuse("unavailable-algorithm"));
      assert.throws(() => provider.aead("toString" as AeadName), misuse("unavailable-algorithm"));
    });
    for (const name of keysOf(hashes)) if (provider.has(name)) hashLaws(provider, name);
    for (const name of keysOf(aeads)) if (provider.has(name)) aeadLaws(provider, name);
    for (const name of keysOf(ciphers)) if (provider.has(name)) cipherLaws(provider, name);
    for (const name of keysOf(agreements)) if (provider.has(name)) agreementLaws(provider, name);
  });
}

function hashLaws(provider: CryptoProvider, name: HashName): void {
  const hash = provider.hash(name);
  const message = bytes(300);

  test(`${name}: parts, a running digest and its clones agree`, () => {
    const whole = hash.digest(message);
    assert.equal(whole.length, hash.size);
    assert.equal(toHex(hash.digest(message.subarray(0, 77), message.subarray(77))), toHex(whole));
    const running = hash.start().update(message.subarray(0, 100));
    const early = running.digest();
    const clone = running.clone();
    assert.equal(toHex(early), toHex(hash.digest(message.subarray(0, 100))));
    assert.equal(toHex(running.update(message.subarray(100)).digest()), toHex(whole));
    assert.equal(toHex(running.digest()), toHex(whole));
    assert.equal(toHex(clone.digest()), toHex(early));
    assert.equal(toHex(clone.update(message.subarray(100)).digest()), toHex(whole));
    assert.equal(hash.digest().length, hash.size);
  });

  test(`${name}: an HMAC is that of RFC 2104, computed anywhere`, () => {
    for (const keySize of [0, 1, hash.size, hash.blockSize, hash.blockSize + 1, 200]) {
      const key = bytes(keySize, keySize);
      const mac = hash.hmac(key);
      const expected = hmacByHand(provider, name, key, message);
      key.fill(0xff); // The Mac has its own copy.
      assert.equal(toHex(mac.compute(message)), toHex(expected));
      assert.equal(toHex(mac.compute(message.subarray(0, 5), message.subarray(5))), toHex(expected));
      const into = new Uint8Array(400).fill(7);
      into.set(message, 3);
      mac.computeInto(into, 303, into, 3, 303);
      assert.equal(toHex(into.subarray(303, 303 + mac.size)), toHex(expected));
      assert.deepEqual([into[2], into[303 + mac.size]], [7, 7]);
      mac.computeInto(into, 0, message, 0, 200, message.subarray(200));
      assert.equal(toHex(into.subarray(0, mac.size)), toHex(expected));
      for (const [at, start, end] of [
        [401 - mac.size, 0, 10],
        [-1, 0, 10],
        [0, -1, 10],
        [0, 5, 4],
        [0, 0, 301],
        [0.5, 0, 10],
        [Number.NaN, 0, 10],
      ] as const) {
        assert.throws(() => mac.computeInto(into, at, message, start, end), misuse("out-of-bounds"));
      }
      mac.destroy();
      mac.destroy();
      assert.throws(() => mac.compute(message), misuse("destroyed"));
      assert.throws(() => mac.computeInto(into, 0, message, 0, 1), misuse("destroyed"));
    }
  });
}

function hmacByHand(provider: CryptoProvider, name: HashName, key: Uint8Array, message: Uint8Array): Uint8Array {
  const hash = provider.hash(name);
  const block = new Uint8Array(hash.blockSize);
  block.set(key.length > hash.blockSize ? hash.digest(key) : key);
  const inner = hash.digest(
    block.map((byte) => byte ^ 0x36),
    message,
  );
  return hash.digest(
    block.map((byte) => byte ^ 0x5c),
    inner,
  );
}

function aeadLaws(provider: CryptoProvider, name: AeadName): void {
  const aead = provider.aead(name);
  const { keySize, nonceSize, tagSize } = aeads[name];
  const key = bytes(keySize, 2);
  const nonce = bytes(nonceSize, 3);
  const associated = name === "XSalsa20-Poly1305" ? new Uint8Array(0) : bytes(13, 4);

  test(`${name}: opens what it sealed, in place, touching nothing else`, () => {
    assert.deepEqual([aead.keySize, aead.nonceSize, aead.tagSize], [keySize, nonceSize, tagSize]);
    const given = key.slice();
    const sealer = aead.sealer(given);
    const opener = aead.opener(given);
    given.fill(0); // Both have their own copies.
    for (const size of [0, 1, 15, 16, 17, 63, 64, 65, 255, 1350, 16_384, 70_000]) {
      const plain = bytes(size, size);
      const memory = new Uint8Array(size + tagSize + 12).fill(0xaa);
      memory.set(plain, 5);
      sealer.seal(memory, 5, size, nonce, associated);
      const sealed = memory.slice(5, 5 + size + tagSize);
      assert.ok(size < 8 || !equal(sealed.subarray(0, size), plain), "it is not encrypted");
      assert.equal(toHex(memory.subarray(0, 5)), "aa".repeat(5));
      assert.equal(toHex(memory.subarray(5 + size + tagSize)), "aa".repeat(7));
      assert.equal(opener.open(memory, 5, size + tagSize, nonce, associated), true);
      assert.equal(toHex(memory.subarray(5, 5 + size)), toHex(plain));
      assert.equal(toHex(memory.subarray(0, 5)), "aa".repeat(5));
      assert.equal(toHex(memory.subarray(5 + size + tagSize)), "aa".repeat(7));
    }
  });

  test(`${name}: whatever was tampered with is refused, and the next is opened`, () => {
    const sealer = aead.sealer(key);
    const opener = aead.opener(key);
    const sealed = new Uint8Array(40 + tagSize);
    sealed.set(bytes(40, 6));
    const plain = sealed.slice(0, 40);
    sealer.seal(sealed, 0, 40, nonce, associated);
    const opens = (box: Uint8Array, n = nonce, a = associated) => opener.open(box.slice(), 0, box.length, n, a);
    const flipped = (from: Uint8Array, bit: number) => {
      const copy = from.slice();
      copy[bit >> 3]! ^= 1 << (bit & 7);
      return copy;
    };
    for (let bit = 0; bit < 8 * sealed.length; bit += 3) assert.equal(opens(flipped(sealed, bit)), false);
    for (let bit = 0; bit < 8 * nonceSize; bit += 5) assert.equal(opens(sealed, flipped(nonce, bit)), false);
    for (let bit = 0; bit < 8 * associated.length; bit += 5) {
      assert.equal(opens(sealed, nonce, flipped(associated, bit)), false);
    }
    for (let size = 0; size < sealed.length; size++) assert.equal(opens(sealed.subarray(0, size)), false);
    assert.equal(aead.opener(bytes(keySize, 9)).open(sealed.slice(), 0, sealed.length, nonce, associated), false);
    assert.equal(opener.open(sealed, 0, sealed.length, nonce, associated), true);
    assert.equal(toHex(sealed.subarray(0, 40)), toHex(plain));
  });

  test(`${name}: a nonce, key or range of a wrong size is the caller's mistake`, () => {
    const sealer = aead.sealer(key);
    const opener = aead.opener(key);
    const memory = new Uint8Array(100);
    for (const size of [0, keySize - 1, keySize + 1]) {
      assert.throws(() => aead.sealer(new Uint8Array(size)), misuse("wrong-size"));
      assert.throws(() => aead.opener(new Uint8Array(size)), misuse("wrong-size"));
    }
    for (const size of [0, nonceSize - 1, nonceSize + 1]) {
      const wrong = new Uint8Array(size);
      assert.throws(() => sealer.seal(memory, 0, 10, wrong, associated), misuse("wrong-size"));
      assert.throws(() => opener.open(memory, 0, 50, wrong, associated), misuse("wrong-size"));
    }
    for (const [at, size] of [
      [0, 101 - tagSize],
      [91, 10],
      [-1, 10],
      [10, -1],
      [0.5, 10],
      [0, 10.5],
      [Number.NaN, 10],
      [0, Number.NaN],
      [2 ** 32, 10],
      [0, 2 ** 32],
      [Number.POSITIVE_INFINITY, 0],
      [0, Number.POSITIVE_INFINITY],
    ] as const) {
      assert.throws(() => sealer.seal(memory, at, size, nonce, associated), misuse("out-of-bounds"));
      const whole = size < 0 ? size : size + tagSize;
      assert.throws(() => opener.open(memory, at, whole, nonce, associated), misuse("out-of-bounds"));
    }
    assert.ok(memory.every((byte) => byte === 0));
  });

  test(`${name}: after destroy every call throws, and a second destroy is harmless`, () => {
    const sealer = aead.sealer(key);
    const opener = aead.opener(key);
    sealer.destroy();
    sealer.destroy();
    opener.destroy();
    opener.destroy();
    assert.throws(() => sealer.seal(new Uint8Array(50), 0, 10, nonce, associated), misuse("destroyed"));
    assert.throws(() => opener.open(new Uint8Array(50), 0, 30, nonce, associated), misuse("destroyed"));
  });
}

function cipherLaws(provider: CryptoProvider, name: CipherName): void {
  const cipher = provider.cipher(name);
  const { keySize, ivSize, blockSize } = ciphers[name];
  const key = bytes(keySize, 2);
  const iv = bytes(ivSize, 3);

  test(`${name}: decrypts what it encrypted, in place, each call afresh`, () => {
    const encryptor = cipher.encryptor(key);
    const decryptor = cipher.decryptor(key);
    for (const size of [0, 16, 48, 1024, 16_384, ...(blockSize === 1 ? [1, 15, 17, 1350] : [])]) {
      const plain = bytes(size, size);
      const memory = new Uint8Array(size + 8).fill(0xaa);
      memory.set(plain, 3);
      encryptor.apply(memory, 3, size, iv);
      const once = memory.slice(3, 3 + size);
      assert.ok(size === 0 || size === 1 || !equal(once, plain));
      decryptor.apply(memory, 3, size, iv);
      assert.equal(toHex(memory.subarray(3, 3 + size)), toHex(plain));
      encryptor.apply(memory, 3, size, iv);
      assert.equal(toHex(memory.subarray(3, 3 + size)), toHex(once));
      assert.equal(toHex(memory.subarray(0, 3)) + toHex(memory.subarray(3 + size)), "aa".repeat(8));
    }
  });

  test(`${name}: wrong sizes and destroyed keys are the caller's mistake`, () => {
    const encryptor = cipher.encryptor(key);
    const memory = new Uint8Array(100);
    assert.throws(() => cipher.encryptor(new Uint8Array(keySize + 1)), misuse("wrong-size"));
    assert.throws(() => cipher.decryptor(new Uint8Array(0)), misuse("wrong-size"));
    assert.throws(() => encryptor.apply(memory, 0, 16, new Uint8Array(ivSize + 1)), misuse("wrong-size"));
    if (blockSize > 1) assert.throws(() => encryptor.apply(memory, 0, 17, iv), misuse("wrong-size"));
    for (const [at, size] of [
      [85, 16],
      [-1, 16],
      [0, -16],
      [0, 2 ** 32],
      [0.5, 16],
      [Number.NaN, 16],
      [0, Number.NaN],
    ] as const) {
      assert.throws(() => encryptor.apply(memory, at, size, iv), misuse("out-of-bounds"));
    }
    encryptor.destroy();
    encryptor.destroy();
    assert.throws(() => encryptor.apply(memory, 0, 16, iv), misuse("destroyed"));
  });
}

function agreementLaws(provider: CryptoProvider, name: AgreementName): void {
  const agreement = provider.agreement(name);
  const sizes = agreements[name];

  test(`${name}: both sides come to one secret, and the same seed gives the same bytes`, () => {
    const run = () => {
      const entropy = seededEntropy(5);
      const mine = agreement.initiate(entropy);
      const theirs = agreement.respond(mine.share, entropy);
      assert.ok(theirs);
      const secret = agreement.conclude(mine.privateKey, theirs.share);
      assert.ok(secret);
      assert.ok(secret.equals(theirs.secret));
      assert.deepEqual(
        [mine.share.length, theirs.share.length, secret.size, mine.privateKey.size],
        [sizes.initiatorShareSize, sizes.responderShareSize, sizes.secretSize, agreement.privateKeySize],
      );
      const again = agreement.conclude(Secret.copy(mine.privateKey.expose()), theirs.share);
      assert.ok(again?.equals(secret), "a copy of the private key is as good");
      return toHex(mine.share) + toHex(theirs.share) + toHex(secret.expose());
    };
    assert.equal(run(), run());
    const other = agreement.initiate(seededEntropy(6));
    assert.ok(!equal(other.share, agreement.initiate(seededEntropy(7)).share));
  });

  test(`${name}: a share of a wrong size or out of range is answered undefined, and never thrown`, () => {
    const entropy = seededEntropy(8);
    const mine = agreement.initiate(entropy);
    const other = agreement.respond(mine.share, entropy);
    assert.ok(other);
    for (const size of [0, 1, sizes.initiatorShareSize - 1, sizes.initiatorShareSize + 1]) {
      assert.equal(agreement.respond(new Uint8Array(size), entropy), undefined);
    }
    for (const size of [0, 1, sizes.responderShareSize - 1, sizes.responderShareSize + 1]) {
      assert.equal(agreement.conclude(mine.privateKey, new Uint8Array(size)), undefined);
    }
    assert.equal(
      agreement.respond(new Uint8Array(sizes.initiatorShareSize).fill(0xff), entropy) === undefined,
      !/^X(25519|448)$/.test(name),
    );
    if (!name.startsWith("ML-KEM")) {
      assert.equal(agreement.respond(new Uint8Array(sizes.initiatorShareSize), entropy), undefined);
      assert.equal(agreement.conclude(mine.privateKey, new Uint8Array(sizes.responderShareSize)), undefined);
    }
    assert.equal(agreement.conclude(new Secret(new Uint8Array(3)), other.share), undefined);
  });

  test(`${name}: a wiped private key concludes nothing`, () => {
    const entropy = seededEntropy(9);
    const mine = agreement.initiate(entropy);
    const theirs = agreement.respond(mine.share, entropy);
    assert.ok(theirs);
    mine.privateKey.wipe();
    assert.throws(() => agreement.conclude(mine.privateKey, theirs.share), TypeError);
  });
}
