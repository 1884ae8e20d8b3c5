import { toHex } from "../../../bytes/index.js";
import type { Instant, Secret } from "../../../contract/index.js";
import { canTransform, type IkeAlgorithms } from "../algorithms.js";
import { furtherKeys } from "../keys.js";
import { temporaryFailureMs, temporaryFailuresMax } from "../limits.js";
import {
  accepted,
  choose,
  defaultIkeProposals,
  groupsOf,
  ikeAlgorithms,
  type Offer,
  proposalsOf,
} from "../proposals.js";
import { refusal } from "../refusal.js";
import { find, notify } from "../wire/find.js";
import { spiSize } from "../wire/header.js";
import { Exchange, Notify, Protocol, Transform } from "../wire/numbers.js";
import type { Payload } from "../wire/payloads.js";
import { compareNonces, lowerNonce } from "./child.js";
import { IkeSa } from "./ike-sa.js";
import { answerExchange, beginExchange, concludeExchange, invalidGroup, newNonce, wantedGroup } from "./init.js";

/** A successor that was made, and the lower of the two nonces that made it. */
interface Successor {
  readonly sa: IkeSa;
  readonly lowest: Uint8Array;
}

/** The IKE SA's own renewal (RFC 7296 §1.3.2, §2.18), by either side or both at once (§2.8.2). */
export class Renewal {
  readonly #sa: IkeSa;
  #isAsking = false;
  /** The peer's, while ours is on its way. */
  #rival: Successor | undefined;

  constructor(sa: IkeSa) {
    this.#sa = sa;
  }

  /** An exchange of ours about the IKE SA itself is on its way: peers wait with their children (§2.25.2). */
  get isBusy(): boolean {
    return this.#isAsking;
  }

  begin(now: Instant): void {
    this.#ask(undefined, 0, now);
  }

  #ask(group: number | undefined, tries: number, now: Instant): void {
    const sa = this.#sa;
    const { station } = sa;
    const offers = ikeOffers(sa);
    let own: { readonly nonce: Uint8Array; readonly spi: Uint8Array; readonly half: ReturnType<typeof beginExchange> };
    sa.requests.add(
      {
        exchange: Exchange.CREATE_CHILD_SA,
        begin: () => {
          if (sa.state !== "established" || this.#isAsking) return undefined;
          this.#isAsking = true;
          const half = beginExchange(station, group ?? groupsOf(offers)[0]!);
          own = { nonce: newNonce(station), spi: station.newIkeSpi(), half };
          return [
            { kind: "SA", proposals: proposalsOf(offers, Protocol.IKE, own.spi) },
            { kind: "Nonce", nonce: own.nonce },
            half.payload,
          ];
        },
        responded: (payloads, at) => {
          this.#isAsking = false;
          this.#answered(own, offers, tries, payloads, at);
        },
      },
      now,
    );
  }

  #answered(
    own: { readonly nonce: Uint8Array; readonly spi: Uint8Array; readonly half: ReturnType<typeof beginExchange> },
    offers: readonly Offer[],
    tries: number,
    payloads: readonly Payload[],
    now: Instant,
  ): void {
    const sa = this.#sa;
    const error = refusal(payloads);
    const chosen = accepted(find(payloads, "SA")?.proposals ?? [], offers, Protocol.IKE, spiSize);
    const algorithms = chosen && ikeAlgorithms(chosen.transforms);
    const theirs = find(payloads, "Nonce");
    const share = find(payloads, "KE");
    const secret =
      share && algorithms?.group === own.half.group.id
        ? concludeExchange(sa.station.crypto, own.half, share)
        : undefined;
    own.half.privateKey.wipe();
    if (error !== undefined || algorithms === undefined || theirs === undefined || secret === undefined) {
      // Ours came to nothing, but the peer's did not.
      if (this.#rival !== undefined) return void this.#takeOver(this.#rival.sa, now);
      const group = wantedGroup(payloads);
      if (group !== undefined && groupsOf(offers).includes(group) && tries < 1)
        return void this.#ask(group, tries + 1, now);
      // Whatever the reason: the keys are as good as they were, and the peer may change its mind.
      if (tries < temporaryFailuresMax) this.#askLater(tries + 1, now);
      else sa.station.trace("rekey_failed", now, { ike: sa.handle, reason: error?.reason ?? "unexpected-payload" });
      return;
    }
    const ours = this.#successor(true, own.spi, chosen!.spi, algorithms, secret, own.nonce, theirs.nonce, now);
    const rival = this.#rival;
    if (rival === undefined || compareNonces(ours.lowest, rival.lowest) >= 0) {
      this.#rival = undefined;
      // The peer made the other, so it deletes that.
      rival?.sa.replace(now);
      this.#takeOver(ours.sa, now);
      sa.informational.remove(now);
      return;
    }
    this.#takeOver(rival.sa, now);
    ours.sa.replace(now);
    ours.sa.informational.remove(now);
  }

  #askLater(tries: number, now: Instant): void {
    const [random] = this.#sa.station.entropy.fill(new Uint8Array(1));
    const begin = (at: Instant) => {
      this.#ask(undefined, tries, at);
      return undefined;
    };
    const again = { exchange: Exchange.CREATE_CHILD_SA, begin, responded: () => undefined };
    this.#sa.requests.addLater(again, now + temporaryFailureMs * (1 + random! / 256));
  }

  /** A peer's CREATE_CHILD_SA for the IKE SA itself. */
  requested(payloads: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const { station } = sa;
    const refuse = (payload: Payload): void => sa.respond([payload], now);
    const nonce = find(payloads, "Nonce");
    const share = find(payloads, "KE");
    if (nonce === undefined || share === undefined) return void refuse(notify(Notify.INVALID_SYNTAX));
    if (sa.state !== "established" || sa.children.isExchanging || this.#rival !== undefined) {
      return void refuse(notify(Notify.TEMPORARY_FAILURE));
    }
    const chosen = choose(find(payloads, "SA")!.proposals, ikeOffers(sa), Protocol.IKE, spiSize);
    const algorithms = chosen && ikeAlgorithms(chosen.transforms);
    if (chosen === undefined || algorithms === undefined) return void refuse(notify(Notify.NO_PROPOSAL_CHOSEN));
    if (share.group !== algorithms.group) return void refuse(invalidGroup(algorithms.group));
    const exchanged = answerExchange(station, share);
    if (exchanged === undefined) return void refuse(notify(Notify.INVALID_SYNTAX));
    const own = newNonce(station);
    const spi = station.newIkeSpi();
    const theirs = chosen.spi.slice();
    const next = this.#successor(false, theirs, spi, algorithms, exchanged.secret, nonce.nonce.slice(), own, now);
    const [proposal] = proposalsOf([chosen.transforms], Protocol.IKE, spi);
    sa.respond(
      [
        { kind: "SA", proposals: [{ ...proposal!, number: chosen.number }] },
        { kind: "Nonce", nonce: own },
        exchanged.payload,
      ],
      now,
    );
    if (this.#isAsking) this.#rival = next;
    else this.#takeOver(next.sa, now);
  }

  /** @param isInitiator of the exchange that makes it: ours or the peer's */
  #successor(
    isInitiator: boolean,
    spiInitiator: Uint8Array,
    spiResponder: Uint8Array,
    algorithms: IkeAlgorithms,
    secret: Secret,
    nonceInitiator: Uint8Array,
    nonceResponder: Uint8Array,
    now: Instant,
  ): Successor {
    const old = this.#sa;
    const { station, isOriginator, path, connection, handle } = old;
    const spis = { spiInitiator: spiInitiator.slice(), spiResponder: spiResponder.slice() };
    const sa = new IkeSa(station, { isInitiator, isOriginator, ...spis, path, connection, handle }, now);
    const before = { derivation: old.keys!.derivation, prf: old.algorithms!.prf };
    const nonces = { nonceInitiator, nonceResponder };
    sa.protect(algorithms, furtherKeys(station.crypto, algorithms, before, secret, { ...nonces, ...spis }));
    secret.wipe();
    sa.remoteId = old.remoteId;
    sa.fragments = old.fragments;
    sa.mobike = old.mobike;
    Object.assign(sa.nat, old.nat);
    sa.addresses = old.addresses;
    sa.establish(now);
    return { sa, lowest: lowerNonce(nonceInitiator, nonceResponder) };
  }

  #takeOver(next: IkeSa, now: Instant): void {
    const old = this.#sa;
    this.#rival = undefined;
    next.path = old.path;
    next.children.inherit(old.children);
    old.replace(now);
    const { station, handle } = old;
    station.trace("rekeyed", now, { ike: handle, spi: toHex(next.ownSpi) });
    station.events.push({ kind: "rekeyed", ike: handle, algorithms: next.algorithms! });
  }

  /** The old IKE SA is ending while a rivalry was open: the peer's successor takes over. */
  tookOver(now: Instant): boolean {
    const rival = this.#rival;
    if (rival === undefined) return false;
    this.#takeOver(rival.sa, now);
    return true;
  }
}

/** What we offer and take for an IKE SA. */
export function ikeOffers(sa: IkeSa): readonly Offer[] {
  const { crypto } = sa.station;
  // Additional key exchanges would need IKE_FOLLOWUP_KE; what the first ones gave stays in SK_d (RFC 9370 §2.2.4).
  return (sa.connection?.proposals ?? defaultIkeProposals).map((offer) =>
    offer.filter((each) => each.type < Transform.ADDKE1 && canTransform(crypto, each)),
  );
}
