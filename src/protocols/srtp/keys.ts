import type { CryptoProvider, KeyedCipher, Secret } from "../../contract/index.js";
import { failure } from "./failure.js";
import { expiringShare, mkiSizeMax, rtpLifetimeMax } from "./limits.js";
import { profiles, type SrtpProfile, type SrtpProfileName } from "./profiles.js";

/**
 * Key derivation (RFC 3711 §4.3):
 *
 * ```
 *   master salt      s0 … s6  s7     s8 … s13          (a salt of 12 bytes has zeros behind it)
 *   XOR key id                label  r = index DIV rate
 *   = x;  IV = x · 2^16;  session key = AES-CM keystream under the master key
 * ```
 */
export const labels = {
  rtp: { encryption: 0x00, authentication: 0x01, salt: 0x02 },
  rtcp: { encryption: 0x03, authentication: 0x04, salt: 0x05 },
  /** Of encrypted header extensions (RFC 6904 §3). */
  header: { encryption: 0x06, salt: 0x07 },
} as const;

/** A master key with what counts for it: where it comes from is for whoever imports it (PSKI). */
export interface MasterKey {
  /** As many bytes as the profile's `keySize`. */
  readonly key: Secret;
  /** As many bytes as the profile's `saltSize`. */
  readonly salt: Uint8Array;
  /** Master Key Identifier, the same number of bytes for all keys of a direction (RFC 3711 §3.1). Default: none. */
  readonly mki?: Uint8Array;
  /** RTP packets, and RTCP packets, that it may protect. Default: 2^48 and 2^31 (RFC 3711 §9.2). */
  readonly lifetime?: number;
}

/** Checks a master key against its profile; throws `bad-key`. */
export function checkMasterKey(name: SrtpProfileName, master: MasterKey): void {
  const { keySize, saltSize } = profiles[name];
  const wrong =
    master.key.size !== keySize
      ? `a master key of ${keySize} bytes is needed, not ${master.key.size}`
      : master.salt.length !== saltSize
        ? `a master salt of ${saltSize} bytes is needed, not ${master.salt.length}`
        : (master.mki?.length ?? 0) > mkiSizeMax
          ? `an MKI has ${mkiSizeMax} bytes at the most`
          : master.lifetime !== undefined && !(master.lifetime >= 1 && master.lifetime <= rtpLifetimeMax)
            ? "a lifetime is a number of packets, 2^48 at the most"
            : undefined;
  if (wrong !== undefined)
    throw failure("bad-key", `${name}: ${wrong}`, {
      hint: "key and salt come one after the other in `inline:` and in exporters",
    });
}

/** The PRF of one master key, kept as long as the key may derive. */
export class KeyDerivation {
  readonly #cipher: KeyedCipher;
  readonly #salt = new Uint8Array(14);
  readonly #iv = new Uint8Array(16);

  constructor(crypto: CryptoProvider, profile: SrtpProfile, key: Secret, salt: Uint8Array) {
    this.#cipher = crypto.cipher(profile.cipher).encryptor(key.expose());
    this.#salt.set(salt);
  }

  /** `size` bytes for a label; `r` is the index divided by the key derivation rate, 0 without one. */
  derive(label: number, size: number, r: number): Uint8Array {
    const iv = this.#iv;
    iv.fill(0);
    iv.set(this.#salt);
    iv[7]! ^= label;
    let rest = r;
    for (let i = 13; i > 7; i--) {
      iv[i]! ^= rest % 256;
      rest = Math.floor(rest / 256);
    }
    const out = new Uint8Array(size);
    this.#cipher.apply(out, 0, size, iv);
    return out;
  }

  destroy(): void {
    this.#cipher.destroy();
    this.#salt.fill(0);
  }
}

/** How many packets of one kind a master key has protected, and how many it may. */
export class Lifetime {
  readonly max: number;
  readonly expiringAt: number;
  used = 0;

  constructor(max: number) {
    this.max = max;
    this.expiringAt = Math.floor(max * expiringShare);
  }
}
