import type { AeadName, CipherName } from "../../contract/index.js";

/**
 * What an SRTP crypto suite is made of. Sizes in bytes. The names are those of SDP security descriptions (RFC 4568 §6.2,
 * RFC 6188 §4, RFC 7714 §14.1).
 */
export interface SrtpProfile {
  /** Number in DTLS's use_srtp (RFC 5764 §4.1.2, RFC 7714 §14.2). Absent: keyed by import only. */
  readonly id?: number;
  readonly kind: "counter-mode" | "f8" | "null" | "gcm";
  readonly keySize: number;
  readonly saltSize: number;
  /** Of SRTP packets and of SRTCP packets. */
  readonly rtpTagSize: number;
  readonly rtcpTagSize: number;
  /** AES in counter mode with keys of `keySize`: the PRF of the key derivation, header extensions, and counter mode itself. */
  readonly cipher: CipherName;
  readonly aead?: AeadName;
}

const aes128 = { keySize: 16, cipher: "AES-128-CTR" } as const;
const aes192 = { keySize: 24, cipher: "AES-192-CTR" } as const;
const aes256 = { keySize: 32, cipher: "AES-256-CTR" } as const;
/** SRTCP keeps 80 bits where SRTP has 32 (RFC 3711 §5.2, RFC 4568 §6.2). */
const sha1_80 = { saltSize: 14, rtpTagSize: 10, rtcpTagSize: 10 } as const;
const sha1_32 = { saltSize: 14, rtpTagSize: 4, rtcpTagSize: 10 } as const;
const tag16 = { saltSize: 12, rtpTagSize: 16, rtcpTagSize: 16 } as const;

/** Every profile, one row each. The NULL ones authenticate and do not encrypt: nothing chooses them unless they are named. */
export const profiles = {
  AEAD_AES_256_GCM: { id: 0x0008, kind: "gcm", ...aes256, ...tag16, aead: "AES-256-GCM" },
  AEAD_AES_128_GCM: { id: 0x0007, kind: "gcm", ...aes128, ...tag16, aead: "AES-128-GCM" },
  AES_256_CM_HMAC_SHA1_80: { kind: "counter-mode", ...aes256, ...sha1_80 },
  AES_256_CM_HMAC_SHA1_32: { kind: "counter-mode", ...aes256, ...sha1_32 },
  AES_192_CM_HMAC_SHA1_80: { kind: "counter-mode", ...aes192, ...sha1_80 },
  AES_192_CM_HMAC_SHA1_32: { kind: "counter-mode", ...aes192, ...sha1_32 },
  AES_CM_128_HMAC_SHA1_80: { id: 0x0001, kind: "counter-mode", ...aes128, ...sha1_80 },
  AES_CM_128_HMAC_SHA1_32: { id: 0x0002, kind: "counter-mode", ...aes128, ...sha1_32 },
  F8_128_HMAC_SHA1_80: { kind: "f8", ...aes128, ...sha1_80 },
  NULL_HMAC_SHA1_80: { id: 0x0005, kind: "null", ...aes128, ...sha1_80 },
  NULL_HMAC_SHA1_32: { id: 0x0006, kind: "null", ...aes128, ...sha1_32 },
} as const satisfies Readonly<Record<string, SrtpProfile>>;

export type SrtpProfileName = keyof typeof profiles;

/** In the order of preference; none of the NULL ones. */
export const defaultProfiles: readonly SrtpProfileName[] = (Object.keys(profiles) as SrtpProfileName[]).filter(
  (name) => profiles[name].kind !== "null",
);

/** The profile with a number in use_srtp, if it is known. */
export function profileById(id: number): SrtpProfileName | undefined {
  return (Object.keys(profiles) as SrtpProfileName[]).find((name) => (profiles[name] as SrtpProfile).id === id);
}
