import { copyOf } from "../../../bytes/index.js";
import type { PrivateKey, PublicKey, SignatureName } from "../../../contract/crypto.js";
import { type CurveName, curves, signatures } from "../../../crypto/algorithms.js";
import { misuse } from "../../../crypto/failure.js";
import { readPrivateKey } from "../../../crypto/private-key.js";
import { type ProviderTables, type Table, table } from "../../../crypto/provider.js";
import { readPublicKey } from "../../../crypto/public-key.js";
import { type Libcrypto, slots } from "./libcrypto.js";
import { littleEndian } from "./memory.js";

type Keys = Pick<ProviderTables, "publicKey" | "privateKey">;

/**
 * ECDSA on OpenSSL's own keys, made of their points and kept with a context. (node:crypto's import of a JWK multiplies the point by
 * the order of the curve, which for these curves, of cofactor one, finds nothing that lying on the curve leaves open; and every
 * signature of its looks up again what a context knows.) Keys of other types are the portable ones, and private keys
 * are taken from there once they have been found sound. `isProven` is asked of a curve before it is used.
 */
export function ecdsaKeys(libcrypto: Libcrypto, portable: ProviderTables, isProven: (curve: Curve) => boolean): Keys {
  const names = Object.keys(curves) as CurveName[];
  const known: Table<CurveName, Curve> = table(names, (name) => {
    const curve = Curve.open(libcrypto, name, portable.hashes);
    return curve !== undefined && isProven(curve) ? curve : undefined;
  });
  return {
    publicKey(spki) {
      const material = readPublicKey(spki);
      const curve = material?.type === "EC" ? known[material.curve] : undefined;
      return curve === undefined ? portable.publicKey(spki) : curve.publicKey(spki);
    },
    privateKey(pkcs8) {
      const key = portable.privateKey(pkcs8);
      const curve = key?.publicKey.curve && known[key.publicKey.curve];
      return (curve ? curve.privateKey(pkcs8, key!.publicKey.spki) : undefined) ?? key;
    },
  };
}

/** One curve: a template of OSSL_PARAM that OpenSSL reads keys by, and what its keys have in common. */
export class Curve {
  readonly name: CurveName;
  readonly bits: number;
  readonly libcrypto: Libcrypto;
  readonly hashes: ProviderTables["hashes"];
  readonly leaked: FinalizationRegistry<Handle>;
  /** Its addresses are in OpenSSL's hands. */
  readonly template: Uint8Array;
  readonly #importing: number;
  readonly #publicOnly: number;
  readonly #withPrivate: number;

  /** Undefined where OpenSSL has no such keys. */
  static open(libcrypto: Libcrypto, name: CurveName, hashes: ProviderTables["hashes"]): Curve | undefined {
    const { call, scratch } = libcrypto;
    scratch.put(new TextEncoder().encode("EC\0"), slots.name);
    const importing = call.EVP_PKEY_CTX_new_from_name(0, scratch.address + slots.name, 0);
    if (importing !== 0 && call.EVP_PKEY_fromdata_init(importing) === 1) {
      return new Curve(libcrypto, name, hashes, importing);
    }
    call.EVP_PKEY_CTX_free(importing);
    call.ERR_clear_error();
    return undefined;
  }

  private constructor(libcrypto: Libcrypto, name: CurveName, hashes: ProviderTables["hashes"], importing: number) {
    const { call, memory, scratch } = libcrypto;
    this.name = name;
    this.bits = curves[name].bits;
    this.libcrypto = libcrypto;
    this.hashes = hashes;
    this.leaked = new FinalizationRegistry(({ key, context }) => {
      call.EVP_PKEY_CTX_free(context);
      call.EVP_PKEY_free(key);
    });
    this.#importing = importing;
    // OSSL_PARAM: key, data_type, data, data_size, return_size, in 40 bytes; one with no key ends the list.
    const { size } = curves[name];
    const words = new BigUint64Array(32);
    const bytes = new Uint8Array(words.buffer);
    const at = memory.addressOf(bytes);
    const texts = ["group", name, "pub", "priv"].map((text, i) => {
      const offset = 176 + 16 * i;
      bytes.set(new TextEncoder().encode(text), offset);
      return BigInt(at + offset);
    });
    const point = BigInt(scratch.address + slots.message);
    const scalar = BigInt(scratch.address + slots.key);
    const privately = [texts[3]!, unsignedInteger, scalar, BigInt(size), 0n];
    const group = [texts[0]!, utf8String, texts[1]!, BigInt(name.length), 0n];
    const publicly = [texts[2]!, octetString, point, BigInt(1 + 2 * size), 0n];
    words.set([...privately, ...group, ...publicly, 0n]);
    this.template = bytes;
    this.#withPrivate = at;
    this.#publicOnly = at + 40;
  }

  /** Undefined for a point off the curve. */
  publicKey(spki: Uint8Array): PublicKey | undefined {
    const handle = this.#load(spki);
    return handle && new EcPublicKey(this, copyOf(spki), handle);
  }

  /** The key that both halves make; undefined if they cannot be read as such. */
  privateKey(pkcs8: Uint8Array, spki: Uint8Array): PrivateKey | undefined {
    const material = readPrivateKey(pkcs8);
    const publicKey = this.publicKey(spki);
    if (material?.type !== "EC" || material.curve !== this.name || publicKey === undefined) return undefined;
    const handle = this.#load(spki, material.scalar);
    return handle && new EcPrivateKey(this, publicKey, handle);
  }

  #load(spki: Uint8Array, scalar?: Uint8Array): Handle | undefined {
    const { call, scratch } = this.libcrypto;
    const material = readPublicKey(spki);
    if (material?.type !== "EC" || material.curve !== this.name) return undefined;
    scratch.put(material.point, slots.message);
    // An integer in the machine's own order of bytes.
    if (scalar !== undefined) scratch.put(littleEndian ? scalar.toReversed() : scalar, slots.key);
    scratch.bytes.fill(0, slots.outSize, slots.outSize + 8);
    const loaded = call.EVP_PKEY_fromdata(
      this.#importing,
      scratch.address + slots.outSize,
      scalar === undefined ? publicHalf : bothHalves,
      scalar === undefined ? this.#publicOnly : this.#withPrivate,
    );
    if (scalar !== undefined) scratch.bytes.fill(0, slots.key, slots.key + scalar.length);
    const key = loaded === 1 ? scratch.number(slots.outSize) : 0;
    const context = key === 0 ? 0 : call.EVP_PKEY_CTX_new(key, 0);
    if (context !== 0) return { key, context };
    call.EVP_PKEY_free(key);
    call.ERR_clear_error();
    return undefined;
  }
}

interface Handle {
  readonly key: number;
  readonly context: number;
}

/** A digest of a message for a key of this curve, where OpenSSL will read it; undefined if the algorithm is for other keys. */
function digestFor(
  { name, hashes, libcrypto }: Curve,
  algorithm: SignatureName,
  message: Uint8Array,
): number | undefined {
  const row = signatures.get(algorithm);
  if (row?.kind !== "ECDSA" || (row.curve !== "any" && row.curve !== name)) return undefined;
  const digest = hashes[row.hash]?.digest(message);
  if (digest === undefined) return undefined;
  libcrypto.scratch.put(digest, slots.tag);
  return digest.length;
}

class EcPublicKey implements PublicKey {
  readonly spki: Uint8Array;
  readonly type = "EC";
  readonly bits: number;
  readonly curve: CurveName;
  readonly #curve: Curve;
  readonly #context: number;
  #isReady = false;

  constructor(curve: Curve, spki: Uint8Array, handle: Handle) {
    this.spki = spki;
    this.bits = curve.bits;
    this.curve = curve.name;
    this.#curve = curve;
    this.#context = handle.context;
    curve.leaked.register(this, handle);
  }

  verify(algorithm: SignatureName, message: Uint8Array, signature: Uint8Array): boolean {
    const { call, scratch } = this.#curve.libcrypto;
    const size = signature.length;
    if (size === 0 || size > slots.messageSizeMax) return false;
    const digestSize = digestFor(this.#curve, algorithm, message);
    if (digestSize === undefined) return false;
    scratch.put(signature, slots.message);
    this.#isReady ||= call.EVP_PKEY_verify_init(this.#context) === 1;
    const answer = this.#isReady
      ? call.EVP_PKEY_verify(
          this.#context,
          scratch.address + slots.message,
          size,
          scratch.address + slots.tag,
          digestSize,
        )
      : 0;
    if (answer !== 1) call.ERR_clear_error();
    return answer === 1;
  }
}

class EcPrivateKey implements PrivateKey {
  readonly publicKey: PublicKey;
  readonly #curve: Curve;
  readonly #context: number;
  #isReady = false;

  constructor(curve: Curve, publicKey: PublicKey, handle: Handle) {
    this.publicKey = publicKey;
    this.#curve = curve;
    this.#context = handle.context;
    curve.leaked.register(this, handle);
  }

  sign(algorithm: SignatureName, message: Uint8Array): Uint8Array {
    const { call, scratch } = this.#curve.libcrypto;
    const digestSize = digestFor(this.#curve, algorithm, message);
    if (digestSize === undefined) throw misuse("unfit-key", `a key of type EC does not sign with ${algorithm}`);
    this.#isReady ||= call.EVP_PKEY_sign_init(this.#context) === 1;
    scratch.setNumber(slots.outSize, slots.messageSizeMax);
    const signed =
      this.#isReady &&
      call.EVP_PKEY_sign(
        this.#context,
        scratch.address + slots.message,
        scratch.address + slots.outSize,
        scratch.address + slots.tag,
        digestSize,
      ) === 1;
    if (signed) return scratch.bytes.slice(slots.message, slots.message + scratch.number(slots.outSize));
    call.ERR_clear_error();
    throw new Error("OpenSSL could not sign");
  }
}

/** OSSL_PARAM_UNSIGNED_INTEGER, _UTF8_STRING, _OCTET_STRING. */
const [unsignedInteger, utf8String, octetString] = [2n, 4n, 5n] as const;
/** EVP_PKEY_PUBLIC_KEY, EVP_PKEY_KEYPAIR. */
const [publicHalf, bothHalves] = [0x86, 0x87] as const;
