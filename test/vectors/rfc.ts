import assert from "node:assert/strict";
import { createHash, getDiffieHellman } from "node:crypto";
import { test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../../src/bytes/bytes.js";
import {
  type CipherName,
  type CryptoProvider,
  type HashName,
  Secret,
  type SignatureName,
} from "../../src/contract/index.js";
import { type FiniteFieldName, fieldPrime, finiteFields } from "../../src/crypto/finite-fields.js";
import { expand, extract } from "../../src/crypto/hkdf.js";
import { hpke } from "../../src/crypto/hpke.js";
import { prf, prf10 } from "../../src/crypto/prf.js";
import { bigNumbers, fixedEntropy, published } from "./wycheproof.js";

/** The values that stand in the specifications themselves. */
export function rfcVectors(provider: CryptoProvider): void {
  const named = (what: string, run: () => void) => test(`${provider.name}: ${what}`, run);

  for (const [name, expected] of digestsOfAbc) {
    if (provider.has(name)) {
      named(`${name} of "abc" (RFC 1321, 3174, 6234, 7693)`, () => {
        assert.equal(toHex(provider.hash(name).digest(utf8("abc"))), expected);
      });
    }
  }

  named("HMAC-SHA-2, RFC 4231", () => {
    const cases = published<readonly Record<string, string>[]>("rfc/rfc4231.json");
    assert.equal(cases.length, 7);
    for (const one of cases) {
      for (const bits of ["224", "256", "384", "512"] as const) {
        const tag = provider.hash(`SHA-${bits}`).hmac(fromHex(one["key"]!)).compute(fromHex(one["data"]!));
        const expected = one[`HMAC-SHA-${bits}`]!; // Case 5 is truncated.
        assert.equal(toHex(tag.subarray(0, expected.length / 2)), expected);
      }
    }
  });

  named("HKDF, RFC 5869", () => {
    const cases = published<readonly Record<string, string>[]>("rfc/rfc5869.json");
    assert.equal(cases.length, 7);
    for (const one of cases) {
      const hash = provider.hash(one["hash"] as HashName);
      const key = extract(hash, fromHex(one["salt"]!), fromHex(one["keyingMaterial"]!));
      assert.equal(toHex(key), one["pseudorandomKey"]);
      assert.equal(toHex(expand(hash, key, fromHex(one["info"]!), Number(one["size"]))), one["output"]);
    }
  });

  named("the pseudorandom functions of TLS 1.2 and 1.0", () => {
    const seed = fromHex("a0ba9f936cda311827a6f796ffd5198c");
    const secret = fromHex("9bbe436ba940f017b17652849a71db35");
    assert.equal(
      toHex(prf(provider.hash("SHA-256"), secret, "test label", seed, 100)),
      "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
    );
    if (!provider.has("MD5")) return;
    assert.equal(
      toHex(
        prf10(
          provider.hash("MD5"),
          provider.hash("SHA-1"),
          fromHex("0102030405060708090a0b0c0d0e0f1011"),
          "test label",
          seed,
          64,
        ),
      ),
      "f96994cf16db57ee5af560084e1b9fa2e1bffde1858bf529381315f67d71d3ef413428a3edebf81e734fa15cc890008d7c0a6f23a6233" +
        "3ca17d39f16ac7e39e3",
    );
  });

  for (const [name, first, thousandth] of iterated) {
    named(`${name} over and over, RFC 7748 §5.2`, () => {
      const group = provider.agreement(name);
      let k = new Uint8Array(group.privateKeySize);
      k[0] = name === "X25519" ? 9 : 5;
      let u = k;
      const rounds = provider.name === "noble" && name === "X448" ? 1 : 1000; // Slow without the platform.
      for (let i = 1; i <= rounds; i++) {
        const next = group.conclude(new Secret(k.slice()), u)!.expose().slice();
        [k, u] = [next, k];
        if (i === 1) assert.equal(toHex(k), first);
      }
      if (rounds === 1000) assert.equal(toHex(k), thousandth);
    });
  }

  named("EdDSA signatures, RFC 8032 §7", () => {
    const cases = published<readonly Record<string, string>[]>("rfc/rfc8032.json");
    assert.equal(cases.length, 13);
    for (const one of cases) {
      const algorithm = one["algorithm"] as "Ed25519" | "Ed448";
      const [pkcs8, spki] = edwardsPrefixes[algorithm].map(fromHex) as [Uint8Array, Uint8Array];
      const key = provider.privateKey(concat(pkcs8, fromHex(one["secret"]!)));
      assert.ok(key);
      assert.equal(toHex(key.publicKey.spki), toHex(concat(spki, fromHex(one["public"]!))));
      const message = fromHex(one["message"]!);
      assert.equal(toHex(key.sign(algorithm, message)), one["signature"]);
      const signature = fromHex(one["signature"]!);
      assert.equal(provider.publicKey(key.publicKey.spki)?.verify(algorithm, message, signature), true);
      signature[3]! ^= 1;
      assert.equal(key.publicKey.verify(algorithm, message, signature), false);
    }
  });

  named("ChaCha20-Poly1305, RFC 8439 §2.8.2", () => {
    const box = new Uint8Array(sunscreen.length + 16);
    box.set(sunscreen);
    const sealer = provider.aead("ChaCha20-Poly1305").sealer(Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i));
    sealer.seal(box, 0, sunscreen.length, fromHex("070000004041424344454647"), fromHex("50515253c0c1c2c3c4c5c6c7"));
    assert.equal(
      toHex(box),
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
    );
  });

  for (const [name, source, key, iv, plain, sealed] of blocks) {
    named(`${name}, ${source}`, () => {
      const bytes = fromHex(plain);
      provider.cipher(name).encryptor(fromHex(key)).apply(bytes, 0, bytes.length, fromHex(iv));
      assert.equal(toHex(bytes), sealed);
      provider.cipher(name).decryptor(fromHex(key)).apply(bytes, 0, bytes.length, fromHex(iv));
      assert.equal(toHex(bytes), plain);
    });
  }

  named("keyed BLAKE2s, the self-test of RFC 7693 appendix E", () => {
    const grand = createHash("blake2s256");
    for (const size of [16, 20, 28, 32]) {
      for (const inputSize of [0, 3, 64, 65, 255, 1024]) {
        const input = fibonacci(inputSize);
        const at = new Uint8Array(40);
        for (const key of [new Uint8Array(0), fibonacci(size)]) {
          const mac = provider.blake2s(key, size);
          const tag = mac.compute(input.subarray(0, 2), input.subarray(2));
          mac.computeInto(at, 5, input, 0, input.length);
          assert.equal(toHex(at.subarray(5, 5 + size)), toHex(tag));
          grand.update(tag);
        }
      }
    }
    assert.equal(grand.digest("hex"), "6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe");
  });

  named("HPKE in base mode, RFC 9180 appendix A", () => {
    let judged = 0;
    for (const one of published<readonly HpkeCase[]>("rfc/rfc9180-base.json")) {
      const suite = hpke(provider, one.kemId, one.kdfId, one.aeadId);
      if (!suite) continue;
      judged++;
      const sender = suite.sender(fromHex(one.pkR), fromHex(one.info), fixedEntropy(fromHex(one.skE)))!;
      assert.equal(toHex(sender.enc), one.enc);
      const keys = suite.generate(fixedEntropy(fromHex(one.skR)));
      assert.equal(toHex(keys.publicKey), one.pkR);
      const receiver = suite.receiver(sender.enc, keys, fromHex(one.info))!;
      let sequence = 0;
      for (const { plain, associated, sealed, sequence: wanted } of one.encryptions) {
        for (; sequence < wanted; sequence++) {
          assert.ok(receiver.open(sender.context.seal(fromHex(plain), associatedOf), associatedOf));
        }
        assert.equal(toHex(sender.context.seal(fromHex(plain), fromHex(associated))), sealed);
        assert.equal(receiver.open(fromHex(sealed), associatedOf), undefined);
        assert.equal(toHex(receiver.open(fromHex(sealed), fromHex(associated))!), plain);
        sequence++;
      }
      for (const { context, size, value } of one.exports) {
        assert.equal(toHex(receiver.exportSecret(fromHex(context), size)), value);
        assert.equal(toHex(sender.context.exportSecret(fromHex(context), size)), value);
      }
    }
    assert.equal(judged, 6); // All but the export-only suite.
  });

  named("secretbox and Salsa20, NaCl", () => {
    const aead = provider.aead("XSalsa20-Poly1305");
    const none = new Uint8Array(0);
    const values = published<readonly (readonly [string, string, string, string])[]>("nacl/tweetnacl_secretbox.json");
    assert.equal(values.length, 64);
    for (const [key, nonce, message, box] of values.map((each) => each.map((text) => Buffer.from(text, "base64")))) {
      const sealed = concat(message!, new Uint8Array(16));
      aead.sealer(key!).seal(sealed, 0, message!.length, nonce!, none);
      assert.equal(toHex(concat(sealed.subarray(-16), sealed.subarray(0, -16))), toHex(box!));
      assert.equal(aead.opener(key!).open(sealed, 0, sealed.length, nonce!, none), true);
    }
    const streams =
      published<readonly { key: string; nonce: string; length: number; digest: string }[]>(
        "nacl/stablelib_salsa20.json",
      );
    for (const { key, nonce, length, digest } of streams) {
      const stream = new Uint8Array(length);
      provider.cipher("Salsa20").encryptor(fromHex(key)).apply(stream, 0, length, fromHex(nonce));
      const folded = new Uint8Array(64);
      for (let i = 0; i < length; i++) folded[i % 64]! ^= stream[i]!;
      assert.equal(toHex(folded), digest);
    }
  });

  if (provider.has(bigNumbers))
    test(`${provider.name}: a signature that lost its leading zero is no signature, RFC 8017 §8.1.2`, () => {
      const { spki, message, signature } = published<Record<string, string>>("keys/leading-zero.json");
      const [key, text, bytes] = [spki, message, signature].map((hex) => fromHex(hex!));
      assert.equal(bytes![0], 0);
      assert.equal(provider.publicKey(key!)?.verify("RSA-PSS-SHA-256", text!, bytes!), true);
      assert.equal(provider.publicKey(key!)?.verify("RSA-PSS-SHA-256", text!, bytes!.subarray(1)), false);
    });

  test(`${provider.name}: a signature is checked by the key that made it and by no other`, () => {
    for (const { pkcs8, algorithms } of signers) {
      const key = provider.privateKey(Buffer.from(pkcs8, "base64"));
      if (!key) {
        assert.equal(provider.name, "noble", "only noble may lack a private key's type");
        continue;
      }
      for (const algorithm of algorithms) {
        const message = utf8("to be signed");
        const signature = key.sign(algorithm, message);
        assert.equal(key.publicKey.verify(algorithm, message, signature), true, algorithm);
        assert.equal(key.publicKey.verify(algorithm, utf8("to be sighed"), signature), false);
        assert.equal(key.publicKey.verify(algorithm, message, signature.subarray(1)), false);
        assert.equal(key.publicKey.verify(algorithm, message, new Uint8Array(0)), false);
        for (const other of signers) {
          if (other.pkcs8 === pkcs8) continue;
          assert.equal(
            provider.privateKey(Buffer.from(other.pkcs8, "base64"))?.publicKey.verify(algorithm, message, signature) ??
              false,
            false,
          );
        }
      }
    }
  });
}

test("the primes of RFC 7919 come out of their formula", () => {
  for (const [name, prime] of Object.entries(published<Record<FiniteFieldName, string>>("rfc/rfc7919.json"))) {
    assert.equal(fieldPrime(finiteFields[name as FiniteFieldName]).toString(16), prime);
  }
});

test("the primes of RFC 3526 are those that OpenSSL has", () => {
  for (const [name, group] of [
    ["modp2048", "modp14"],
    ["modp3072", "modp15"],
    ["modp4096", "modp16"],
    ["modp6144", "modp17"],
    ["modp8192", "modp18"],
  ] as const) {
    assert.equal(fieldPrime(finiteFields[name]).toString(16), getDiffieHellman(group).getPrime("hex"));
  }
});

interface HpkeCase {
  readonly kemId: number;
  readonly kdfId: number;
  readonly aeadId: number;
  readonly info: string;
  readonly skE: string;
  readonly skR: string;
  readonly pkR: string;
  readonly enc: string;
  readonly encryptions: readonly { sequence: number; plain: string; associated: string; sealed: string }[];
  readonly exports: readonly { context: string; size: number; value: string }[];
}

const associatedOf = utf8("something else");

/** The generator of RFC 7693 appendix E. */
function fibonacci(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let a = Math.imul(0xdead4bad, size) >>> 0;
  let b = 1;
  for (let i = 0; i < size; i++) {
    const t = (a + b) >>> 0;
    a = b;
    b = t;
    bytes[i] = t >>> 24;
  }
  return bytes;
}

const digestsOfAbc: readonly (readonly [HashName, string])[] = [
  ["MD5", "900150983cd24fb0d6963f7d28e17f72"],
  ["SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"],
  ["SHA-224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"],
  ["SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ["SHA-384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"],
  [
    "SHA-512",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ],
  ["BLAKE2s-256", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"],
];

const iterated = [
  [
    "X25519",
    "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
    "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
  ],
  [
    "X448",
    "3f482c8a9f19b01e6c46ee9711d9dc14fd4bf67af30765c2ae2b846a4d23a8cd0db897086239492caf350b51f833868b9bc2b3bca9cf4113",
    "aa3b4749d55b9daf1e5b00288826c467274ce3ebbdd5c17b975e09d4af6c67cf10d087202db88286e2b79fceea3ec353ef54faa26e219f38",
  ],
] as const;

/** PKCS#8 in front of a seed, and SubjectPublicKeyInfo in front of a point (RFC 8410 §4, §7). */
const edwardsPrefixes = {
  Ed25519: ["302e020100300506032b657004220420", "302a300506032b6570032100"],
  Ed448: ["3047020100300506032b6571043b0439", "3043300506032b6571033a00"],
} as const;

const sunscreen = utf8(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);

const fipsPlain = "00112233445566778899aabbccddeeff";
const fipsKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const blocks: readonly (readonly [CipherName, string, string, string, string, string])[] = [
  ["AES-128-ECB", "FIPS 197 C.1", fipsKey.slice(0, 32), "", fipsPlain, "69c4e0d86a7b0430d8cdb78070b4c55a"],
  ["AES-192-ECB", "FIPS 197 C.2", fipsKey.slice(0, 48), "", fipsPlain, "dda97ca4864cdfe06eaf70a0ec0d7191"],
  ["AES-256-ECB", "FIPS 197 C.3", fipsKey, "", fipsPlain, "8ea2b7ca516745bfeafc49904b496089"],
  [
    "AES-128-CBC",
    "RFC 3602 §4",
    "06a9214036b8a15b512e03d534120006",
    "3dafba429d9eb430b422da802c9fac41",
    toHex(utf8("Single block msg")),
    "e353779c1079aeb82708942dbe77181a",
  ],
  [
    "AES-128-CTR",
    "RFC 3686 §6",
    "7e24067817fae0d743d6ce1f32539163",
    "006cb6dbc0543b59da48d90b00000001",
    fipsKey,
    "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28",
  ],
  [
    "AES-192-CTR",
    "RFC 3686 §6",
    "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb78515",
    "0000004836733c147d6d93cb00000001",
    toHex(utf8("Single block msg")),
    "4b55384fe259c9c84e7935a003cbe928",
  ],
  [
    "AES-128-CFB",
    "SP 800-38A F.3.13",
    "2b7e151628aed2a6abf7158809cf4f3c",
    "000102030405060708090a0b0c0d0e0f",
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
    "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b",
  ],
  [
    "AES-192-CFB",
    "SP 800-38A F.3.15",
    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
    "000102030405060708090a0b0c0d0e0f",
    "6bc1bee22e409f96e93d7e117393172a",
    "cdc80d6fddf18cab34c25909c99a4174",
  ],
  [
    "AES-256-CFB",
    "SP 800-38A F.3.17",
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    "000102030405060708090a0b0c0d0e0f",
    "6bc1bee22e409f96e93d7e117393172a",
    "dc7e84bfda79164b7ecd8486985d3860",
  ],
  [
    "ChaCha20",
    "RFC 8439 §2.4.2",
    fipsKey,
    "01000000000000000000004a00000000",
    toHex(sunscreen),
    "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d",
  ],
];

/** Keys made for these tests. */
const signers =
  published<readonly { readonly pkcs8: string; readonly algorithms: readonly SignatureName[] }[]>("keys/signers.json");
