import { concat, toHex } from "../../../bytes/bytes.js";
import type { Aead, Agreement, Cipher, Hash } from "../../../contract/crypto.js";
import { aeads, ciphers, hashes } from "../../../crypto/algorithms.js";
import { portableTables } from "../crypto-portable/index.js";

/** What may be replaced, and so is asked what everybody knows. */
export type Provable = Hash | Aead | Cipher | Agreement;

/**
 * Runs an algorithm on fixed inputs and answers the SHA-256 of all that came out. Throws if a message does not come back, a
 * forgery does, or a byte outside a range was touched.
 */
export function probe(algorithm: Provable): string {
  const { name } = algorithm;
  const outputs =
    name in hashes
      ? probeHash(algorithm as Hash)
      : name in aeads
        ? probeAead(algorithm as Aead)
        : name in ciphers
          ? probeCipher(algorithm as Cipher)
          : probeAgreement(algorithm as Agreement);
  // Never judged by what is on trial.
  return toHex(portableTables.hashes["SHA-256"]!.digest(concat(...outputs)));
}

/** False for a wrong answer, for one that nobody knows, and for none. */
export function isProven(algorithm: Provable): boolean {
  try {
    return probe(algorithm) === knownAnswers[algorithm.name];
  } catch {
    return false;
  }
}

/** Computed with the noble provider where it has the algorithm, and held by a test of all three. */
export const knownAnswers: Readonly<Record<string, string>> = {
  "BLAKE2s-256": "ef71f49bcbdd2bfa4a7a45195adf10a613135b0f917dee49ce6571af711bf138",
  MD5: "02f3f8bfb7ef7fe8855ae58c6fccdc9ec762c55468985920ec69498e606e16d0",
  "SHA-1": "f1b3ce6992beffb922f8bd9593025f1f5b4836de586f3ab950d58341195e5e11",
  "SHA-224": "27e12662966b572e3a0b44016d270bf2f1d8399af86c4f7a792a01ace0d1e059",
  "SHA-256": "59e2efe30e1608d08bc165a8e05268e926c3ebe4fd8ad7f1a2471bbc22272ebc",
  "SHA-384": "83276068e6f308225e6f5bdbe5af5b6e5a0ecebde52ccf5063bf235ec8e1a796",
  "SHA-512": "dda64f34b38295598c7147acf99a56c8d5674d3588aa54fd43693bb6e578505d",
  "AES-128-CCM": "b0e085e1b1f43a88758a324936fe34698b09f4f14f1fbfc7e890b8d0efa974ad",
  "AES-128-CCM-8": "83bbe62d57a72e073a639212d16e2677b7815a87e3849a864766580c8cf2a926",
  "AES-128-GCM": "09690d2ad6aea68755ac4396a66475f322cd7250d4ad6db338d2ba668b169f52",
  "AES-256-CCM": "44d510029ca37099a788d80ba6d0fa3327cf1b4289aa55f024370840354b504d",
  "AES-256-CCM-8": "22db3c1b13344d6cb6e1d2f0155a6428b5330c6d1fe2b871d813b9e82aa7131e",
  "AES-256-GCM": "b47270826e77443f3a7272001f78e3aacef85af3d980563917df549049d35687",
  "ChaCha20-Poly1305": "865bb308ea84bf5777a0b6374f3c76ff95c2dbf560332b5c441262241c436efa",
  "AES-128-CBC": "a40de09a91a24563dfeb58e3df55d996e7bee8b262ad83cfffadacbaae401728",
  "AES-128-CTR": "0f6edd15dc8f407281fde4a60e3d5be058a3c154761f8592967818c51a2e3568",
  "AES-128-ECB": "82453eef487176acf59a236a53d42f0d7f858c471492664f9e17195b2de0d8b0",
  "AES-192-CBC": "415cd183a28147dc6e0e0fe45b9fcfac67cb7839beec6a39536dca9a56b6e7e2",
  "AES-192-CTR": "80b4adb564f06e88519b5d80caac7a83a07e07ccba8cd6fc41fcefd54bee336d",
  "AES-192-ECB": "4bbf070a215ee158601bd8c68f911fb6c691f72024a45b472e8d8e1f4e3025cf",
  "AES-256-CBC": "7dcf5d67d639a1b4f25ba24591a7ff6166681bc33fe6869f08cc1672ed24280c",
  "AES-256-CTR": "59bcc8c86dc81fbd3851844171b6ffc550ae8d82d6238596c61f5a2ba3c27344",
  "AES-256-ECB": "ead2b239a95cbe4ca97e20761fa0c4dbe901febc55ecd6e9185014f55ebf3e7e",
  "AES-128-CFB": "aa46c10497306079a09a7f671d3e5149b40f875b443141af63450749e09a08e7",
  "AES-192-CFB": "8a087da63c80fbf16432fd63e4492b2081b48be1c93456f9d7024ddf93942fb8",
  "AES-256-CFB": "514a36027bcdba162bc5b76bb42aec3645f6e091f6f2ba8331599d7371da880b",
  ChaCha20: "0e69cd41109c3f6f9912567c2bce655bc2353e00267d6b254a564b350d2a86b0",
  X25519: "7576a5083d177d85716744f19dc183259f6a120b66e9b20b352958d52362fef9",
  X448: "87d7cf2c93a4650b1d7f316411e363f9597e67f8b40b97808df19c0ab543a5eb",
};

/** A loop: this runs before a process sends its first byte. */
function pattern(size: number, step: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i * step + 1;
  return bytes;
}

const sizes = [0, 1, 16, 77, 1350];
const guard = 0xa5;

function probeAead(aead: Aead): Uint8Array[] {
  const { name, keySize, nonceSize, tagSize } = aead;
  const key = pattern(keySize, 7);
  const sealer = aead.sealer(key);
  const opener = aead.opener(key);
  const nonce = pattern(nonceSize, 11);
  const outputs = sizes.map((size) => {
    const associated = pattern(size % 100, 5);
    const plain = pattern(size, 3);
    const box = new Uint8Array(size + tagSize + 2).fill(guard);
    box.set(plain, 1);
    sealer.seal(box, 1, size, nonce, associated);
    const sealed = box.slice(1, -1);
    const forged = sealed.slice();
    forged[forged.length - 1]! ^= 1;
    const accepted = opener.open(forged, 0, forged.length, nonce, associated);
    const opened = opener.open(box, 1, size + tagSize, nonce, associated);
    const same = plain.every((byte, i) => box[i + 1] === byte);
    if (accepted || !opened || !same || box[0] !== guard || box.at(-1) !== guard) throw new Error(`${name} misbehaves`);
    return sealed;
  });
  sealer.destroy();
  opener.destroy();
  return outputs;
}

function probeCipher(cipher: Cipher): Uint8Array[] {
  const { name, keySize, ivSize, blockSize } = cipher;
  const key = pattern(keySize, 7);
  const iv = pattern(ivSize, 11);
  const encryptor = cipher.encryptor(key);
  const decryptor = cipher.decryptor(key);
  const outputs = sizes.map((wanted) => {
    const size = wanted - (wanted % blockSize);
    const plain = pattern(size, 3);
    const box = new Uint8Array(size + 2).fill(guard);
    box.set(plain, 1);
    encryptor.apply(box, 1, size, iv);
    const encrypted = box.slice(1, -1);
    decryptor.apply(box, 1, size, iv);
    const same = plain.every((byte, i) => box[i + 1] === byte);
    if (!same || box[0] !== guard || box.at(-1) !== guard) throw new Error(`${name} misbehaves`);
    return encrypted;
  });
  encryptor.destroy();
  decryptor.destroy();
  return outputs;
}

function probeHash(hash: Hash): Uint8Array[] {
  return sizes.flatMap((size) => {
    const message = pattern(size, 3);
    const mac = hash.hmac(pattern(size % 200, 7));
    const tags = [hash.digest(message), mac.compute(message), mac.compute(message, message)];
    mac.destroy();
    return tags;
  });
}

function probeAgreement(agreement: Agreement): Uint8Array[] {
  let step = 3;
  const entropy = {
    fill(into: Uint8Array): Uint8Array {
      into.set(pattern(into.length, (step += 2)));
      return into;
    },
  };
  const mine = agreement.initiate(entropy);
  const theirs = agreement.respond(mine.share, entropy);
  const secret = theirs && agreement.conclude(mine.privateKey, theirs.share);
  if (!secret?.equals(theirs!.secret)) throw new Error(`${agreement.name} misbehaves`);
  return [mine.share, theirs!.share, secret.expose()];
}
