import { bytes, type Of, struct, u16, u24, vector } from "../../../bytes/index.js";
import { extensions } from "./extensions.js";

/** EncryptedExtensions, RFC 9846 §4.4.1. */
export const encryptedExtensions = extensions("EE");

/** CertificateRequest, §4.4.2. */
export const certificateRequest = struct({ context: bytes(1), extensions: extensions("CR") });
export type CertificateRequest = Of<typeof certificateRequest>;

/** Certificate, §4.5.1; with raw public keys an entry is a SubjectPublicKeyInfo (RFC 7250 §3). */
const certificateEntry = struct({ data: bytes(3, { min: 1 }), extensions: extensions("CT") });
export const certificate = struct({ context: bytes(1), entries: vector(3, certificateEntry) });
export type Certificate = Of<typeof certificate>;
export type CertificateEntry = Of<typeof certificateEntry>;

/** CompressedCertificate, RFC 8879 §4. */
export const compressedCertificate = struct({ algorithm: u16, size: u24, compressed: bytes(3, { min: 1 }) });

/** CertificateVerify, RFC 9846 §4.5.2. */
export const certificateVerify = struct({ scheme: u16, signature: bytes(2) });

/** CertificateCompressionAlgorithm, RFC 8879 §7.3. */
export const compressionAlgorithms = { zlib: 1, brotli: 2, zstd: 3 } as const;

/** CertificateType, RFC 7250 §3. */
export const certificateTypes = { x509: 0, "raw-public-key": 2 } as const;
