import { concat, toHex } from "../../../bytes/bytes.js";
import type { AeadName, AgreementName, CipherName, CryptoProvider, HashName } from "../../../contract/crypto.js";
import { aeads, ciphers, hashes } from "../../../crypto/algorithms.js";

/**
 * Runs every algorithm that may be replaced on fixed inputs and answers the SHA-256 of all that came out: one known answer for
 * the whole of them. ML-KEM is the same code in every provider, so it is not among them. Throws if a message does not come back, a forgery does, or a byte outside a range was touched.
 */
export function probe(provider: CryptoProvider): string {
  const outputs: Uint8Array[] = [];
  for (const name of sorted(aeads)) if (probed(name)) outputs.push(...probeAead(provider, name as AeadName));
  for (const name of sorted(ciphers)) if (probed(name)) outputs.push(...probeCipher(provider, name as CipherName));
  for (const name of sorted(hashes)) outputs.push(...probeHash(provider, name as HashName));
  for (const name of ["X25519", "X448"] as const) outputs.push(...probeAgreement(provider, name));
  return toHex(provider.hash("SHA-256").digest(concat(...outputs)));
}

/** Computed with the noble provider, and held by a test of all three. */
export const probeAnswer = "59ce560341189edb3be4099f6d22e3ac12dd50a1b00926ddb7b6a5973c9db458";

/** What stays portable anyway needs no probe, and platforms without it none either. */
const probed = (name: string): boolean => !name.includes("Salsa") && !name.startsWith("XChaCha");

const sorted = (table: object): string[] => Object.keys(table).sort();

/** A loop: this runs in every process before it sends its first byte. */
function pattern(size: number, step: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i * step + 1;
  return bytes;
}

const sizes = [0, 1, 16, 77, 1350];
const guard = 0xa5;

function probeAead(provider: CryptoProvider, name: AeadName): Uint8Array[] {
  const { keySize, nonceSize, tagSize } = aeads[name];
  const key = pattern(keySize, 7);
  const sealer = provider.aead(name).sealer(key);
  const opener = provider.aead(name).opener(key);
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

function probeCipher(provider: CryptoProvider, name: CipherName): Uint8Array[] {
  const { keySize, ivSize, blockSize } = ciphers[name];
  const key = pattern(keySize, 7);
  const iv = pattern(ivSize, 11);
  const encryptor = provider.cipher(name).encryptor(key);
  const decryptor = provider.cipher(name).decryptor(key);
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

function probeHash(provider: CryptoProvider, name: HashName): Uint8Array[] {
  const hash = provider.hash(name);
  return sizes.flatMap((size) => {
    const message = pattern(size, 3);
    const mac = hash.hmac(pattern(size % 200, 7));
    const tags = [hash.digest(message), mac.compute(message), mac.compute(message, message)];
    mac.destroy();
    return tags;
  });
}

function probeAgreement(provider: CryptoProvider, name: AgreementName): Uint8Array[] {
  const agreement = provider.agreement(name);
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
  if (!secret?.equals(theirs!.secret)) throw new Error(`${name} misbehaves`);
  return [mine.share, theirs!.share, secret.expose()];
}
