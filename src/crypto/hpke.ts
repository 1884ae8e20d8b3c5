import { concat, utf8 } from "../bytes/bytes.js";
import type {
  Aead,
  AeadName,
  Agreement,
  AgreementName,
  CryptoProvider,
  Entropy,
  Hash,
  HashName,
} from "../contract/crypto.js";
import { Secret } from "../contract/secret.js";
import { misuse } from "./failure.js";
import { expand, extract } from "./hkdf.js";

/*
 * Hybrid public key encryption, RFC 9180, base mode:
 *
 *   sender                                        receiver (skR, pkR)
 *   (skE, pkE) ── DH(skE, pkR) ──┐   enc = pkE   ┌── DH(skR, pkE)
 *                                └─ shared secret ┘
 *          key schedule(info) → key, base nonce, exporter secret
 *          seal(0), seal(1) …  ───────────────►  open(0), open(1) …
 */

/** KEM identifiers of RFC 9180 §7.1. */
export const hpkeKems = {
  16: { group: "P-256", hash: "SHA-256" },
  17: { group: "P-384", hash: "SHA-384" },
  18: { group: "P-521", hash: "SHA-512" },
  32: { group: "X25519", hash: "SHA-256" },
  33: { group: "X448", hash: "SHA-512" },
} as const satisfies Record<number, { group: AgreementName; hash: HashName }>;

/** KDF identifiers of §7.2. */
export const hpkeKdfs = { 1: "SHA-256", 2: "SHA-384", 3: "SHA-512" } as const;

/** AEAD identifiers of §7.3. */
export const hpkeAeads = {
  1: "AES-128-GCM",
  2: "AES-256-GCM",
  3: "ChaCha20-Poly1305",
} as const satisfies Record<number, AeadName>;

/** A key pair of a receiver. The public key is what others encrypt to. */
export interface HpkeKeys {
  readonly publicKey: Uint8Array;
  readonly privateKey: Secret;
}

/** One KEM, KDF and AEAD together. */
export interface Hpke {
  /** Bytes of `enc`, which are also those of a public key. */
  readonly encSize: number;
  readonly tagSize: number;
  generate(entropy: Entropy): HpkeKeys;
  /** Undefined if the receiver's key is no valid one. */
  sender(
    publicKey: Uint8Array,
    info: Uint8Array,
    entropy: Entropy,
  ): { enc: Uint8Array; context: HpkeSender } | undefined;
  /** Undefined if `enc` is no valid key. */
  receiver(enc: Uint8Array, keys: HpkeKeys, info: Uint8Array): HpkeReceiver | undefined;
}

export interface HpkeExporter {
  /** A secret of both ends, bound to the context given (§5.3). */
  exportSecret(context: Uint8Array, size: number): Uint8Array;
  destroy(): void;
}

export interface HpkeSender extends HpkeExporter {
  /** The next message, sealed; in memory of its own. */
  seal(plain: Uint8Array, associated: Uint8Array): Uint8Array;
}

export interface HpkeReceiver extends HpkeExporter {
  /** The next message, opened; undefined if it is not authentic, and then the sequence does not advance. */
  open(sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined;
}

/** Undefined if an identifier is unknown or the provider lacks an algorithm of it. */
export function hpke(provider: CryptoProvider, kemId: number, kdfId: number, aeadId: number): Hpke | undefined {
  const kem = row(hpkeKems, kemId);
  const kdf = row(hpkeKdfs, kdfId);
  const aead = row(hpkeAeads, aeadId);
  if (!kem || !kdf || !aead) return undefined;
  if (![kem.group, kem.hash, kdf, aead].every((name) => provider.has(name))) return undefined;
  const suite: Suite = {
    group: provider.agreement(kem.group),
    kemHash: provider.hash(kem.hash),
    kemId: concat(utf8("KEM"), number16(kemId)),
    hash: provider.hash(kdf),
    aead: provider.aead(aead),
    id: concat(utf8("HPKE"), number16(kemId), number16(kdfId), number16(aeadId)),
  };
  return {
    encSize: suite.group.initiatorShareSize,
    tagSize: suite.aead.tagSize,
    generate(entropy) {
      const { share, privateKey } = suite.group.initiate(entropy);
      return { publicKey: share, privateKey };
    },
    sender(publicKey, info, entropy) {
      const ephemeral = suite.group.initiate(entropy);
      const dh = suite.group.conclude(ephemeral.privateKey, publicKey);
      ephemeral.privateKey.wipe();
      if (!dh) return undefined;
      const context = keySchedule(suite, sharedSecret(suite, dh, ephemeral.share, publicKey), info);
      return { enc: ephemeral.share, context: new Sender(suite, context) };
    },
    receiver(enc, keys, info) {
      const dh = suite.group.conclude(keys.privateKey, enc);
      if (!dh) return undefined;
      const context = keySchedule(suite, sharedSecret(suite, dh, enc, keys.publicKey), info);
      return new Receiver(suite, context);
    },
  };
}

interface Suite {
  readonly group: Agreement;
  readonly kemHash: Hash;
  readonly kemId: Uint8Array;
  readonly hash: Hash;
  readonly aead: Aead;
  readonly id: Uint8Array;
}

interface Schedule {
  readonly key: Uint8Array;
  readonly baseNonce: Uint8Array;
  readonly exporter: Secret;
}

/** ExtractAndExpand of the DHKEM, §4.1. */
function sharedSecret({ kemHash, kemId }: Suite, dh: Secret, enc: Uint8Array, publicKey: Uint8Array): Secret {
  const key = labeledExtract(kemHash, kemId, none, "eae_prk", dh.expose());
  const secret = labeledExpand(kemHash, kemId, key, "shared_secret", concat(enc, publicKey), kemHash.size);
  dh.wipe();
  key.fill(0);
  return new Secret(secret);
}

/** §5.1, for mode_base: no PSK, so both its fields are empty. */
function keySchedule({ hash, aead, id }: Suite, shared: Secret, info: Uint8Array): Schedule {
  const pskIdHash = labeledExtract(hash, id, none, "psk_id_hash", none);
  const infoHash = labeledExtract(hash, id, none, "info_hash", info);
  const context = concat(Uint8Array.of(modeBase), pskIdHash, infoHash);
  const secret = labeledExtract(hash, id, shared.expose(), "secret", none);
  shared.wipe();
  const schedule = {
    key: labeledExpand(hash, id, secret, "key", context, aead.keySize),
    baseNonce: labeledExpand(hash, id, secret, "base_nonce", context, aead.nonceSize),
    exporter: new Secret(labeledExpand(hash, id, secret, "exp", context, hash.size)),
  };
  secret.fill(0);
  return schedule;
}

class Context implements HpkeExporter {
  readonly #suite: Suite;
  readonly #baseNonce: Uint8Array;
  readonly #exporter: Secret;
  #sequence = 0;

  constructor(suite: Suite, { baseNonce, exporter }: Schedule) {
    this.#suite = suite;
    this.#baseNonce = baseNonce;
    this.#exporter = exporter;
  }

  exportSecret(context: Uint8Array, size: number): Uint8Array {
    const { hash, id } = this.#suite;
    return labeledExpand(hash, id, this.#exporter.expose(), "sec", context, size);
  }

  destroy(): void {
    this.#exporter.wipe();
  }

  /** ComputeNonce, §5.2: the sequence number over the end of the base nonce. */
  protected nonce(): Uint8Array {
    const nonce = this.#baseNonce.slice();
    for (let i = nonce.length - 1, rest = this.#sequence; rest > 0; i--, rest = Math.floor(rest / 256)) {
      nonce[i]! ^= rest % 256;
    }
    return nonce;
  }

  protected advance(): void {
    if (this.#sequence === Number.MAX_SAFE_INTEGER) throw misuse("used-up", "this context has no nonce left");
    this.#sequence++;
  }
}

class Sender extends Context implements HpkeSender {
  readonly #sealer;
  readonly #tagSize: number;

  constructor(suite: Suite, schedule: Schedule) {
    super(suite, schedule);
    this.#sealer = suite.aead.sealer(schedule.key);
    this.#tagSize = suite.aead.tagSize;
    schedule.key.fill(0);
  }

  seal(plain: Uint8Array, associated: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(plain.length + this.#tagSize);
    sealed.set(plain);
    this.#sealer.seal(sealed, 0, plain.length, this.nonce(), associated);
    this.advance();
    return sealed;
  }

  override destroy(): void {
    super.destroy();
    this.#sealer.destroy();
  }
}

class Receiver extends Context implements HpkeReceiver {
  readonly #opener;
  readonly #tagSize: number;

  constructor(suite: Suite, schedule: Schedule) {
    super(suite, schedule);
    this.#opener = suite.aead.opener(schedule.key);
    this.#tagSize = suite.aead.tagSize;
    schedule.key.fill(0);
  }

  open(sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
    const bytes = sealed.slice();
    if (!this.#opener.open(bytes, 0, bytes.length, this.nonce(), associated)) return undefined;
    this.advance();
    return bytes.subarray(0, bytes.length - this.#tagSize);
  }

  override destroy(): void {
    super.destroy();
    this.#opener.destroy();
  }
}

/** LabeledExtract, §4. */
function labeledExtract(hash: Hash, suite: Uint8Array, salt: Uint8Array, label: string, key: Uint8Array): Uint8Array {
  return extract(hash, salt, concat(version, suite, utf8(label), key));
}

/** LabeledExpand, §4. */
function labeledExpand(
  hash: Hash,
  suite: Uint8Array,
  key: Uint8Array,
  label: string,
  info: Uint8Array,
  size: number,
): Uint8Array {
  return expand(hash, key, concat(number16(size), version, suite, utf8(label), info), size);
}

const row = <Row>(table: { readonly [id: number]: Row }, id: number): Row | undefined => table[id];
const number16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);

const modeBase = 0;
const none = new Uint8Array(0);
const version = utf8("HPKE-v1");
