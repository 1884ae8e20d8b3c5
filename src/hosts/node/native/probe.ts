import { concat, fromHex, toHex } from "../../../bytes/bytes.js";
import type { Aead, Agreement, Cipher, Hash } from "../../../contract/crypto.js";
import { aeads, type CurveName, ciphers, hashes } from "../../../crypto/algorithms.js";
import { portableTables } from "../crypto-portable/index.js";
import type { Curve } from "./ecdsa.js";

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

/** Keys and signatures of SHA-256, made with the noble provider. */
const knownSignatures: Readonly<
  Record<CurveName, { readonly pkcs8: string; readonly spki: string; readonly signature: string }>
> = {
  "P-256": {
    pkcs8:
      "3041020100301306072a8648ce3d020106082a8648ce3d03010704273025020101042001060b10151a1f24292e33383d42474c51565b6065" +
      "6a6f74797e83888d92979c",
    spki:
      "3059301306072a8648ce3d020106082a8648ce3d030107034200048e9756bd33a172e8008223acd030bc1b37a5f81be2a0db8bba10052a4a" +
      "11824350599beda92c9c9211d7227f89bb3300e597e89f8192b9c5d99f584c548e7f6d",
    signature:
      "304502203535df8304f4ca5b3d47f0daed75e9c73a501bfcf5fd6c72744b333d9ea88c1c022100d1078e0c067e0ef0de02c02d53c0baf3c9" +
      "912ef6d39c667aaddcb46a4ed94af5",
  },
  "P-384": {
    pkcs8:
      "304e020100301006072a8648ce3d020106052b8104002204373035020101043001060b10151a1f24292e33383d42474c51565b60656a6f74" +
      "797e83888d92979ca1a6abb0b5babfc4c9ced3d8dde2e7ec",
    spki:
      "3076301006072a8648ce3d020106052b8104002203620004be42c208ac7e149db4d1d5fa2f3b0989180620086d038f38de475446387c65fe" +
      "ff2162060e689a59cc5de8f0b05dcdd93ef492ff6291ca6c040b8fcc7f05d6e601b58b7d068b4daa82eac0513e8a781355d84898f97c4590" +
      "39068becd152b0cb",
    signature:
      "306402301bc4f57cac3004063d29c951d9bc576c58fb5582a3145d6800a3cc04210daf49b3480d2f6432c7a03729f39773bf609b02304692" +
      "1facd7440247e1cd9c3f4bab899bd7f6904a19d0b7b1fe5e9dc0b9ca6f554118ce6d3a814d9e77c126e128a26978",
  },
  "P-521": {
    pkcs8:
      "3060020100301006072a8648ce3d020106052b8104002304493047020101044201060b10151a1f24292e33383d42474c51565b60656a6f74" +
      "797e83888d92979ca1a6abb0b5babfc4c9ced3d8dde2e7ecf1f6fb00050a0f14191e23282d32373c4146",
    spki:
      "30819b301006072a8648ce3d020106052b810400230381860004016ff178b9a71de853a131ca9b9e055a6b668b5859f5f87f6befca793555" +
      "006116757c86cc77cfc30c58f3c46465a52f07f8d14ee02a6dcfb7901f3fd2cb58c8cf0f001f66221fe8eef358926736219a35463d8e1204" +
      "62f042c801366d2ed4f6dde3632cc92c917c9409bd6f5f08e5bbaf31a86481a285d69bfa235b829d222ab306eb44",
    signature:
      "30818702411ca514875d64688a86dd54902b4177f7aa1fe2d3a956cd6d26e4d61f8644a225b32eba791e1421504f2715de7601048fe16b96" +
      "5cba8fec582d95d2ad118a62704a024200a52f785d5705e7663ff2e1e24844a2418d9b5a3f0ceba19cd7949029d035e25bd73d9176a8a0ac" +
      "b7d49e5aa650f4b1706afb9e27e473e7efaa90fdbd4339345a0b",
  },
};

/** Computed with the noble provider where it has the algorithm, and held by a test of all three. */
export const knownAnswers: Readonly<Record<string, string>> = {
  "BLAKE2s-256": "ef71f49bcbdd2bfa4a7a45195adf10a613135b0f917dee49ce6571af711bf138",
  MD5: "02f3f8bfb7ef7fe8855ae58c6fccdc9ec762c55468985920ec69498e606e16d0",
  "SHA-1": "f1b3ce6992beffb922f8bd9593025f1f5b4836de586f3ab950d58341195e5e11",
  "SHA-224": "27e12662966b572e3a0b44016d270bf2f1d8399af86c4f7a792a01ace0d1e059",
  "SHA-256": "59e2efe30e1608d08bc165a8e05268e926c3ebe4fd8ad7f1a2471bbc22272ebc",
  "SHA-384": "83276068e6f308225e6f5bdbe5af5b6e5a0ecebde52ccf5063bf235ec8e1a796",
  "SHA-512": "dda64f34b38295598c7147acf99a56c8d5674d3588aa54fd43693bb6e578505d",
  "AES-128-GCM-12": "51410cca730e4a16fd15df453a593cbe15539ccf07187361e7c96f3e58106e3c",
  "AES-128-CCM": "b0e085e1b1f43a88758a324936fe34698b09f4f14f1fbfc7e890b8d0efa974ad",
  "AES-128-CCM-8": "83bbe62d57a72e073a639212d16e2677b7815a87e3849a864766580c8cf2a926",
  "AES-128-GCM": "09690d2ad6aea68755ac4396a66475f322cd7250d4ad6db338d2ba668b169f52",
  "AES-192-GCM": "86a049cf5ecfc788224e76462cfe6dc8939631669d46f88ff67bf585a9a57e74",
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
  ffdhe2048: "0c003c0b39be22478a4de05bd4ecc96bf45827a2bc28cf565e15d0378da1e373",
  ffdhe3072: "41edb51155842d7ad6c58c00bf0fd9e1cc1e796a6582a9c8da6b177d501766f7",
  ffdhe4096: "fcec3d015583f48c118e5de138d85e5d4cf651ccf233b9eebd016d089c766f21",
  ffdhe6144: "5296939a0948059906a082f63fb38dbbad57b0d1f4c701d79d80114f6c0b9aaf",
  ffdhe8192: "2f3a18e69e1520bed372544ad3efd8990ce3f9905735df1e30fbe79b26b72a98",
  modp2048: "2113c94ffaaa0b6c32fefbed01de0bd15715ea25fa6212c912ce75513a5dbe9a",
  modp3072: "e1bc22f806fcbe211dc91f4f41542afa2c227c5a45c199f25037b2118015cbed",
  modp4096: "53499d3738d03ec6738dd29f46ea6fd802eb8daa88e15b521e263e2220c49f34",
  modp6144: "9ec59cd3984fbb9d32597bf37574436c80b59f959fdc8a286a8e1087022f39fd",
  modp8192: "601dedbacb4535150fdb1ea7407caf67569756ac4792ad07ed3a3fdcf321f386",
  X25519: "7576a5083d177d85716744f19dc183259f6a120b66e9b20b352958d52362fef9",
  X448: "87d7cf2c93a4650b1d7f316411e363f9597e67f8b40b97808df19c0ab543a5eb",
};

/** Signatures are random, so each half is asked: does it know a right one from wrong ones, and do others know its own? */
export function isProvenCurve(curve: Pick<Curve, "name" | "publicKey" | "privateKey">): boolean {
  const [pkcs8, spki, signature] = [...Object.values(knownSignatures[curve.name])].map(fromHex) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const algorithm = `ECDSA-${curve.name}-SHA-256` as const;
  const message = pattern(77, 3);
  try {
    const key = curve.publicKey(spki);
    const own = curve.privateKey(pkcs8, spki)?.sign(algorithm, message);
    return (
      key?.verify(algorithm, message, signature) === true &&
      !key.verify(algorithm, message, flipped(signature)) &&
      !key.verify(algorithm, pattern(77, 5), signature) &&
      curve.publicKey(flipped(spki)) === undefined &&
      own !== undefined &&
      portableTables.publicKey(spki)?.verify(algorithm, message, own) === true
    );
  } catch {
    return false;
  }
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}

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
