import type { Instant, Secret } from "../../../contract/index.js";
import type { TrafficSelector } from "../../esp/index.js";
import { failure, type IkeFailure } from "../failure.js";
import type { IkeChild, IkeStatus } from "../interfaces.js";
import { childKeys } from "../keys.js";
import { childLifetimeSecondsDefault, childrenMax, temporaryFailureMs, temporaryFailuresMax } from "../limits.js";
import { groupsOf, type Offer, proposalsOf } from "../proposals.js";
import { refusal } from "../refusal.js";
import { find, notified, notify } from "../wire/find.js";
import { Exchange, Notify, Protocol } from "../wire/numbers.js";
import type { Payload, PayloadOf } from "../wire/payloads.js";
import { type Child, compareNonces, lowerNonce, spiBytes, spiOf } from "./child.js";
import { childOffer, espOffers, meetTerms, ourSelectors, readTerms } from "./child-offer.js";
import type { IkeSa } from "./ike-sa.js";
import {
  answerExchange,
  beginExchange,
  concludeExchange,
  type Half,
  invalidGroup,
  newNonce,
  wantedGroup,
} from "./init.js";
import { type Failed, type Terms, tellFailed } from "./terms.js";

/** Nonces of the exchange that made a child, by who asked for it. */
interface Nonces {
  readonly nonceInitiator: Uint8Array;
  readonly nonceResponder: Uint8Array;
}

/** What we asked for, until it is answered. */
export interface Wish {
  readonly config: IkeChild;
  readonly spiIn: number;
  readonly offers: readonly Offer[];
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
}

/** The Child SAs of an IKE SA: made, renewed and ended by CREATE_CHILD_SA and INFORMATIONAL exchanges (RFC 7296 §1.3, §2.8). */
export class Children {
  readonly #sa: IkeSa;
  /** By the SPI that we receive by. */
  #children = new Map<number, Child>();
  /** Exchanges of ours about children, which a peer that rekeys the IKE SA must wait for (§2.25.2). */
  #exchanging = 0;

  constructor(sa: IkeSa) {
    this.#sa = sa;
  }

  get isExchanging(): boolean {
    return this.#exchanging > 0;
  }

  get(spiIn: number): Child | undefined {
    return this.#children.get(spiIn);
  }

  spis(): readonly number[] {
    return [...this.#children.keys()];
  }

  status(): IkeStatus["children"] {
    return [...this.#children.values()].map(({ name, spiIn, spiOut }) => ({ name, spiIn, spiOut }));
  }

  // ------------------------------------------------------------------------------------------------------------- wishes

  /** A wish for a child, with an SPI of its own. */
  wish(config: IkeChild, isFirst: boolean, like?: Child): Wish {
    const { local, remote } = like ?? ourSelectors(this.#sa, config);
    const spiIn = this.#sa.station.newChildSpi(this.#sa);
    return { config, spiIn, offers: espOffers(this.#sa, config, isFirst), local, remote };
  }

  /** It will not be. */
  forget({ spiIn }: Pick<Wish, "spiIn">): void {
    if (!this.#children.has(spiIn)) this.#sa.station.children.delete(spiIn);
  }

  offer(wish: Wish): ReturnType<typeof childOffer> {
    return childOffer(wish.config, wish.offers, wish.spiIn, wish);
  }

  failed(name: string, why: IkeFailure): void {
    const { station, handle } = this.#sa;
    station.events.push({ kind: "child-failed", ike: handle, name, failure: why });
  }

  /** The answer to a wish in IKE_AUTH, with the IKE SA's own nonces. */
  agreed(wish: Wish, payloads: readonly Payload[], nonces: Nonces, now: Instant): void {
    const error = refusal(payloads);
    // By now the address that `dynamic` means may have been told.
    const asked = { local: [...wish.local, ...ourSelectors(this.#sa, wish.config).local], remote: wish.remote };
    const terms = error ?? readTerms(payloads, wish.config, wish.offers, asked);
    if ("algorithms" in terms) {
      this.#install(wish.config, wish.spiIn, terms, nonces, undefined, true, undefined, now);
      return;
    }
    this.forget(wish);
    this.failed(wish.config.name, "failed" in terms ? termsFailure(terms) : terms);
    // The responder may have it, in whatever way we do not want it.
    if ("failed" in terms) this.#deleteUnknown(payloads, wish, now);
  }

  #deleteUnknown(payloads: readonly Payload[], { spiIn }: Wish, now: Instant): void {
    if (find(payloads, "SA") === undefined) return;
    const body = { kind: "D", protocol: Protocol.ESP, spis: [spiBytes(spiIn)] } as const;
    this.#sa.requests.add({ exchange: Exchange.INFORMATIONAL, begin: () => [body], responded: () => undefined }, now);
  }

  /** A peer's wish in IKE_AUTH: our answer's payloads. */
  answerFirst(payloads: readonly Payload[], nonces: Nonces, now: Instant): readonly Payload[] {
    const terms = meetTerms(this.#sa, payloads, true, undefined);
    if ("failed" in terms) {
      this.failed("", termsFailure(terms));
      return [tellFailed(terms)];
    }
    const spiIn = this.#sa.station.newChildSpi(this.#sa);
    this.#install(terms.config, spiIn, terms, nonces, undefined, false, undefined, now);
    return answerPayloads(terms, spiIn, []);
  }

  // ----------------------------------------------------------------------------------------------------------- requests

  /** Makes a child of this kind. */
  create(config: IkeChild, now: Instant): void {
    this.#ask(config, undefined, undefined, 0, now);
  }

  /** A successor for this child (§2.8). */
  rekey(spiIn: number, now: Instant): void {
    const child = this.#children.get(spiIn);
    if (child === undefined || child.state !== "installed") return;
    child.state = "rekeying";
    this.#ask(child.config, child, undefined, 0, now);
  }

  #ask(config: IkeChild, old: Child | undefined, group: number | undefined, tries: number, now: Instant): void {
    const sa = this.#sa;
    let wish: Wish | undefined;
    let half: Half | undefined;
    let nonce: Uint8Array | undefined;
    sa.requests.add(
      {
        exchange: Exchange.CREATE_CHILD_SA,
        begin: () => {
          // In the meantime the peer may have rekeyed or deleted it, and the application may have one already.
          if (old !== undefined && (this.#children.get(old.spiIn) !== old || old.state !== "rekeying"))
            return undefined;
          if (sa.state !== "established" || this.#children.size >= childrenMax) return undefined;
          wish = this.wish(config, false, old);
          nonce = newNonce(sa.station);
          const wanted = group ?? groupsOf(wish.offers)[0];
          half = wanted === undefined ? undefined : beginExchange(sa.station, wanted);
          this.#exchanging++;
          const { mode, proposals, selectors } = this.offer(wish);
          const replaces = old && notify(Notify.REKEY_SA, { protocol: Protocol.ESP, spi: spiBytes(old.spiIn) });
          return [
            ...(replaces ? [replaces] : []),
            ...mode,
            proposals,
            { kind: "Nonce", nonce },
            ...(half ? [half.payload] : []),
            ...selectors,
          ];
        },
        responded: (payloads, at) => {
          this.#exchanging--;
          this.#answered({ config, old, tries, wish: wish!, half, nonce: nonce! }, payloads, at);
        },
      },
      now,
    );
  }

  #answered(asked: Asked, payloads: readonly Payload[], now: Instant): void {
    const { config, old, tries, wish, half, nonce } = asked;
    const sa = this.#sa;
    const error = refusal(payloads);
    if (error !== undefined) {
      half?.privateKey.wipe();
      this.forget(wish);
      if (old !== undefined && takesOver(old)) return;
      const group = wantedGroup(payloads);
      if (group !== undefined && groupsOf(wish.offers).includes(group) && tries < 1) {
        return void this.#ask(config, old, group, tries + 1, now);
      }
      if (error.at === "TEMPORARY_FAILURE" && tries < temporaryFailuresMax) {
        const [random] = sa.station.entropy.fill(new Uint8Array(1));
        return void this.#askLater(asked, now + temporaryFailureMs * (1 + random! / 256));
      }
      // The peer has it no more: so it is gone, and may be made anew.
      if (error.at === "CHILD_SA_NOT_FOUND" && old !== undefined) {
        this.#remove(old);
        return void this.create(config, now);
      }
      if (old?.state === "rekeying") old.state = "installed";
      return void this.failed(config.name, error);
    }
    const terms = readTerms(payloads, config, wish.offers, wish);
    const theirs = find(payloads, "Nonce");
    const share = find(payloads, "KE");
    const isExchanged = !("failed" in terms) && terms.group !== undefined;
    const secret = isExchanged && half && share ? concludeExchange(sa.station.crypto, half, share) : undefined;
    half?.privateKey.wipe();
    if ("failed" in terms || theirs === undefined || (isExchanged && secret === undefined)) {
      this.forget(wish);
      if (old?.state === "rekeying") old.state = "installed";
      this.failed(config.name, "failed" in terms ? termsFailure(terms) : badAnswer());
      return void this.#deleteUnknown(payloads, wish, now);
    }
    const nonces = { nonceInitiator: nonce, nonceResponder: theirs.nonce };
    const child = this.#install(config, wish.spiIn, terms, nonces, secret, true, old, now);
    if (old !== undefined) this.#settle(old, child, lowerNonce(nonce, theirs.nonce), now);
  }

  #askLater({ config, old, tries }: Asked, at: Instant): void {
    const again = { exchange: Exchange.CREATE_CHILD_SA, responded: () => undefined };
    const begin = (now: Instant) => {
      this.#ask(config, old, undefined, tries + 1, now);
      return undefined;
    };
    this.#sa.requests.addLater({ ...again, begin }, at);
  }

  /** Both may have made a successor; the one with the lowest of four nonces is deleted by who asked for it (§2.8.1). */
  #settle(old: Child, ours: Child, lowest: Uint8Array, now: Instant): void {
    const { rival } = old;
    delete old.rival;
    if (rival !== undefined && compareNonces(lowest, rival.lowest) < 0) {
      old.state = "replaced";
      return void this.delete(ours.spiIn, now);
    }
    this.delete(old.spiIn, now);
  }

  /** Ends a child: the peer is told, and when it has answered the child is gone (§1.4.1). */
  delete(spiIn: number, now: Instant): void {
    const child = this.#children.get(spiIn);
    if (child === undefined || child.state === "deleting") return;
    child.state = "deleting";
    this.#sa.requests.add(
      {
        exchange: Exchange.INFORMATIONAL,
        begin: () =>
          this.#children.get(spiIn) === child
            ? [{ kind: "D", protocol: Protocol.ESP, spis: [spiBytes(spiIn)] }]
            : undefined,
        responded: () => this.#remove(child),
      },
      now,
    );
  }

  // ---------------------------------------------------------------------------------------------------------- responses

  /** A peer's CREATE_CHILD_SA: a child, a successor of one, or one of the IKE SA. */
  requested(payloads: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const offered = find(payloads, "SA")?.proposals[0]?.protocol;
    if (offered === Protocol.IKE) return void sa.renewal.requested(payloads, now);
    sa.respond(this.#answer(payloads, now), now);
  }

  #answer(payloads: readonly Payload[], now: Instant): readonly Payload[] {
    const sa = this.#sa;
    const nonce = find(payloads, "Nonce");
    if (nonce === undefined || find(payloads, "SA") === undefined) return [notify(Notify.INVALID_SYNTAX)];
    if (sa.state !== "established" || sa.renewal.isBusy) return [notify(Notify.TEMPORARY_FAILURE)];
    if (this.#children.size >= childrenMax) return [notify(Notify.NO_ADDITIONAL_SAS)];
    const rekeyed = notified(payloads, Notify.REKEY_SA);
    let old: Child | undefined;
    if (rekeyed !== undefined) {
      old = this.#byPeersSpi(rekeyed.spi ?? new Uint8Array(0));
      if (old === undefined)
        return [notify(Notify.CHILD_SA_NOT_FOUND, { protocol: Protocol.ESP, spi: rekeyed.spi!.slice() })];
      if (old.state === "deleting" || old.state === "replaced") return [notify(Notify.TEMPORARY_FAILURE)];
    }
    const terms = meetTerms(sa, payloads, false, old);
    if ("failed" in terms) return [tellFailed(terms)];
    const share = find(payloads, "KE");
    let exchanged: ReturnType<typeof answerExchange>;
    if (terms.group !== undefined) {
      if (share?.group !== terms.group) return [invalidGroup(terms.group)];
      exchanged = answerExchange(sa.station, share);
      if (exchanged === undefined) return [notify(Notify.INVALID_SYNTAX)];
    }
    const own = newNonce(sa.station);
    const spiIn = sa.station.newChildSpi(sa);
    const nonces = { nonceInitiator: nonce.nonce, nonceResponder: own };
    const wasRekeying = old?.state === "rekeying";
    const child = this.#install(terms.config, spiIn, terms, nonces, exchanged?.secret, false, old, now);
    if (old !== undefined) {
      if (wasRekeying) old.rival = { child, lowest: lowerNonce(nonce.nonce, own) };
      else old.state = "replaced";
    }
    return answerPayloads(terms, spiIn, [
      { kind: "Nonce", nonce: own },
      ...(exchanged === undefined ? [] : [exchanged.payload]),
    ]);
  }

  #byPeersSpi(spi: Uint8Array): Child | undefined {
    if (spi.length !== 4) return undefined;
    const wanted = spiOf(spi);
    for (const child of this.#children.values()) if (child.spiOut === wanted) return child;
    return undefined;
  }

  /** A peer's Delete for these: our own ends of them go too, unless we said so first (§1.4.1). */
  deleted({ spis }: PayloadOf<"D">): readonly Payload[] {
    const ours: Uint8Array[] = [];
    for (const spi of spis) {
      const child = this.#byPeersSpi(spi);
      if (child === undefined) continue;
      if (child.state !== "deleting") ours.push(spiBytes(child.spiIn));
      this.#remove(child);
    }
    return ours.length === 0 ? [] : [{ kind: "D", protocol: Protocol.ESP, spis: ours }];
  }

  // ----------------------------------------------------------------------------------------------------------- lifetimes

  #install(
    config: IkeChild,
    spiIn: number,
    terms: Terms,
    nonces: Nonces,
    shared: Secret | undefined,
    isAsker: boolean,
    old: Child | undefined,
    now: Instant,
  ): Child {
    const sa = this.#sa;
    const { station } = sa;
    const { algorithms, spiOut, local, remote, mode } = terms;
    const keys = childKeys(station.crypto, sa.algorithms!.prf, sa.keys!.derivation, algorithms, shared, nonces);
    shared?.wipe();
    const own = [local, remote].map((selectors) => selectors.map(ownSelector));
    const base = { name: config.name, config, spiIn, spiOut, algorithms, local: own[0]!, remote: own[1]!, mode };
    const child: Child = { ...base, state: "installed" };
    this.#children.set(spiIn, child);
    station.trace("child_established", now, { ike: sa.handle, name: config.name, spi_in: spiIn, spi_out: spiOut });
    const ends = mode === "transport" && { ends: { local: own[0]![0]!.start, remote: own[1]![0]!.start } };
    station.events.push({
      kind: "child",
      ike: sa.handle,
      name: config.name,
      pair: {
        spiIn,
        spiOut,
        algorithms,
        keysIn: isAsker ? keys.toInitiator : keys.toResponder,
        keysOut: isAsker ? keys.toResponder : keys.toInitiator,
        mode,
        local: own[0]!,
        remote: own[1]!,
        encapsulation: sa.nat.local || sa.nat.remote || sa.connection?.encapsulation !== "when-nat" ? "udp" : "none",
        peer: sa.path.remote,
        lifetime: config.lifetime ?? { soft: { seconds: childLifetimeSecondsDefault } },
        ...(ends || {}),
        ...(old !== undefined && { replaces: old.spiIn }),
        ...(!isAsker && old !== undefined && { begins: "when-received" as const }),
      },
    });
    return child;
  }

  #remove(child: Child): void {
    if (this.#children.get(child.spiIn) !== child) return;
    const { station, handle } = this.#sa;
    this.#children.delete(child.spiIn);
    station.children.delete(child.spiIn);
    station.events.push({ kind: "child-deleted", ike: handle, name: child.name, spiIn: child.spiIn });
  }

  /** Another IKE SA takes over from that one (§2.18). */
  inherit(from: Children): void {
    this.#children = from.#children;
    from.#children = new Map();
    for (const spiIn of this.#children.keys()) this.#sa.station.children.set(spiIn, this.#sa);
  }

  endAll(): void {
    for (const child of [...this.#children.values()]) this.#remove(child);
    const { children } = this.#sa.station;
    for (const [spiIn, owner] of children) if (owner === this.#sa) children.delete(spiIn);
  }
}

interface Asked {
  readonly config: IkeChild;
  readonly old: Child | undefined;
  readonly tries: number;
  readonly wish: Wish;
  readonly half: Half | undefined;
  readonly nonce: Uint8Array;
}

const ownSelector = (each: TrafficSelector): TrafficSelector => ({
  ...each,
  start: each.start.slice(),
  end: each.end.slice(),
});

const termsFailure = ({ failed, at }: Failed): IkeFailure =>
  failure(failed, failed === "ts-unacceptable" ? "no traffic that both want" : "no algorithms that both want", { at });

/** Our request came to nothing, but the peer's did not: that successor takes over. */
function takesOver(old: Child): boolean {
  if (old.rival === undefined) return false;
  delete old.rival;
  old.state = "replaced";
  return true;
}

const badAnswer = (): IkeFailure =>
  failure("unexpected-payload", "an answer without a nonce or key share", { at: "KE" });

/** SA, whatever stands between, and the selectors; with the mode, if it is transport. */
function answerPayloads(terms: Terms, spiIn: number, between: readonly Payload[]): readonly Payload[] {
  const { number, transforms, local, remote, mode } = terms;
  const [proposal] = proposalsOf([transforms], Protocol.ESP, spiBytes(spiIn));
  return [
    ...(mode === "transport" ? [notify(Notify.USE_TRANSPORT_MODE)] : []),
    { kind: "SA", proposals: [{ ...proposal!, number }] },
    ...between,
    { kind: "TSi", selectors: remote },
    { kind: "TSr", selectors: local },
  ];
}
