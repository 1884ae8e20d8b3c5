/** What `sealport keygen` makes. */
export const keygenKinds = [
  "authority",
  "certificate",
  "curvecp",
  "key",
  "minimalt",
  "psk",
  "srtp",
  "tickets",
  "wireguard",
] as const;

/** Types of keys that it makes; the first is the default. */
export const keyTypes = ["P-256", "P-384", "P-521", "Ed25519", "Ed448"] as const;
