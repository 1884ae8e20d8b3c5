import { parseAddress } from "../../../bytes/index.js";
import type { TrafficSelector } from "../../esp/index.js";
import { canTransform } from "../algorithms.js";
import type { IkeChild } from "../interfaces.js";
import {
  accepted,
  choose,
  defaultEspProposals,
  espAlgorithms,
  espSpiSize,
  type Offer,
  proposalsOf,
  withoutGroups,
} from "../proposals.js";
import { hostSelector, narrow, selector, within } from "../selectors.js";
import { find, notified, notify } from "../wire/find.js";
import { Notify, Protocol } from "../wire/numbers.js";
import type { Payload } from "../wire/payloads.js";
import { spiBytes, spiOf } from "./child.js";
import type { IkeSa } from "./ike-sa.js";
import type { Failed, Terms } from "./terms.js";

/** What we offer for ESP, as far as the provider computes it. The first child has no key exchange of its own. */
export function espOffers(sa: IkeSa, config: IkeChild, isFirst: boolean): readonly Offer[] {
  const { crypto } = sa.station;
  const offers = (config.proposals ?? defaultEspProposals).map((offer) =>
    offer.filter((each) => canTransform(crypto, each)),
  );
  return isFirst ? withoutGroups(offers) : offers;
}

/** The payloads that ask for a child: what protects it, what it is for, how it carries it. */
export function childOffer(
  config: IkeChild,
  offers: readonly Offer[],
  spiIn: number,
  between: { readonly local: readonly TrafficSelector[]; readonly remote: readonly TrafficSelector[] },
): { readonly mode: readonly Payload[]; readonly proposals: Payload; readonly selectors: readonly Payload[] } {
  return {
    mode: config.mode === "transport" ? [notify(Notify.USE_TRANSPORT_MODE)] : [],
    proposals: { kind: "SA", proposals: proposalsOf(offers, Protocol.ESP, spiBytes(spiIn)) },
    selectors: [
      { kind: "TSi", selectors: between.local },
      { kind: "TSr", selectors: between.remote },
    ],
  };
}

/** Our selectors with `dynamic` filled in: the address inside that was leased, else the one outside, else whatever the peer says. */
export function ourSelectors(sa: IkeSa, config: IkeChild) {
  const leased = sa.addresses.map(hostSelector);
  const [own, theirs] = sa.isOriginator ? [leased, []] : [[], leased];
  const asks = (sa.isOriginator && sa.connection?.requestAddresses) || [];
  const whole = asks.map((family) => selector(family === 4 ? "0.0.0.0/0" : "::/0"));
  return {
    local: fill(config.local, own.length > 0 ? own : whole.length > 0 ? whole : outside(sa.path.local?.address)),
    remote: fill(config.remote, theirs.length > 0 ? theirs : outside(sa.path.remote.address)),
  };
}

const fill = (wanted: IkeChild["local"], dynamic: readonly TrafficSelector[]): readonly TrafficSelector[] =>
  wanted.flatMap((each) => (each === "dynamic" ? dynamic : [each]));

function outside(address: string | undefined): readonly TrafficSelector[] {
  const bytes = address === undefined ? undefined : parseAddress(address);
  if (bytes?.some((byte) => byte !== 0)) return [hostSelector(bytes)];
  return [selector("0.0.0.0/0"), selector("::/0")];
}

/** What a responder's answer says that was agreed. */
export function readTerms(
  payloads: readonly Payload[],
  config: IkeChild,
  offers: readonly Offer[],
  asked: { readonly local: readonly TrafficSelector[]; readonly remote: readonly TrafficSelector[] },
): Terms | Failed {
  const chosen = accepted(find(payloads, "SA")?.proposals ?? [], offers, Protocol.ESP, espSpiSize);
  const esp = chosen && espAlgorithms(chosen.transforms);
  if (chosen === undefined || esp === undefined) return { failed: "no-proposal-chosen", at: "SA" };
  const local = find(payloads, "TSi")?.selectors ?? [];
  const remote = find(payloads, "TSr")?.selectors ?? [];
  if (!within(local, asked.local) || !within(remote, asked.remote)) return { failed: "ts-unacceptable", at: "TSi" };
  const isTransport = notified(payloads, Notify.USE_TRANSPORT_MODE) !== undefined;
  const mode = isTransport && config.mode === "transport" ? "transport" : "tunnel";
  if (mode !== (config.mode ?? "tunnel")) return { failed: "no-proposal-chosen", at: "USE_TRANSPORT_MODE" };
  return {
    ...esp,
    spiOut: spiOf(chosen.spi),
    number: chosen.number,
    transforms: chosen.transforms,
    local,
    remote,
    mode,
  };
}

/** What of a peer's wish we agree to, and which child of ours it is. */
export function meetTerms(
  sa: IkeSa,
  payloads: readonly Payload[],
  isFirst: boolean,
  only:
    | {
        readonly config: IkeChild;
        readonly local: readonly TrafficSelector[];
        readonly remote: readonly TrafficSelector[];
      }
    | undefined,
): (Terms & { readonly config: IkeChild }) | Failed {
  const offered = find(payloads, "SA")?.proposals ?? [];
  const theirs = find(payloads, "TSi")?.selectors ?? [];
  const ours = find(payloads, "TSr")?.selectors ?? [];
  const wantsTransport = notified(payloads, Notify.USE_TRANSPORT_MODE) !== undefined;
  let failed: Failed = { failed: "ts-unacceptable", at: "TSi" };
  for (const config of only === undefined ? (sa.connection?.children ?? []) : [only.config]) {
    if (config.mode === "transport" && !wantsTransport) continue;
    const between = only ?? ourSelectors(sa, config);
    const local = narrow(ours, between.local);
    const remote = narrow(theirs, between.remote);
    if (local.length === 0 || remote.length === 0) continue;
    const chosen = choose(offered, espOffers(sa, config, isFirst), Protocol.ESP, espSpiSize);
    const esp = chosen && espAlgorithms(chosen.transforms);
    if (chosen === undefined || esp === undefined) {
      failed = { failed: "no-proposal-chosen", at: "SA" };
      continue;
    }
    const mode = config.mode ?? "tunnel";
    return {
      ...esp,
      config,
      spiOut: spiOf(chosen.spi),
      number: chosen.number,
      transforms: chosen.transforms,
      local,
      remote,
      mode,
    };
  }
  return failed;
}
