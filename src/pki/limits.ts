/** Named maxima of this room. Each bounds work or memory that a peer could otherwise choose. */
export const limits = {
  /** Bytes of one certificate. The largest seen in public logs stay below 64 KiB, except those made to hurt. */
  certificateBytesMax: 1 << 18,
  /** Bytes of one CRL; public ones reach a few MiB. */
  crlBytesMax: 1 << 25,
  /** Bytes of one OCSP response. */
  ocspBytesMax: 1 << 16,
  /** How old a response may be that does not say when the next one comes. */
  ocspAgeMaxMs: 7 * 86_400_000,
  /** Bytes of one PEM text. */
  pemBytesMax: 1 << 26,
  /** Constructed elements within each other. A certificate needs about ten. */
  derDepthMax: 24,
  /** Octets of a serial number, RFC 5280 §4.1.2.2. */
  serialOctetsMax: 20,
  /** Extensions of one certificate or CRL. */
  extensionsMax: 64,
  /** Relative distinguished names of one name. */
  rdnsMax: 128,
  /** General names in one extension. The many-names attacks use thousands to multiply with name constraints. */
  generalNamesMax: 8192,
  /** Subtrees of one side of one name constraints extension. */
  subtreesMax: 8192,
  /** Policies or mappings in one extension. */
  policiesMax: 512,
  /** Nodes of the policy graph at one depth (RFC 9618 §3: the graph grows by policies, never by paths). */
  policyNodesPerDepthMax: 1024,
  /** Certificates that a peer may send, the end entity's included. */
  chainCertificatesMax: 64,
  /** Certificates of valid paths that a verifier remembers, and the most bytes of one of them. */
  knownCertificatesMax: 256,
  knownBytesMax: 8_192,
  /** Certificates of a path, from the end entity's to the one below the anchor. */
  pathCertificatesMax: 20,
  /** Issuer candidates looked at while building all paths for one chain. */
  candidatesMax: 1024,
  /** Signatures verified while building all paths for one chain. */
  signatureChecksMax: 100,
  /** Whole paths validated for one chain. */
  pathsMax: 64,
  /** Names compared with name constraints, over one whole verification. */
  nameComparisonsMax: 250_000,
  /** Failures kept for the report. */
  failuresMax: 16,
  /** Rounds of a password-based key derivation (RFC 8018): what a key file may cost to open. */
  kdfRoundsMax: 10_000_000,
} as const;
