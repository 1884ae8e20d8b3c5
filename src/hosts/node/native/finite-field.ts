import { fromHex } from "../../../bytes/bytes.js";
import type { Agreement, Entropy } from "../../../contract/crypto.js";
import { Secret } from "../../../contract/secret.js";
import { agreements as sizes } from "../../../crypto/algorithms.js";
import { type FiniteFieldName, fieldPrime, finiteFields } from "../../../crypto/finite-fields.js";
import { insideField } from "../crypto-portable/finite-field.js";
import type { Libcrypto } from "./libcrypto.js";
import { Scratch } from "./memory.js";

/**
 * Diffie-Hellman over the safe primes of RFC 7919 and RFC 3526 on OpenSSL's exponentiation in constant time. `diffieHellman` of
 * node:crypto raises the peer's share to the group's order first, which is several times the work of the agreement itself. A safe prime
 * does not need that: a share that is neither 0, 1 nor p - 1, nor beyond them, is all that is asked for (RFC 7919 §5.1, RFC 6989 §2.1).
 */
export function finiteField(libcrypto: Libcrypto, name: FiniteFieldName): Agreement | undefined {
  const { call, memory } = libcrypto;
  const group = finiteFields[name];
  const size = group.bits / 8;
  const { exponentSize } = group;
  const prime = fromHex(fieldPrime(group).toString(16));
  // A number of the field, and behind it an exponent. Secrets lie here no longer than a call takes.
  const scratch = new Scratch(memory, size + ((exponentSize + 7) & ~7));
  const numberAt = scratch.address;
  const exponentAt = numberAt + size;

  const number = (bytes: Uint8Array): number => {
    scratch.put(bytes, 0);
    return call.BN_bin2bn(numberAt, bytes.length, 0);
  };
  // They live as long as the process: one set a group.
  const context = call.BN_CTX_new();
  const field = call.BN_MONT_CTX_new();
  const modulus = number(prime);
  const generator = number(Uint8Array.of(2));
  const base = number(Uint8Array.of(2));
  const result = number(Uint8Array.of(2));
  const all = [context, field, modulus, generator, base, result];
  if (all.some((each) => each === 0) || call.BN_MONT_CTX_set(field, modulus, context) !== 1) return undefined;

  const power = (of: number, exponent: Uint8Array): Uint8Array => {
    scratch.put(exponent, size);
    const secret = call.BN_bin2bn(exponentAt, exponentSize, 0);
    scratch.bytes.fill(0, size);
    const done =
      secret !== 0 &&
      call.BN_mod_exp_mont_consttime(result, of, secret, modulus, context, field) === 1 &&
      call.BN_bn2binpad(result, numberAt, size) === size;
    call.BN_clear_free(secret);
    if (!done) throw new Error(`OpenSSL refuses an exponentiation of ${name}`);
    const outcome = scratch.bytes.slice(0, size);
    scratch.bytes.fill(0, 0, size);
    call.BN_clear(result);
    return outcome;
  };
  const draw = (entropy: Entropy): Secret => {
    const exponent = entropy.fill(new Uint8Array(exponentSize));
    exponent[0]! |= 0x80; // Its full length, RFC 7919 §5.2.
    return new Secret(exponent);
  };
  const agree = (exponent: Uint8Array, theirs: Uint8Array): Secret | undefined => {
    if (theirs.length !== size || !insideField(theirs, prime)) return undefined;
    scratch.put(theirs, 0);
    if (call.BN_bin2bn(numberAt, size, base) === 0) throw new Error(`OpenSSL refuses a number of ${name}`);
    return new Secret(power(base, exponent));
  };
  return {
    name,
    ...sizes[name],
    privateKeySize: exponentSize,
    initiate(entropy) {
      const privateKey = draw(entropy);
      return { share: power(generator, privateKey.expose()), privateKey };
    },
    respond(initiatorShare, entropy) {
      const privateKey = draw(entropy);
      const exponent = privateKey.expose();
      const secret = agree(exponent, initiatorShare);
      const share = secret && power(generator, exponent);
      privateKey.wipe();
      return share && { share, secret };
    },
    conclude(privateKey, responderShare) {
      const exponent = privateKey.expose();
      return exponent.length === exponentSize ? agree(exponent, responderShare) : undefined;
    },
  };
}
