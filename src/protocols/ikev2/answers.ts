import type { AskOf, Identity, Instant, Secret } from "../../contract/index.js";
import { type Certificate, isPkiFailure, parseCertificate, type Verifier } from "../../pki/index.js";
import { failure } from "./failure.js";
import { certificateIs, type IkeId, idText } from "./identity.js";
import type { EapAnswer, EapTurn, IkeEvent, PeerChain, PeerVerdict } from "./interfaces.js";

/** What a host knows that a machine asks for. */
export interface IkeKnowledge {
  /** Who signs for us. */
  readonly identity?: Identity | undefined;
  /** Whose certificates are trusted. Without it, nobody's. */
  readonly verifier?: Verifier | undefined;
  /** Narrows what the verifier trusts. */
  readonly also?: (certificate: Certificate, id: IkeId) => boolean | Promise<boolean>;
  readonly secret?: (id: IkeId | undefined) => Secret | undefined | Promise<Secret | undefined>;
  readonly eap?: (turn: EapTurn, signal: AbortSignal) => EapAnswer | undefined | Promise<EapAnswer | undefined>;
}

/** Answers a machine's question. @param at now */
export function answerIke(
  question: AskOf<IkeEvent>,
  { identity, verifier, also, secret, eap }: IkeKnowledge,
  at: Instant,
  signal: AbortSignal,
): unknown {
  switch (question.kind) {
    case "sign":
      return identity?.sign(question.algorithm, question.message, signal);
    case "pre-shared-key":
      return secret?.(question.id);
    case "eap":
      return eap?.(question, signal);
    case "verify-peer":
      return verifier && judge(question, verifier, also, at);
  }
}

/**
 * Is the chain trusted (RFC 5280), and is its end entity who the peer says it is (RFC 4945 §3.1)? The latter is always looked at: any
 * certificate of a trusted authority would do otherwise.
 */
async function judge(
  { certificates, id }: PeerChain,
  verifier: Verifier,
  also: IkeKnowledge["also"],
  at: Instant,
): Promise<PeerVerdict> {
  const no = (why: string, more: { at?: string; cause?: unknown; hint?: string } = {}): PeerVerdict => ({
    trusted: false,
    failure: failure("untrusted-certificate", why, { at: "CERT", ...more }),
  });
  const [first] = certificates;
  const leaf = first && parseCertificate(first);
  if (leaf === undefined || isPkiFailure(leaf)) return no("the peer showed no certificate that can be read");
  // RFC 4945 §5.1.3.12: extended key usages are no reason to refuse here.
  const ask = { chain: certificates, referenceIds: [], purpose: "any", keyUsages: ["digitalSignature"], at } as const;
  const verdict = verifier.verify(ask);
  if (!verdict.trusted) return no(verdict.failure.message, { cause: verdict.failure });
  if (!certificateIs(leaf, id)) {
    const why = failure("wrong-identity", `the certificate is not of ${idText(id)}`, { at: "IDr" });
    return { trusted: false, failure: why };
  }
  if (also !== undefined && !(await also(leaf, id))) return no("the application does not want it");
  return { trusted: true, publicKey: verdict.publicKey, chain: verdict.chain.map(({ raw }) => raw) };
}
