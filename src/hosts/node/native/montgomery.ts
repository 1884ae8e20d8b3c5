import type { Agreement } from "../../../contract/crypto.js";
import { Secret } from "../../../contract/secret.js";
import { agreements as sizes } from "../../../crypto/algorithms.js";
import { checkSize } from "../../../crypto/checks.js";
import { type Libcrypto, slots } from "./libcrypto.js";

/** X25519 and X448 (RFC 7748) on OpenSSL's keys, without the detour over JWK. */
export function montgomery(libcrypto: Libcrypto, name: "X25519" | "X448"): Agreement {
  const { call, scratch } = libcrypto;
  const size = sizes[name].secretSize;
  const type = keyTypes[name];
  const outSize = scratch.address + slots.outSize;
  // Keys, shares and secrets are copied: so small, they may lie where V8 moves them.
  const keyAddress = scratch.address + slots.key;
  // OpenSSL's key lives as long as the Secret that it was made from, since many answers may meet one key; so does its context.
  const handles = new WeakMap<Secret, Handle>();
  const free = ({ key, context }: Handle): void => {
    call.EVP_PKEY_CTX_free(context);
    call.EVP_PKEY_free(key);
  };
  const leaked = new FinalizationRegistry<Handle>(free);

  const load = (key: Uint8Array): Handle => {
    checkSize(key, size, `${name} key`); // Whatever the entropy made of it.
    scratch.put(key, slots.key);
    const handle = call.EVP_PKEY_new_raw_private_key(type, 0, keyAddress, size);
    scratch.bytes.fill(0, slots.key, slots.key + size);
    const context = handle === 0 ? 0 : call.EVP_PKEY_CTX_new(handle, 0);
    if (context !== 0 && call.EVP_PKEY_derive_init(context) === 1) return { key: handle, context };
    free({ key: handle, context });
    throw new Error(`OpenSSL refuses a key of ${name}`);
  };
  const keep = (privateKey: Secret, handle: Handle): Handle => {
    handles.set(privateKey, handle);
    leaked.register(privateKey, handle);
    return handle;
  };
  /** Where OpenSSL reads how much room there is, and writes how much it took: a size_t. */
  const offer = (): void => scratch.setNumber(slots.outSize, size);
  const share = ({ key }: Handle): Uint8Array => {
    offer();
    if (call.EVP_PKEY_get_raw_public_key(key, keyAddress, outSize) !== 1) {
      throw new Error(`OpenSSL has no public key of ${name}`);
    }
    return scratch.bytes.slice(slots.key, slots.key + size);
  };
  /** One key for all peers, which takes each one's share: a fiftieth of what making and freeing it costs. */
  let peer = 0;
  const agree = ({ context }: Handle, theirs: Uint8Array): Secret | undefined => {
    if (theirs.length !== size) return undefined;
    scratch.put(theirs, slots.key);
    peer ||= call.EVP_PKEY_new_raw_public_key(type, 0, keyAddress, size);
    offer();
    // Every string is a public key (RFC 7748 §5): there is nothing to validate before the outcome.
    const agreed =
      peer !== 0 &&
      call.EVP_PKEY_set1_encoded_public_key(peer, keyAddress, size) === 1 &&
      call.EVP_PKEY_derive_set_peer_ex(context, peer, 0) === 1 &&
      call.EVP_PKEY_derive(context, keyAddress, outSize) === 1;
    const secret = agreed ? new Secret(scratch.bytes.slice(slots.key, slots.key + size)) : undefined;
    scratch.bytes.fill(0, slots.key, slots.key + size);
    if (secret === undefined) call.ERR_clear_error(); // An all-zero outcome, RFC 7748 §6.1.
    return secret;
  };

  return {
    name,
    ...sizes[name],
    privateKeySize: size,
    initiate(entropy) {
      const privateKey = new Secret(entropy.fill(new Uint8Array(size)));
      return { share: share(keep(privateKey, load(privateKey.expose()))), privateKey };
    },
    respond(initiatorShare, entropy) {
      if (initiatorShare.length !== size) return undefined;
      const key = entropy.fill(new Uint8Array(size));
      const handle = load(key);
      key.fill(0);
      const secret = agree(handle, initiatorShare);
      const mine = secret && share(handle);
      free(handle);
      return mine && { share: mine, secret };
    },
    conclude(privateKey, responderShare) {
      const key = privateKey.expose();
      if (key.length !== size) return undefined;
      return agree(handles.get(privateKey) ?? keep(privateKey, load(key)), responderShare);
    },
  };
}

interface Handle {
  readonly key: number;
  readonly context: number;
}

/** EVP_PKEY_X25519, EVP_PKEY_X448. */
const keyTypes = { X25519: 1034, X448: 1035 } as const;
