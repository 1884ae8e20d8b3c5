import type { DtlsClientOptions, DtlsServerOptions } from "../dtls/index.js";
import { profiles, type SrtpOptions, type SrtpProfileName } from "../srtp/index.js";
import type { Fingerprint } from "./fingerprint.js";

/** What both roles have in common; whatever is absent takes its default. */
export interface DtlsSrtpCommon {
  /** ALG: most wanted first; those with a number in use_srtp. Default: AES-GCM with 128 and 256 bits, AES-CM with the long tag. */
  readonly profiles?: readonly SrtpProfileName[];
  /** srtp_mki (RFC 5764 §4.1.3): an identifier that a client offers for the master keys. Default: none. */
  readonly mki?: Uint8Array;
  /**
   * IV: what signalling said of the peer's certificate (RFC 5763 §5). Without it `dtls.verify` must judge, and on a server
   * `dtls.clientAuthentication` decides whether there is a certificate at all.
   */
  readonly fingerprints?: readonly Fingerprint[];
  /** Windows, tables, header extensions, as `SrtpContextOptions` has them. */
  readonly srtp?: Omit<SrtpOptions, "profile" | "sendKey" | "receiveKey">;
}

export interface DtlsSrtpClientOptions extends DtlsSrtpCommon {
  /** IPK, versions, time-outs, and all else that DTLS has. */
  readonly dtls?: Omit<DtlsClientOptions, "srtp">;
}

export interface DtlsSrtpServerOptions extends DtlsSrtpCommon {
  readonly dtls?: Omit<DtlsServerOptions, "srtp">;
}

/** What browsers offer too. */
export const defaultProfiles: readonly SrtpProfileName[] = [
  "AEAD_AES_128_GCM",
  "AEAD_AES_256_GCM",
  "AES_CM_128_HMAC_SHA1_80",
];

/** The numbers of profiles in use_srtp; those that have none cannot be negotiated. */
export const numbersOf = (names: readonly SrtpProfileName[]): number[] =>
  names.flatMap((name) => {
    const row = profiles[name];
    return "id" in row ? [row.id] : [];
  });
