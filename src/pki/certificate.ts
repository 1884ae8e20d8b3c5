import { DecodeError, toHex } from "../bytes/index.js";
import type { Instant, SignatureName } from "../contract/index.js";
import { type AlgorithmIdentifier, readAlgorithm, sameAlgorithm, signatureName } from "./algorithm.js";
import { context, contextConstructed, type DerReader, type Form, inside, readOne, Tag } from "./der/index.js";
import { type DistinguishedName, isEmpty, nameText, readName } from "./distinguished-name.js";
import {
  type CertificateExtensionName,
  type CertificateExtensions,
  extensionName,
  type RawExtension,
  readExtension,
  readExtensions,
} from "./extensions.js";
import { isPkiFailure, PkiFailure } from "./failure.js";
import { limits } from "./limits.js";
import { readPublicKeyInfo } from "./public-key-info.js";

/** An X.509 certificate as a value, RFC 5280 §4.1. Byte fields are views of `raw`. */
export interface Certificate {
  readonly raw: Uint8Array;
  /** What the issuer signed. */
  readonly tbs: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Content octets of a positive integer of at most 20 octets, or of zero. */
  readonly serial: Uint8Array;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  /** Undefined for an algorithm that we do not know or refuse. */
  readonly signatureName: SignatureName | undefined;
  readonly signature: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** Both inclusive, in whole seconds (RFC 5280 §4.1.2.5). */
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** SubjectPublicKeyInfo in DER, and the object identifier of its algorithm. */
  readonly spki: Uint8Array;
  readonly keyAlgorithm: string;
  /** Content of its bit string: what key identifiers hash. */
  readonly publicKeyBits: Uint8Array;
  readonly extensions: CertificateExtensions;
  /** Names of the known extensions that are critical. */
  readonly critical: ReadonlySet<CertificateExtensionName>;
  /** All extensions in their order, known or not. */
  readonly rawExtensions: readonly RawExtension[];
  /** Subject in one line, for people. */
  readonly text: string;
}

/** Is the name on both ends the same? Then the CA certified a key of its own (RFC 5280 §6.1). */
export const isSelfIssued = (certificate: Certificate): boolean =>
  !isEmpty(certificate.subject) && certificate.subject.key === certificate.issuer.key;

export const serialText = ({ serial }: { readonly serial: Uint8Array }): string => toHex(serial);

/**
 * Reads one certificate strictly, from DER. Answers a failure for anything that RFC 5280 says is no certificate:
 * `malformed-certificate`, `malformed-extension`, `duplicate-extension`, `unknown-critical-extension`, `wrong-version`,
 * `wrong-serial`, `wrong-issuer-name`. What it may be used for is not judged here. Only for a trust anchor, which its
 * holder chose, is `form` to be `tolerant`: two blemishes of roots in wide use are then overlooked.
 */
export function parseCertificate(der: Uint8Array, form: Form = "strict"): Certificate | PkiFailure {
  try {
    if (der.length > limits.certificateBytesMax) {
      return new PkiFailure("malformed-certificate", `larger than ${limits.certificateBytesMax} bytes`);
    }
    return readOne(der, (reader) => readCertificate(reader, form));
  } catch (error) {
    if (isPkiFailure(error)) return error;
    if (!(error instanceof DecodeError)) throw error;
    return new PkiFailure("malformed-certificate", `not a certificate: ${error.message}`, { cause: error });
  }
}

/** The key of a certificate's subject, for an index, with no more read than that needs. */
export function subjectKey(der: Uint8Array): string | undefined {
  try {
    const tbs = readOne(der, (reader) => {
      const certificate = inside(reader.take(Tag.sequence));
      return inside(certificate.take(Tag.sequence));
    });
    if (tbs.peek === contextConstructed(0)) tbs.next();
    for (const tag of [Tag.integer, Tag.sequence, Tag.sequence, Tag.sequence]) tbs.take(tag);
    return readName(tbs).key;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function readCertificate(reader: DerReader, form: Form): Certificate {
  const outer = reader.take(Tag.sequence);
  const certificate = inside(outer);
  const tbs = certificate.take(Tag.sequence);
  const signatureAlgorithm = readAlgorithm(certificate);
  const signature = certificate.wholeBits();
  certificate.end();

  const inner = inside(tbs);
  const version = readVersion(inner);
  const serial = readSerial(inner);
  const algorithm = readAlgorithm(inner);
  if (!sameAlgorithm(algorithm, signatureAlgorithm)) {
    throw new PkiFailure("malformed-certificate", "the algorithms inside and outside differ", {
      at: "signatureAlgorithm",
      section: "RFC 5280 §4.1.1.2",
    });
  }
  const issuer = readName(inner);
  if (isEmpty(issuer)) throw new PkiFailure("wrong-issuer-name", "the issuer has no name", { at: "issuer" });
  const validity = inner.sequence();
  const notBefore = validity.time(form);
  const notAfter = validity.time(form);
  validity.end();
  const subject = readName(inner);
  const { spki, algorithm: keyAlgorithm, publicKeyBits } = readPublicKeyInfo(inner);
  const unique = [context(1), context(2)].map((tag) => inner.peek === tag && inner.bits(tag)).some(Boolean);
  const rawExtensions = inner.maybeExplicit(3, readExtensions) ?? [];
  inner.end();
  // RFC 5280 §4.1.2.1: each field has the version that brought it
  if ((rawExtensions.length > 0 && version !== 3) || (unique && version === 1)) {
    throw new PkiFailure("wrong-version", `fields that version ${version} does not have`, { at: "version" });
  }
  return {
    raw: outer.raw,
    tbs: tbs.raw,
    version,
    serial,
    signatureAlgorithm,
    signatureName: signatureName(signatureAlgorithm),
    signature,
    issuer,
    subject,
    notBefore,
    notAfter,
    spki,
    keyAlgorithm,
    publicKeyBits,
    ...understood(rawExtensions, form),
    rawExtensions,
    text: nameText(subject),
  };
}

function readVersion(reader: DerReader): 1 | 2 | 3 {
  const version = reader.maybeExplicit(0, (inner) => inner.smallInteger());
  if (version === undefined) return 1;
  // 0 is the DEFAULT, which DER does not write
  if (version !== 1 && version !== 2) throw new PkiFailure("wrong-version", `version ${version}`, { at: "version" });
  return version === 1 ? 2 : 3;
}

function readSerial(reader: DerReader): Uint8Array {
  const serial = reader.integer();
  if (serial[0]! >= 0x80) throw new PkiFailure("wrong-serial", "the serial number is negative", { at: "serialNumber" });
  if (serial.length > limits.serialOctetsMax) {
    throw new PkiFailure("wrong-serial", `the serial number has ${serial.length} octets`, { at: "serialNumber" });
  }
  return serial;
}

function understood(raw: readonly RawExtension[], form: Form): Pick<Certificate, "extensions" | "critical"> {
  const extensions: Partial<Record<CertificateExtensionName, unknown>> = {};
  const critical = new Set<CertificateExtensionName>();
  const seen = new Set<string>();
  for (const { oid, critical: isCritical, value } of raw) {
    if (seen.has(oid)) throw new PkiFailure("duplicate-extension", "an extension stands twice", { at: oid });
    seen.add(oid);
    const name = extensionName(oid);
    if (name === undefined) {
      if (!isCritical) continue;
      throw new PkiFailure("unknown-critical-extension", `extension ${oid} is critical and unknown to us`, { at: oid });
    }
    if (isCritical) critical.add(name);
    try {
      extensions[name] = readExtension(name, value);
      if (name === "keyUsage" && form === "strict") readOne(value, (reader) => reader.namedBits(), 1);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new PkiFailure("malformed-extension", `${name}: ${error.message}`, { at: name, cause: error });
    }
  }
  return { extensions: extensions as CertificateExtensions, critical };
}
