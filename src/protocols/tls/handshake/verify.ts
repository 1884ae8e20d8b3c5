import { decode } from "../../../bytes/index.js";
import type { Config } from "../config.js";
import { acceptDelegatedCredential } from "../delegated.js";
import { refuse } from "../failure.js";
import { type Certificate, certificateVerify } from "../messages/authentication.js";
import { ext } from "../messages/extensions.js";
import type { CertificateType } from "../options.js";
import { fits, type SchemeName, schemeById } from "../parameters/schemes.js";
import type { Context, State } from "./context.js";
import type { JudgedPeer } from "./proof.js";

/** Asks whether this is the peer that we want (IV); a no ends the handshake with the verifier's own reason. */
export function judgePeer<C extends Config>(
  cx: Context<C>,
  { entries }: Certificate,
  type: CertificateType,
  serverName: string | undefined,
  then: (judged: JudgedPeer) => State<C>,
): State<C> {
  const [endEntity] = entries;
  if (endEntity === undefined) refuse("missing-certificate", "Certificate", "the server showed no certificate");
  if (type === "raw-public-key" && entries.length !== 1) {
    refuse("illegal-parameter", "Certificate", "a raw public key stands alone (RFC 7250 §3)");
  }
  const stapled = {
    ocspResponse: endEntity.extensions.get(ext.statusRequest)?.response,
    signedCertificateTimestamps: endEntity.extensions.get(ext.signedCertificateTimestamp),
  };
  const { config } = cx;
  const ask = {
    role: config.role,
    version: "1.3",
    certificates: type === "x509" ? entries.map(({ data }) => data) : [],
    rawPublicKey: type === "raw-public-key" ? endEntity.data : undefined,
    serverName,
    ...stapled,
    schemes: (config.certificateSchemes ?? config.schemes).map(({ name }) => name),
    at: cx.now,
  } as const;
  return cx.ask("verify-peer", ask, "handshake", (verdict) => {
    if (verdict === undefined)
      refuse("certificate-unknown", "Certificate", "nobody could say whether to trust the peer");
    if (!verdict.trusted) throw verdict.failure;
    const { publicKey, peer: identity } = verdict;
    const delegated = type === "x509" ? endEntity.extensions.get(ext.delegatedCredential) : undefined;
    if (delegated === undefined) return then({ identity, publicKey, schemes: config.schemes, ...stapled });
    const delegate = acceptDelegatedCredential(delegated, {
      crypto: config.crypto,
      role: config.role === "client" ? "server" : "client",
      certificate: endEntity.data,
      certificateKey: publicKey,
      schemes: config.schemes,
      delegatedSchemes: config.delegatedSchemes,
      now: cx.now,
    });
    return then({ identity, publicKey: delegate.publicKey, schemes: [delegate.scheme], ...stapled });
  });
}

/** Checks a CertificateVerify (RFC 9846 §4.5.2) and answers its scheme. */
export function checkVerify(
  { schemes: allowed, publicKey }: Pick<JudgedPeer, "schemes" | "publicKey">,
  body: Uint8Array,
  content: Uint8Array,
): SchemeName {
  const at = "CertificateVerify";
  const { scheme: id, signature } = decode(certificateVerify, body);
  const scheme = allowed.find((each) => each.id === id && each.in13);
  if (scheme === undefined) {
    const name = schemeById.get(id)?.name ?? `scheme 0x${id.toString(16)}`;
    refuse("unoffered-scheme", at, `${name} was not offered for TLS 1.3`);
  }
  if (!fits(scheme, publicKey, "1.3")) refuse("illegal-parameter", at, `${scheme.name} does not fit the peer's key`);
  if (!publicKey.verify(scheme.algorithm, content, signature)) {
    refuse("bad-signature", at, "the peer does not hold the key that it shows");
  }
  return scheme.name;
}
