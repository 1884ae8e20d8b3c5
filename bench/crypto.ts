import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { type BenchRow, median } from "../src/cli/bench-row.js";
import type { AeadName } from "../src/contract/crypto.js";
import { expandWith } from "../src/crypto/hkdf.js";
import { chooseCrypto } from "../src/hosts/node/crypto.js";
import { nodeEntropy } from "../src/hosts/node/crypto-portable/index.js";

/** The chosen provider beside node:crypto used in the plain way, one object a message. */
export async function run(): Promise<readonly BenchRow[]> {
  const node = `node:crypto (OpenSSL ${process.versions.openssl})`;
  const rows: BenchRow[] = [];
  const measure = (what: string, unit: string, perCall: number, ours: () => void, peer: () => void, name = node) => {
    const [mine, theirs] = rates(ours, peer);
    rows.push({
      what: `${what} (${provider.name})`,
      unit,
      ours: mine * perCall,
      peer: theirs * perCall,
      peerName: name,
      ratio: mine / theirs,
    });
  };
  const { provider } = chooseCrypto();

  const nonce = new Uint8Array(12);
  const header = new Uint8Array(13);
  for (const [name, id] of [
    ["AES-128-GCM", "aes-128-gcm"],
    ["AES-256-GCM", "aes-256-gcm"],
    ["ChaCha20-Poly1305", "chacha20-poly1305"],
  ] as const satisfies readonly (readonly [AeadName, string])[]) {
    for (const size of [1350, 16_384]) {
      const packet = size < 2000;
      const [unit, perCall] = packet ? (["packets/s", 1] as const) : (["MB/s", size / 1e6] as const);
      const key = new Uint8Array(provider.aead(name).keySize).fill(7);
      const keyObject = createSecretKey(key);
      const sealer = provider.aead(name).sealer(key);
      const opener = provider.aead(name).opener(key);
      const bytes = new Uint8Array(size + 16);
      const text = bytes.subarray(0, size);
      const sealed = new Uint8Array(size + 16);
      sealer.seal(sealed, 0, size, nonce, header);
      measure(
        `${name} seal, ${size} bytes`,
        unit,
        perCall,
        () => {
          nonce[11]!++;
          sealer.seal(bytes, 0, size, nonce, header);
        },
        () => {
          nonce[11]!++;
          nodeSeal(id, keyObject, nonce, header, text);
        },
      );
      nonce.fill(0);
      const box = sealed.slice();
      measure(
        `${name} open, ${size} bytes`,
        unit,
        perCall,
        () => {
          box.set(sealed);
          if (!opener.open(box, 0, box.length, nonce, header)) throw new Error("not opened");
        },
        () => nodeOpen(id, keyObject, nonce, header, sealed),
      );
    }
  }

  const macKey = new Uint8Array(32).fill(3);
  const macKeyObject = createSecretKey(macKey);
  const sha256 = provider.hash("SHA-256");
  const mac = sha256.hmac(macKey);
  const message = new Uint8Array(64);
  const tag = new Uint8Array(32);
  measure(
    "HMAC-SHA-256, 64 bytes",
    "tags/s",
    1,
    () => mac.computeInto(tag, 0, message, 0, 64),
    () => createHmac("sha256", macKeyObject).update(message).digest(),
  );
  measure(
    "HKDF-Expand with SHA-256 to 32 bytes",
    "keys/s",
    1,
    () => expandWith(mac, header, 32),
    () => hkdfSync("sha256", macKeyObject, tag, header, 32),
  );
  const packet = new Uint8Array(1350);
  measure(
    "SHA-256, 1350 bytes",
    "digests/s",
    1,
    () => sha256.digest(packet),
    () => createHash("sha256").update(packet).digest(),
  );

  const mask = provider.cipher("AES-128-ECB").encryptor(macKey.subarray(0, 16));
  const maskKey = createSecretKey(macKey.subarray(0, 16));
  measure(
    "AES-128-ECB, one block",
    "blocks/s",
    1,
    () => mask.apply(tag, 0, 16, none),
    () => createCipheriv("aes-128-ecb", maskKey, null).update(tag.subarray(0, 16)),
  );

  const x25519 = provider.agreement("X25519");
  const { share: peerShare } = x25519.initiate(nodeEntropy);
  measure(
    "X25519, new key and secret",
    "agreements/s",
    1,
    () => x25519.respond(peerShare, nodeEntropy),
    () => {
      const mine = generateKeyPairSync("x25519");
      // Its share is not even exported: JWK of a generated key deadlocks in Node 20 when a collection comes at once.
      diffieHellman({ privateKey: mine.privateKey, publicKey: peerKey });
    },
  );
  const p256 = provider.agreement("P-256");
  const p256Share = p256.initiate(nodeEntropy).share;
  measure(
    "P-256, new key and secret",
    "agreements/s",
    1,
    () => p256.respond(p256Share, nodeEntropy),
    () => {
      const mine = createECDH("prime256v1");
      mine.generateKeys();
      mine.computeSecret(p256Share);
    },
  );
  const kem = provider.agreement("ML-KEM-768");
  const keys = kem.initiate(nodeEntropy);
  const answer = kem.respond(keys.share, nodeEntropy)!;
  const noble = "@noble/post-quantum";
  measure(
    "ML-KEM-768, key pair",
    "operations/s",
    1,
    () => kem.initiate(nodeEntropy),
    () => ml_kem768.keygen(),
    noble,
  );
  measure(
    "ML-KEM-768, encapsulate",
    "operations/s",
    1,
    () => kem.respond(keys.share, nodeEntropy),
    () => ml_kem768.encapsulate(keys.share),
    noble,
  );
  const { publicKey, secretKey } = ml_kem768.keygen();
  const { cipherText } = ml_kem768.encapsulate(publicKey);
  measure(
    "ML-KEM-768, decapsulate",
    "operations/s",
    1,
    () => kem.conclude(keys.privateKey, answer.share),
    () => ml_kem768.decapsulate(cipherText, secretKey),
    noble,
  );
  return rows;
}

const none = new Uint8Array(0);
const peerKey = generateKeyPairSync("x25519").publicKey;

function nodeSeal(id: string, key: KeyObject, nonce: Uint8Array, header: Uint8Array, text: Uint8Array): void {
  const cipher = createCipheriv(id as CipherGCMTypes, key, nonce, { authTagLength: 16 });
  cipher.setAAD(header);
  cipher.update(text);
  cipher.final();
  cipher.getAuthTag();
}

function nodeOpen(id: string, key: KeyObject, nonce: Uint8Array, header: Uint8Array, sealed: Uint8Array): void {
  const decipher = createDecipheriv(id as CipherGCMTypes, key, nonce, { authTagLength: 16 });
  decipher.setAAD(header);
  decipher.setAuthTag(sealed.subarray(-16));
  decipher.update(sealed.subarray(0, -16));
  decipher.final();
}

const rounds = 7;
const sliceMs = 25;

/** Calls a second of both, as medians of slices taken in turn, so that a busy machine slows both alike. */
function rates(ours: () => void, peer: () => void): readonly [number, number] {
  const mine: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const [a, b] = [slice(ours), slice(peer)];
    if (i === 0) continue; // The first warms up.
    mine.push(a);
    theirs.push(b);
  }
  return [median(mine), median(theirs)];
}

function slice(work: () => void): number {
  let calls = 0;
  let spent = 0;
  const start = performance.now();
  for (let batch = 1; spent < sliceMs; spent = performance.now() - start) {
    for (let i = 0; i < batch; i++) work();
    calls += batch;
    if (batch < 64) batch *= 2;
  }
  return (1000 * calls) / spent;
}
