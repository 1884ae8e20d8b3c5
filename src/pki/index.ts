export { signatureAlgorithm, usualSignature } from "./algorithm.js";
export type { AnchorInput, AnchorOptions } from "./anchor.js";
export { type Certificate, isSelfIssued, parseCertificate, serialText } from "./certificate.js";
export { parseRevocationList, type RevocationList } from "./crl.js";
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
  makeOcspResponse,
  makePrivateKey,
  makeRevocationList,
} from "./make/index.js";
export { type IsPublicSuffix, matches, type ReferenceId } from "./names.js";
export { parseOcspResponse } from "./ocsp.js";
export type { SearchCost } from "./path.js";
export { readCertificates, readPem, writePem } from "./pem.js";
export type { PolicyInputs } from "./policy.js";
export { readPrivateKey } from "./private-key.js";
export { type AlgorithmPolicy, type ProfileName, type Purpose, usualAlgorithms } from "./profile.js";
export {
  createVerifier,
  pinOf,
  type Verdict,
  type Verifier,
  type VerifierOptions,
  type VerifyAsk,
} from "./verifier.js";
