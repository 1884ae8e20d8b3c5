/** Object identifiers by the names of their specifications. */

/** Certificate and CRL extensions. */
export const ext = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  issuerAltName: "2.5.29.18",
  basicConstraints: "2.5.29.19",
  cRLNumber: "2.5.29.20",
  reasonCode: "2.5.29.21",
  invalidityDate: "2.5.29.24",
  deltaCRLIndicator: "2.5.29.27",
  issuingDistributionPoint: "2.5.29.28",
  certificateIssuer: "2.5.29.29",
  nameConstraints: "2.5.29.30",
  cRLDistributionPoints: "2.5.29.31",
  certificatePolicies: "2.5.29.32",
  policyMappings: "2.5.29.33",
  authorityKeyIdentifier: "2.5.29.35",
  policyConstraints: "2.5.29.36",
  extKeyUsage: "2.5.29.37",
  freshestCRL: "2.5.29.46",
  inhibitAnyPolicy: "2.5.29.54",
  authorityInfoAccess: "1.3.6.1.5.5.7.1.1",
  subjectInfoAccess: "1.3.6.1.5.5.7.1.11",
  /** RFC 7633 */
  tlsFeature: "1.3.6.1.5.5.7.1.24",
  /** RFC 6962 §3.3 */
  signedCertificateTimestamps: "1.3.6.1.4.1.11129.2.4.2",
  /** RFC 6962 §3.1: a precertificate, never to be taken for a certificate */
  precertificatePoison: "1.3.6.1.4.1.11129.2.4.3",
  /** RFC 9345 §4.2 */
  delegationUsage: "1.3.6.1.4.1.44363.44",
  /** RFC 6960 §4.2.2.2.1 */
  ocspNoCheck: "1.3.6.1.5.5.7.48.1.5",
  /** RFC 6960 §4.4.1 */
  ocspNonce: "1.3.6.1.5.5.7.48.1.2",
} as const;

export const anyPolicy = "2.5.29.32.0";
export const anyExtendedKeyUsage = "2.5.29.37.0";

/** Extended key usages, RFC 5280 §4.2.1.12. */
export const purposes = {
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  email: "1.3.6.1.5.5.7.3.4",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  ocspSigning: "1.3.6.1.5.5.7.3.9",
  /** RFC 4945 §5.1.3.12 */
  ike: "1.3.6.1.5.5.7.3.17",
  /** RFC 6962 §3.1 */
  precertificateSigning: "1.3.6.1.4.1.11129.2.4.4",
} as const;

export const access = { ocsp: "1.3.6.1.5.5.7.48.1", caIssuers: "1.3.6.1.5.5.7.48.2" } as const;

/** `id-on-dnsSRV`, RFC 4985. */
export const srvName = "1.3.6.1.5.5.7.8.7";

/** Attribute types of distinguished names, with the short names of RFC 4514 §3 and common use. */
export const attributeNames: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.17": "postalCode",
  "2.5.4.42": "GN",
  "2.5.4.46": "dnQualifier",
  "2.5.4.97": "organizationIdentifier",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};
export const attributes = {
  commonName: "2.5.4.3",
  emailAddress: "1.2.840.113549.1.9.1",
  domainComponent: "0.9.2342.19200300.100.1.25",
} as const;

export const hashes = {
  "SHA-1": "1.3.14.3.2.26",
  "SHA-224": "2.16.840.1.101.3.4.2.4",
  "SHA-256": "2.16.840.1.101.3.4.2.1",
  "SHA-384": "2.16.840.1.101.3.4.2.2",
  "SHA-512": "2.16.840.1.101.3.4.2.3",
} as const;

export const keys = {
  rsaEncryption: "1.2.840.113549.1.1.1",
  rsassaPss: "1.2.840.113549.1.1.10",
  mgf1: "1.2.840.113549.1.1.8",
  ecPublicKey: "1.2.840.10045.2.1",
  ed25519: "1.3.101.112",
  ed448: "1.3.101.113",
  mlDsa44: "2.16.840.1.101.3.4.3.17",
  mlDsa65: "2.16.840.1.101.3.4.3.18",
  mlDsa87: "2.16.840.1.101.3.4.3.19",
} as const;

export const curves = { "P-256": "1.2.840.10045.3.1.7", "P-384": "1.3.132.0.34", "P-521": "1.3.132.0.35" } as const;
