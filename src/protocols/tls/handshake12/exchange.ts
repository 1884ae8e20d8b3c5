import { equal, fromHex } from "../../../bytes/index.js";
import type { AgreementName, CryptoProvider, Entropy, Secret } from "../../../contract/index.js";
import { type FiniteFieldName, fieldPrime, finiteFields } from "../../../crypto/finite-fields.js";
import { refuse } from "../failure.js";
import { agreedPremaster } from "../keys12.js";
import type { Group } from "../parameters/groups.js";
import type { ServerShare } from "./messages.js";

/** What a server keeps between its ServerKeyExchange and the client's answer. */
export interface OpenExchange {
  readonly group: Group;
  readonly privateKey: Secret;
  readonly share: ServerShare;
}

/** A server's half of an agreement. */
export function openExchange(crypto: CryptoProvider, entropy: Entropy, group: Group): OpenExchange {
  const { share, privateKey } = crypto.agreement(group.agreement).initiate(entropy);
  if (group.in12 !== "DHE") return { group, privateKey, share: { kind: "ECDHE", group: group.id, point: share } };
  const prime = primeOf(group.agreement);
  return { group, privateKey, share: { kind: "DHE", prime, generator: Uint8Array.of(2), share } };
}

/** A client's half, and the premaster secret. Refuses groups that were not offered (RFC 8422 §5.4, RFC 7919 §3). */
export function answerExchange(
  crypto: CryptoProvider,
  entropy: Entropy,
  offer: ServerShare,
  offered: readonly Group[],
): { readonly group: Group; readonly share: Uint8Array; readonly premaster: Secret } {
  const group = offered.find((each) => isGroupOf(offer, each));
  if (group === undefined) refuse("unoffered-group", "ServerKeyExchange", "a group that we did not offer");
  const agreement = crypto.agreement(group.agreement);
  const theirs = offer.kind === "ECDHE" ? offer.point : widened(offer.share, agreement.initiatorShareSize);
  const answer = agreement.respond(theirs, entropy);
  if (answer === undefined) refuse("invalid-key-share", "ServerKeyExchange", "the share is no valid public value");
  return { group, share: answer.share, premaster: premasterOf(group, answer.secret) };
}

/** The server's end of it: the premaster secret out of the client's half. */
export function concludeExchange(crypto: CryptoProvider, open: OpenExchange, clientShare: Uint8Array): Secret {
  const { group, privateKey } = open;
  const agreement = crypto.agreement(group.agreement);
  const theirs = group.in12 === "DHE" ? widened(clientShare, agreement.responderShareSize) : clientShare;
  const agreed = agreement.conclude(privateKey, theirs);
  if (agreed === undefined) refuse("invalid-key-share", "ClientKeyExchange", "the share is no valid public value");
  return premasterOf(group, agreed);
}

function isGroupOf(offer: ServerShare, group: Group): boolean {
  if (group.in12 !== offer.kind) return false;
  if (offer.kind === "ECDHE") return offer.group === group.id;
  const generator = offer.generator;
  return generator.length === 1 && generator[0] === 2 && equal(offer.prime, primeOf(group.agreement));
}

function premasterOf(group: Group, agreed: Secret): Secret {
  const premaster = agreedPremaster(agreed, group.in12 === "DHE");
  agreed.wipe();
  return premaster;
}

/** Some peers send integers without their leading zeros, which TLS 1.2 allows. */
function widened(integer: Uint8Array, size: number): Uint8Array {
  if (integer.length >= size) return integer;
  const wide = new Uint8Array(size);
  wide.set(integer, size - integer.length);
  return wide;
}

const primes = new Map<AgreementName, Uint8Array>();

function primeOf(name: AgreementName): Uint8Array {
  const known = primes.get(name);
  if (known !== undefined) return known;
  const prime = fromHex(fieldPrime(finiteFields[name as FiniteFieldName]).toString(16));
  primes.set(name, prime);
  return prime;
}
