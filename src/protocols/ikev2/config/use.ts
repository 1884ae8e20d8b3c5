import type { CryptoProvider, Identity, Secret, SocketAddress } from "../../../contract/index.js";
import {
  createVerifier,
  isPkiFailure,
  parseCertificate,
  pinOf,
  readCertificates,
  readPrivateKey,
} from "../../../pki/index.js";
import type { IkeKnowledge } from "../answers.js";
import { failure } from "../failure.js";
import { type IkeId, ikeId, subjectId } from "../identity.js";
import type { IkeConnection, LocalAuthentication } from "../interfaces.js";
import type { FileKey, SwanctlFile } from "./swanctl.js";

/** A file made ready: what IKE is configured with, and what answers its questions. */
export interface UsedSwanctl {
  readonly connection: IkeConnection;
  readonly knowledge: IkeKnowledge;
  readonly identity: Identity | undefined;
}

/**
 * Reads a file's certificates and unlocks its key. @param remote where the peer is @param local our address outside, by which we are
 * known if the file has no identity of ours @param eap an EAP module (RFC 3748), for files that want one. Throws
 * `misuse/bad-configuration`.
 */
export function useSwanctl(
  crypto: CryptoProvider,
  file: SwanctlFile,
  remote: SocketAddress,
  local: string | undefined,
  {
    passphrase,
    eap,
  }: { readonly passphrase?: Secret | undefined; readonly eap?: IkeKnowledge["eap"] | undefined } = {},
): UsedSwanctl {
  const identity = file.local.kind === "certificate" ? identityOf(crypto, file.local, passphrase) : undefined;
  if (file.local.kind === "eap" && eap === undefined) {
    const hint = "no EAP method comes with this: give `eap`, which is handed the peer's packets";
    throw failure("bad-configuration", "the file wants EAP, and there is no module for it", { at: "auth", hint });
  }
  const { authenticates } = file;
  const connection: IkeConnection = {
    name: file.name,
    remote,
    localId: file.localId ?? ownId(identity, local),
    ...(file.remoteId && { remoteId: file.remoteId }),
    local: localOf(file, identity),
    remoteAuthentication:
      authenticates.kind === "psk" ? { kind: "psk", secret: authenticates.secret } : { kind: "certificate" },
    children: file.children,
    ...file.settings,
  };
  const knowledge: IkeKnowledge = {
    identity,
    ...(eap && { eap }),
    ...(authenticates.kind === "certificate" && {
      verifier: createVerifier({
        provider: crypto,
        // Private authorities are older than the standards for public ones.
        profile: "path",
        anchors: authenticates.authorities.flatMap(certificatesOf),
        trustedKeys: authenticates.certificates.flatMap(certificatesOf).flatMap((der) => pinOfCertificate(crypto, der)),
      }),
    }),
  };
  return { connection, knowledge, identity };
}

/** A certificate that is trusted in itself, by its key. */
function pinOfCertificate(crypto: CryptoProvider, der: Uint8Array): readonly string[] {
  const certificate = parseCertificate(der);
  return isPkiFailure(certificate) ? [] : [pinOf(crypto, certificate.spki)];
}

function localOf({ local }: SwanctlFile, identity: Identity | undefined): LocalAuthentication {
  switch (local.kind) {
    case "psk":
      return { kind: "psk", secret: local.secret };
    case "certificate":
      return { kind: "certificate", identity: identity! };
    case "eap":
      return { kind: "eap" };
  }
}

function ownId(identity: Identity | undefined, local: string | undefined): IkeId {
  const [first] = identity?.certificates ?? [];
  const certificate = first && parseCertificate(first);
  if (certificate !== undefined && !isPkiFailure(certificate)) return subjectId(certificate);
  if (local !== undefined) return ikeId(local);
  throw failure("bad-configuration", "the local section has no id, and no local_addrs to be known by", { at: "id" });
}

/** Whichever of the keys is the certificate's. */
function identityOf(
  crypto: CryptoProvider,
  { certificates: text, keys }: Extract<SwanctlFile["local"], { kind: "certificate" }>,
  passphrase: Secret | undefined,
): Identity {
  const certificates = certificatesOf(text);
  const leaf = parseCertificate(certificates[0]!);
  if (isPkiFailure(leaf)) throw failure("bad-configuration", `certs: ${leaf.message}`, { at: "certs", cause: leaf });
  const owned = keys.map((key) => unlocked(crypto, key, passphrase)).find((key) => isOf(key.publicKey.spki, leaf.spki));
  if (owned === undefined)
    throw failure("bad-configuration", "none of the keys is the certificate's", { at: "private" });
  return { certificates, publicKey: owned.publicKey, sign: (algorithm, message) => owned.sign(algorithm, message) };
}

const isOf = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

function unlocked(crypto: CryptoProvider, { text, passphrase: own }: FileKey, passphrase: Secret | undefined) {
  const password = (passphrase ?? own)?.expose();
  const pkcs8 = readPrivateKey(text, { provider: crypto, ...(password && { password }) });
  if (isPkiFailure(pkcs8)) {
    throw failure("bad-configuration", `private key: ${pkcs8.message}`, { at: "private", cause: pkcs8 });
  }
  const key = crypto.privateKey(pkcs8.expose());
  pkcs8.wipe();
  if (key === undefined) throw failure("bad-configuration", "a private key of no supported kind", { at: "private" });
  return key;
}

function certificatesOf(text: string): readonly Uint8Array[] {
  const found = readCertificates(text);
  if (!isPkiFailure(found) && found.length > 0) return found;
  const why = isPkiFailure(found) ? found.message : "there is no certificate in it";
  throw failure("bad-configuration", `certificate: ${why}`, { at: "certs" });
}
