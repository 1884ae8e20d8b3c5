import type { CryptoProvider, Instant, SignatureName } from "../../contract/index.js";
import { signatureAlgorithm, usualSignature } from "../algorithm.js";
import { write } from "../der/index.js";
import { hashes } from "../oids.js";
import type { Issuer } from "./certificate.js";

export interface OcspResponseOptions {
  readonly provider: CryptoProvider;
  /** Who issued the certificate in question. */
  readonly issuer: Issuer["certificate"];
  readonly serial: Uint8Array;
  /** Who answers: the issuer, or whom it named. */
  readonly responder: Issuer;
  readonly status?: "good" | "unknown" | { readonly revokedAt: Instant; readonly reason?: number };
  readonly producedAt: Instant;
  readonly thisUpdate: Instant;
  readonly nextUpdate?: Instant;
  /** How the responder is named. Default: by key. */
  readonly by?: "key" | "name";
  /** Of the certificate's identifier. Default SHA-1, as everybody does. */
  readonly hash?: "SHA-1" | "SHA-256";
  /** Put beside the signature, so that the client can check a delegated responder. Default: the responder's, if delegated. */
  readonly certificates?: readonly Uint8Array[];
  readonly algorithm?: SignatureName;
}

/** A signed OCSP response in DER, RFC 6960 §4.2. */
export function makeOcspResponse(options: OcspResponseOptions): Uint8Array {
  const { provider, issuer, responder, status = "good", nextUpdate, hash = "SHA-1" } = options;
  const digest = (bytes: Uint8Array, name: "SHA-1" | "SHA-256" = hash) =>
    write.octetString(provider.hash(name).digest(bytes));
  const algorithm = options.algorithm ?? usualSignature(responder.privateKey.publicKey);
  const delegated = responder.certificate !== issuer;
  const certificates = options.certificates ?? (delegated ? [responder.certificate.raw] : []);
  const single = write.sequence(
    write.sequence(
      write.sequence(write.oid(hashes[hash]), write.nothing()),
      digest(issuer.subject.raw),
      digest(issuer.publicKeyBits),
      write.integer(options.serial),
    ),
    status === "good"
      ? write.implicit(0, new Uint8Array())
      : status === "unknown"
        ? write.implicit(2, new Uint8Array())
        : write.explicit(
            1,
            write.generalizedTime(status.revokedAt),
            ...(status.reason === undefined ? [] : [write.explicit(0, write.integer(status.reason, 0x0a))]),
          ),
    write.generalizedTime(options.thisUpdate),
    ...(nextUpdate === undefined ? [] : [write.explicit(0, write.generalizedTime(nextUpdate))]),
  );
  const tbs = write.sequence(
    options.by === "name"
      ? write.explicit(1, responder.certificate.subject.raw)
      : write.explicit(2, digest(responder.certificate.publicKeyBits, "SHA-1")),
    write.generalizedTime(options.producedAt),
    write.sequence(single),
  );
  const basic = write.sequence(
    tbs,
    signatureAlgorithm(algorithm),
    write.bitString(responder.privateKey.sign(algorithm, tbs)),
    ...(certificates.length > 0 ? [write.explicit(0, write.sequence(...certificates))] : []),
  );
  return write.sequence(
    write.integer(0, 0x0a),
    write.explicit(0, write.sequence(write.oid("1.3.6.1.5.5.7.48.1.1"), write.octetString(basic))),
  );
}
