import { createECDH, createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import type { Agreement } from "../../../contract/crypto.js";
import { Secret } from "../../../contract/secret.js";
import { type CurveName, curves, agreements as sizes } from "../../../crypto/algorithms.js";
import { base64url, padded, plain } from "./memory.js";

// Keys travel as JWK: importing DER costs OpenSSL's decoder ten times as much as X25519 itself.

/** X25519 and X448 (RFC 7748). */
export function montgomery(name: "X25519" | "X448"): Agreement {
  const size = sizes[name].secretSize;
  // Deriving the public key is most of an import's cost, so the handle stays as long as its Secret.
  const handles = new WeakMap<Secret, KeyObject>();
  const importPrivate = privateImport(name);
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

/**
 * The quickest import of a private key that works here. A private JWK must name its public half, which Node up to 24
 * does not read and Node 26 checks: there PKCS#8 (RFC 8410 §7) is left.
 */
function privateImport(name: "X25519" | "X448"): (key: Secret) => KeyObject {
  const fromJwk = (key: Secret): KeyObject =>
    createPrivateKey({ key: { kty: "OKP", crv: name, d: base64url(key.expose()), x: "" }, format: "jwk" });
  const prefix = Buffer.from(pkcs8Prefixes[name], "hex");
  const fromDer = (key: Secret): KeyObject => {
    const pkcs8 = Buffer.concat([prefix, key.expose()]);
    const handle = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
    pkcs8.fill(0);
    return handle;
  };
  try {
    fromJwk(new Secret(new Uint8Array(sizes[name].secretSize).fill(1)));
    return fromJwk;
  } catch {
    return fromDer;
  }
}

const pkcs8Prefixes = {
  X25519: "302e020100300506032b656e04220420",
  X448: "3046020100300506032b656f043a0438",
} as const;

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
