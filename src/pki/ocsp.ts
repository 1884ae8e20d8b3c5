import { DecodeError, equal } from "../bytes/index.js";
import type { CryptoProvider, HashName, Instant, PublicKey, SignatureName } from "../contract/index.js";
import { readAlgorithm, signatureName } from "./algorithm.js";
import { type Certificate, parseCertificate } from "./certificate.js";
import { context, contextConstructed, type DerReader, inside, readOne, Tag } from "./der/index.js";
import { type DistinguishedName, readName } from "./distinguished-name.js";
import { type RawExtension, readExtensions } from "./extensions.js";
import { isPkiFailure, PkiFailure } from "./failure.js";
import { limits } from "./limits.js";
import { hashes, purposes } from "./oids.js";
import { type AlgorithmPolicy, checkKey } from "./profile.js";
import { checkValidity } from "./validate.js";

export interface SingleResponse {
  readonly hash: HashName | undefined;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  readonly serial: Uint8Array;
  readonly status: "good" | "revoked" | "unknown";
  readonly revokedAt: Instant | undefined;
  readonly thisUpdate: Instant;
  readonly nextUpdate: Instant | undefined;
}

/** A basic response, RFC 6960 §4.2.1; `undefined` responses for an answer that is an error. */
export interface OcspResponse {
  /** OCSPResponseStatus: 0 is successful. */
  readonly responseStatus: number;
  readonly basic: BasicResponse | undefined;
}

export interface BasicResponse {
  readonly tbs: Uint8Array;
  readonly responder: { readonly name: DistinguishedName } | { readonly keyHash: Uint8Array };
  readonly producedAt: Instant;
  readonly responses: readonly SingleResponse[];
  readonly signatureName: SignatureName | undefined;
  readonly signature: Uint8Array;
  readonly certificates: readonly Uint8Array[];
}

/** `malformed-ocsp` for anything that is no response of the basic type. */
export function parseOcspResponse(der: Uint8Array): OcspResponse | PkiFailure {
  try {
    if (der.length > limits.ocspBytesMax)
      return new PkiFailure("malformed-ocsp", `larger than ${limits.ocspBytesMax} bytes`);
    return readOne(der, readResponse);
  } catch (error) {
    if (isPkiFailure(error)) return error;
    if (!(error instanceof DecodeError)) throw error;
    return new PkiFailure("malformed-ocsp", `not an OCSP response: ${error.message}`, { cause: error });
  }
}

export interface OcspContext {
  readonly provider: CryptoProvider;
  readonly algorithms: AlgorithmPolicy;
  readonly at: Instant;
}

/**
 * What a response says of a certificate, RFC 6960 §3.2: it must be about this certificate, by the issuer or by a responder
 * whom the issuer itself named for it (§4.2.2.2), and current. `none` if the responder had no answer (an error status, or
 * none about this certificate). Nonces are not looked at: a stapled response was asked for by someone else.
 */
export function checkOcsp(
  der: Uint8Array,
  certificate: Certificate,
  issuer: Certificate,
  issuerKey: PublicKey,
  { provider, algorithms, at }: OcspContext,
): "good" | "none" | PkiFailure {
  const response = parseOcspResponse(der);
  if (response instanceof PkiFailure) return response;
  const { basic } = response;
  if (response.responseStatus !== 0 || !basic) return "none";
  const single = basic.responses.find((each) => isAbout(each, certificate, issuer, provider));
  if (!single) return "none";
  const key = responderKey(basic, issuer, issuerKey, { provider, algorithms, at });
  if (key instanceof PkiFailure) return key;
  if (!basic.signatureName || !algorithms.signatures.includes(basic.signatureName)) {
    return unusable("signed with an algorithm that is not good enough", "signatureAlgorithm");
  }
  if (!key.verify(basic.signatureName, basic.tbs, basic.signature)) {
    return unusable("not signed by its responder", "signature");
  }
  if (at < single.thisUpdate) return unusable("from the future", "thisUpdate");
  // §4.2.2.1: without nextUpdate newer information is always there; then we take none that is old
  if (at > (single.nextUpdate ?? single.thisUpdate + limits.ocspAgeMaxMs)) return unusable("out of date", "nextUpdate");
  if (single.status === "revoked") {
    return new PkiFailure("revoked", `revoked on ${new Date(single.revokedAt!).toISOString()}`, {
      at: "OCSP response",
    });
  }
  return single.status === "good" ? "good" : unusable("its responder does not know the certificate", "certStatus");
}

function isAbout(
  single: SingleResponse,
  certificate: Certificate,
  issuer: Certificate,
  provider: CryptoProvider,
): boolean {
  if (!single.hash || !equal(single.serial, certificate.serial)) return false;
  const hash = provider.hash(single.hash);
  return (
    equal(single.issuerNameHash, hash.digest(issuer.subject.raw)) &&
    equal(single.issuerKeyHash, hash.digest(issuer.publicKeyBits))
  );
}

/** RFC 6960 §4.2.2.2: the issuer itself, or a certificate that the issuer's key signed, for this purpose by name. */
function responderKey(
  { responder, certificates }: BasicResponse,
  issuer: Certificate,
  issuerKey: PublicKey,
  { provider, algorithms, at }: OcspContext,
): PublicKey | PkiFailure {
  const isResponder = (candidate: Certificate): boolean =>
    "name" in responder
      ? responder.name.key === candidate.subject.key
      : equal(responder.keyHash, provider.hash("SHA-1").digest(candidate.publicKeyBits));
  if (isResponder(issuer)) return issuerKey;
  for (const der of certificates) {
    const candidate = parseCertificate(der);
    if (candidate instanceof PkiFailure || !isResponder(candidate)) continue;
    const { extKeyUsage, keyUsage } = candidate.extensions;
    if (candidate.issuer.key !== issuer.subject.key || !extKeyUsage?.includes(purposes.ocspSigning)) continue;
    if ((keyUsage && !keyUsage.has("digitalSignature")) || checkValidity(candidate, at)) continue;
    const { signatureName: name } = candidate;
    if (!name || !algorithms.signatures.includes(name)) continue;
    if (!issuerKey.verify(name, candidate.tbs, candidate.signature)) continue;
    const key = provider.publicKey(candidate.spki);
    if (key && !checkKey(algorithms, key)) return key;
  }
  return unusable("from a responder that the issuer did not name", "responderID");
}

function readResponse(reader: DerReader): OcspResponse {
  const outer = reader.sequence();
  const responseStatus = outer.smallInteger(Tag.enumerated);
  const bytes = outer.maybeExplicit(0, (inner) => {
    const typed = inner.sequence();
    const type = typed.oid();
    const content = typed.octets();
    typed.end();
    if (type !== basicType) throw new DecodeError(`response type ${type}`);
    return content;
  });
  outer.end();
  if ((responseStatus === 0) !== (bytes !== undefined))
    throw new DecodeError("a status that does not fit the response");
  return { responseStatus, basic: bytes && readOne(bytes, readBasic, 4) };
}

function readBasic(reader: DerReader): BasicResponse {
  const outer = reader.sequence();
  const tbs = outer.take(Tag.sequence);
  const algorithm = readAlgorithm(outer);
  const signature = outer.wholeBits();
  const certificates = outer.maybeExplicit(0, (inner) =>
    inner.sequenceOf((list) => list.take(Tag.sequence).raw, limits.chainCertificatesMax),
  );
  outer.end();
  const inner = inside(tbs);
  // version 1 is the DEFAULT, and there is no other
  const name = inner.maybeExplicit(1, readName);
  const keyHash = name ? undefined : inner.maybeExplicit(2, (key) => key.octets());
  const producedAt = inner.generalizedTime();
  const responses = inner.sequenceOf(readSingle, limits.extensionsMax);
  refuseCritical(inner.maybeExplicit(1, readExtensions));
  inner.end();
  if (!name && !keyHash) throw new DecodeError("a response without a responder");
  return {
    tbs: tbs.raw,
    responder: name ? { name } : { keyHash: keyHash! },
    producedAt,
    responses,
    signatureName: signatureName(algorithm),
    signature,
    certificates: certificates ?? [],
  };
}

function readSingle(list: DerReader): SingleResponse {
  const inner = list.sequence();
  const id = inner.sequence();
  const algorithm = readAlgorithm(id);
  const issuerNameHash = id.octets();
  const issuerKeyHash = id.octets();
  const serial = id.integer();
  id.end();
  const { status, revokedAt } = readStatus(inner);
  const thisUpdate = inner.generalizedTime();
  const nextUpdate = inner.maybeExplicit(0, (time) => time.generalizedTime());
  refuseCritical(inner.maybeExplicit(1, readExtensions));
  inner.end();
  const hash = (Object.keys(hashes) as (keyof typeof hashes)[]).find((each) => hashes[each] === algorithm.oid);
  return { hash, issuerNameHash, issuerKeyHash, serial, status, revokedAt, thisUpdate, nextUpdate };
}

function readStatus(reader: DerReader): Pick<SingleResponse, "status" | "revokedAt"> {
  const good = reader.maybe(context(0));
  const revoked = good ? undefined : reader.maybeConstructed(contextConstructed(1));
  const unknown = good || revoked ? undefined : reader.take(context(2));
  if (((good ?? unknown)?.content.length ?? 0) > 0) throw new DecodeError("a NULL with content");
  if (!revoked) return { status: good ? "good" : "unknown", revokedAt: undefined };
  const revokedAt = revoked.generalizedTime();
  revoked.maybeExplicit(0, (reason) => reason.smallInteger(Tag.enumerated));
  revoked.end();
  return { status: "revoked", revokedAt };
}

/** RFC 6960 §4.4 knows no extension that a client would have to understand. */
function refuseCritical(extensions: readonly RawExtension[] | undefined): void {
  const unknown = extensions?.find(({ critical }) => critical);
  if (unknown) throw new DecodeError(`extension ${unknown.oid} is critical and unknown to us`);
}

const basicType = "1.3.6.1.5.5.7.48.1.1";

const unusable = (message: string, at: string): PkiFailure =>
  new PkiFailure("unusable-staple", `the OCSP response is ${message}`, { at });
