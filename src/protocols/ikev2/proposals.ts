import { Integrity } from "../esp/index.js";
import { groups, type IkeAlgorithms, ikeSuite, integrityPrf, isAead, words } from "./algorithms.js";
import { failure } from "./failure.js";
import { Transform } from "./wire/numbers.js";
import type { Proposal, TransformChoice } from "./wire/proposal.js";

/** What one proposal of ours offers, most wanted first within each type. */
export type Offer = readonly TransformChoice[];

/**
 * Reads a proposal as swanctl.conf(5) writes it, for an IKE SA: `aes128gcm16-prfsha256-x25519`. Without a PRF, those of the
 * integrity algorithms are meant. Additional key exchanges (RFC 9370) are `ke1_mlkem768` and so on. Throws
 * `misuse/bad-configuration` for what is not known or protects nothing.
 */
export function ikeProposal(text: string): Offer {
  const offer = [...offerOf(text)];
  if (!has(offer, Transform.PRF)) {
    for (const { id } of of(offer, Transform.INTEG)) {
      const prf = integrityPrf(id);
      if (prf !== undefined) offer.push({ type: Transform.PRF, id: prf });
    }
  }
  const wanting = [Transform.ENCR, Transform.PRF, Transform.KE].find((type) => !has(offer, type));
  if (wanting !== undefined) throw bad(text, `it names no transform of type ${wanting}`);
  if (!encryptsWell(offer)) throw bad(text, "encryption without integrity, or an AEAD with one");
  if (of(offer, Transform.ENCR).some(({ id }) => id === 11)) throw bad(text, "an IKE SA is always encrypted");
  if (of(offer, Transform.KE).some(({ id }) => groups.find((row) => row.id === id)?.onlyAdditional)) {
    throw bad(text, "a KEM can only follow another key exchange");
  }
  return offer;
}

/** The same for ESP: `aes128gcm16-x25519`. A key exchange means perfect forward secrecy; without `esn` both sorts of numbers do. */
export function espProposal(text: string): Offer {
  const offer = [...offerOf(text)].filter(({ type }) => type !== Transform.PRF);
  if (!has(offer, Transform.ENCR)) throw bad(text, "it names no encryption");
  if (!encryptsWell(offer)) throw bad(text, "encryption without integrity, or an AEAD with one");
  if (!has(offer, Transform.ESN)) offer.push({ type: Transform.ESN, id: 0 }, { type: Transform.ESN, id: 1 });
  return offer;
}

function offerOf(text: string): Offer {
  return text.split("-").map((word) => {
    const found = words.get(word.trim().toLowerCase());
    if (found === undefined) throw bad(text, `${word} is not known here`);
    return found;
  });
}

const bad = (text: string, why: string) =>
  failure("bad-configuration", `the proposal ${text}: ${why}`, { at: "proposals" });

const of = (offer: Offer, type: number): Offer => offer.filter((each) => each.type === type);
const has = (offer: Offer, type: number): boolean => offer.some((each) => each.type === type);

function encryptsWell(offer: Offer): boolean {
  const kinds = new Set(of(offer, Transform.ENCR).map(({ id }) => isAead(id)));
  return kinds.size === 1 && kinds.has(true) !== of(offer, Transform.INTEG).some(({ id }) => id !== Integrity.none);
}

/** Our offers as the proposals of an SA payload. */
export const proposalsOf = (offers: readonly Offer[], protocol: number, spi: Uint8Array): readonly Proposal[] =>
  offers.map((transforms, i) => ({ number: i + 1, protocol, spi, transforms }));

/** A proposal of which each type has one transform, and the offer it came from. */
export interface Chosen {
  readonly number: number;
  readonly spi: Uint8Array;
  readonly transforms: readonly TransformChoice[];
}

/**
 * What we choose of what a peer offers (RFC 7296 §2.7, §3.3.6): our most wanted offer that one of its proposals meets, and of each
 * type our most wanted transform. A type that is not known, or that we have nothing of, refuses the proposal, unless the peer would
 * do without.
 */
export function choose(
  offered: readonly Proposal[],
  ours: readonly Offer[],
  protocol: number,
  spiSize: number,
): Chosen | undefined {
  for (const offer of ours) {
    for (const proposal of offered) {
      if (proposal.protocol !== protocol || proposal.spi.length !== spiSize) continue;
      const transforms = meet(proposal.transforms, offer);
      if (transforms !== undefined) return { number: proposal.number, spi: proposal.spi, transforms };
    }
  }
  return undefined;
}

function meet(theirs: readonly TransformChoice[], ours: Offer): readonly TransformChoice[] | undefined {
  const types = new Set([...theirs, ...ours].map(({ type }) => type));
  const chosen: TransformChoice[] = [];
  for (const type of [...types].sort((a, b) => a - b)) {
    const wanted = of(ours, type);
    const offered = of(theirs, type);
    const found = wanted.find((each) => offered.some((other) => same(each, other)));
    if (found !== undefined) {
      // NONE is chosen by leaving it out.
      if (!isNone(found)) chosen.push(found);
    } else if (!(offered.length === 0 || offered.some(isNone)) || !(wanted.length === 0 || wanted.some(isNone))) {
      return undefined;
    }
  }
  return chosen;
}

const isNone = ({ type, id }: TransformChoice): boolean =>
  id === 0 && type !== Transform.ESN && type !== Transform.ENCR && type !== Transform.PRF;

const same = (a: TransformChoice, b: TransformChoice): boolean =>
  a.type === b.type && a.id === b.id && a.keyBits === b.keyBits && !a.isForeign && !b.isForeign;

/** Is what the responder chose something that we offered? RFC 7296 §3.3: one transform of each type of one proposal. */
export function accepted(
  chosen: readonly Proposal[],
  ours: readonly Offer[],
  protocol: number,
  spiSize: number,
): Chosen | undefined {
  const [only, ...others] = chosen;
  if (only === undefined || others.length > 0 || only.protocol !== protocol || only.spi.length !== spiSize)
    return undefined;
  const types = only.transforms.map(({ type }) => type);
  if (new Set(types).size !== types.length) return undefined;
  const isOurs = ours.some(
    (offer) => meet(only.transforms, offer)?.length === only.transforms.filter((t) => !isNone(t)).length,
  );
  return isOurs
    ? { number: only.number, spi: only.spi, transforms: only.transforms.filter((t) => !isNone(t)) }
    : undefined;
}

/** The algorithms of an IKE SA. Undefined unless they protect it. */
export function ikeAlgorithms(transforms: readonly TransformChoice[]): IkeAlgorithms | undefined {
  const one = (type: number) => transforms.find((each) => each.type === type);
  const encryption = one(Transform.ENCR);
  const prf = one(Transform.PRF);
  const group = one(Transform.KE);
  if (encryption === undefined || prf === undefined || group === undefined) return undefined;
  const algorithms = {
    encryption: encryption.id,
    keyBits: encryption.keyBits,
    integrity: one(Transform.INTEG)?.id ?? Integrity.none,
    prf: prf.id,
    group: group.id,
    additional: transforms
      .filter(({ type, id }) => type >= Transform.ADDKE1 && type <= Transform.ADDKE7 && id !== 0)
      .sort((a, b) => a.type - b.type)
      .map(({ id }) => id),
  };
  return ikeSuite(algorithms) === undefined ? undefined : algorithms;
}

/** The algorithms of a Child SA, with the group of its own key exchange if it has one. */
export function espAlgorithms(transforms: readonly TransformChoice[]) {
  const one = (type: number) => transforms.find((each) => each.type === type);
  const encryption = one(Transform.ENCR);
  if (encryption === undefined) return undefined;
  return {
    algorithms: {
      encryption: encryption.id,
      keyBits: encryption.keyBits,
      integrity: one(Transform.INTEG)?.id ?? Integrity.none,
      isExtended: one(Transform.ESN)?.id === 1,
    },
    group: one(Transform.KE)?.id,
  };
}

/** Without key exchanges: the first child of an IKE SA lives on the IKE SA's own (RFC 7296 §1.2). */
export const withoutGroups = (offers: readonly Offer[]): readonly Offer[] =>
  offers.map((offer) => offer.filter(({ type }) => type !== Transform.KE && type < Transform.ADDKE1));

/** Groups of our offers, most wanted first. */
export const groupsOf = (offers: readonly Offer[]): readonly number[] => [
  ...new Set(offers.flatMap((offer) => of(offer, Transform.KE).map(({ id }) => id))),
];

/** Bytes of an SPI of ESP. */
export const espSpiSize = 4;

/** Offered when nothing else is said: RFC 8247's and RFC 8221's, the quickest first. */
export const defaultIkeProposals: readonly Offer[] = [
  ikeProposal("aes128gcm16-aes256gcm16-chacha20poly1305-prfsha256-prfsha384-x25519-ecp256-ecp384-modp3072-modp2048"),
  ikeProposal("aes128-aes256-sha256-sha384-sha512-x25519-ecp256-ecp384-modp3072-modp2048"),
];
export const defaultEspProposals: readonly Offer[] = [
  espProposal("aes128gcm16-aes256gcm16-chacha20poly1305-noesn-esn"),
  espProposal("aes128-aes256-sha256-sha384-sha512-noesn-esn"),
];
