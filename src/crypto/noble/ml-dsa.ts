import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import { concat, copyOf } from "../../bytes/index.js";
import type { MlDsaName, PrivateKey, PublicKey, SignatureName } from "../../contract/crypto.js";
import { element, objectIdentifier, Tag, unsigned, whole } from "../der.js";
import { misuse } from "../failure.js";
import type { MlDsaMaterial } from "../public-key.js";

const sets = { "ML-DSA-44": ml_dsa44, "ML-DSA-65": ml_dsa65, "ML-DSA-87": ml_dsa87 } as const;

/** Last arcs of the object identifiers below 2.16.840.1.101.3.4.3 (RFC 9881 §2). */
const arcs = { "ML-DSA-44": 17, "ML-DSA-65": 18, "ML-DSA-87": 19 } as const satisfies Record<MlDsaName, number>;

/** ML-DSA (FIPS 204) in certificates: pure, with an empty context (RFC 9881 §3). */
export function mlDsaPublicKey(spki: Uint8Array, { type, bits, key }: MlDsaMaterial): PublicKey {
  const own = copyOf(key);
  return {
    spki,
    type,
    bits,
    verify(algorithm, message, signature) {
      if (algorithm !== type) return false;
      try {
        return sets[type].verify(signature, message, own);
      } catch {
        return false; // A signature of another size.
      }
    },
  };
}

/** From PKCS#8 that holds a seed, alone or beside the expanded key (RFC 9881 §6); undefined for anything else. */
export function mlDsaPrivateKey(pkcs8: Uint8Array): PrivateKey | undefined {
  const read = whole(pkcs8, (from) => {
    const info = element(from, Tag.sequence);
    unsigned(info);
    const algorithm = element(info, Tag.sequence);
    const identifier = objectIdentifier(algorithm);
    const type = (Object.keys(arcs) as MlDsaName[]).find((name) => identifier === `2.16.840.1.101.3.4.3.${arcs[name]}`);
    const choice = element(info, Tag.octetString);
    info.rest();
    if (!type) return undefined;
    const isSeed = choice.bytes[choice.at] === 0x80;
    const seed = element(isSeed ? choice : element(choice, Tag.sequence), isSeed ? 0x80 : Tag.octetString).rest();
    choice.rest();
    return { type, seed };
  });
  if (read?.seed.length !== 32) return undefined;
  const { type, seed } = read;
  const { publicKey: key, secretKey } = sets[type].keygen(seed);
  const publicKey = mlDsaPublicKey(infoOf(type, key), { type, bits: 8 * key.length, key });
  return {
    publicKey,
    sign(algorithm: SignatureName, message: Uint8Array) {
      if (algorithm !== type) throw misuse("unfit-key", `a key of type ${type} does not sign with ${algorithm}`);
      // the deterministic variant (FIPS 204 §3.4): no entropy is at hand here
      return sets[type].sign(message, secretKey, { extraEntropy: false });
    },
  };
}

/** SubjectPublicKeyInfo: sizes of ML-DSA's keys all take two octets of length. */
function infoOf(type: MlDsaName, key: Uint8Array): Uint8Array {
  const algorithm = Uint8Array.of(0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, arcs[type]);
  const bits = concat(header(Tag.bitString, key.length + 1), Uint8Array.of(0), key);
  return concat(header(Tag.sequence, algorithm.length + bits.length), algorithm, bits);
}

const header = (tag: number, size: number): Uint8Array => Uint8Array.of(tag, 0x82, size >> 8, size & 0xff);
