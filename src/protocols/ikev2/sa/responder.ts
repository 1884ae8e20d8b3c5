import type { Instant, PeerIdentity, Secret } from "../../../contract/index.js";
import type { IkeAlgorithms } from "../algorithms.js";
import { failure, type IkeFailure } from "../failure.js";
import { type IkeId, idText, sameId } from "../identity.js";
import type { EapAnswer, IkeConnection } from "../interfaces.js";
import { furtherKeys, type IkeKeys, type Ingredients, mixPpk } from "../keys.js";
import { eapRoundsMax } from "../limits.js";
import { find, notified, notify } from "../wire/find.js";
import type { Header } from "../wire/header.js";
import { AuthMethod, CertEncoding, Exchange, Notify } from "../wire/numbers.js";
import type { Payload, PayloadOf } from "../wire/payloads.js";
import { Authentication } from "./authentication.js";
import { answerConfiguration } from "./configuration.js";
import type { IkeSa } from "./ike-sa.js";
import { answerExchange } from "./init.js";
import { readPpkIdentity } from "./initiator.js";
import type { Opening } from "./opening.js";

/** A responder's way to an established IKE SA, from its answer to IKE_SA_INIT on. */
export class ResponderOpening implements Opening {
  readonly #sa: IkeSa;
  readonly authentication: Authentication;
  readonly #candidates: readonly IkeConnection[];
  /** Additional key exchanges that are done. */
  #done = 0;
  /** The first request of IKE_AUTH: what the peer wants is in it, even if EAP goes on. */
  #first: readonly Payload[] = [];
  #idr: PayloadOf<"IDr"> | undefined;
  #peer: PeerIdentity | undefined;
  #eap: { rounds: number; msk?: Secret | undefined; isOver: boolean } | undefined;
  #usedPpk = false;

  constructor(sa: IkeSa, candidates: readonly IkeConnection[]) {
    this.#sa = sa;
    this.authentication = new Authentication(sa);
    this.#candidates = candidates;
  }

  ingredients(): Ingredients {
    const { nonceInitiator, nonceResponder } = this.authentication.transcript;
    const { spiInitiator, spiResponder } = this.#sa;
    return { nonceInitiator, nonceResponder, spiInitiator, spiResponder };
  }

  /** The machine answers IKE_SA_INIT again itself. */
  clear(): void {
    this.#sa.station.drop("unexpected-exchange");
  }

  cover(header: Header, first: number, inner: Uint8Array): void {
    const { prf, transcript } = this.authentication;
    const keys = this.#sa.keys!;
    transcript.cover(
      prf,
      (header.isInitiator ? keys.initiator : keys.responder).identity.expose(),
      header,
      first,
      inner,
    );
  }

  requested(exchange: number, payloads: readonly Payload[], now: Instant): void {
    const { additional } = this.#sa.algorithms!;
    if (exchange === Exchange.IKE_INTERMEDIATE && this.#done < additional.length)
      return void this.#intermediate(payloads, now);
    if (exchange === Exchange.IKE_AUTH && this.#done === additional.length)
      return void this.#authenticate(payloads, now);
    this.#sa.station.drop("unexpected-exchange");
    if (exchange === Exchange.INFORMATIONAL) {
      // It gave up on us, and says why.
      this.#sa.respond([], now);
      return void this.#sa.end(
        failure("closed-by-peer", "the peer does not believe us", { at: "INFORMATIONAL", byPeer: true }),
        now,
      );
    }
    this.#refuse(notify(Notify.INVALID_SYNTAX), failure("unexpected-payload", "an exchange out of its order"), now);
  }

  #intermediate(payloads: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const algorithms = sa.algorithms as IkeAlgorithms;
    const share = find(payloads, "KE");
    const exchanged =
      share?.group === algorithms.additional[this.#done] && share ? answerExchange(sa.station, share) : undefined;
    if (exchanged === undefined) {
      return void this.#refuse(
        notify(Notify.INVALID_SYNTAX),
        failure("invalid-ke-payload", "a key share that is none"),
        now,
      );
    }
    this.#done++;
    const before = { derivation: sa.keys!.derivation, prf: algorithms.prf };
    const keys = furtherKeys(sa.station.crypto, algorithms, before, exchanged.secret, this.ingredients());
    exchanged.secret.wipe();
    // The answer still goes under the keys that the question came under (RFC 9370 §2.2.2).
    sa.respond([exchanged.payload], now);
    sa.protect(algorithms, keys);
  }

  // ------------------------------------------------------------------------------------------------------------ IKE_AUTH

  #authenticate(payloads: readonly Payload[], now: Instant): void {
    if (this.#eap !== undefined) return void this.#converse(payloads, now);
    const sa = this.#sa;
    const id = find(payloads, "IDi");
    const auth = find(payloads, "AUTH");
    if (id === undefined) {
      return void this.#refuse(
        notify(Notify.INVALID_SYNTAX),
        failure("unexpected-payload", "no IDi", { at: "IDi" }),
        now,
      );
    }
    const connection = this.#candidates.find((each) => fits(each, id, find(payloads, "IDr"), auth));
    if (connection === undefined) {
      return void this.#deny(failure("wrong-identity", `nobody here is for ${idText(id)}`, { at: "IDi" }), now);
    }
    sa.connection = connection;
    sa.remoteId = { type: id.type, data: id.data.slice() };
    sa.fragments &&= connection.fragmentation !== false;
    this.#first = payloads;
    this.#idr = { kind: "IDr", ...connection.localId };
    const { remoteAuthentication: how } = connection;
    if (how.kind === "eap" || auth === undefined) {
      this.#eap = { rounds: 0, isOver: false };
      return void this.#prove([], (proof, at) => this.#turn(undefined, proof, at), now);
    }
    const checked = this.#withPpk(payloads, auth, connection);
    if (checked === undefined) {
      return void this.#deny(
        failure("authentication-failed", "no post-quantum pre-shared key that both have", { at: "PPK_IDENTITY" }),
        now,
      );
    }
    this.authentication.check(id, payloads, checked, how, now, (peer, at) => {
      if (sa.state === "dead") return;
      if (!("kind" in peer)) return this.#deny(peer, at);
      this.#peer = peer;
      this.#finish(at);
    });
  }

  /** Mixes the PPK in that the peer names (RFC 8784 §3). Answers the proof that then counts; undefined if none may. */
  #withPpk(
    payloads: readonly Payload[],
    auth: PayloadOf<"AUTH">,
    { ppk }: IkeConnection,
  ): PayloadOf<"AUTH"> | undefined {
    const sa = this.#sa;
    const named = notified(payloads, Notify.PPK_IDENTITY)?.data;
    if (named === undefined) return ppk?.isRequired === true ? undefined : auth;
    if (ppk !== undefined && readPpkIdentity(named) === ppk.id) {
      const plain = sa.keys as IkeKeys;
      sa.keys = mixPpk(sa.station.crypto, sa.algorithms!, plain, ppk.secret);
      this.#usedPpk = true;
      return auth;
    }
    const without = notified(payloads, Notify.NO_PPK_AUTH)?.data;
    return without === undefined || ppk?.isRequired === true ? undefined : { ...auth, data: without };
  }

  /** Our own proof, with the certificates behind it. */
  #prove(more: readonly Payload[], proved: (payloads: readonly Payload[], now: Instant) => void, now: Instant): void {
    const sa = this.#sa;
    const { local } = sa.connection!;
    if (local.kind === "eap") {
      return void this.#deny(failure("bad-configuration", "a responder does not prove itself by EAP here"), now);
    }
    const certificates = local.kind === "certificate" ? local.identity.certificates : [];
    this.authentication.prove(this.#idr!, local, now, (auth, at) => {
      if (sa.state === "dead") return;
      if (!("kind" in auth)) return this.#deny(auth, at);
      const shown = certificates.map(
        (certificate): Payload => ({ kind: "CERT", encoding: CertEncoding.x509Signature, certificate }),
      );
      proved([this.#idr!, ...shown, auth, ...more], at);
    });
  }

  // ----------------------------------------------------------------------------------------------------------------- EAP

  #converse(payloads: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const eap = this.#eap!;
    if (eap.isOver) {
      const id = { kind: "IDi", ...sa.remoteId! } as const;
      if (!this.authentication.checkByKey(id, eap.msk, find(payloads, "AUTH"))) {
        return void this.#deny(
          failure("authentication-failed", "the peer does not know the key that EAP made", { at: "AUTH" }),
          now,
        );
      }
      const proof = this.authentication.proveByKey(this.#idr!, eap.msk);
      eap.msk?.wipe();
      this.#peer = { kind: "pre-shared-key", identity: sa.remoteId!.data };
      return void this.#answer([proof], now);
    }
    const packet = find(payloads, "EAP")?.message;
    if (packet === undefined || ++eap.rounds > eapRoundsMax) {
      return void this.#deny(failure("unexpected-payload", "no EAP packet, or too many", { at: "EAP" }), now);
    }
    this.#turn(packet.slice(), [], now);
  }

  #turn(packet: Uint8Array | undefined, before: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const turn = {
      connection: sa.connection!.name,
      ike: sa.handle,
      role: "authenticator",
      packet,
      id: sa.remoteId!,
    } as const;
    sa.station.ask("eap", turn, now, (answer: EapAnswer | undefined, at) => {
      if (sa.state === "dead") return;
      if (answer?.packet === undefined)
        return this.#deny(failure("eap-failed", "our own module says no", { at: "EAP" }), at);
      const message: Payload = { kind: "EAP", message: answer.packet };
      if (answer.outcome === "failure") {
        return this.#refuse(
          message,
          failure("eap-failed", `${idText(sa.remoteId!)} did not prove itself`, { at: "EAP" }),
          at,
        );
      }
      if (answer.outcome === "success") Object.assign(this.#eap!, { isOver: true, msk: answer.msk });
      sa.respond([...before, message], at);
    });
  }

  // ------------------------------------------------------------------------------------------------------------ outcomes

  #finish(now: Instant): void {
    this.#prove([], (proof, at) => this.#answer(proof, at), now);
  }

  #answer(proof: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const { station, handle } = sa;
    const connection = sa.connection!;
    const wanted = this.#first;
    const given = answerConfiguration(sa, wanted);
    sa.mobike = connection.mobike !== false && notified(wanted, Notify.MOBIKE_SUPPORTED) !== undefined;
    if (sa.responses.path !== undefined) sa.path = sa.responses.path;
    sa.establish(now);
    station.trace("established", now, { ike: handle, connection: connection.name });
    if (notified(wanted, Notify.INITIAL_CONTACT)) this.#forgetOthers(now);
    station.events.push({
      kind: "established",
      ike: handle,
      connection: connection.name,
      isInitiator: false,
      remoteId: sa.remoteId!,
      peer: this.#peer!,
      algorithms: sa.algorithms!,
      remote: sa.path.remote,
    });
    if (given !== undefined && given !== "no-address") {
      const addresses = sa.addresses.map((address) => ({ address, length: 8 * address.length }));
      station.events.push({
        kind: "configured",
        ike: handle,
        addresses,
        dns: connection.dns ?? [],
        domains: connection.domains ?? [],
      });
    }
    const { nonceInitiator, nonceResponder } = this.authentication.transcript;
    const wantsChild = find(wanted, "SA") !== undefined;
    const child =
      given === "no-address"
        ? [notify(Notify.INTERNAL_ADDRESS_FAILURE)]
        : wantsChild
          ? sa.children.answerFirst(wanted, { nonceInitiator, nonceResponder }, now)
          : [];
    sa.respond(
      [
        ...proof,
        ...(given === undefined || given === "no-address" ? [] : [given]),
        ...child,
        ...(sa.mobike ? [notify(Notify.MOBIKE_SUPPORTED)] : []),
        ...(this.#usedPpk ? [notify(Notify.PPK_IDENTITY)] : []),
      ],
      now,
    );
  }

  /** The peer has no other IKE SA with us (RFC 7296 §2.4): what we have of it is left from before it fell. */
  #forgetOthers(now: Instant): void {
    const sa = this.#sa;
    for (const other of [...sa.station.sas.values()]) {
      if (other === sa || other.state !== "established" || other.connection !== sa.connection) continue;
      if (other.remoteId !== undefined && sameId(other.remoteId, sa.remoteId!)) {
        other.end(failure("closed-by-peer", "the peer began anew", { at: "INITIAL_CONTACT", byPeer: true }), now);
      }
    }
  }

  #deny(why: IkeFailure, now: Instant): void {
    this.#refuse(notify(Notify.AUTHENTICATION_FAILED), why, now);
  }

  /** A stranger is told as little as the specification has; the application is told why. */
  #refuse(payload: Payload, why: IkeFailure, now: Instant): void {
    const sa = this.#sa;
    sa.respond([payload], now);
    sa.end(why, now);
  }
}

/** Is this connection for who the peer says it is, for whom it wants, and for how it proves itself? */
function fits(each: IkeConnection, id: IkeId, wanted: IkeId | undefined, auth: PayloadOf<"AUTH"> | undefined): boolean {
  if (each.remoteId !== undefined && !sameId(each.remoteId, id)) return false;
  if (wanted !== undefined && !sameId(each.localId, wanted)) return false;
  switch (each.remoteAuthentication.kind) {
    case "psk":
      return auth?.method === AuthMethod.sharedKey;
    case "certificate":
      return auth !== undefined && auth.method !== AuthMethod.sharedKey;
    case "eap":
      return auth === undefined;
  }
}
