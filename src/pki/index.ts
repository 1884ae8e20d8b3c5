export { signatureAlgorithm, usualSignature } from "./algorithm.js";
export { type Certificate, isSelfIssued, parseCertificate, serialText } from "./certificate.js";
export { type DistinguishedName, nameText } from "./distinguished-name.js";
export type { CertificateExtensions, KeyUsage } from "./extensions.js";
export { isPkiFailure, PkiFailure, type PkiReason } from "./failure.js";
export type { GeneralName } from "./general-name.js";
export { limits } from "./limits.js";
export {
  type AuthorityOptions,
  type CertificateOptions,
  extension,
  type Issuer,
  type MakableKey,
  makeAuthority,
  makeCertificate,
  makePrivateKey,
} from "./make/index.js";
export { readCertificates, readPem, writePem } from "./pem.js";
export { readPrivateKey } from "./private-key.js";
