import {
  createDiffieHellman,
  createECDH,
  createPrivateKey,
  createPublicKey,
  type DiffieHellman,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import type { Agreement } from "../../../contract/crypto.js";
import { Secret } from "../../../contract/secret.js";
import { type CurveName, curves, agreements as sizes } from "../../../crypto/algorithms.js";
import { type FfdheName, ffdheGroups, ffdhePrime } from "../../../crypto/ffdhe.js";
import { base64url, padded, plain } from "./memory.js";

// Keys travel as JWK: importing DER costs OpenSSL's decoder ten times as much as X25519 itself.

/** X25519 and X448 (RFC 7748). */
export function montgomery(name: "X25519" | "X448"): Agreement {
  const size = sizes[name].secretSize;
  // Deriving the public key is most of an import's cost, so the handle stays as long as its Secret.
  const handles = new WeakMap<Secret, KeyObject>();
  const importPrivate = (key: Secret): KeyObject => {
    // A private JWK must name its public half, which node:crypto does not read.
    const jwk = { kty: "OKP", crv: name, d: base64url(key.expose()), x: "" };
    return createPrivateKey({ key: jwk, format: "jwk" });
  };
  const generate = (privateKey: Secret): { share: Uint8Array; handle: KeyObject } => {
    const handle = importPrivate(privateKey);
    const { x } = createPublicKey(handle).export({ format: "jwk" });
    return { share: plain(Buffer.from(x!, "base64url")), handle };
  };
  const agree = (privateKey: KeyObject, share: Uint8Array): Secret | undefined => {
    try {
      const publicKey = createPublicKey({ key: { kty: "OKP", crv: name, x: base64url(share) }, format: "jwk" });
      const secret = new Secret(plain(diffieHellman({ privateKey, publicKey })));
      return secret;
    } catch {
      return undefined; // An all-zero outcome, RFC 7748 §6.1.
    }
  };
  return {
    name,
    ...sizes[name],
    privateKeySize: size,
    initiate(entropy) {
      const privateKey = new Secret(entropy.fill(new Uint8Array(size)));
      const { share, handle } = generate(privateKey);
      handles.set(privateKey, handle);
      return { share, privateKey };
    },
    respond(initiatorShare, entropy) {
      if (initiatorShare.length !== size) return undefined;
      const privateKey = new Secret(entropy.fill(new Uint8Array(size)));
      const { share, handle } = generate(privateKey);
      privateKey.wipe();
      const secret = agree(handle, initiatorShare);
      return secret && { share, secret };
    },
    conclude(privateKey, responderShare) {
      if (responderShare.length !== size || privateKey.size !== size) return undefined;
      privateKey.expose();
      let handle = handles.get(privateKey);
      if (!handle) handles.set(privateKey, (handle = importPrivate(privateKey)));
      return agree(handle, responderShare);
    },
  };
}

const opensslCurves: Readonly<Record<CurveName, string>> = {
  "P-256": "prime256v1",
  "P-384": "secp384r1",
  "P-521": "secp521r1",
};

/** Diffie-Hellman over the NIST curves; shares are uncompressed points (RFC 8446 §4.2.8.2). */
export function weierstrass(name: CurveName): Agreement {
  const size = curves[name].size;
  const shareSize = sizes[name].initiatorShareSize;
  const topMask = 0xff >> (8 * size - curves[name].bits);
  const ecdh = createECDH(opensslCurves[name]);
  const draw = (entropy: { fill(into: Uint8Array): Uint8Array }): Secret => {
    // FIPS 186-5 A.2.2: drawn anew until it is between 1 and the order; OpenSSL refuses all others.
    for (;;) {
      const candidate = entropy.fill(new Uint8Array(size));
      candidate[0]! &= topMask;
      if (load(candidate)) return new Secret(candidate);
    }
  };
  const load = (key: Uint8Array): boolean => {
    try {
      ecdh.setPrivateKey(key);
      return true;
    } catch {
      return false;
    }
  };
  const agree = (share: Uint8Array): Secret | undefined => {
    if (share.length !== shareSize || share[0] !== 4) return undefined;
    try {
      return new Secret(padded(ecdh.computeSecret(share), size));
    } catch {
      return undefined; // Off the curve.
    }
  };
  return {
    name,
    ...sizes[name],
    privateKeySize: size,
    initiate(entropy) {
      const privateKey = draw(entropy);
      return { share: plain(ecdh.getPublicKey()), privateKey };
    },
    respond(initiatorShare, entropy) {
      draw(entropy).wipe();
      const share = plain(ecdh.getPublicKey());
      const secret = agree(initiatorShare);
      return secret && { share, secret };
    },
    conclude(privateKey, responderShare) {
      if (privateKey.size !== size || !load(privateKey.expose())) return undefined;
      return agree(responderShare);
    },
  };
}

/** Diffie-Hellman over the safe primes of RFC 7919; shares and secrets are as long as the prime. */
export function finiteField(name: FfdheName): Agreement {
  const group = ffdheGroups[name];
  const size = group.bits / 8;
  let known: Uint8Array | undefined;
  const prime = (): Uint8Array => (known ??= Buffer.from(ffdhePrime(group).toString(16), "hex"));
  const load = (key: Uint8Array): DiffieHellman => {
    const dh = createDiffieHellman(prime(), 2);
    dh.setPrivateKey(key);
    return dh;
  };
  const draw = (entropy: { fill(into: Uint8Array): Uint8Array }): Secret => {
    const exponent = entropy.fill(new Uint8Array(group.exponentSize));
    exponent[0]! |= 0x80; // Its full length, RFC 7919 §5.2.
    return new Secret(exponent);
  };
  const agree = (dh: DiffieHellman, share: Uint8Array): Secret | undefined => {
    // OpenSSL would take any number: RFC 7919 §5.1 wants one between 2 and p - 2.
    if (share.length !== size || !inside(share, prime())) return undefined;
    return new Secret(padded(dh.computeSecret(share), size));
  };
  return {
    name,
    ...sizes[name],
    privateKeySize: group.exponentSize,
    initiate(entropy) {
      const privateKey = draw(entropy);
      const dh = load(privateKey.expose());
      return { share: padded(dh.generateKeys(), size), privateKey };
    },
    respond(initiatorShare, entropy) {
      const privateKey = draw(entropy);
      const dh = load(privateKey.expose());
      privateKey.wipe();
      const secret = agree(dh, initiatorShare);
      return secret && { share: padded(dh.generateKeys(), size), secret };
    },
    conclude(privateKey, responderShare) {
      if (privateKey.size !== group.exponentSize) return undefined;
      return agree(load(privateKey.expose()), responderShare);
    },
  };
}

/** 1 < share < prime - 1, for a prime that ends in ones. Shares are public, so it may stop early. */
function inside(share: Uint8Array, prime: Uint8Array): boolean {
  const last = share.length - 1;
  if (share[last]! < 2 && share.every((byte, i) => i === last || byte === 0)) return false;
  const differs = share.findIndex((byte, i) => byte !== prime[i]);
  if (differs === -1) return false;
  return share[differs]! < prime[differs]! && !(differs === last && share[last] === prime[last]! - 1);
}
