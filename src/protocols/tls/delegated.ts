import { bytes, concat, decode, encode, type Of, struct, u16, u32, utf8 } from "../../bytes/index.js";
import type { CryptoProvider, Instant, PublicKey, SignatureName } from "../../contract/index.js";
import { type Certificate, isPkiFailure, parseCertificate } from "../../pki/index.js";
import { refuse, tlsFailure } from "./failure.js";
import { delegatedLifetimeMaxS } from "./limits.js";
import type { TlsIdentity } from "./options.js";
import { fits, type Scheme, type SchemeName, schemeByName } from "./parameters/schemes.js";
import type { Eventually } from "./store/store.js";

/** id-pe-delegationUsage, RFC 9345 §4.2: a certificate without it delegates nothing. */
export const delegationUsage = "1.3.6.1.4.1.44363.44";

type Role = "client" | "server";

/** RFC 9345 §4. */
const credentialFields = struct({ validTimeS: u32, scheme: u16, spki: bytes(3, { min: 1 }) });
const delegatedCredentialFields = struct({
  credential: credentialFields,
  algorithm: u16,
  signature: bytes(2, { min: 1 }),
});
type Credential = Of<typeof credentialFields>;

export interface DelegationOptions {
  /** Whose certificate delegates: it needs DelegationUsage and digitalSignature. */
  readonly certificate: Uint8Array;
  sign(algorithm: SignatureName, message: Uint8Array): Eventually<Uint8Array | undefined>;
  /** With which scheme the certificate's key signs. */
  readonly algorithm: SchemeName;
  readonly role: Role;
  /** The key that will sign handshakes, and the one scheme that it may use. */
  readonly publicKey: PublicKey;
  readonly scheme: SchemeName;
  /** Within seven days of the moment of use, and before the certificate's end. */
  readonly notAfter: Instant;
}

/**
 * Makes a delegated credential (RFC 9345): a certificate's key lends its authority for a few days to a key that may live
 * in a less guarded place. Rejects with `misuse` if the certificate may not delegate or the schemes do not fit the keys.
 */
export async function makeDelegatedCredential(options: DelegationOptions): Promise<Uint8Array> {
  const certificate = parseCertificate(options.certificate);
  if (isPkiFailure(certificate)) throw certificate;
  const [scheme, algorithm] = [schemeByName.get(options.scheme)!, schemeByName.get(options.algorithm)!];
  if (!mayDelegate(certificate)) wrong("certificate", "it lacks DelegationUsage or digitalSignature (RFC 9345 §4.2)");
  if (!isDelegable(scheme) || !fits(scheme, options.publicKey, "1.3")) {
    wrong("scheme", `${scheme.name} cannot be delegated to`);
  }
  const validTimeS = Math.floor((options.notAfter - certificate.notBefore) / 1000);
  if (validTimeS <= 0 || options.notAfter >= certificate.notAfter) {
    wrong("notAfter", "it is outside the certificate's time");
  }
  const credential = { validTimeS, scheme: scheme.id, spki: options.publicKey.spki };
  const message = signedContent(options.role, options.certificate, credential, algorithm.id);
  const signature = await options.sign(algorithm.algorithm, message);
  if (signature === undefined) wrong("sign", "the certificate's key gave no signature");
  return encode(delegatedCredentialFields, { credential, algorithm: algorithm.id, signature });
}

/** What a handshake must know to judge a credential of its peer. */
export interface DelegationContext {
  readonly crypto: CryptoProvider;
  /** Whose credential it is. */
  readonly role: Role;
  /** End entity, which has been found trustworthy. */
  readonly certificate: Uint8Array;
  readonly certificateKey: PublicKey;
  /** Schemes that we offered in signature_algorithms, and in delegated_credential. */
  readonly schemes: readonly Scheme[];
  readonly delegatedSchemes: readonly Scheme[];
  readonly now: Instant;
}

/** The key that must sign the CertificateVerify, and its scheme; refuses as RFC 9345 §4.1.3 says. */
export function acceptDelegatedCredential(
  received: Uint8Array,
  context: DelegationContext,
): { readonly publicKey: PublicKey; readonly scheme: Scheme } {
  const { credential, algorithm: algorithmId, signature } = decode(delegatedCredentialFields, received);
  const { crypto, role, certificateKey, schemes, delegatedSchemes, now } = context;
  const certificate = parseCertificate(context.certificate);
  if (isPkiFailure(certificate) || !mayDelegate(certificate)) bad("the certificate may not delegate");
  const scheme = delegatedSchemes.find(({ id }) => id === credential.scheme);
  if (scheme === undefined || !isDelegable(scheme)) bad("its scheme was not offered");
  const algorithm = schemes.find(({ id, in13 }) => id === algorithmId && in13);
  if (algorithm === undefined) bad("its signature's scheme was not offered");
  const notAfter = certificate.notBefore + credential.validTimeS * 1000;
  if (notAfter < now) bad("it has expired");
  if (notAfter > now + delegatedLifetimeMaxS * 1000) bad("it is good for more than seven days");
  if (notAfter >= certificate.notAfter) bad("it outlives its certificate");
  const publicKey = crypto.publicKey(credential.spki);
  if (publicKey === undefined || !fits(scheme, publicKey, "1.3")) bad("its key does not fit its scheme");
  const message = signedContent(role, context.certificate, credential, algorithmId);
  if (!fits(algorithm, certificateKey, "1.3") || !certificateKey.verify(algorithm.algorithm, message, signature)) {
    bad("the certificate's key has not signed it");
  }
  return { publicKey, scheme };
}

/** The scheme of an identity's delegated credential, if the peer takes credentials of that scheme. */
export function delegatedScheme(
  { delegatedCredential }: TlsIdentity,
  accepted: readonly number[] | undefined,
): Scheme | undefined {
  const scheme = delegatedCredential && schemeByName.get(delegatedCredential.scheme);
  return scheme !== undefined && accepted?.includes(scheme.id) ? scheme : undefined;
}

/** Schemes that a delegated key may have: 1.3's, without rsaEncryption keys (RFC 9345 §4). */
export const isDelegable = (scheme: Scheme): boolean => scheme.in13 && scheme.key !== "RSA";

const mayDelegate = (certificate: Certificate): boolean =>
  certificate.rawExtensions.some(({ oid, critical }) => oid === delegationUsage && !critical) &&
  certificate.extensions.keyUsage?.has("digitalSignature") === true;

function signedContent(role: Role, certificate: Uint8Array, credential: Credential, algorithm: number): Uint8Array {
  return concat(
    new Uint8Array(64).fill(0x20),
    utf8(`TLS, ${role} delegated credentials`),
    Uint8Array.of(0),
    certificate,
    encode(credentialFields, credential),
    encode(u16, algorithm),
  );
}

function bad(message: string): never {
  refuse("bad-delegated-credential", "delegated_credential", message);
}

function wrong(at: string, message: string): never {
  throw tlsFailure("misuse", at, `${at}: ${message}`);
}
