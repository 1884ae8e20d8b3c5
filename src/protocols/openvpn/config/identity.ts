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
import {
  defaultSuites,
  type PeerVerdict,
  pkiFailure,
  suiteByName,
  type TlsClientOptions,
  type TlsServerOptions,
  tlsFailure,
  type VerifyPeer,
} from "../../tls/index.js";
import { failure } from "../failure.js";
import type { Applicant } from "../guest.js";
import type { NameCheck, OvpnFile } from "./ovpn.js";
import type { OvpnServerFile } from "./server-file.js";

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
  const { nameCheck, peerFingerprints } = file;
  return {
    ...(identity && { identity }),
    verify: peerCheck(provider, {
      ...file,
      role: "server",
      mustBe: file.checksServerRole || (nameCheck === undefined && peerFingerprints.length === 0),
      also: options.also,
    }),
    ...algorithmsOf(file),
    // The authority is the file's own, and nobody staples for it.
    requestStatus: false,
  };
}

/** TLS for a server's file, likewise. Which of the authority's certificates come in, the file's `remote-cert-tls` says. */
export function serverTls(
  provider: CryptoProvider,
  file: OvpnServerFile,
  passphrase: Secret | undefined,
): TlsServerOptions {
  return {
    identity: identityOf(provider, file, passphrase)!,
    verify: peerCheck(provider, { ...file, nameCheck: undefined, role: "client", mustBe: file.checksClientRole }),
    clientAuthentication: file.clientCertificate,
    ...algorithmsOf(file),
  };
}

type Algorithms = Pick<OvpnFile, "tlsVersionMin" | "tlsVersionMax" | "suites12" | "suites13" | "groups">;

/** ALG of the control channel. A list for one version of TLS leaves the other's as it is. */
function algorithmsOf(file: Algorithms) {
  const { tlsVersionMin: min, tlsVersionMax: max, suites12: own12, suites13: own13, groups } = file;
  const versions = (["1.3", "1.2"] as const).filter(
    (version) => (min === undefined || version >= min) && (max === undefined || version <= max),
  );
  const usual = (version: "1.2" | "1.3") => defaultSuites.filter((name) => suiteByName(name)?.version === version);
  const suites = [...(own13 ?? usual("1.3")), ...(own12 ?? usual("1.2"))];
  return { versions, ...((own12 ?? own13) && { suites }), ...(groups && { groups }) };
}

type Identified = Pick<OvpnFile, "cert" | "key" | "extraCerts" | "passphrase">;

function identityOf(provider: CryptoProvider, file: Identified, passphrase: Secret | undefined): Identity | undefined {
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

interface Check extends Pick<OvpnFile, "ca" | "crl" | "peerFingerprints" | "nameCheck"> {
  /** Who the peer is. */
  readonly role: "server" | "client";
  /** Must its certificate say so? */
  readonly mustBe: boolean;
  readonly also?: ClientTlsOptions["also"];
}

function peerCheck(provider: CryptoProvider, file: Check): VerifyPeer {
  const { peerFingerprints, nameCheck, role, mustBe, also } = file;
  const crls = file.crl === undefined ? undefined : listsOf(file.crl);
  const verifier = createVerifier({
    provider,
    // Private authorities are older than the standards for public ones.
    profile: "path",
    anchors: file.ca === undefined ? [] : certificatesOf("ca", file.ca),
    ...(crls && { crls }),
  });
  return async (ask) => {
    const [first] = ask.certificates;
    const leaf = first === undefined ? undefined : parseCertificate(first);
    if (first === undefined || leaf === undefined || isPkiFailure(leaf)) {
      return no(tlsFailure("bad-certificate", "Certificate", `the ${role} showed no certificate that can be read`));
    }
    let publicKey = provider.publicKey(leaf.spki);
    let chain: readonly Uint8Array[] = [leaf.raw];
    if (file.ca !== undefined) {
      const verdict = verifier.verify({
        chain: ask.certificates,
        referenceIds: [],
        purpose: mustBe ? role : "any",
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
    if (mustBe && !leaf.extensions.extKeyUsage?.includes(authentications[role])) {
      return no(
        tlsFailure("unsupported-certificate", "extKeyUsage", `the certificate does not say that it is a ${role}'s`, {
          ...(role === "server" && {
            hint: "a client's certificate would do otherwise; name the server with verify-x509-name or peer-fingerprint",
          }),
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

const authentications = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;

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

/** The common name of a certificate, if it has one. */
const commonNameOf = ({ subject }: Certificate): string | undefined =>
  subject.rdns.flatMap((rdn) => rdn.filter(({ type }) => type === attributes.commonName)).at(-1)?.text;

/** A server's word for who a client is: its certificate's common name, or else its user. */
export function clientName({ peer, user }: Pick<Applicant, "peer" | "user">): string | undefined {
  if (peer?.kind !== "certificate") return user;
  const [leaf] = peer.chain;
  const certificate = leaf === undefined ? undefined : parseCertificate(leaf);
  return certificate === undefined || isPkiFailure(certificate) ? user : (commonNameOf(certificate) ?? user);
}
