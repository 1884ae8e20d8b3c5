import { x448 } from "@noble/curves/ed448.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import type { Agreement, AgreementName, Entropy } from "../../contract/crypto.js";
import { Secret } from "../../contract/secret.js";
import { type CurveName, curves, agreements as sizes } from "../algorithms.js";
import { hybrid } from "../hybrid.js";
import { mlKem } from "./ml-kem.js";

/** X25519 and X448 (RFC 7748). */
function montgomery(name: "X25519" | "X448"): Agreement {
  const size = sizes[name].secretSize;
  const curve = { X25519: x25519, X448: x448 }[name];
  return diffieHellman(name, size, {
    draw: (entropy) => entropy.fill(new Uint8Array(size)),
    share: (key) => curve.getPublicKey(key),
    agree: (key, share) => curve.getSharedSecret(key, share),
  });
}

const nist = { "P-256": p256, "P-384": p384, "P-521": p521 } as const;

/** Diffie-Hellman over the NIST curves; shares are uncompressed points (RFC 8446 §4.2.8.2). */
function weierstrass(name: CurveName): Agreement {
  const { size, bits } = curves[name];
  const curve = nist[name];
  const topMask = 0xff >> (8 * size - bits);
  return diffieHellman(name, size, {
    draw(entropy) {
      // FIPS 186-5 A.2.2: drawn anew until it is between 1 and the order.
      for (;;) {
        const candidate = entropy.fill(new Uint8Array(size));
        candidate[0]! &= topMask;
        if (curve.utils.isValidSecretKey(candidate)) return candidate;
      }
    },
    share: (key) => curve.getPublicKey(key, false),
    agree: (key, share) => curve.getSharedSecret(key, share, false).slice(1, 1 + size),
  });
}

interface Group {
  draw(entropy: Entropy): Uint8Array;
  share(key: Uint8Array): Uint8Array;
  /** Throws for a share that is off the curve or gives nothing. */
  agree(key: Uint8Array, share: Uint8Array): Uint8Array;
}

function diffieHellman(name: AgreementName, privateKeySize: number, group: Group): Agreement {
  const shareSize = sizes[name].initiatorShareSize;
  const agree = (key: Uint8Array, share: Uint8Array): Secret | undefined => {
    if (share.length !== shareSize || key.length !== privateKeySize) return undefined;
    try {
      return new Secret(group.agree(key, share));
    } catch {
      return undefined;
    }
  };
  return {
    name,
    ...sizes[name],
    privateKeySize,
    initiate(entropy) {
      const key = group.draw(entropy);
      return { share: group.share(key), privateKey: new Secret(key) };
    },
    respond(initiatorShare, entropy) {
      const key = group.draw(entropy);
      const secret = agree(key, initiatorShare);
      const share = secret && group.share(key);
      key.fill(0);
      return share && { share, secret };
    },
    conclude: (privateKey, responderShare) => agree(privateKey.expose(), responderShare),
  };
}

const x = montgomery("X25519");
const secp256r1 = weierstrass("P-256");
const secp384r1 = weierstrass("P-384");
const mlKem768 = mlKem("ML-KEM-768");
const mlKem1024 = mlKem("ML-KEM-1024");

/** All but the finite fields: noble has none, and exponentiation with `bigint` would not be constant in time. */
export const agreementTable: { readonly [N in AgreementName]?: Agreement } = {
  X25519: x,
  X448: montgomery("X448"),
  "P-256": secp256r1,
  "P-384": secp384r1,
  "P-521": weierstrass("P-521"),
  "ML-KEM-512": mlKem("ML-KEM-512"),
  "ML-KEM-768": mlKem768,
  "ML-KEM-1024": mlKem1024,
  X25519MLKEM768: hybrid("X25519MLKEM768", mlKem768, x),
  SecP256r1MLKEM768: hybrid("SecP256r1MLKEM768", secp256r1, mlKem768),
  SecP384r1MLKEM1024: hybrid("SecP384r1MLKEM1024", secp384r1, mlKem1024),
};
