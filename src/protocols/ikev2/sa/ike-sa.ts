import { DecodeError, toHex } from "../../../bytes/index.js";
import { earliest, type Instant } from "../../../contract/index.js";
import type { IkeAlgorithms } from "../algorithms.js";
import { failure, type IkeFailure } from "../failure.js";
import type { IkeId } from "../identity.js";
import type { IkeConnection, IkeStatus } from "../interfaces.js";
import { keyLogLine } from "../key-log.js";
import { type IkeKeys, wipeKeys } from "../keys.js";
import {
  fragmentSizeDefault,
  fragmentsMax,
  halfOpenMs,
  ikeLifetimeSecondsDefault,
  keepaliveMsDefault,
  replacedMs,
} from "../limits.js";
import { Protection } from "../protection.js";
import type { Station } from "../station.js";
import { notify } from "../wire/find.js";
import { type Header, headerSize } from "../wire/header.js";
import { Exchange, Notify, PayloadType } from "../wire/numbers.js";
import { type Payload, readChain, type SealedPart, UnknownCritical, writeChain } from "../wire/payloads.js";
import { Children } from "./children.js";
import { Informational } from "./informational.js";
import type { Opening } from "./opening.js";
import { Reassembly } from "./reassembly.js";
import { Renewal } from "./renewal.js";
import { type Path, type Request, samePlace } from "./request.js";
import { Requests, Responses, type Wire } from "./window.js";

export type IkeState = "opening" | "established" | "replaced" | "dead";

/** Who an IKE SA is for, when it begins. */
export interface IkeRole {
  /** Of the exchange that makes it: that says which keys are whose. */
  readonly isInitiator: boolean;
  /** Of the first IKE SA of all: the roles of MOBIKE and of the application stay with that (RFC 4555 §3.1). */
  readonly isOriginator: boolean;
  readonly spiInitiator: Uint8Array;
  /** Zero until the responder has told it. */
  readonly spiResponder: Uint8Array;
  readonly path: Path;
  readonly connection: IkeConnection | undefined;
  /** The same after a rekeying. */
  readonly handle: number;
}

/**
 * One IKE SA: its keys, how its messages are protected, cut into fragments and put together, how long it lives. What the messages
 * mean is the business of its parts.
 */
export class IkeSa implements Wire {
  readonly station: Station;
  readonly handle: number;
  readonly isInitiator: boolean;
  readonly isOriginator: boolean;
  readonly spiInitiator: Uint8Array;
  spiResponder: Uint8Array;
  connection: IkeConnection | undefined;
  path: Path;
  state: IkeState = "opening";
  algorithms: IkeAlgorithms | undefined;
  keys: IkeKeys | undefined;
  remoteId: IkeId | undefined;
  /** RFC 7383 and RFC 4555: both announced it. */
  fragments = false;
  mobike = false;
  /** Behind a NAT, or said to be. */
  readonly nat = { local: false, remote: false };
  /** Addresses inside: that we were given, or gave. */
  addresses: readonly Uint8Array[] = [];
  opening: Opening | undefined;
  readonly children: Children;
  readonly renewal: Renewal;
  readonly informational: Informational;
  readonly requests: Requests;
  readonly responses: Responses;

  readonly #requestParts = new Reassembly();
  readonly #responseParts = new Reassembly();
  #in: Protection | undefined;
  #out: Protection | undefined;
  #until: Instant | undefined;
  #rekeyAt: Instant | undefined;
  #heardAt: Instant;
  #keepaliveAt: Instant | undefined;

  constructor(station: Station, role: IkeRole, now: Instant) {
    this.station = station;
    this.isInitiator = role.isInitiator;
    this.isOriginator = role.isOriginator;
    this.spiInitiator = role.spiInitiator;
    this.spiResponder = role.spiResponder;
    this.path = role.path;
    this.connection = role.connection;
    this.handle = role.handle;
    this.requests = new Requests(this, role.connection ?? {});
    this.responses = new Responses(this);
    this.children = new Children(this);
    this.renewal = new Renewal(this);
    this.informational = new Informational(this);
    this.#heardAt = now;
    this.#until = role.isInitiator ? undefined : now + halfOpenMs;
    station.sas.set(toHex(this.ownSpi), this);
  }

  get ownSpi(): Uint8Array {
    return this.isInitiator ? this.spiInitiator : this.spiResponder;
  }

  // ----------------------------------------------------------------------------------------------------- keys and states

  /** From now on messages are protected under these; those before are wiped. */
  protect(algorithms: IkeAlgorithms, keys: IkeKeys): void {
    const { crypto, entropy, config } = this.station;
    this.#unprotect();
    this.algorithms = algorithms;
    this.keys = keys;
    const [own, theirs] = this.isInitiator ? [keys.initiator, keys.responder] : [keys.responder, keys.initiator];
    this.#out = new Protection(crypto, entropy, algorithms, own);
    this.#in = new Protection(crypto, entropy, algorithms, theirs);
    config.keyLog?.(keyLogLine(this.spiInitiator, this.spiResponder, algorithms, keys));
  }

  #unprotect(): void {
    if (this.keys !== undefined) wipeKeys(this.keys);
    this.#in?.destroy();
    this.#out?.destroy();
  }

  /** Both have proved who they are, or it took over from another. */
  establish(now: Instant): void {
    this.state = "established";
    this.opening = undefined;
    this.#until = undefined;
    this.#heardAt = now;
    const seconds = this.connection?.rekeySeconds ?? ikeLifetimeSecondsDefault;
    // Up to a tenth earlier, so that two that began together fall apart (RFC 7296 §2.8).
    const [random] = this.station.entropy.fill(new Uint8Array(1));
    this.#rekeyAt = seconds === 0 ? undefined : now + seconds * (1_000 - (100 * random!) / 255);
    this.keepAlive(now);
  }

  /** The next NAT keepalive, if any is wanted. */
  keepAlive(now: Instant): void {
    const every = this.connection?.keepaliveMs ?? keepaliveMsDefault;
    this.#keepaliveAt = this.nat.local && every > 0 && this.path.isMarked ? now + every : undefined;
  }

  /** Another took over. The peer deletes this one, or we do after a while (RFC 7296 §2.8). */
  replace(now: Instant): void {
    this.state = "replaced";
    this.#until = now + replacedMs;
    this.#rekeyAt = this.#keepaliveAt = undefined;
    this.requests.drop();
  }

  /** Ends without a word to the peer. `why` is told, unless another took over. */
  end(why: IkeFailure, now: Instant): void {
    if (this.state === "dead") return;
    const wasReplaced = this.state === "replaced";
    this.state = "dead";
    this.opening = undefined;
    this.requests.end();
    this.responses.end();
    this.#until = this.#rekeyAt = this.#keepaliveAt = undefined;
    const { station, connection } = this;
    station.sas.delete(toHex(this.ownSpi));
    this.#unprotect();
    if (wasReplaced || this.renewal.tookOver(now)) return;
    this.children.endAll();
    station.leases.release(this.handle);
    station.trace("closed", now, { ike: this.handle, reason: why.reason });
    if (connection !== undefined) {
      station.events.push({ kind: "closed", ike: this.handle, connection: connection.name, failure: why });
    }
  }

  // ------------------------------------------------------------------------------------------------------------ messages

  seal(request: Request, messageId: number, now: Instant): readonly Uint8Array[] | undefined {
    const payloads = request.begin(now);
    return payloads && this.#seal(request.exchange, messageId, false, payloads, now);
  }

  transmit(messages: readonly Uint8Array[], path: Path): void {
    for (const message of messages) this.station.send({ message, ...path });
  }

  /** The answer to the request that is being handled. */
  respond(payloads: readonly Payload[], now: Instant): void {
    this.responses.finish((exchange, messageId) => this.#seal(exchange, messageId, true, payloads, now));
  }

  /** A protected message that names this IKE SA, whoever sent it. */
  receive(bytes: Uint8Array, header: Header, path: Path, now: Instant): void {
    const { station, requests, responses } = this;
    const protection = this.#in;
    if (header.isInitiator === this.isInitiator || protection === undefined)
      return void station.drop("unexpected-exchange");
    const sealed = outer(bytes, header);
    if (sealed === undefined) return void station.drop("malformed");
    const { isResponse, messageId, exchange } = header;
    const verdict = isResponse ? undefined : responses.judge(messageId);
    if (isResponse && !requests.expects(messageId, exchange)) return void station.drop("unexpected-response");
    if (verdict === "old") return void station.drop("old-message-id");
    if (verdict === "early") return void station.drop("out-of-window");
    const isFragment = sealed.type === PayloadType.SKF;
    if (isFragment && !this.fragments) return void station.drop("bad-fragment");
    const opened = protection.open(bytes, sealed.at, isFragment);
    if (opened === undefined) return void station.drop("bad-tag");
    this.#heardAt = now;
    const { fragment } = opened;
    if (verdict === "again") {
      // RFC 7383 §2.6.1: once, however many fragments come again.
      if (fragment === undefined || fragment.number === 1) responses.repeat(path);
      return;
    }
    if (!isResponse && responses.isBusy) return;
    const parts = isResponse ? this.#responseParts : this.#requestParts;
    const whole =
      fragment === undefined
        ? { first: sealed.first, inner: opened.inner }
        : parts.add(messageId, fragment, sealed.first, opened.inner);
    if (whole === undefined) return;
    this.#follow(path, isResponse, now);
    if (!isResponse) responses.begin(exchange, path);
    const payloads = this.#read(whole.inner, whole.first, header, now);
    if (payloads === undefined) return;
    station.traceMessage("received", now, exchange, messageId, isResponse, path.remote, payloads);
    if (exchange === Exchange.IKE_INTERMEDIATE) this.opening?.cover(header, whole.first, whole.inner);
    if (isResponse) requests.answered((request) => request.responded(payloads, now), now);
    else this.#requested(exchange, payloads, now);
  }

  #requested(exchange: number, payloads: readonly Payload[], now: Instant): void {
    if (this.opening !== undefined) return void this.opening.requested(exchange, payloads, now);
    switch (exchange) {
      case Exchange.CREATE_CHILD_SA:
        return void this.children.requested(payloads, now);
      case Exchange.INFORMATIONAL:
        return void this.informational.requested(payloads, now);
      default:
        this.station.drop("unexpected-exchange");
        this.respond([notify(Notify.INVALID_SYNTAX)], now);
    }
  }

  /**
   * The payloads of an authentic message. If they do not parse (RFC 7296 §2.21) the peer is told, and the IKE SA is over: what is wrong
   * with its keys' holder will not be better next time. An unknown critical payload alone is no reason to end.
   */
  #read(inner: Uint8Array, first: number, { isResponse }: Header, now: Instant): readonly Payload[] | undefined {
    try {
      return readChain(inner, 0, first).payloads;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.station.drop("malformed");
      const critical = error instanceof UnknownCritical ? error.payload : undefined;
      if (!isResponse) {
        const unknown = critical !== undefined && { data: Uint8Array.of(critical) };
        const type = critical === undefined ? Notify.INVALID_SYNTAX : Notify.UNSUPPORTED_CRITICAL_PAYLOAD;
        this.respond([notify(type, unknown || {})], now);
        if (critical !== undefined && this.opening === undefined) return undefined;
      }
      this.end(
        failure("malformed-message", `a message that does not parse: ${error.message}`, { at: "payloads" }),
        now,
      );
      return undefined;
    }
  }

  #seal(exchange: number, messageId: number, isResponse: boolean, payloads: readonly Payload[], now: Instant) {
    const { spiInitiator, spiResponder, isInitiator, station } = this;
    const header: Header = { spiInitiator, spiResponder, nextPayload: 0, exchange, isInitiator, isResponse, messageId };
    const { first, bytes } = writeChain(payloads);
    station.traceMessage("sent", now, exchange, messageId, isResponse, this.path.remote, payloads);
    if (exchange === Exchange.IKE_INTERMEDIATE) this.opening?.cover(header, first, bytes);
    const out = this.#out!;
    const max = this.connection?.fragmentSize ?? fragmentSizeDefault;
    if (!this.fragments || bytes.length + out.overhead(false) <= max) return [out.seal(header, first, bytes)];
    const each = Math.max(max - out.overhead(true), Math.ceil(bytes.length / fragmentsMax));
    const total = Math.ceil(bytes.length / each);
    return Array.from({ length: total }, (_, i) =>
      out.seal(header, first, bytes.subarray(i * each, (i + 1) * each), { number: i + 1, total }),
    );
  }

  /** Without MOBIKE, who has no NAT follows a peer whose NAT gave it another address (RFC 7296 §2.23). */
  #follow(path: Path, isResponse: boolean, now: Instant): void {
    if (this.mobike || isResponse || this.state !== "established" || !this.nat.remote || this.nat.local) return;
    if (!samePlace(path.remote, this.path.remote)) this.moveTo(path, now);
  }

  /** The peer is elsewhere, and so are its children's other ends. */
  moveTo(path: Path, now: Instant): void {
    const from = this.path.remote;
    this.path = path;
    if (samePlace(from, path.remote)) return;
    this.station.trace("moved", now, { ike: this.handle, to: `${path.remote.address}:${path.remote.port}` });
    const spisIn = this.children.spis();
    this.station.events.push({ kind: "moved", ike: this.handle, from, to: path.remote, spisIn });
  }

  // ---------------------------------------------------------------------------------------------------------------- time

  heard(now: Instant): void {
    this.#heardAt = now;
  }

  deadline(): Instant | undefined {
    const own = earliest(this.#until, earliest(this.#rekeyAt, this.#keepaliveAt));
    return earliest(earliest(this.requests.deadline(), this.#probeAt()), own);
  }

  #probeAt(): Instant | undefined {
    const silence = this.connection?.deadPeerMs ?? 0;
    if (silence === 0 || this.state !== "established" || !this.requests.isIdle) return undefined;
    return this.#heardAt + silence;
  }

  wake(now: Instant): void {
    if (this.requests.wake(now)) {
      return void this.end(failure("unanswered", "the peer did not answer", { at: "retransmission" }), now);
    }
    if (this.#until !== undefined && now >= this.#until) {
      this.#until = undefined;
      if (this.state === "replaced") this.informational.remove(now);
      else this.end(failure("expired", "the peer began and did not go on", { at: "IKE_AUTH" }), now);
    }
    if (this.#rekeyAt !== undefined && now >= this.#rekeyAt) {
      this.#rekeyAt = undefined;
      this.renewal.begin(now);
    }
    if (this.#keepaliveAt !== undefined && now >= this.#keepaliveAt) {
      this.station.send({ message: keepalive, ...this.path, isMarked: false });
      this.keepAlive(now);
    }
    const probeAt = this.#probeAt();
    if (probeAt !== undefined && now >= probeAt) this.informational.probe(now);
  }

  status(): IkeStatus {
    const { handle: ike, isInitiator, spiInitiator, spiResponder, remoteId, algorithms, addresses } = this;
    const state = this.state === "opening" ? "half-open" : this.state === "established" ? "established" : "closing";
    const [remote, connection, children] = [this.path.remote, this.connection?.name, this.children.status()];
    const isNatDetected = { ...this.nat };
    const spis = { spiInitiator, spiResponder };
    return {
      ike,
      connection,
      state,
      isInitiator,
      ...spis,
      remote,
      remoteId,
      algorithms,
      isNatDetected,
      children,
      addresses,
    };
  }
}

/** One byte that is neither IKE nor ESP, and never has a marker (RFC 3948 §2.3). */
const keepalive = Uint8Array.of(0xff);

function outer(bytes: Uint8Array, header: Header): SealedPart | undefined {
  try {
    const { payloads, sealed } = readChain(bytes, headerSize, header.nextPayload);
    return payloads.length === 0 ? sealed : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
