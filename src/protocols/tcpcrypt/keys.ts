import { concat } from "../../bytes/index.js";
import { type CryptoProvider, type Hash, Secret } from "../../contract/index.js";
import { expand, extract } from "../../crypto/index.js";
import { aeadNonceSize, type SymCipher, secretSize } from "./parameters.js";

/** RFC 8548 §4.3, Table 1, and one of ours beside it. */
const Const = {
  nextKey: 0x01,
  sessionId: 0x02,
  rekey: 0x03,
  keyA: 0x04,
  keyB: 0x05,
  resume: 0x06,
  /** RFC 8548 has no exporter beside the session ID; ours is a label of the same function that no other can equal. */
  export: 0xe0,
} as const;

/** Bytes of resume[i]: two halves, one for each original role (§3.5). */
const resumeSize = 18;
export const resumeHalfSize = resumeSize / 2;

/** The key of one direction: K and NR of §3.6. */
export interface TrafficKey {
  readonly key: Secret;
  readonly randomizer: Secret;
}

/** The key schedule of RFC 8548 §3.3 … §3.5: every secret is the caller's to wipe. */
export class KeySchedule {
  readonly #hash: Hash;

  constructor(crypto: CryptoProvider) {
    this.#hash = crypto.hash("SHA-256");
  }

  /** PRK, which is ss[0]: Extract(N_A, eno_transcript | Init1 | Init2 | ES). */
  pseudoRandomKey(
    nonceA: Uint8Array,
    transcript: Uint8Array,
    init1: Uint8Array,
    init2: Uint8Array,
    ephemeralSecret: Secret,
  ): Secret {
    const material = concat(transcript, init1, init2, ephemeralSecret.expose());
    const key = extract(this.#hash, nonceA, material);
    material.fill(0);
    return new Secret(key);
  }

  /** ss[i + 1]. */
  nextSecret(secret: Secret): Secret {
    return this.#expand(secret, Const.nextKey);
  }

  /** mk[0] of the session; `nonces` is sn[i], empty for a fresh one. */
  masterKey(secret: Secret, nonces: Uint8Array): Secret {
    return this.#expand(secret, Const.rekey, nonces);
  }

  /** mk[j + 1]. */
  nextMasterKey(key: Secret): Secret {
    return this.#expand(key, Const.rekey);
  }

  /** k_ab or k_ba of a master key: the one by which who played `role` in the original session encrypts. */
  trafficKey(master: Secret, role: "A" | "B", { keySize }: SymCipher): TrafficKey {
    const whole = this.#expand(master, role === "A" ? Const.keyA : Const.keyB, none, keySize + aeadNonceSize);
    const bytes = whole.expose();
    const made = { key: Secret.copy(bytes.subarray(0, keySize)), randomizer: Secret.copy(bytes.subarray(keySize)) };
    whole.wipe();
    return made;
  }

  /** The session ID (§3.4): not a secret, an application may publish it. */
  sessionId(tepByte: number, secret: Secret, nonces: Uint8Array): Uint8Array {
    return concat(Uint8Array.of(tepByte), this.#expand(secret, Const.sessionId, nonces).expose());
  }

  /** Both halves of resume[i]: what who was A sends, and who was B. */
  resumption(secret: Secret): { readonly A: Uint8Array; readonly B: Uint8Array } {
    const whole = this.#expand(secret, Const.resume, none, resumeSize).expose();
    return { A: whole.subarray(0, resumeHalfSize), B: whole.subarray(resumeHalfSize) };
  }

  /** The secret from which `exported` makes what an application asks for. */
  exporter(secret: Secret, nonces: Uint8Array): Secret {
    return this.#expand(secret, Const.export, nonces);
  }

  /** The label and the context stand behind their lengths, so that no two pairs are alike. */
  exported(exporter: Secret, label: Uint8Array, context: Uint8Array, size: number): Uint8Array {
    const info = concat(lengthOf(label), label, lengthOf(context), context);
    return expand(this.#hash, exporter.expose(), info, size);
  }

  #expand(key: Secret, constant: number, more: Uint8Array = none, size: number = secretSize): Secret {
    return new Secret(expand(this.#hash, key.expose(), concat(Uint8Array.of(constant), more), size));
  }
}

const none = new Uint8Array(0);
const lengthOf = ({ length }: Uint8Array): Uint8Array => Uint8Array.of(length >> 24, length >> 16, length >> 8, length);
