import { copyOf } from "../../bytes/index.js";
import type { CryptoProvider } from "../../contract/index.js";
import { KeyDerivation, Lifetime, labels, type MasterKey } from "./keys.js";
import { rtcpLifetimeMax, rtpLifetimeMax, sessionKeysMax } from "./limits.js";
import { profiles, type SrtpProfile, type SrtpProfileName } from "./profiles.js";
import { GcmRtcp, GcmRtp } from "./transforms/gcm.js";
import { HmacRtcp, HmacRtp } from "./transforms/hmac-sha1.js";
import { CounterMode, F8, type Keystream, nullKeystream } from "./transforms/keystreams.js";
import type { RtcpTransform, RtpTransform } from "./transforms/transform.js";

/** HMAC-SHA1's key (RFC 3711 §5.2). */
const authenticationKeySize = 20;
const nothing = new Uint8Array(0);

/** What packets of one session key go through: RTP's own transform and its header extensions' keystream. */
export interface RtpKeys {
  readonly transform: RtpTransform;
  readonly header: Keystream;
}

interface Destroyable {
  destroy(): void;
}

/**
 * Session keys by what they are derived for, `r` (RFC 3711 §4.3.1). Without a key derivation rate there is one set for
 * all packets; with one, a few sets are kept, since packets of several sources and of both sides of a change mix.
 */
class Derived<Keys extends Destroyable> {
  readonly #rate: number;
  readonly #make: (r: number) => Keys;
  readonly #kept = new Map<number, Keys>();
  #last: Keys | undefined;
  #lastR = 0;

  constructor(rate: number, make: (r: number) => Keys) {
    this.#rate = rate;
    this.#make = make;
  }

  at(index: number): Keys {
    const r = this.#rate === 0 ? 0 : Math.floor(index / this.#rate);
    if (this.#last !== undefined && r === this.#lastR) return this.#last;
    let keys = this.#kept.get(r);
    if (keys === undefined) {
      keys = this.#make(r);
      this.#kept.set(r, keys);
      if (this.#kept.size > sessionKeysMax) this.#forgetOldest();
    }
    this.#last = keys;
    this.#lastR = r;
    return keys;
  }

  #forgetOldest(): void {
    for (const [r, keys] of this.#kept) {
      keys.destroy();
      this.#kept.delete(r);
      return;
    }
  }

  destroy(): void {
    for (const keys of this.#kept.values()) keys.destroy();
    this.#kept.clear();
    this.#last = undefined;
  }
}

/** A master key at work: session keys for RTP and RTCP as they are needed, and how many packets they have protected. */
export class Master {
  readonly mki: Uint8Array;
  readonly rtpLifetime: Lifetime;
  readonly rtcpLifetime: Lifetime;
  readonly #crypto: CryptoProvider;
  readonly #profile: SrtpProfile;
  readonly #derivation: KeyDerivation;
  readonly #rtp: Derived<RtpKeys & Destroyable>;
  readonly #rtcp: Derived<RtcpTransform>;

  constructor(crypto: CryptoProvider, profile: SrtpProfileName, { key, salt, mki, lifetime }: MasterKey, rate: number) {
    this.mki = mki === undefined ? nothing : copyOf(mki);
    this.rtpLifetime = new Lifetime(Math.min(lifetime ?? rtpLifetimeMax, rtpLifetimeMax));
    this.rtcpLifetime = new Lifetime(Math.min(lifetime ?? rtcpLifetimeMax, rtcpLifetimeMax));
    this.#crypto = crypto;
    this.#profile = profiles[profile];
    this.#derivation = new KeyDerivation(crypto, this.#profile, key, salt);
    this.#rtp = new Derived(rate, (r) => this.#rtpKeys(r));
    this.#rtcp = new Derived(rate, (r) => this.#rtcpTransform(r));
  }

  rtp(index: number): RtpKeys {
    return this.#rtp.at(index);
  }

  rtcp(index: number): RtcpTransform {
    return this.#rtcp.at(index);
  }

  #rtpKeys(r: number): RtpKeys & Destroyable {
    const { kind, aead, keySize, saltSize, rtpTagSize } = this.#profile;
    const derive = (label: number, size: number): Uint8Array => this.#derivation.derive(label, size, r);
    const { encryption, authentication, salt } = labels.rtp;
    const transform =
      aead !== undefined
        ? new GcmRtp(this.#crypto.aead(aead), derive(encryption, keySize), derive(salt, saltSize), this.mki)
        : new HmacRtp(
            this.#keystream(kind, derive(encryption, keySize), derive(salt, saltSize)),
            this.#mac(derive(authentication, authenticationKeySize)),
            rtpTagSize,
            this.mki,
          );
    // RFC 6904 §3.2: the same transform under keys of its own and of the same sizes; for GCM counter mode (RFC 7714 §8.3),
    // whose missing bytes of salt are zeros. Few sessions want it.
    let header: Keystream | undefined;
    const headerKeystream = (): Keystream =>
      this.#keystream(
        aead === undefined ? kind : "counter-mode",
        derive(labels.header.encryption, keySize),
        derive(labels.header.salt, saltSize),
      );
    return {
      transform,
      get header() {
        return (header ??= headerKeystream());
      },
      destroy() {
        transform.destroy();
        header?.destroy();
      },
    };
  }

  #rtcpTransform(r: number): RtcpTransform {
    const { kind, aead, keySize, saltSize, rtcpTagSize } = this.#profile;
    const derive = (label: number, size: number): Uint8Array => this.#derivation.derive(label, size, r);
    const { encryption, authentication, salt } = labels.rtcp;
    if (aead !== undefined) {
      return new GcmRtcp(this.#crypto.aead(aead), derive(encryption, keySize), derive(salt, saltSize), this.mki);
    }
    const keystream = this.#keystream(kind, derive(encryption, keySize), derive(salt, saltSize));
    return new HmacRtcp(keystream, this.#mac(derive(authentication, authenticationKeySize)), rtcpTagSize, this.mki);
  }

  /** Takes key and salt over and wipes them. */
  #keystream(kind: SrtpProfile["kind"], key: Uint8Array, salt: Uint8Array): Keystream {
    const keystream =
      kind === "null"
        ? nullKeystream
        : kind === "f8"
          ? new F8(this.#crypto, key, salt)
          : new CounterMode(this.#crypto.cipher(this.#profile.cipher).encryptor(key), salt);
    key.fill(0);
    salt.fill(0);
    return keystream;
  }

  #mac(key: Uint8Array) {
    const mac = this.#crypto.hash("SHA-1").hmac(key);
    key.fill(0);
    return mac;
  }

  destroy(): void {
    this.#rtp.destroy();
    this.#rtcp.destroy();
    this.#derivation.destroy();
  }
}
