import { fromUtf8 } from "../../../bytes/index.js";
import { type CryptoProvider, equalInConstantTime, type Identity, type Secret } from "../../../contract/index.js";
import {
  type Certificate,
  createVerifier,
  isPkiFailure,
  parseCertificate,
  parseRevocationList,
  readCertificates,
  readPem,
  readPrivateKey,
} from "../../../pki/index.js";
import { attributeNames, attributes } from "../../../pki/oids.js";
import { type PeerVerdict, pkiFailure, type TlsClientOptions, tlsFailure, type VerifyPeer } from "../../tls/index.js";
import { failure } from "../failure.js";
import type { NameCheck, OvpnFile } from "./ovpn.js";

export interface ClientTlsOptions {
  /** What unlocks the file's private key, in place of `askpass`. */
  readonly passphrase?: Secret | undefined;
  /** Narrows what the file trusts: false refuses the server, whatever its certificate says. */
  readonly also?: (server: Certificate) => boolean | Promise<boolean>;
}

/**
 * TLS for a client's file: who it is (IPK), whom it trusts (IV), which versions it speaks (ALG). Throws
 * `misuse/bad-configuration` for certificates and keys that cannot be used.
 *
 * Any certificate of the authority would do for openvpn(8) if the file does not say otherwise, another client's too. Here
 * it must be a server's by its extended key usage, unless the file names the server or its fingerprint.
 */
export function clientTls(provider: CryptoProvider, file: OvpnFile, options: ClientTlsOptions = {}): TlsClientOptions {
  const identity = identityOf(provider, file, options.passphrase);
  const { tlsVersionMin: min, tlsVersionMax: max } = file;
  const versions = (["1.3", "1.2"] as const).filter(
    (version) => (min === undefined || version >= min) && (max === undefined || version <= max),
  );
  return {
    ...(identity && { identity }),
    verify: serverCheck(provider, file, options.also),
    versions,
    // The authority is the file's own, and nobody staples for it.
    requestStatus: false,
  };
}

function identityOf(provider: CryptoProvider, file: OvpnFile, passphrase: Secret | undefined): Identity | undefined {
  if (file.cert === undefined && file.key === undefined) return undefined;
  if (file.cert === undefined || file.key === undefined) {
    throw failure("bad-configuration", "cert and key belong together, and one is missing", { at: "cert" });
  }
  const certificates = certificatesOf("cert", file.cert);
  const more = file.extraCerts === undefined ? [] : certificatesOf("extra-certs", file.extraCerts);
  const text = fromUtf8(file.key.expose()) ?? "";
  const password = (passphrase ?? file.passphrase)?.expose();
  const pkcs8 = readPrivateKey(text, { provider, ...(password && { password }) });
  if (isPkiFailure(pkcs8)) {
    throw failure("bad-configuration", `key: ${pkcs8.message}`, { at: "key", cause: pkcs8 });
  }
  const key = provider.privateKey(pkcs8.expose());
  pkcs8.wipe();
  if (key === undefined) throw failure("bad-configuration", "key: of a kind that is not supported", { at: "key" });
  return {
    certificates: [...certificates, ...more],
    publicKey: key.publicKey,
    sign: (algorithm, message) => key.sign(algorithm, message),
  };
}

function certificatesOf(option: string, text: string): readonly Uint8Array[] {
  const found = readCertificates(text);
  if (isPkiFailure(found) || found.length === 0) {
    const why = isPkiFailure(found) ? found.message : "there is no certificate in it";
    throw failure("bad-configuration", `${option}: ${why}`, { at: option });
  }
  return found;
}

function serverCheck(provider: CryptoProvider, file: OvpnFile, also: ClientTlsOptions["also"]): VerifyPeer {
  const { peerFingerprints, nameCheck, checksServerRole } = file;
  const crls = file.crl === undefined ? undefined : listsOf(file.crl);
  const verifier = createVerifier({
    provider,
    // Private authorities are older than the standards for public ones.
    profile: "path",
    anchors: file.ca === undefined ? [] : certificatesOf("ca", file.ca),
    ...(crls && { crls }),
  });
  const mustBeServer = checksServerRole || (nameCheck === undefined && peerFingerprints.length === 0);
  return async (ask) => {
    const [first] = ask.certificates;
    const leaf = first === undefined ? undefined : parseCertificate(first);
    if (first === undefined || leaf === undefined || isPkiFailure(leaf)) {
      return no(tlsFailure("bad-certificate", "Certificate", "the server showed no certificate that can be read"));
    }
    let publicKey = provider.publicKey(leaf.spki);
    let chain: readonly Uint8Array[] = [leaf.raw];
    if (file.ca !== undefined) {
      const verdict = verifier.verify({
        chain: ask.certificates,
        referenceIds: [],
        purpose: mustBeServer ? "server" : "any",
        keyUsages: ["digitalSignature"],
        at: ask.at,
      });
      if (!verdict.trusted) return no(pkiFailure(verdict.failure));
      publicKey = verdict.publicKey;
      chain = verdict.chain.map(({ raw }) => raw);
    }
    if (peerFingerprints.length > 0) {
      const fingerprint = provider.hash("SHA-256").digest(leaf.raw);
      if (!peerFingerprints.some((each) => equalInConstantTime(each, fingerprint))) {
        return no(tlsFailure("unknown-authority", "Certificate", "its fingerprint is none of peer-fingerprint"));
      }
    }
    if (mustBeServer && !leaf.extensions.extKeyUsage?.includes(serverAuthentication)) {
      return no(
        tlsFailure("unsupported-certificate", "extKeyUsage", "the certificate does not say that it is a server's", {
          hint: "a client's certificate would do otherwise; name the server with verify-x509-name or peer-fingerprint",
        }),
      );
    }
    if (nameCheck !== undefined && !isNamed(leaf, nameCheck)) {
      return no(tlsFailure("wrong-name", "subject", `the certificate is not of ${nameCheck.text}`));
    }
    if (publicKey === undefined) {
      return no(tlsFailure("unsupported-certificate", "subjectPublicKeyInfo", "a key of a kind that is not supported"));
    }
    if (also !== undefined && !(await also(leaf))) {
      return no(tlsFailure("access-denied", "Certificate", "the application does not want it"));
    }
    return { trusted: true, publicKey, peer: { kind: "certificate", chain, publicKey } };
  };
}

const serverAuthentication = "1.3.6.1.5.5.7.3.1";

const no = (reason: Extract<PeerVerdict, { trusted: false }>["failure"]): PeerVerdict => ({
  trusted: false,
  failure: reason,
});

function listsOf(text: string): readonly Uint8Array[] {
  const blocks = readPem(text);
  const lists = isPkiFailure(blocks)
    ? []
    : blocks.filter(({ label }) => label === "X509 CRL").map(({ bytes }) => bytes);
  if (lists.length === 0 || lists.some((der) => isPkiFailure(parseRevocationList(der)))) {
    throw failure("bad-configuration", "crl-verify: there is no revocation list in it", { at: "crl-verify" });
  }
  return lists;
}

/** `verify-x509-name`: the common name, or the whole subject as openvpn(8) writes it. */
function isNamed({ subject }: Certificate, { kind, text }: NameCheck): boolean {
  if (kind === "subject") return subjectText(subject) === text;
  const names = subject.rdns.flatMap((rdn) => rdn.filter(({ type }) => type === attributes.commonName));
  const name = names.at(-1)?.text;
  return name !== undefined && (kind === "name" ? name === text : name.startsWith(text));
}

const subjectText = ({ rdns }: Certificate["subject"]): string =>
  rdns.map((rdn) => rdn.map(({ type, text }) => `${attributeNames[type] ?? type}=${text ?? ""}`).join("+")).join(", ");

/** The common name of a certificate, if it has one: a server's word for who a client is. */
export const commonNameOf = ({ subject }: Certificate): string | undefined =>
  subject.rdns.flatMap((rdn) => rdn.filter(({ type }) => type === attributes.commonName)).at(-1)?.text;
