import { copyOf, DecodeError, fromUtf8, utf8 } from "../bytes/index.js";
import { type CipherName, type CryptoProvider, type HashName, Secret } from "../contract/index.js";
import { readAlgorithm } from "./algorithm.js";
import { contextConstructed, type DerReader, type Element, inside, readOne, Tag, write } from "./der/index.js";
import { isPkiFailure, PkiFailure } from "./failure.js";
import { limits } from "./limits.js";
import { keys } from "./oids.js";
import { readPem } from "./pem.js";

/**
 * A private key from a file, as DER PKCS#8 (RFC 5958) for `provider.privateKey`: PEM or DER, in PKCS#8, PKCS#8 encrypted
 * by PBES2 (RFC 8018), SEC 1 (`EC PRIVATE KEY`, RFC 5915) or PKCS#1 (`RSA PRIVATE KEY`, RFC 8017 §A.1.2). The first key of
 * a text counts. The caller wipes the Secret.
 */
export function readPrivateKey(
  input: string | Uint8Array,
  { provider, password }: { readonly provider?: CryptoProvider; readonly password?: string | Uint8Array } = {},
): Secret | PkiFailure {
  try {
    const block = findKey(input);
    if (isPkiFailure(block)) return block;
    const der = block.read(block.bytes, { provider, password });
    return new Secret(der);
  } catch (error) {
    if (isPkiFailure(error)) return error;
    if (!(error instanceof DecodeError)) throw error;
    return new PkiFailure("malformed-key", `not a private key: ${error.message}`, { cause: error });
  }
}

interface Unlock {
  readonly provider: CryptoProvider | undefined;
  readonly password: string | Uint8Array | undefined;
}
type ReadKey = (der: Uint8Array, unlock: Unlock) => Uint8Array;

const labels: ReadonlyMap<string, ReadKey> = new Map<string, ReadKey>([
  ["PRIVATE KEY", checkPkcs8],
  ["ENCRYPTED PRIVATE KEY", decryptPkcs8],
  ["EC PRIVATE KEY", fromSec1],
  ["RSA PRIVATE KEY", fromPkcs1],
]);

function findKey(input: string | Uint8Array): { readonly read: ReadKey; readonly bytes: Uint8Array } | PkiFailure {
  if (typeof input !== "string" && input[0] === Tag.sequence) return { read: fromAnyDer, bytes: input };
  const text = typeof input === "string" ? input : fromUtf8(input);
  const blocks = text === undefined ? [] : readPem(text);
  if (blocks instanceof PkiFailure) return blocks;
  for (const { label, bytes } of blocks) {
    const read = labels.get(label);
    if (read) return { read, bytes };
  }
  return new PkiFailure("malformed-key", "no private key in the text", {
    hint: `a block of ${[...labels.keys()].join(", ")} is wanted`,
  });
}

/** Which structure is it? Their first two elements tell them apart. */
function fromAnyDer(der: Uint8Array, unlock: Unlock): Uint8Array {
  const [first, second] = readOne(der, (reader) => {
    const inner = reader.sequence();
    const head = inner.next().tag;
    const next = inner.peek;
    while (inner.more) inner.next();
    return [head, next] as const;
  });
  if (first === Tag.sequence) return decryptPkcs8(der, unlock);
  if (second === Tag.sequence) return checkPkcs8(der);
  return second === Tag.octetString ? fromSec1(der) : fromPkcs1(der);
}

/** OneAsymmetricKey, RFC 5958 §2; what is behind the key is left out. */
function checkPkcs8(der: Uint8Array): Uint8Array {
  return readOne(der, (reader) => {
    const inner = reader.sequence();
    const version = inner.smallInteger();
    const algorithm = readAlgorithm(inner);
    const key = inner.take(Tag.octetString);
    inner.maybe(contextConstructed(0));
    const hasPublic = inner.maybe(0x81) ?? inner.maybe(contextConstructed(1));
    inner.end();
    if (version > 1 || (hasPublic && version === 0)) throw new DecodeError("a version that PKCS#8 does not have");
    return write.sequence(write.integer(0), algorithm.raw, key.raw);
  });
}

/** ECPrivateKey, RFC 5915 §3: the curve moves from inside to the algorithm. */
function fromSec1(der: Uint8Array): Uint8Array {
  return readOne(der, (reader) => {
    const inner = reader.sequence();
    if (inner.smallInteger() !== 1) throw new DecodeError("a version that ECPrivateKey does not have");
    const key = inner.octets();
    const curve = inner.maybeExplicit(0, (parameters) => parameters.oid());
    const publicKey = inner.maybeExplicit(1, (bits) => bits.wholeBits());
    inner.end();
    if (!curve) throw new DecodeError("an EC key without a named curve");
    const algorithm = write.sequence(write.oid(keys.ecPublicKey), write.oid(curve));
    const parts = [write.integer(1), write.octetString(key)];
    if (publicKey) parts.push(write.explicit(1, write.bitString(publicKey)));
    return write.sequence(write.integer(0), algorithm, write.octetString(write.sequence(...parts)));
  });
}

/** RSAPrivateKey, RFC 8017 §A.1.2: nine integers; only two primes. */
function fromPkcs1(der: Uint8Array): Uint8Array {
  readOne(der, (reader) => {
    const inner = reader.sequence();
    if (inner.smallInteger() !== 0) throw new DecodeError("an RSA key of more than two primes");
    for (let i = 0; i < 8; i++) inner.integer();
    inner.end();
  });
  const algorithm = write.sequence(write.oid(keys.rsaEncryption), write.nothing());
  return write.sequence(write.integer(0), algorithm, write.octetString(der));
}

/** EncryptedPrivateKeyInfo, RFC 5958 §3, by PBES2 with PBKDF2 and AES-CBC. */
function decryptPkcs8(der: Uint8Array, { provider, password }: Unlock): Uint8Array {
  const { scheme, encrypted } = readOne(der, (reader) => {
    const inner = reader.sequence();
    const algorithm = readAlgorithm(inner);
    const bytes = inner.octets();
    inner.end();
    return { scheme: algorithm, encrypted: bytes };
  });
  if (scheme.oid !== pbes2 || scheme.parameters?.tag !== Tag.sequence) throw unsupported(`scheme ${scheme.oid}`);
  if (!provider || password === undefined) {
    throw new PkiFailure("wrong-password", "the key is encrypted and no password was given");
  }
  const { derivation, cipherOid, iv } = readPbes2(scheme.parameters);
  const cipher = ciphers.get(cipherOid);
  if (!cipher) throw unsupported(`cipher ${cipherOid}`);
  if (iv.length !== 16 || encrypted.length === 0 || encrypted.length % 16 !== 0) throw new DecodeError("not AES-CBC");
  const key = pbkdf2(provider, typeof password === "string" ? utf8(password) : password, derivation, cipher.keySize);
  const plain = copyOf(encrypted);
  const decryptor = provider.cipher(cipher.name).decryptor(key);
  key.fill(0);
  decryptor.apply(plain, 0, plain.length, iv);
  decryptor.destroy();
  // RFC 8018 §6.2.2 with the padding of §6.1.1. Whoever holds the file can try passwords at home: no oracle here.
  const padding = plain.at(-1)!;
  const whole =
    padding >= 1 && padding <= 16 && plain.subarray(plain.length - padding).every((each) => each === padding);
  try {
    if (whole) return checkPkcs8(plain.subarray(0, plain.length - padding));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  } finally {
    plain.fill(0);
  }
  throw new PkiFailure("wrong-password", "the password does not open the key");
}

interface Derivation {
  readonly salt: Uint8Array;
  readonly rounds: number;
  readonly hash: HashName;
}

function readPbes2(parameters: Element): { derivation: Derivation; cipherOid: string; iv: Uint8Array } {
  const inner = inside(parameters);
  const kdf = readAlgorithm(inner);
  const cipher = readAlgorithm(inner);
  inner.end();
  if (kdf.oid !== pbkdf2Oid || kdf.parameters?.tag !== Tag.sequence) throw unsupported(`key derivation ${kdf.oid}`);
  if (cipher.parameters?.tag !== Tag.octetString) throw unsupported(`cipher ${cipher.oid}`);
  return { derivation: readPbkdf2(inside(kdf.parameters)), cipherOid: cipher.oid, iv: cipher.parameters.content };
}

function readPbkdf2(reader: DerReader): Derivation {
  const salt = reader.octets();
  const rounds = reader.smallInteger();
  reader.maybe(Tag.integer); // keyLength: the cipher says it
  // RFC 8018 §A.2: the DEFAULT is HMAC with SHA-1
  const prf = reader.more ? readAlgorithm(reader).oid : hmacSha1;
  reader.end();
  const hash = prfs.get(prf);
  if (!hash) throw unsupported(`pseudo-random function ${prf}`);
  if (rounds < 1 || rounds > limits.kdfRoundsMax) throw unsupported(`${rounds} rounds`);
  return { salt, rounds, hash };
}

/** RFC 8018 §5.2. */
function pbkdf2(
  provider: CryptoProvider,
  password: Uint8Array,
  { salt, rounds, hash }: Derivation,
  size: number,
): Uint8Array {
  const mac = provider.hash(hash).hmac(password);
  const key = new Uint8Array(size);
  for (let block = 1, at = 0; at < size; block++, at += mac.size) {
    let u = mac.compute(salt, Uint8Array.of(block >>> 24, block >>> 16, block >>> 8, block));
    const t = u.slice();
    for (let round = 1; round < rounds; round++) {
      u = mac.compute(u);
      for (let i = 0; i < t.length; i++) t[i]! ^= u[i]!;
    }
    key.set(t.subarray(0, Math.min(mac.size, size - at)), at);
    t.fill(0);
  }
  mac.destroy();
  return key;
}

const unsupported = (what: string): PkiFailure =>
  new PkiFailure("unsupported-key-encryption", `the key is encrypted with ${what}, which we do not have`, {
    hint: "openssl pkcs8 -topk8 -v2 aes-256-cbc writes what we read",
  });

const pbes2 = "1.2.840.113549.1.5.13";
const pbkdf2Oid = "1.2.840.113549.1.5.12";
const hmacSha1 = "1.2.840.113549.2.7";
const prfs: ReadonlyMap<string, HashName> = new Map([
  [hmacSha1, "SHA-1"],
  ["1.2.840.113549.2.8", "SHA-224"],
  ["1.2.840.113549.2.9", "SHA-256"],
  ["1.2.840.113549.2.10", "SHA-384"],
  ["1.2.840.113549.2.11", "SHA-512"],
]);
const ciphers: ReadonlyMap<string, { readonly name: CipherName; readonly keySize: number }> = new Map([
  ["2.16.840.1.101.3.4.1.2", { name: "AES-128-CBC", keySize: 16 }],
  ["2.16.840.1.101.3.4.1.22", { name: "AES-192-CBC", keySize: 24 }],
  ["2.16.840.1.101.3.4.1.42", { name: "AES-256-CBC", keySize: 32 }],
] as const);
