import { utf8 } from "../../../bytes/index.js";
import type { PeerIdentity, PublicKey } from "../../../contract/index.js";
import type { Scheme, SchemeName } from "../parameters/schemes.js";
import type { RememberedPeer } from "../store/session.js";

/** What a CertificateVerify signs, RFC 9846 §4.5.2. */
export function verifyContent(role: "client" | "server", transcriptHash: Uint8Array): Uint8Array {
  const context = utf8(`TLS 1.3, ${role} CertificateVerify`);
  const content = new Uint8Array(64 + context.length + 1 + transcriptHash.length);
  content.fill(0x20, 0, 64);
  content.set(context, 64);
  content.set(transcriptHash, 64 + context.length + 1);
  return content;
}

/** A peer whose certificate or key is trusted; what it stapled is passed on. */
export interface JudgedPeer {
  readonly identity: PeerIdentity;
  /** The key that must sign, and the schemes that it may: the certificate's, or the one that this delegates to. */
  readonly publicKey: PublicKey;
  readonly schemes: readonly Scheme[];
  readonly ocspResponse: Uint8Array | undefined;
  readonly signedCertificateTimestamps: Uint8Array | undefined;
}

/** And which has proved that the key is its own. */
export interface ProvenPeer extends JudgedPeer {
  readonly scheme: SchemeName;
}

/** For tickets: a resumed session's peer is who it was. */
export function remember(peer: PeerIdentity | undefined): RememberedPeer {
  if (peer === undefined) return { kind: "none" };
  if (peer.kind === "certificate") return { kind: "certificate", chain: peer.chain, spki: peer.publicKey.spki };
  if (peer.kind === "raw-public-key") return { kind: "raw-public-key", spki: peer.publicKey.spki };
  return peer.kind === "pre-shared-key" ? { kind: "pre-shared-key", identity: peer.identity } : { kind: "none" };
}

export function recall(
  peer: RememberedPeer,
  publicKey: (spki: Uint8Array) => PublicKey | undefined,
): PeerIdentity | undefined {
  if (peer.kind === "none") return undefined;
  if (peer.kind === "pre-shared-key") return peer;
  const key = publicKey(peer.spki);
  if (key === undefined) return undefined;
  return peer.kind === "certificate"
    ? { kind: "certificate", chain: peer.chain, publicKey: key }
    : { kind: "raw-public-key", publicKey: key };
}
