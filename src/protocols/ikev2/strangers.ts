import { DecodeError, toHex } from "../../bytes/index.js";
import type { Instant } from "../../contract/index.js";
import { canTransform } from "./algorithms.js";
import { Cookies } from "./cookies.js";
import type { IkeConnection } from "./interfaces.js";
import { initialKeys } from "./keys.js";
import { cookieThreshold, halfOpenMax, halfOpenPerAddressMax, ikeSasMax } from "./limits.js";
import { choose, defaultIkeProposals, ikeAlgorithms, type Offer, proposalsOf } from "./proposals.js";
import { redirectData } from "./redirect.js";
import { IkeSa } from "./sa/ike-sa.js";
import { announcements, answerExchange, detectNat, invalidGroup, natDetection, newNonce } from "./sa/init.js";
import { certificateRequest } from "./sa/initiator.js";
import type { Path } from "./sa/request.js";
import { ResponderOpening } from "./sa/responder.js";
import { readHashes } from "./signatures.js";
import type { Station } from "./station.js";
import { find, notified, notify } from "./wire/find.js";
import { clearMessage, type Header, headerSize, spiSize } from "./wire/header.js";
import { Exchange, Notify, Protocol } from "./wire/numbers.js";
import { type Payload, readChain, writeChain } from "./wire/payloads.js";

/** First messages of strangers (RFC 7296 §1.2, §2.6): what is kept of them is bounded, and under load nothing is. */
export class Strangers {
  readonly #station: Station;
  readonly #cookies: Cookies;
  /** By their first message and where it came from, until their peers have proved who they are: to answer it when it comes again. */
  readonly #halfOpen = new Map<string, IkeSa>();

  constructor(station: Station) {
    this.#station = station;
    this.#cookies = new Cookies(station);
  }

  /** A request of IKE_SA_INIT, in the clear. */
  receive(message: Uint8Array, header: Header, path: Path, now: Instant): void {
    const station = this.#station;
    const { spiInitiator, messageId, spiResponder } = header;
    if (messageId !== 0 || spiResponder.some((byte) => byte !== 0)) return void station.drop("malformed");
    let payloads: readonly Payload[];
    try {
      const chain = readChain(message, headerSize, header.nextPayload);
      if (chain.sealed !== undefined) return void station.drop("malformed");
      payloads = chain.payloads;
    } catch (error) {
      if (error instanceof DecodeError) return void station.drop("malformed");
      throw error;
    }
    const [offered, share, nonce] = [find(payloads, "SA"), find(payloads, "KE"), find(payloads, "Nonce")];
    if (offered === undefined || share === undefined || nonce === undefined) return void station.drop("malformed");
    this.#forgetSettled();
    const digest = station.crypto.hash("SHA-256").digest(message);
    const key = `${toHex(digest)}/${path.remote.address}/${path.remote.port}`;
    const known = this.#halfOpen.get(key);
    if (known !== undefined) return void known.responses.repeat(path);
    const answer = (payload: Payload): void => this.#answer(header, [payload], path, now);
    const cookie = notified(payloads, Notify.COOKIE)?.data;
    const { address } = path.remote;
    if (this.#wantsCookie() && !(cookie && this.#cookies.isGood(cookie, nonce.nonce, path.remote, spiInitiator, now))) {
      station.drop("cookie-wanted");
      return void answer(
        notify(Notify.COOKIE, { data: this.#cookies.make(nonce.nonce, path.remote, spiInitiator, now) }),
      );
    }
    const limits = station.config.limits ?? {};
    const perAddress = [...this.#halfOpen.values()].filter((sa) => sa.path.remote.address === address).length;
    if (perAddress >= (limits.halfOpenPerAddressMax ?? halfOpenPerAddressMax)) return void station.drop("rate-limited");
    const isFull = this.#halfOpen.size >= (limits.halfOpenMax ?? halfOpenMax);
    if (isFull || station.sas.size >= (limits.ikeSasMax ?? ikeSasMax)) return void station.drop("half-open-full");
    const candidates = station.config.connections.filter((each) => isFor(each, path));
    const takesRedirects = [Notify.REDIRECT_SUPPORTED, Notify.REDIRECTED_FROM].some((type) => notified(payloads, type));
    const to = candidates.find(({ redirectTo }) => redirectTo !== undefined)?.redirectTo;
    if (to !== undefined && takesRedirects)
      return void answer(notify(Notify.REDIRECT, { data: redirectData(to, nonce.nonce) }));
    const offers = this.#offers(candidates, notified(payloads, Notify.INTERMEDIATE_EXCHANGE_SUPPORTED) !== undefined);
    const chosen = choose(offered.proposals, offers, Protocol.IKE, 0);
    const algorithms = chosen && ikeAlgorithms(chosen.transforms);
    if (chosen === undefined || algorithms === undefined) return void answer(notify(Notify.NO_PROPOSAL_CHOSEN));
    if (share.group !== algorithms.group) return void answer(invalidGroup(algorithms.group));
    const exchanged = answerExchange(station, share);
    if (exchanged === undefined) return void answer(notify(Notify.INVALID_SYNTAX));

    const sa = new IkeSa(
      station,
      {
        isInitiator: false,
        isOriginator: false,
        spiInitiator: spiInitiator.slice(),
        spiResponder: station.newIkeSpi(),
        path: { ...path, remote: { ...path.remote } },
        connection: undefined,
        handle: station.newHandle(),
      },
      now,
    );
    const opening = new ResponderOpening(sa, candidates);
    sa.opening = opening;
    sa.fragments =
      candidates.some(({ fragmentation }) => fragmentation !== false) &&
      notified(payloads, Notify.IKEV2_FRAGMENTATION_SUPPORTED) !== undefined;
    const { authentication } = opening;
    const { transcript } = authentication;
    authentication.hashes = readHashes(notified(payloads, Notify.SIGNATURE_HASH_ALGORITHMS)?.data ?? new Uint8Array(0));
    const own = newNonce(station);
    transcript.messageInitiator = message.slice();
    transcript.nonceInitiator = nonce.nonce.slice();
    transcript.nonceResponder = own;
    station.traceMessage("received", now, Exchange.IKE_SA_INIT, 0, false, path.remote, payloads);
    detectNat(sa, payloads, path, new Uint8Array(spiSize));
    // What is said of NATs depends on the connection, which only its peer's identity will tell.
    const isHonest = candidates.every(({ encapsulation }) => encapsulation === "when-nat");
    sa.connection = isHonest ? candidates[0] : undefined;
    const nat = natDetection(sa, sa.spiResponder);
    sa.connection = undefined;
    const [proposal] = proposalsOf([chosen.transforms], Protocol.IKE, new Uint8Array(0));
    const parts: readonly Payload[] = [
      { kind: "SA", proposals: [{ ...proposal!, number: chosen.number }] },
      exchanged.payload,
      { kind: "Nonce", nonce: own },
      ...nat,
      ...announcements(candidates),
      ...candidates.flatMap(({ remoteAuthentication }) => certificateRequest(remoteAuthentication)).slice(0, 1),
      ...(candidates.every(({ children }) => children.length === 0) ? [notify(Notify.CHILDLESS_IKEV2_SUPPORTED)] : []),
    ];
    transcript.messageResponder = clearOf(header, sa.spiResponder, parts);
    sa.protect(algorithms, initialKeys(station.crypto, algorithms, exchanged.secret, opening.ingredients()));
    exchanged.secret.wipe();
    this.#halfOpen.set(key, sa);
    sa.responses.finishClear(transcript.messageResponder, path);
  }

  clear(): void {
    this.#halfOpen.clear();
  }

  #wantsCookie(): boolean {
    const { cookies = "under-load", limits = {} } = this.#station.config;
    return (
      cookies === "always" ||
      (cookies === "under-load" && this.#halfOpen.size >= (limits.cookieThreshold ?? cookieThreshold))
    );
  }

  #forgetSettled(): void {
    for (const [key, sa] of this.#halfOpen) if (sa.state !== "opening") this.#halfOpen.delete(key);
  }

  /** What all connections that may be meant would take; which one it is, only the peer's identity tells. */
  #offers(candidates: readonly IkeConnection[], takesIntermediate: boolean): readonly Offer[] {
    const { crypto } = this.#station;
    const lists = candidates.map(({ proposals = defaultIkeProposals }) => proposals);
    return [...new Set(lists.flat())].map((offer) =>
      offer.filter((each) => canTransform(crypto, each) && (takesIntermediate || each.type < 6 || each.id !== 0)),
    );
  }

  #answer(header: Header, payloads: readonly Payload[], path: Path, now: Instant): void {
    const message = clearOf(header, new Uint8Array(spiSize), payloads);
    this.#station.traceMessage("sent", now, header.exchange, 0, true, path.remote, payloads);
    this.#station.send({ message, ...path });
  }
}

const isFor = ({ remote }: IkeConnection, path: Path): boolean =>
  remote === undefined || remote.address === path.remote.address;

function clearOf({ spiInitiator }: Header, spiResponder: Uint8Array, payloads: readonly Payload[]): Uint8Array {
  const { first, bytes } = writeChain(payloads);
  const exchange = Exchange.IKE_SA_INIT;
  return clearMessage(
    { spiInitiator, spiResponder, nextPayload: first, exchange, isInitiator: false, isResponse: true, messageId: 0 },
    bytes,
  );
}
