import type { PkiFailure, PkiReason, ReferenceId, Verdict, Verifier } from "../../pki/index.js";
import { type TlsFailure, type TlsReason, tlsFailure } from "./failure.js";
import type { PeerAsk, PeerVerdict } from "./handshake/questions.js";
import type { VerifyPeer } from "./options.js";

export interface TrustOptions {
  /** Names of which the peer must have one. Default: on a client the server name, on a server none. */
  readonly referenceIds?: readonly ReferenceId[];
  /** A word of the application's own after the path is valid: undefined is yes, a failure or false is no. */
  readonly also?: (
    verdict: Extract<Verdict, { trusted: true }>,
    ask: PeerAsk,
    signal?: AbortSignal,
  ) => Approval | Promise<Approval>;
}

/** Yes, no, or no and why. */
export type Approval = boolean | TlsFailure | undefined;

/**
 * `verify` by a verifier of certificates: the chain is built and validated, the server's name is found in it, the stapled
 * OCSP response is believed or not. A client without a server name trusts nobody.
 */
export function trust(verifier: Verifier, options: TrustOptions = {}): VerifyPeer {
  return async (ask, signal) => {
    const names = options.referenceIds ?? (ask.serverName === undefined ? [] : [ask.serverName]);
    if (ask.role === "client" && names.length === 0 && ask.rawPublicKey === undefined) {
      return no(tlsFailure("wrong-name", "Certificate", "no server name to look for", { hint: "give `serverName`" }));
    }
    const verdict =
      ask.rawPublicKey === undefined
        ? verifier.verify({
            chain: ask.certificates,
            referenceIds: names,
            purpose: ask.role === "client" ? "server" : "client",
            // RFC 9846 §4.4.2.2, RFC 5246 §7.4.2: every key exchange here has the peer sign.
            keyUsages: ["digitalSignature"],
            at: ask.at,
            stapledOcsp: ask.ocspResponse,
          })
        : verifier.verifyRawPublicKey(ask.rawPublicKey);
    if (!verdict.trusted) return no(pkiFailure(verdict.failure));
    const approval = await options.also?.(verdict, ask, signal);
    if (approval === false) return no(tlsFailure("access-denied", "Certificate", "the application does not want it"));
    if (typeof approval === "object") return no(approval);
    const { publicKey } = verdict;
    return {
      trusted: true,
      publicKey,
      peer:
        ask.rawPublicKey === undefined
          ? { kind: "certificate", chain: verdict.chain.map(({ raw }) => raw), publicKey }
          : { kind: "raw-public-key", publicKey },
    };
  };
}

const no = (failure: TlsFailure): PeerVerdict => ({ trusted: false, failure });

/** The verifier's word in TLS's: its reason decides the alert (RFC 9846 §6.2). */
export function pkiFailure(failure: PkiFailure): TlsFailure {
  const reason = reasons[failure.reason] ?? "bad-certificate";
  const hint = failure.hint === undefined ? {} : { hint: failure.hint };
  return tlsFailure(reason, failure.at ?? "Certificate", failure.message, { ...hint, cause: failure });
}

/** All others are bad_certificate. */
const reasons: { readonly [R in PkiReason]?: TlsReason } = {
  "no-certificate": "certificate-required",
  "unknown-issuer": "unknown-authority",
  "unknown-raw-public-key": "unknown-authority",
  "not-pinned": "unknown-authority",
  "unsupported-key": "unsupported-certificate",
  "weak-key": "unsupported-certificate",
  "forbidden-algorithm": "unsupported-certificate",
  "wrong-purpose": "unsupported-certificate",
  "wrong-usage": "unsupported-certificate",
  "unknown-critical-extension": "unsupported-certificate",
  "not-yet-valid": "certificate-expired",
  expired: "certificate-expired",
  "name-mismatch": "wrong-name",
  revoked: "certificate-revoked",
  "revocation-unknown": "bad-certificate-status",
  "staple-required": "bad-certificate-status",
  "unusable-staple": "bad-certificate-status",
  "limit-reached": "certificate-unknown",
};
