import { concat, utf8 } from "../../bytes/index.js";
import { type CryptoProvider, type Hash, type Mac, Secret } from "../../contract/index.js";
import { type EspAlgorithms, type EspKeys, keySizes } from "../esp/index.js";
import { type IkeAlgorithms, prfOf } from "./algorithms.js";

/** A PRF as RFC 7296 §2.13 uses it: any key, any message. */
export class Prf {
  readonly #hash: Hash;

  constructor(crypto: CryptoProvider, id: number) {
    this.#hash = crypto.hash(prfOf(id)!.hash);
  }

  /** Bytes of its output, and its preferred key's. */
  get size(): number {
    return this.#hash.size;
  }

  compute(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
    const mac = this.#hash.hmac(key);
    const output = mac.compute(...parts);
    mac.destroy();
    return output;
  }

  /** prf+ (§2.13): `size` bytes out of a key and a seed. */
  plus(key: Uint8Array, seed: Uint8Array, size: number): Uint8Array {
    const mac: Mac = this.#hash.hmac(key);
    const bytes = new Uint8Array(size);
    let last: Uint8Array = new Uint8Array(0);
    for (let at = 0, i = 1; at < size; at += last.length, i++) {
      last = mac.compute(last, seed, Uint8Array.of(i));
      bytes.set(last.subarray(0, size - at), at);
    }
    mac.destroy();
    return bytes;
  }
}

/** All that keeps one direction of an IKE SA. */
export interface DirectionKeys {
  /** SK_e, its salt at the end if the algorithm has one. */
  readonly encryption: Secret;
  /** SK_a; empty beside an AEAD. */
  readonly integrity: Secret;
  /** SK_p, by which AUTH covers the identity. */
  readonly identity: Secret;
}

/** The keys of an IKE SA (§2.14). */
export interface IkeKeys {
  /** SK_d, from which children and the next IKE SA are keyed. */
  readonly derivation: Secret;
  readonly initiator: DirectionKeys;
  readonly responder: DirectionKeys;
}

/** What both sides put into their keys, by who was the initiator of this exchange. */
export interface Ingredients {
  readonly nonceInitiator: Uint8Array;
  readonly nonceResponder: Uint8Array;
  readonly spiInitiator: Uint8Array;
  readonly spiResponder: Uint8Array;
}

/** The keys of a new IKE SA, from its key exchange (§2.14). */
export function initialKeys(
  crypto: CryptoProvider,
  algorithms: IkeAlgorithms,
  shared: Secret,
  from: Ingredients,
): IkeKeys {
  const prf = new Prf(crypto, algorithms.prf);
  const seed = prf.compute(concat(from.nonceInitiator, from.nonceResponder), shared.expose());
  return expand(prf, algorithms, seed, from);
}

/**
 * The keys after one more key exchange: of an additional one (RFC 9370 §2.2.2), with `old` the keys so far; of the first of a
 * rekeying (RFC 7296 §2.18), with those of the IKE SA that is replaced and its PRF.
 */
export function furtherKeys(
  crypto: CryptoProvider,
  algorithms: IkeAlgorithms,
  old: { readonly derivation: Secret; readonly prf: number },
  shared: Secret,
  from: Ingredients,
): IkeKeys {
  const seed = new Prf(crypto, old.prf).compute(
    old.derivation.expose(),
    shared.expose(),
    from.nonceInitiator,
    from.nonceResponder,
  );
  return expand(new Prf(crypto, algorithms.prf), algorithms, seed, from);
}

function expand(prf: Prf, algorithms: IkeAlgorithms, seed: Uint8Array, from: Ingredients): IkeKeys {
  const sizes = keySizes({ ...algorithms, isExtended: false })!;
  const { nonceInitiator, nonceResponder, spiInitiator, spiResponder } = from;
  const all = prf.plus(
    seed,
    concat(nonceInitiator, nonceResponder, spiInitiator, spiResponder),
    3 * prf.size + 2 * (sizes.integrity + sizes.encryption),
  );
  seed.fill(0);
  const cut = cutter(all);
  const derivation = cut(prf.size);
  const [ai, ar] = [cut(sizes.integrity), cut(sizes.integrity)];
  const [ei, er] = [cut(sizes.encryption), cut(sizes.encryption)];
  const [pi, pr] = [cut(prf.size), cut(prf.size)];
  all.fill(0);
  return {
    derivation,
    initiator: { encryption: ei, integrity: ai, identity: pi },
    responder: { encryption: er, integrity: ar, identity: pr },
  };
}

/** Both directions of a Child SA, by the initiator of the exchange that made it (§2.17). `shared` is its own key exchange's. */
export function childKeys(
  crypto: CryptoProvider,
  prf: number,
  derivation: Secret,
  algorithms: EspAlgorithms,
  shared: Secret | undefined,
  from: Pick<Ingredients, "nonceInitiator" | "nonceResponder">,
): { readonly toResponder: EspKeys; readonly toInitiator: EspKeys } {
  const sizes = keySizes(algorithms)!;
  const seed = concat(shared?.expose() ?? new Uint8Array(0), from.nonceInitiator, from.nonceResponder);
  const all = new Prf(crypto, prf).plus(derivation.expose(), seed, 2 * (sizes.encryption + sizes.integrity));
  seed.fill(0);
  const cut = cutter(all);
  const direction = (): EspKeys => ({
    encryption: cut(sizes.encryption),
    integrity: sizes.integrity === 0 ? undefined : cut(sizes.integrity),
  });
  const keys = { toResponder: direction(), toInitiator: direction() };
  all.fill(0);
  return keys;
}

function cutter(bytes: Uint8Array): (size: number) => Secret {
  let at = 0;
  return (size) => Secret.copy(bytes.subarray(at, (at += size)));
}

export function wipeKeys({ derivation, initiator, responder }: IkeKeys): void {
  derivation.wipe();
  for (const { encryption, integrity, identity } of [initiator, responder]) {
    encryption.wipe();
    integrity.wipe();
    identity.wipe();
  }
}

/** AUTH by a shared secret (§2.15): a PSK, or the MSK that EAP made (§2.16). */
export const sharedSecretAuth = (prf: Prf, secret: Uint8Array, octets: Uint8Array): Uint8Array =>
  prf.compute(prf.compute(secret, utf8("Key Pad for IKEv2")), octets);

/** PPK mixed into keys (RFC 8784 §3): each of SK_d, SK_pi and SK_pr becomes prf+ of the PPK over itself. */
export function mixPpk(crypto: CryptoProvider, algorithms: IkeAlgorithms, keys: IkeKeys, ppk: Secret): IkeKeys {
  const prf = new Prf(crypto, algorithms.prf);
  const mixed = (secret: Secret): Secret => new Secret(prf.plus(ppk.expose(), secret.expose(), prf.size));
  return {
    derivation: mixed(keys.derivation),
    initiator: { ...keys.initiator, identity: mixed(keys.initiator.identity) },
    responder: { ...keys.responder, identity: mixed(keys.responder.identity) },
  };
}
