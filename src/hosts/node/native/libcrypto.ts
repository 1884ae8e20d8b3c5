import { createRequire } from "node:module";
import { Memory, Scratch } from "./memory.js";

/**
 * The OpenSSL inside the running node binary. All pointers and sizes are numbers: a call with numbers alone costs
 * about 30 ns, a quarter of one that passes a buffer. Only the rooms beside this one may call it; each of them
 * checks lengths first.
 */
export interface Libcrypto {
  readonly call: { readonly [Name in keyof typeof declarations]: (...numbers: number[]) => number };
  readonly memory: Memory;
  /** Nonces, associated data, lengths: see `slots`. */
  readonly scratch: Scratch;
  /** An algorithm by OpenSSL's name, kept for good; zero if there is none. */
  fetchCipher(name: string): number;
  fetchDigest(name: string): number;
}

const declarations = {
  EVP_CIPHER_fetch: "uintptr_t EVP_CIPHER_fetch(uintptr_t context, uintptr_t name, uintptr_t properties)",
  EVP_CIPHER_CTX_new: "uintptr_t EVP_CIPHER_CTX_new()",
  EVP_CIPHER_CTX_free: "void EVP_CIPHER_CTX_free(uintptr_t context)",
  EVP_CIPHER_CTX_ctrl: "int EVP_CIPHER_CTX_ctrl(uintptr_t context, int type, int size, uintptr_t bytes)",
  EVP_CIPHER_CTX_set_padding: "int EVP_CIPHER_CTX_set_padding(uintptr_t context, int padding)",
  EVP_CipherInit_ex:
    "int EVP_CipherInit_ex(uintptr_t context, uintptr_t cipher, uintptr_t engine, uintptr_t key, uintptr_t iv, int encrypt)",
  EVP_CipherInit_ex2:
    "int EVP_CipherInit_ex2(uintptr_t context, uintptr_t cipher, uintptr_t key, uintptr_t iv, int encrypt, uintptr_t parameters)",
  EVP_CIPHER_CTX_get_params: "int EVP_CIPHER_CTX_get_params(uintptr_t context, uintptr_t parameters)",
  EVP_Cipher: "int EVP_Cipher(uintptr_t context, uintptr_t out, uintptr_t in, unsigned int size)",
  EVP_CipherUpdate:
    "int EVP_CipherUpdate(uintptr_t context, uintptr_t out, uintptr_t outSize, uintptr_t in, int inSize)",
  EVP_CipherFinal_ex: "int EVP_CipherFinal_ex(uintptr_t context, uintptr_t out, uintptr_t outSize)",
  EVP_MD_fetch: "uintptr_t EVP_MD_fetch(uintptr_t context, uintptr_t name, uintptr_t properties)",
  EVP_Digest:
    "int EVP_Digest(uintptr_t bytes, size_t size, uintptr_t digest, uintptr_t digestSize, uintptr_t type, uintptr_t engine)",
  EVP_PKEY_new_raw_private_key:
    "uintptr_t EVP_PKEY_new_raw_private_key(int type, uintptr_t engine, uintptr_t key, size_t size)",
  EVP_PKEY_new_raw_public_key:
    "uintptr_t EVP_PKEY_new_raw_public_key(int type, uintptr_t engine, uintptr_t key, size_t size)",
  EVP_PKEY_get_raw_public_key: "int EVP_PKEY_get_raw_public_key(uintptr_t key, uintptr_t out, uintptr_t size)",
  EVP_PKEY_free: "void EVP_PKEY_free(uintptr_t key)",
  EVP_PKEY_CTX_new: "uintptr_t EVP_PKEY_CTX_new(uintptr_t key, uintptr_t engine)",
  EVP_PKEY_CTX_free: "void EVP_PKEY_CTX_free(uintptr_t context)",
  EVP_PKEY_derive_init: "int EVP_PKEY_derive_init(uintptr_t context)",
  EVP_PKEY_set1_encoded_public_key:
    "int EVP_PKEY_set1_encoded_public_key(uintptr_t key, uintptr_t encoded, size_t size)",
  EVP_PKEY_derive_set_peer_ex: "int EVP_PKEY_derive_set_peer_ex(uintptr_t context, uintptr_t peer, int validate)",
  EVP_PKEY_derive: "int EVP_PKEY_derive(uintptr_t context, uintptr_t out, uintptr_t size)",
  EVP_PKEY_CTX_new_from_name:
    "uintptr_t EVP_PKEY_CTX_new_from_name(uintptr_t context, uintptr_t name, uintptr_t properties)",
  EVP_PKEY_fromdata_init: "int EVP_PKEY_fromdata_init(uintptr_t context)",
  EVP_PKEY_fromdata: "int EVP_PKEY_fromdata(uintptr_t context, uintptr_t out, int selection, uintptr_t parameters)",
  EVP_PKEY_verify_init: "int EVP_PKEY_verify_init(uintptr_t context)",
  EVP_PKEY_verify:
    "int EVP_PKEY_verify(uintptr_t context, uintptr_t signature, size_t size, uintptr_t digest, size_t digestSize)",
  EVP_PKEY_sign_init: "int EVP_PKEY_sign_init(uintptr_t context)",
  EVP_PKEY_sign:
    "int EVP_PKEY_sign(uintptr_t context, uintptr_t signature, uintptr_t size, uintptr_t digest, size_t digestSize)",
  HMAC_CTX_new: "uintptr_t HMAC_CTX_new()",
  HMAC_Init_ex: "int HMAC_Init_ex(uintptr_t context, uintptr_t key, int keySize, uintptr_t type, uintptr_t engine)",
  HMAC_Update: "int HMAC_Update(uintptr_t context, uintptr_t bytes, size_t size)",
  HMAC_Final: "int HMAC_Final(uintptr_t context, uintptr_t tag, uintptr_t tagSize)",
  BN_CTX_new: "uintptr_t BN_CTX_new()",
  BN_MONT_CTX_new: "uintptr_t BN_MONT_CTX_new()",
  BN_MONT_CTX_set: "int BN_MONT_CTX_set(uintptr_t field, uintptr_t modulus, uintptr_t context)",
  BN_bin2bn: "uintptr_t BN_bin2bn(uintptr_t bytes, int size, uintptr_t into)",
  BN_bn2binpad: "int BN_bn2binpad(uintptr_t number, uintptr_t into, int size)",
  BN_mod_exp_mont_consttime:
    "int BN_mod_exp_mont_consttime(uintptr_t into, uintptr_t base, uintptr_t exponent, uintptr_t modulus, uintptr_t context, uintptr_t field)",
  BN_clear: "void BN_clear(uintptr_t number)",
  BN_clear_free: "void BN_clear_free(uintptr_t number)",
  ERR_clear_error: "void ERR_clear_error()",
} as const;

/** What stands where in the scratch memory. */
export const slots = {
  nonce: 0,
  outSize: 64,
  key: 128,
  tag: 256,
  name: 384,
  associated: 512,
  associatedSizeMax: 64,
  /** What is hashed in one go; copying so little costs less than asking where it lies. */
  message: 576,
  messageSizeMax: 448,
  /** A list of OSSL_PARAM with the tag alone, and the name that it has there. */
  tagParameter: 1024,
  tagName: 1104,
  size: 1112,
} as const;

/** Opens it; throws with the reason if anything is in doubt. */
export function openLibcrypto(): Libcrypto {
  if (!with64Bits.includes(process.arch)) throw new Error(`OpenSSL's structures on ${process.arch} are not known`);
  const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
  // Null means the running program: never a libcrypto beside it, whose structures and locks would be others.
  const program = koffi.load(null);
  const version: unknown = program.func("const char *OpenSSL_version(int what)")(fullVersion);
  const expected = `OpenSSL ${process.versions.openssl}`;
  if (typeof version !== "string" || !`${version} `.startsWith(`${expected} `)) {
    throw new Error(`the program's library is ${String(version)}, and node was built with ${expected}`);
  }
  const call = Object.fromEntries(
    Object.entries(declarations).map(([name, declaration]) => [name, program.func(declaration)]),
  ) as unknown as Libcrypto["call"];
  // By way of a view, since koffi does not know a SharedArrayBuffer itself.
  const memory = new Memory((buffer) => Number(koffi.address(new Uint8Array(buffer))));
  const scratch = new Scratch(memory, slots.size);
  // OSSL_PARAM: key, data_type, data, data_size, return_size, in 40 bytes; one with no key ends the list.
  scratch.put(new TextEncoder().encode("tag\0"), slots.tagName);
  scratch.setNumber(slots.tagParameter, scratch.address + slots.tagName);
  scratch.setNumber(slots.tagParameter + 8, octetString);
  const named = (fetch: (...numbers: number[]) => number) => (name: string) => {
    scratch.put(new TextEncoder().encode(`${name}\0`), slots.name);
    const found = fetch(0, scratch.address + slots.name, 0);
    if (found === 0) call.ERR_clear_error();
    return found;
  };
  return {
    call,
    memory,
    scratch,
    fetchCipher: named(call.EVP_CIPHER_fetch),
    fetchDigest: named(call.EVP_MD_fetch),
  };
}

/** OPENSSL_VERSION. */
const fullVersion = 0;
/** OSSL_PARAM_OCTET_STRING. */
const octetString = 5;
const with64Bits = ["x64", "arm64", "riscv64", "loong64"];
