import { encode } from "../../../bytes/index.js";
import type { PublicKey } from "../../../contract/index.js";
import type { Config } from "../config.js";
import { refuse } from "../failure.js";
import type { CertificateType, TlsIdentity } from "../options.js";
import { fits, type Scheme } from "../parameters/schemes.js";
import type { Authentication12, Suite12 } from "../parameters/suites12.js";
import { certificate12, rawPublicKey12 } from "./messages.js";

/** Keys that sign for each authentication: RFC 5246 §7.4.2, RFC 8422 §5.1.1. */
export const keyTypesFor = {
  ECDSA: ["EC", "Ed25519", "Ed448"],
  RSA: ["RSA", "RSA-PSS"],
  PSK: [],
} as const satisfies Record<Authentication12, readonly PublicKey["type"][]>;

/** ClientCertificateType, RFC 5246 §7.4.4 and RFC 8422 §5.5. */
export const clientCertificateTypes = { RSA: 1, ECDSA: 64 } as const;

/** Keys that a server's list of certificate types allows. */
export const keyTypesOf = (types: readonly number[]): readonly PublicKey["type"][] => [
  ...(types.includes(clientCertificateTypes.ECDSA) ? keyTypesFor.ECDSA : []),
  ...(types.includes(clientCertificateTypes.RSA) ? keyTypesFor.RSA : []),
];

/** The first of the schemes that this key can make; 1.2 does not bind curves to hashes (RFC 8446 §4.2.3). */
export const chooseScheme = (schemes: readonly Scheme[], key: PublicKey): Scheme | undefined =>
  schemes.find((scheme) => fits(scheme, key, "1.2"));

/** A Certificate message's body; without an identity the chain is empty, which a raw key cannot be. */
export function writeCertificates(identity: TlsIdentity | undefined, type: CertificateType): Uint8Array {
  return identity !== undefined && type === "raw-public-key"
    ? encode(rawPublicKey12, identity.publicKey.spki)
    : encode(certificate12, identity?.certificates ?? []);
}

/** Checks a ServerKeyExchange's or CertificateVerify's signature; answers the scheme. */
export function checkSignature(
  config: Config,
  suite: Suite12 | undefined,
  key: PublicKey,
  schemeId: number,
  signed: Uint8Array,
  signature: Uint8Array,
  at: string,
): Scheme {
  const scheme = config.schemes.find(({ id }) => id === schemeId);
  if (scheme === undefined)
    refuse("unoffered-scheme", at, `signature scheme 0x${schemeId.toString(16)} was not offered`);
  const types: readonly PublicKey["type"][] | undefined = suite && keyTypesFor[suite.authentication];
  if (types?.includes(key.type) === false)
    refuse("illegal-parameter", at, `${suite!.name} with a key of type ${key.type}`);
  if (!fits(scheme, key, "1.2")) refuse("illegal-parameter", at, `${scheme.name} does not fit the peer's key`);
  if (!key.verify(scheme.algorithm12, signed, signature)) refuse("bad-signature", at, "the signature is wrong");
  return scheme;
}
