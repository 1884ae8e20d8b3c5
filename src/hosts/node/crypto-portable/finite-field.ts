import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { concat, fromHex } from "../../../bytes/bytes.js";
import { Reader } from "../../../bytes/reader.js";
import type { Agreement, Entropy } from "../../../contract/crypto.js";
import { Secret } from "../../../contract/secret.js";
import { agreements as sizes } from "../../../crypto/algorithms.js";
import { element, Tag, unsigned, wholeBits } from "../../../crypto/der.js";
import { type FiniteFieldName, fieldPrime, finiteFields } from "../../../crypto/finite-fields.js";
import { padded, plain } from "./memory.js";

/**
 * Diffie-Hellman over the safe primes of RFC 7919 and RFC 3526; shares and secrets are as long as the prime. By way of key objects:
 * since Node 24 `createDiffieHellman` proves the prime prime each time, which takes a second for 2048 bits.
 */
export function finiteField(name: FiniteFieldName): Agreement {
  const group = finiteFields[name];
  const size = group.bits / 8;
  let known: { readonly prime: Uint8Array; readonly algorithm: Uint8Array } | undefined;
  const domain = () => (known ??= domainOf(fromHex(fieldPrime(group).toString(16))));
  // Deriving the public key is an exponentiation, so the handle stays as long as its Secret.
  const handles = new WeakMap<Secret, KeyObject>();

  const load = (privateKey: Secret): KeyObject => {
    const key = tlv(
      Tag.sequence,
      integer(zero),
      domain().algorithm,
      tlv(Tag.octetString, integer(privateKey.expose())),
    );
    const handle = createPrivateKey({ key: Buffer.from(key), format: "der", type: "pkcs8" });
    key.fill(0);
    handles.set(privateKey, handle);
    return handle;
  };
  const draw = (entropy: Entropy): Secret => {
    const exponent = entropy.fill(new Uint8Array(group.exponentSize));
    exponent[0]! |= 0x80; // Its full length, RFC 7919 §5.2.
    return new Secret(exponent);
  };
  const share = (handle: KeyObject): Uint8Array => {
    const spki = createPublicKey(handle).export({ format: "der", type: "spki" });
    const info = element(new Reader(spki), Tag.sequence);
    element(info, Tag.sequence);
    return padded(unsigned(new Reader(wholeBits(info))), size);
  };
  const agree = (privateKey: KeyObject, theirs: Uint8Array): Secret | undefined => {
    // RFC 7919 §5.1 wants a number between 2 and p - 2.
    if (theirs.length !== size || !insideField(theirs, domain().prime)) return undefined;
    const key = tlv(Tag.sequence, domain().algorithm, tlv(Tag.bitString, zero, integer(theirs)));
    try {
      const publicKey = createPublicKey({ key: Buffer.from(key), format: "der", type: "spki" });
      return new Secret(padded(plain(diffieHellman({ privateKey, publicKey })), size));
    } catch {
      return undefined; // In range, and still not to OpenSSL's liking.
    }
  };
  return {
    name,
    ...sizes[name],
    privateKeySize: group.exponentSize,
    initiate(entropy) {
      const privateKey = draw(entropy);
      return { share: share(load(privateKey)), privateKey };
    },
    respond(initiatorShare, entropy) {
      const privateKey = draw(entropy);
      const handle = load(privateKey);
      privateKey.wipe();
      const secret = agree(handle, initiatorShare);
      return secret && { share: share(handle), secret };
    },
    conclude(privateKey, responderShare) {
      if (privateKey.expose().length !== group.exponentSize) return undefined;
      return agree(handles.get(privateKey) ?? load(privateKey), responderShare);
    },
  };
}

/** 1 < share < prime - 1, for a prime that ends in ones. Shares are public, so it may stop early. */
export function insideField(share: Uint8Array, prime: Uint8Array): boolean {
  const last = share.length - 1;
  if (share[last]! < 2 && share.every((byte, i) => i === last || byte === 0)) return false;
  const differs = share.findIndex((byte, i) => byte !== prime[i]);
  if (differs === -1) return false;
  return share[differs]! < prime[differs]! && !(differs === last && share[last] === prime[last]! - 1);
}

/** AlgorithmIdentifier of dhKeyAgreement with the group's prime and generator 2 (PKCS #3). */
function domainOf(prime: Uint8Array): { prime: Uint8Array; algorithm: Uint8Array } {
  const dhKeyAgreement = tlv(Tag.objectIdentifier, fromHex("2a864886f70d010301"));
  return { prime, algorithm: tlv(Tag.sequence, dhKeyAgreement, tlv(Tag.sequence, integer(prime), integer(two))) };
}

const zero = Uint8Array.of(0);
const two = Uint8Array.of(2);

function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte, i) => byte !== 0 || i === bytes.length - 1);
  const significant = bytes.subarray(first);
  return significant[0]! >= 0x80 ? tlv(Tag.integer, zero, significant) : tlv(Tag.integer, significant);
}

function tlv(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of contents) size += part.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return concat(Uint8Array.of(tag, ...length), ...contents);
}
