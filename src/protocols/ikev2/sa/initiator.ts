import { DecodeError, equal, parseAddress, Reader, utf8 } from "../../../bytes/index.js";
import type { Instant, PeerIdentity, Secret, SocketAddress } from "../../../contract/index.js";
import { canTransform, type IkeAlgorithms } from "../algorithms.js";
import { failure, type IkeFailure } from "../failure.js";
import { idText, sameId } from "../identity.js";
import type { EapAnswer, IkeConnection } from "../interfaces.js";
import { furtherKeys, type IkeKeys, type Ingredients, initialKeys, mixPpk } from "../keys.js";
import { eapRoundsMax, initRetriesMax, redirectsMax } from "../limits.js";
import { accepted, defaultIkeProposals, groupsOf, ikeAlgorithms, type Offer, proposalsOf } from "../proposals.js";
import { readRedirect } from "../redirect.js";
import { refusal } from "../refusal.js";
import { readHashes } from "../signatures.js";
import type { Station } from "../station.js";
import { find, notified, notify } from "../wire/find.js";
import { clearMessage, type Header, headerSize, spiSize } from "../wire/header.js";
import { CertEncoding, Exchange, Notify, Protocol } from "../wire/numbers.js";
import { type Payload, type PayloadOf, readChain, writeChain } from "../wire/payloads.js";
import { Authentication } from "./authentication.js";
import type { Wish } from "./children.js";
import { configurationRequest, readConfiguration } from "./configuration.js";
import { IkeSa } from "./ike-sa.js";
import {
  announcements,
  beginExchange,
  concludeExchange,
  detectNat,
  type Half,
  natDetection,
  newNonce,
  wantedGroup,
} from "./init.js";
import type { Opening } from "./opening.js";
import type { Path } from "./request.js";

/** Where an initiator was sent from, and how often. */
interface Redirected {
  readonly from: SocketAddress;
  readonly count: number;
}

/** Begins an IKE SA with a peer. */
export function connect(
  station: Station,
  connection: IkeConnection,
  remote: SocketAddress,
  now: Instant,
  more: { readonly handle?: number; readonly redirected?: Redirected } = {},
): IkeSa {
  const isMarked = connection.isMarked ?? remote.port !== 500;
  const role = {
    isInitiator: true,
    isOriginator: true,
    spiInitiator: station.newIkeSpi(),
    spiResponder: new Uint8Array(spiSize),
    path: { remote, local: undefined, isMarked },
    connection,
    handle: more.handle ?? station.newHandle(),
  };
  const sa = new IkeSa(station, role, now);
  const opening = new InitiatorOpening(sa, connection, more.redirected);
  sa.opening = opening;
  opening.begin(now);
  return sa;
}

/** A gateway sends us to another (RFC 5685 §3): the connection begins anew there, unless only a name is known, which the host looks up. */
export function redirect(sa: IkeSa, gateway: string | undefined, count: number, now: Instant): void {
  const { station, connection, handle, path } = sa;
  if (gateway === undefined || connection === undefined || connection.followRedirects === false) return;
  const why = failure("closed-locally", `the gateway sent us to ${gateway}`, { at: "REDIRECT" });
  if (count >= redirectsMax) {
    return void sa.end(
      failure("redirected-too-often", `${count} gateways in a row sent us on`, { at: "REDIRECT" }),
      now,
    );
  }
  station.events.push({ kind: "redirected", ike: handle, connection: connection.name, to: gateway });
  if (sa.state === "established") sa.informational.remove(now);
  sa.replace(now);
  sa.children.endAll();
  sa.end(why, now);
  if (parseAddress(gateway) === undefined) {
    station.events.push({ kind: "closed", ike: handle, connection: connection.name, failure: why });
    return;
  }
  const redirected = { from: path.remote, count: count + 1 };
  connect(station, connection, { ...path.remote, address: gateway }, now, { handle, redirected });
}

/** An initiator's way to an established IKE SA: IKE_SA_INIT, IKE_INTERMEDIATE, IKE_AUTH (RFC 7296 §1.2). */
class InitiatorOpening implements Opening {
  readonly #sa: IkeSa;
  readonly #connection: IkeConnection;
  readonly #authentication: Authentication;
  readonly #offers: readonly Offer[];
  readonly #nonce: Uint8Array;
  readonly #redirected: Redirected | undefined;
  readonly #id: PayloadOf<"IDi">;
  #half: Half;
  #cookie: Uint8Array | undefined;
  #retries = 0;
  #wish: Wish | undefined;
  #peer: { readonly identity: PeerIdentity; readonly id: PayloadOf<"IDr"> } | undefined;
  #eapRounds = 0;
  #plainKeys: IkeKeys | undefined;

  constructor(sa: IkeSa, connection: IkeConnection, redirected: Redirected | undefined) {
    this.#sa = sa;
    this.#connection = connection;
    this.#redirected = redirected;
    this.#authentication = new Authentication(sa);
    const { crypto } = sa.station;
    this.#offers = (connection.proposals ?? defaultIkeProposals).map((offer) =>
      offer.filter((each) => canTransform(crypto, each)),
    );
    this.#nonce = newNonce(sa.station);
    this.#half = beginExchange(sa.station, groupsOf(this.#offers)[0]!);
    this.#id = { kind: "IDi", ...connection.localId };
  }

  // --------------------------------------------------------------------------------------------------------- IKE_SA_INIT

  begin(now: Instant): void {
    const sa = this.#sa;
    const { spiInitiator } = sa;
    const from = this.#redirected?.from.address;
    const payloads: Payload[] = [
      ...(this.#cookie === undefined ? [] : [notify(Notify.COOKIE, { data: this.#cookie })]),
      { kind: "SA", proposals: proposalsOf(this.#offers, Protocol.IKE, new Uint8Array(0)) },
      this.#half.payload,
      { kind: "Nonce", nonce: this.#nonce },
      ...natDetection(sa, new Uint8Array(spiSize)),
      ...announcements([this.#connection]),
      ...(this.#connection.followRedirects === false
        ? []
        : [
            from === undefined
              ? notify(Notify.REDIRECT_SUPPORTED)
              : notify(Notify.REDIRECTED_FROM, { data: gatewayData(from) }),
          ]),
    ];
    const { first, bytes } = writeChain(payloads);
    const message = clearMessage(
      {
        spiInitiator,
        spiResponder: new Uint8Array(spiSize),
        nextPayload: first,
        exchange: Exchange.IKE_SA_INIT,
        isInitiator: true,
        isResponse: false,
        messageId: 0,
      },
      bytes,
    );
    this.#authentication.transcript.messageInitiator = message;
    this.#authentication.transcript.nonceInitiator = this.#nonce;
    sa.station.traceMessage("sent", now, Exchange.IKE_SA_INIT, 0, false, sa.path.remote, payloads);
    const begin = () => undefined;
    sa.requests.addClear({ exchange: Exchange.IKE_SA_INIT, begin, responded: () => undefined }, message, now);
  }

  clear(message: Uint8Array, header: Header, path: Path, now: Instant): void {
    const sa = this.#sa;
    const { station } = sa;
    if (!header.isResponse || header.isInitiator || !sa.requests.expects(0, Exchange.IKE_SA_INIT)) {
      return void station.drop("unexpected-response");
    }
    let payloads: readonly Payload[];
    try {
      payloads = readChain(message, headerSize, header.nextPayload).payloads;
    } catch (error) {
      if (error instanceof DecodeError) return void station.drop("malformed");
      throw error;
    }
    station.traceMessage("received", now, Exchange.IKE_SA_INIT, 0, true, path.remote, payloads);
    sa.requests.answered(() => this.#initAnswered(message, header, payloads, path, now), now);
  }

  #initAnswered(message: Uint8Array, header: Header, payloads: readonly Payload[], path: Path, now: Instant): void {
    const sa = this.#sa;
    const cookie = notified(payloads, Notify.COOKIE)?.data;
    const group = wantedGroup(payloads);
    if ((cookie !== undefined || group !== undefined) && ++this.#retries <= initRetriesMax) {
      if (cookie !== undefined && cookie.length <= 64) this.#cookie = cookie.slice();
      if (group !== undefined && group !== this.#half.group.id && groupsOf(this.#offers).includes(group)) {
        this.#half.privateKey.wipe();
        this.#half = beginExchange(sa.station, group);
      } else if (group !== undefined) {
        return void this.#fail(
          failure("invalid-ke-payload", "the peer wants a group that was not offered", { byPeer: true }),
          now,
        );
      }
      return void this.begin(now);
    }
    const redirected = notified(payloads, Notify.REDIRECT)?.data;
    if (redirected !== undefined) {
      const read = readRedirect(redirected, this.#nonce.length);
      // RFC 5685 §3: whoever cannot repeat our nonce did not see our request.
      if (read !== undefined && equal(read.nonce, this.#nonce)) {
        return void redirect(sa, read.gateway, this.#redirected?.count ?? 0, now);
      }
    }
    const error = refusal(payloads);
    if (error !== undefined) return void this.#fail(error, now);
    const chosen = accepted(find(payloads, "SA")?.proposals ?? [], this.#offers, Protocol.IKE, 0);
    const algorithms = chosen && ikeAlgorithms(chosen.transforms);
    const share = find(payloads, "KE");
    const theirs = find(payloads, "Nonce");
    if (algorithms === undefined)
      return void this.#fail(failure("no-proposal-chosen", "the peer chose what was not offered", { at: "SA" }), now);
    if (share === undefined || theirs === undefined || header.spiResponder.every((byte) => byte === 0)) {
      return void this.#fail(
        failure("unexpected-payload", "no key share, nonce or SPI in the answer", { at: "IKE_SA_INIT" }),
        now,
      );
    }
    const secret =
      algorithms.group === this.#half.group.id ? concludeExchange(sa.station.crypto, this.#half, share) : undefined;
    if (secret === undefined)
      return void this.#fail(failure("invalid-ke-payload", "a key share that is none", { at: "KE" }), now);
    sa.spiResponder = header.spiResponder.slice();
    const { transcript } = this.#authentication;
    transcript.messageResponder = message.slice();
    transcript.nonceResponder = theirs.nonce.slice();
    this.#authentication.hashes = readHashes(
      notified(payloads, Notify.SIGNATURE_HASH_ALGORITHMS)?.data ?? new Uint8Array(0),
    );
    sa.fragments =
      this.#connection.fragmentation !== false &&
      notified(payloads, Notify.IKEV2_FRAGMENTATION_SUPPORTED) !== undefined;
    this.#traverseNat(payloads, path);
    sa.protect(algorithms, initialKeys(sa.station.crypto, algorithms, secret, this.#ingredients()));
    secret.wipe();
    this.#next(algorithms, 0, notified(payloads, Notify.USE_PPK) !== undefined, now);
  }

  #ingredients(): Ingredients {
    const { nonceInitiator, nonceResponder } = this.#authentication.transcript;
    const { spiInitiator, spiResponder } = this.#sa;
    return { nonceInitiator, nonceResponder, spiInitiator, spiResponder };
  }

  /** Where there is, or may be, a NAT, IKE goes on where ESP goes (RFC 7296 §2.23). */
  #traverseNat(payloads: readonly Payload[], path: Path): void {
    const sa = this.#sa;
    sa.path = { ...sa.path, local: path.local };
    const isTold = detectNat(sa, payloads, path, sa.spiResponder);
    const wanted = this.#connection.encapsulation !== "when-nat" || sa.nat.local || sa.nat.remote;
    if (!isTold || sa.path.isMarked || !wanted) return;
    sa.path = { ...sa.path, remote: { ...sa.path.remote, port: this.#connection.natPort ?? 4500 }, isMarked: true };
  }

  // ---------------------------------------------------------------------------------------------------- IKE_INTERMEDIATE

  #next(algorithms: IkeAlgorithms, done: number, takesPpk: boolean, now: Instant): void {
    const sa = this.#sa;
    const group = algorithms.additional[done];
    if (group === undefined) return void this.#authenticate(takesPpk, now);
    const half = beginExchange(sa.station, group);
    sa.requests.add(
      {
        exchange: Exchange.IKE_INTERMEDIATE,
        begin: () => [half.payload],
        responded: (payloads, at) => {
          const share = find(payloads, "KE");
          const secret = share && concludeExchange(sa.station.crypto, half, share);
          half.privateKey.wipe();
          if (secret === undefined) {
            return this.#fail(
              refusal(payloads) ?? failure("invalid-ke-payload", "a key share that is none", { at: "KE" }),
              at,
            );
          }
          const old = { derivation: sa.keys!.derivation, prf: algorithms.prf };
          sa.protect(algorithms, furtherKeys(sa.station.crypto, algorithms, old, secret, this.#ingredients()));
          secret.wipe();
          this.#next(algorithms, done + 1, takesPpk, at);
        },
      },
      now,
    );
  }

  cover(header: Header, first: number, inner: Uint8Array): void {
    const { prf, transcript } = this.#authentication;
    const keys = this.#sa.keys!;
    transcript.cover(
      prf,
      (header.isInitiator ? keys.initiator : keys.responder).identity.expose(),
      header,
      first,
      inner,
    );
  }

  // ------------------------------------------------------------------------------------------------------------ IKE_AUTH

  #authenticate(takesPpk: boolean, now: Instant): void {
    const { local, ppk } = this.#connection;
    const usesPpk = ppk !== undefined && takesPpk;
    if (ppk?.isRequired === true && !takesPpk) {
      return void this.#fail(
        failure("no-proposal-chosen", "the peer has no post-quantum pre-shared keys", { at: "USE_PPK" }),
        now,
      );
    }
    const usePpk = (): void => {
      if (!usesPpk) return;
      this.#plainKeys = this.#sa.keys!;
      this.#sa.keys = mixPpk(this.#sa.station.crypto, this.#sa.algorithms!, this.#plainKeys, ppk.secret);
    };
    if (local.kind === "eap") {
      usePpk();
      return void this.#ask(undefined, undefined, usesPpk, now);
    }
    const prove = (plain: PayloadOf<"AUTH"> | undefined, at: Instant): void =>
      this.#authentication.prove(this.#id, local, at, (auth, then) =>
        "kind" in auth ? this.#ask(auth, plain, usesPpk, then) : this.#fail(auth, then),
      );
    if (!usesPpk || ppk.isRequired === true) {
      usePpk();
      return void prove(undefined, now);
    }
    // RFC 8784 §3: for a peer that has not this one, the proof without it.
    this.#authentication.prove(this.#id, local, now, (plain, at) => {
      if (!("kind" in plain)) return this.#fail(plain, at);
      usePpk();
      prove(plain, at);
    });
  }

  #ask(
    auth: PayloadOf<"AUTH"> | undefined,
    plain: PayloadOf<"AUTH"> | undefined,
    usesPpk: boolean,
    now: Instant,
  ): void {
    const sa = this.#sa;
    if (sa.state === "dead") return;
    const {
      local,
      remoteId,
      remoteAuthentication,
      children,
      requestAddresses = [],
      mobike = true,
      ppk,
    } = this.#connection;
    const [config] = children;
    this.#wish = config === undefined || config.starts === false ? undefined : sa.children.wish(config, true);
    const child = this.#wish && sa.children.offer(this.#wish);
    const certificates = local.kind === "certificate" ? local.identity.certificates : [];
    const isFirst = ![...sa.station.sas.values()].some((each) => each !== sa && each.connection === this.#connection);
    const payloads: Payload[] = [
      this.#id,
      ...certificates.map(
        (certificate): Payload => ({ kind: "CERT", encoding: CertEncoding.x509Signature, certificate }),
      ),
      ...(isFirst ? [notify(Notify.INITIAL_CONTACT)] : []),
      ...certificateRequest(remoteAuthentication),
      ...(remoteId === undefined ? [] : [{ kind: "IDr" as const, ...remoteId }]),
      ...(auth === undefined ? [] : [auth]),
      ...configurationRequest(requestAddresses),
      ...(child ? [...child.mode, child.proposals, ...child.selectors] : []),
      ...(mobike ? [notify(Notify.MOBIKE_SUPPORTED)] : []),
      ...(usesPpk && ppk ? [notify(Notify.PPK_IDENTITY, { data: ppkIdentity(ppk.id) })] : []),
      ...(plain === undefined ? [] : [notify(Notify.NO_PPK_AUTH, { data: plain.data })]),
    ];
    this.#authRequest(payloads, (answer, at) => this.#authAnswered(answer, usesPpk, at), now);
  }

  #authRequest(
    payloads: readonly Payload[],
    responded: (payloads: readonly Payload[], now: Instant) => void,
    now: Instant,
  ): void {
    this.#sa.requests.add({ exchange: Exchange.IKE_AUTH, begin: () => payloads, responded }, now);
  }

  #authAnswered(payloads: readonly Payload[], usesPpk: boolean, now: Instant): void {
    const sa = this.#sa;
    const { remoteId, remoteAuthentication, local, ppk } = this.#connection;
    const id = find(payloads, "IDr");
    const auth = find(payloads, "AUTH");
    if (id === undefined || (auth === undefined && local.kind !== "eap")) {
      return void this.#fail(
        refusal(payloads) ?? failure("unexpected-payload", "the peer does not say who it is", { at: "IDr" }),
        now,
      );
    }
    if (usesPpk && local.kind !== "eap" && notified(payloads, Notify.PPK_IDENTITY) === undefined) {
      if (ppk?.isRequired === true) {
        return void this.#fail(
          failure("authentication-failed", "the peer has another post-quantum pre-shared key", { at: "PPK_IDENTITY" }),
          now,
        );
      }
      sa.keys = this.#plainKeys;
    }
    if (remoteId !== undefined && !sameId(id, remoteId)) {
      return void this.#refuse(
        failure("wrong-identity", `the peer is ${idText(id)}, and not ${idText(remoteId)}`, { at: "IDr" }),
        now,
      );
    }
    sa.remoteId = { type: id.type, data: id.data.slice() };
    if (remoteAuthentication.kind === "eap" || auth === undefined) {
      return void this.#refuse(failure("authentication-failed", "the peer proves nothing", { at: "AUTH" }), now);
    }
    const kept = { ...id, data: id.data.slice() };
    this.#authentication.check(id, payloads, auth, remoteAuthentication, now, (identity, at) => {
      if (sa.state === "dead") return;
      if (!("kind" in identity)) return this.#refuse(identity, at);
      this.#peer = { identity, id: kept };
      if (local.kind === "eap") this.#converse(payloads, at);
      else this.#established(payloads, at);
    });
  }

  // ----------------------------------------------------------------------------------------------------------------- EAP

  /** The peer wants more than our name (RFC 7296 §2.16): its packet goes to the application's module, and what that says back. */
  #converse(payloads: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const packet = find(payloads, "EAP")?.message;
    if (packet === undefined) {
      return void this.#fail(refusal(payloads) ?? failure("unexpected-payload", "no EAP packet", { at: "EAP" }), now);
    }
    if (++this.#eapRounds > eapRoundsMax)
      return void this.#fail(failure("eap-failed", "an endless conversation", { at: "EAP" }), now);
    const { name, localId } = this.#connection;
    const code = packet[0];
    const turn = { connection: name, ike: sa.handle, role: "peer", packet: packet.slice(), id: localId } as const;
    sa.station.ask("eap", turn, now, (answer: EapAnswer | undefined, at) => {
      if (sa.state === "dead") return;
      if (code === eapCode.failure)
        return this.#fail(failure("eap-failed", "the peer says no", { at: "EAP", byPeer: true }), at);
      if (answer === undefined || answer.outcome === "failure") {
        return this.#refuse(failure("eap-failed", "our own module says no", { at: "EAP" }), at);
      }
      if (code === eapCode.success) return this.#proveByKey(answer.msk, at);
      if (answer.packet === undefined)
        return this.#refuse(failure("eap-failed", "our module has no answer", { at: "EAP" }), at);
      this.#authRequest([{ kind: "EAP", message: answer.packet }], (next, then) => this.#converse(next, then), at);
    });
  }

  #proveByKey(msk: Secret | undefined, now: Instant): void {
    const auth = this.#authentication.proveByKey(this.#id, msk);
    this.#authRequest(
      [auth],
      (payloads, at) => {
        const isRight = this.#authentication.checkByKey(this.#peer!.id, msk, find(payloads, "AUTH"));
        msk?.wipe();
        if (isRight) return this.#established(payloads, at);
        const wrong = failure("authentication-failed", "the peer does not know the key that EAP made", { at: "AUTH" });
        this.#refuse(refusal(payloads) ?? wrong, at);
      },
      now,
    );
  }

  // ------------------------------------------------------------------------------------------------------------ outcomes

  #established(payloads: readonly Payload[], now: Instant): void {
    const sa = this.#sa;
    const { station, handle } = sa;
    const { name, requestAddresses = [], mobike = true } = this.#connection;
    sa.mobike = mobike && notified(payloads, Notify.MOBIKE_SUPPORTED) !== undefined;
    sa.establish(now);
    station.trace("established", now, { ike: handle, connection: name });
    station.events.push({
      kind: "established",
      ike: handle,
      connection: name,
      isInitiator: true,
      remoteId: sa.remoteId!,
      peer: this.#peer!.identity,
      algorithms: sa.algorithms!,
      remote: sa.path.remote,
    });
    const given = requestAddresses.length > 0 ? readConfiguration(payloads) : undefined;
    if (given !== undefined) {
      sa.addresses = given.addresses.map(({ address }) => address);
      station.events.push({ kind: "configured", ike: handle, ...given });
    }
    if (this.#wish !== undefined) {
      const { nonceInitiator, nonceResponder } = this.#authentication.transcript;
      sa.children.agreed(this.#wish, payloads, { nonceInitiator, nonceResponder }, now);
    }
    for (const child of this.#connection.children.slice(1)) if (child.starts === true) sa.children.create(child, now);
    const gateway = notified(payloads, Notify.REDIRECT)?.data;
    if (gateway !== undefined) redirect(sa, readRedirect(gateway, 0)?.gateway, this.#redirected?.count ?? 0, now);
  }

  /** The peer is not who it should be, and is told so (RFC 7296 §2.21.2). */
  #refuse(why: IkeFailure, now: Instant): void {
    const begin = () => [notify(Notify.AUTHENTICATION_FAILED)];
    this.#sa.requests.add({ exchange: Exchange.INFORMATIONAL, begin, responded: () => undefined }, now);
    this.#fail(why, now);
  }

  #fail(why: IkeFailure, now: Instant): void {
    this.#half.privateKey.wipe();
    this.#sa.end(why, now);
  }

  /** A responder has nothing to ask before the IKE SA is established. */
  requested(): void {
    this.#sa.responses.end();
    this.#sa.station.drop("unexpected-exchange");
  }
}

/** EAP codes (RFC 3748 §4). */
export const eapCode = { request: 1, response: 2, success: 3, failure: 4 } as const;

/** A fixed PPK_ID (RFC 8784 §5.1). */
const ppkIdentity = (id: string): Uint8Array => Uint8Array.of(2, ...utf8(id));

/** Undefined unless it is a fixed PPK_ID in UTF-8. */
export function readPpkIdentity(data: Uint8Array): string | undefined {
  const from = new Reader(data);
  if (from.left < 1 || from.u8() !== 2) return undefined;
  return new TextDecoder().decode(from.rest());
}

/** The gateway that we come from (RFC 5685 §4). */
function gatewayData(address: string): Uint8Array {
  const bytes = parseAddress(address) ?? new Uint8Array(4);
  return Uint8Array.of(bytes.length === 4 ? 1 : 2, bytes.length, ...bytes);
}

/** That we want certificates, and of which authorities (RFC 7296 §3.7). */
export function certificateRequest(how: IkeConnection["remoteAuthentication"]): readonly Payload[] {
  if (how.kind !== "certificate") return [];
  const known = how.authorities ?? [];
  const authorities = new Uint8Array(known.length * 20);
  for (const [i, each] of known.entries()) authorities.set(each.subarray(0, 20), 20 * i);
  return [{ kind: "CERTREQ", encoding: CertEncoding.x509Signature, authorities }];
}
