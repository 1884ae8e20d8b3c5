import type { Aead, AeadName, Opener, Sealer } from "../../../contract/crypto.js";
import { aeads as sizes } from "../../../crypto/algorithms.js";
import { checkAlive, checkRange, checkSize } from "../../../crypto/checks.js";
import { type Libcrypto, slots } from "./libcrypto.js";

const opensslNames: { readonly [N in AeadName]?: string } = {
  "AES-128-GCM": "AES-128-GCM",
  "AES-192-GCM": "AES-192-GCM",
  "AES-128-GCM-12": "AES-128-GCM",
  "AES-256-GCM": "AES-256-GCM",
  "AES-128-CCM": "AES-128-CCM",
  "AES-256-CCM": "AES-256-CCM",
  "AES-128-CCM-8": "AES-128-CCM",
  "AES-256-CCM-8": "AES-256-CCM",
  "ChaCha20-Poly1305": "ChaCha20-Poly1305",
};

/** An AEAD on kept contexts: the key schedule is done once, and each message is one pass over its bytes, in place. */
export function aead(libcrypto: Libcrypto, name: AeadName): Aead | undefined {
  const openssl = opensslNames[name];
  const cipher = openssl === undefined ? 0 : libcrypto.fetchCipher(openssl);
  if (cipher === 0) return undefined;
  const ccm = name.includes("CCM");
  // A leaked key frees its context when it is collected. The held value is the context alone.
  const leaked = new FinalizationRegistry<number>((context) => void libcrypto.call.EVP_CIPHER_CTX_free(context));
  const kind: Kind = { libcrypto, leaked, cipher, ccm, name };
  return {
    name,
    ...sizes[name],
    sealer: (key) => new NativeSealer(kind, key),
    opener: (key) => new NativeOpener(kind, key),
  };
}

interface Kind {
  readonly libcrypto: Libcrypto;
  readonly leaked: FinalizationRegistry<number>;
  readonly cipher: number;
  readonly ccm: boolean;
  readonly name: AeadName;
}

/** A context with its key: what sealing and opening share. */
abstract class Keyed {
  protected readonly call: Libcrypto["call"];
  protected readonly tagSize: number;
  protected readonly ccm: boolean;
  /** Fixed places of the scratch memory. */
  protected readonly nonceAddress: number;
  protected readonly outSizeAddress: number;
  protected readonly tagParameter: number;
  readonly #libcrypto: Libcrypto;
  readonly #leaked: FinalizationRegistry<number>;
  readonly #nonceSize: number;
  #context: number;

  constructor(kind: Kind, key: Uint8Array, encrypt: 0 | 1) {
    const { keySize, nonceSize, tagSize } = sizes[kind.name];
    checkSize(key, keySize, `${kind.name} key`);
    const { call, scratch } = kind.libcrypto;
    this.call = call;
    this.tagSize = tagSize;
    this.ccm = kind.ccm;
    this.nonceAddress = scratch.address + slots.nonce;
    this.outSizeAddress = scratch.address + slots.outSize;
    this.tagParameter = scratch.address + slots.tagParameter;
    this.#libcrypto = kind.libcrypto;
    this.#leaked = kind.leaked;
    this.#nonceSize = nonceSize;
    const context = call.EVP_CIPHER_CTX_new();
    const keyAddress = scratch.address + slots.key;
    scratch.put(key, slots.key);
    const ready =
      context !== 0 &&
      call.EVP_CipherInit_ex(context, kind.cipher, 0, 0, 0, encrypt) === 1 &&
      call.EVP_CIPHER_CTX_ctrl(context, setNonceSize, nonceSize, 0) === 1 &&
      (!kind.ccm || call.EVP_CIPHER_CTX_ctrl(context, setTag, tagSize, 0) === 1) &&
      call.EVP_CipherInit_ex(context, 0, 0, keyAddress, 0, encrypt) === 1;
    scratch.bytes.fill(0, slots.key, slots.key + keySize);
    if (!ready) {
      call.EVP_CIPHER_CTX_free(context);
      call.ERR_clear_error();
      throw new Error(`OpenSSL refuses a key of ${kind.name}`);
    }
    this.#context = context;
    kind.leaked.register(this, context, this);
  }

  destroy(): void {
    if (this.#context === 0) return;
    this.#leaked.unregister(this);
    this.call.EVP_CIPHER_CTX_free(this.#context);
    this.#context = 0;
  }

  /** Checks all that a message needs, and puts its nonce where OpenSSL will read it. */
  protected start(bytes: Uint8Array, at: number, size: number, room: number, nonce: Uint8Array): number {
    checkAlive(this.#context);
    checkRange(bytes, at, size, room);
    checkSize(nonce, this.#nonceSize, "nonce");
    this.#libcrypto.scratch.put(nonce, slots.nonce);
    return this.#context;
  }

  /** Where OpenSSL may read the associated data, which is not empty: copied if it is short. */
  protected associatedAddress(associated: Uint8Array): number {
    const { memory, scratch } = this.#libcrypto;
    if (associated.length > slots.associatedSizeMax) return memory.addressOf(associated);
    scratch.put(associated, slots.associated);
    return scratch.address + slots.associated;
  }

  /** Names the tag's place and size to OpenSSL: in a list of parameters it costs half of what a control does. */
  protected pointAtTag(address: number): void {
    const { scratch } = this.#libcrypto;
    scratch.setNumber(slots.tagParameter + 16, address);
    scratch.setNumber(slots.tagParameter + 24, this.tagSize);
  }

  /**
   * What stands between a nonce and a tag: associated data, then the text. CCM wants the text's size before all else (RFC 3610
   * §2.2), its text even if that is empty, and no final call.
   */
  protected pass(context: number, data: number, size: number, associated: Uint8Array): boolean {
    const { call, ccm } = this;
    return (
      (!ccm || call.EVP_Cipher(context, 0, 0, size) >= 0) &&
      (associated.length === 0 ||
        call.EVP_Cipher(context, 0, this.associatedAddress(associated), associated.length) >= 0) &&
      ((size === 0 && !ccm) || call.EVP_Cipher(context, data, data, size) >= 0) &&
      (ccm || call.EVP_CipherFinal_ex(context, data + size, this.outSizeAddress) === 1)
    );
  }

  /** The address of a range that has been checked; an empty one is never read, but must not be null. */
  protected addressAt(bytes: Uint8Array, at: number): number {
    return bytes.length === 0 ? this.nonceAddress : this.#libcrypto.memory.addressOf(bytes) + at;
  }

  /** What OpenSSL noted about a failure must not be found there by node. */
  protected forget(): void {
    this.call.ERR_clear_error();
  }
}

class NativeSealer extends Keyed implements Sealer {
  constructor(kind: Kind, key: Uint8Array) {
    super(kind, key, 1);
  }

  seal(bytes: Uint8Array, at: number, size: number, nonce: Uint8Array, associated: Uint8Array): void {
    const { call } = this;
    const context = this.start(bytes, at, size, this.tagSize, nonce);
    const data = this.addressAt(bytes, at);
    this.pointAtTag(data + size);
    const sealed =
      call.EVP_CipherInit_ex2(context, 0, 0, this.nonceAddress, 1, 0) === 1 &&
      this.pass(context, data, size, associated) &&
      call.EVP_CIPHER_CTX_get_params(context, this.tagParameter) === 1;
    if (sealed) return;
    bytes.fill(0, at, at + size + this.tagSize);
    this.forget();
    throw new Error("OpenSSL could not seal");
  }
}

class NativeOpener extends Keyed implements Opener {
  constructor(kind: Kind, key: Uint8Array) {
    super(kind, key, 0);
  }

  open(bytes: Uint8Array, at: number, size: number, nonce: Uint8Array, associated: Uint8Array): boolean {
    const { call } = this;
    const context = this.start(bytes, at, size, 0, nonce);
    const plainSize = size - this.tagSize;
    if (plainSize < 0) return false;
    const data = this.addressAt(bytes, at);
    this.pointAtTag(data + plainSize);
    const opened =
      call.EVP_CipherInit_ex2(context, 0, 0, this.nonceAddress, 0, this.tagParameter) === 1 &&
      this.pass(context, data, plainSize, associated);
    if (opened) return true;
    // What was decrypted but is not authentic is not left behind.
    bytes.fill(0, at, at + plainSize);
    this.forget();
    return false;
  }
}

/** EVP_CTRL_AEAD_SET_IVLEN, _SET_TAG. */
const setNonceSize = 0x9;
const setTag = 0x11;
