import { toHex } from "../../bytes/index.js";
import { Encryption, Integrity } from "../esp/index.js";
import type { IkeAlgorithms } from "./algorithms.js";
import type { IkeKeys } from "./keys.js";

/** Names of Wireshark's ikev2_decryption_table. */
const encryptionNames: Readonly<Record<string, string>> = {
  [`${Encryption.aesCbc}/128`]: "AES-CBC-128 [RFC3602]",
  [`${Encryption.aesCbc}/192`]: "AES-CBC-192 [RFC3602]",
  [`${Encryption.aesCbc}/256`]: "AES-CBC-256 [RFC3602]",
  [`${Encryption.aesGcm16}/128`]: "AES-GCM-128 with 16 octet ICV [RFC5282]",
  [`${Encryption.aesGcm16}/192`]: "AES-GCM-192 with 16 octet ICV [RFC5282]",
  [`${Encryption.aesGcm16}/256`]: "AES-GCM-256 with 16 octet ICV [RFC5282]",
  // Wireshark has no name for it; the keys are for whoever has.
  [`${Encryption.chaCha20Poly1305}/`]: "ChaCha20-Poly1305 [RFC7634]",
};
const integrityNames: Readonly<Record<number, string>> = {
  [Integrity.none]: "NONE [RFC4306]",
  [Integrity.hmacSha1]: "HMAC_SHA1_96 [RFC2404]",
  [Integrity.hmacSha256]: "HMAC_SHA2_256_128 [RFC4868]",
  [Integrity.hmacSha384]: "HMAC_SHA2_384_192 [RFC4868]",
  [Integrity.hmacSha512]: "HMAC_SHA2_512_256 [RFC4868]",
};

/** A line of Wireshark's ikev2_decryption_table: SPIs, SK_ei, SK_er, encryption, SK_ai, SK_ar, integrity. */
export function keyLogLine(
  spiInitiator: Uint8Array,
  spiResponder: Uint8Array,
  { encryption, keyBits, integrity }: IkeAlgorithms,
  { initiator, responder }: IkeKeys,
): string {
  return [
    toHex(spiInitiator),
    toHex(spiResponder),
    toHex(initiator.encryption.expose()),
    toHex(responder.encryption.expose()),
    `"${encryptionNames[`${encryption}/${keyBits ?? ""}`]}"`,
    toHex(initiator.integrity.expose()),
    toHex(responder.integrity.expose()),
    `"${integrityNames[integrity]}"`,
  ].join(",");
}
