import { decode, encode } from "../../../bytes/index.js";
import type { Config } from "../config.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import {
  type Certificate,
  certificate,
  compressedCertificate,
  compressionAlgorithms,
} from "../messages/authentication.js";
import { type Extension, ExtensionBlock, ext, extension } from "../messages/extensions.js";
import { handshakeType, type Message, messageName } from "../messages/handshake.js";
import type { TlsIdentity } from "../options.js";
import type { Context, State } from "./context.js";

/** Reads a Certificate message, or unfolds a CompressedCertificate (RFC 8879 §4) and goes on then. */
export function readCertificate<C extends Config>(
  message: Message,
  cx: Context<C>,
  then: (certificate: Certificate) => State<C>,
): State<C> {
  if (message.type === handshakeType.certificate) return then(check(decode(certificate, message.body)));
  const offered = cx.config.options.certificateCompression ?? [];
  if (message.type !== handshakeType.compressedCertificate || offered.length === 0) {
    refuse("unexpected-message", "Certificate", `${messageName(message.type)} came instead`);
  }
  const at = "CompressedCertificate";
  const { algorithm, size, compressed } = decode(compressedCertificate, message.body);
  const compressor = offered.find((each) => compressionAlgorithms[each.algorithm] === algorithm);
  if (compressor === undefined) refuse("unoffered-compression", at, `algorithm ${algorithm} was not offered`);
  if (size > limits.certificateMessageMax) refuse("bad-certificate", at, `it would unfold to ${size} bytes`);
  const ask = { algorithm: compressor.algorithm, bytes: compressed, size };
  return cx.ask("decompress-certificate", ask, "handshake", (unfolded) => {
    if (unfolded === undefined || unfolded.length !== size) refuse("bad-certificate", at, "it does not unfold");
    return then(check(decode(certificate, unfolded)));
  });
}

function check(read: Certificate): Certificate {
  if (read.entries.length > limits.certificatesMax) {
    refuse(
      "bad-certificate",
      "Certificate",
      `a chain of ${read.entries.length} certificates is more than anyone needs`,
    );
  }
  return read;
}

export interface CertificateWishes {
  readonly context: Uint8Array;
  /** What the peer asked for beside the chain. */
  readonly status: boolean;
  readonly timestamps: boolean;
  readonly delegated: boolean;
  readonly type: "x509" | "raw-public-key";
}

/** Our Certificate; of no identity an empty one. */
export function writeCertificate(identity: TlsIdentity | undefined, wishes: CertificateWishes): Uint8Array {
  const chain =
    identity === undefined ? [] : wishes.type === "raw-public-key" ? [identity.publicKey.spki] : identity.certificates;
  const entries = chain.map((data, i) => ({
    data,
    extensions: new ExtensionBlock(
      "CT",
      i === 0 && identity !== undefined ? endEntityExtensions(identity, wishes) : [],
    ),
  }));
  return encode(certificate, { context: wishes.context, entries });
}

function endEntityExtensions(identity: TlsIdentity, wishes: CertificateWishes): Extension[] {
  const { ocspResponse, signedCertificateTimestamps, delegatedCredential } = identity;
  const items: Extension[] = [];
  if (wishes.type !== "x509") return items;
  if (wishes.status && ocspResponse !== undefined) {
    items.push(extension("CT", ext.statusRequest, { type: 1, response: ocspResponse }));
  }
  if (wishes.timestamps && signedCertificateTimestamps !== undefined) {
    items.push(extension("CT", ext.signedCertificateTimestamp, signedCertificateTimestamps));
  }
  if (wishes.delegated && delegatedCredential !== undefined) {
    items.push(extension("CT", ext.delegatedCredential, delegatedCredential.credential));
  }
  return items;
}
