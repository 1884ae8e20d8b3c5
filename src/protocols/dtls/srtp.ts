import { bytes, decode, encode, equal, struct, u16, vector } from "../../bytes/index.js";
import { dtlsFailure } from "./failure.js";
import type { SrtpOffer } from "./options.js";

/** ExtensionType use_srtp, RFC 5764 §4.1.1. */
export const useSrtp = 14;

const data = struct({ profiles: vector(2, u16, { min: 2 }), mki: bytes(1) });
const none = new Uint8Array(0);

/** What a client offers. */
export const offerSrtp = ({ profiles, mki = none }: SrtpOffer): Uint8Array => encode(data, { profiles, mki });

/** A server's answer: the first of ours that the client offers, and its MKI; undefined if there is nothing in common. */
export function answerSrtp(offer: SrtpOffer, theirs: Uint8Array): Uint8Array | undefined {
  const { profiles, mki } = decode(data, theirs);
  const profile = offer.profiles.find((each) => profiles.includes(each));
  return profile === undefined ? undefined : encode(data, { profiles: [profile], mki });
}

/**
 * What was settled. A client reads the server's answer: one profile of those offered, and the MKI that was offered or none. A
 * server reads the client's offer once more, as it answered that; undefined if nothing was in common.
 */
export function readSrtp(
  offer: SrtpOffer,
  theirs: Uint8Array,
  isClient: boolean,
): { readonly profile: number; readonly mki: Uint8Array } | undefined {
  const answer = isClient ? theirs : answerSrtp(offer, theirs);
  if (answer === undefined) return undefined;
  const { profiles, mki } = decode(data, answer);
  const [profile] = profiles;
  if (profile === undefined || profiles.length !== 1 || !offer.profiles.includes(profile)) {
    throw dtlsFailure("illegal-parameter", "use_srtp", "the server chose a profile that was not offered");
  }
  if (isClient && mki.length > 0 && !equal(mki, offer.mki ?? none)) {
    throw dtlsFailure("illegal-parameter", "use_srtp", "the server chose an MKI that was not offered");
  }
  return { profile, mki: mki.slice() };
}
