import {
  type DatagramPort,
  type DatagramSink,
  type Ecn,
  type Failure,
  type Host,
  type Instant,
  networkFailure,
  Secret,
  type SocketAddress,
} from "../../contract/index.js";
import { demultiplex } from "../../mechanisms/demultiplex.js";
import { consentMs, pairsMax, sessionsMax } from "./limits.js";
import {
  errorCode,
  parseStun,
  type StunField,
  type StunMessage,
  stunAttribute,
  stunType,
  verifyStun,
  writeStun,
  xorMappedAddress,
} from "./stun.js";

/** A side's ICE credentials, as `a=ice-ufrag` and `a=ice-pwd` carry them (RFC 8839 §5.4). */
export interface IceCredentials {
  readonly ufrag: string;
  /** For MESSAGE-INTEGRITY of checks to this side. */
  readonly password: Secret;
}

/** What a session's owner is told, beside the datagrams that are not STUN. */
export interface IceSink extends DatagramSink {
  /** The peer has chosen, or chosen anew, the address from which it sends (RFC 8445 §8.1.1). */
  selected?(remote: SocketAddress): void;
}

/**
 * One peer of an ICE-lite endpoint: a flow of datagrams to wherever the peer's nominated address is. What is sent before it
 * has nominated one, or after its consent has run out, is dropped.
 */
export interface IceSession extends DatagramPort {
  readonly credentials: IceCredentials;
  /** The nominated address. */
  readonly remote: SocketAddress | undefined;
  /** Has the peer shown lately that it wants what we send (RFC 7675)? */
  readonly hasConsent: boolean;
  /** Checks that were refused, for whatever reason. */
  readonly refusedChecks: number;
}

/** An ICE-lite endpoint (RFC 8445 §2.5): one port for many peers, who find us; we only answer. */
export interface IceEndpoint {
  readonly local: SocketAddress;
  /**
   * Expects a peer, to whom signalling brings our credentials, and whose `remoteUfrag` it brought us. `accept` answers the
   * sink once the session is there to be written to.
   */
  expect(remoteUfrag: string, accept: (session: IceSession) => IceSink): IceSession;
  /** Datagrams that no session could be found for. */
  readonly strays: number;
  close(): void;
}

/** Binds an endpoint. The local address is the one candidate, so it must be one that peers reach: no wildcard. */
export async function bindIce(host: Host, local: SocketAddress): Promise<IceEndpoint> {
  const endpoint = new Endpoint(host);
  endpoint.port = await host.network.bindDatagrams(local, endpoint);
  return endpoint;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** ice-chars from entropy, six bits each (RFC 8839 §5.4). */
const iceChars = (host: Host, size: number): string =>
  [...host.entropy.fill(new Uint8Array(size))].map((byte) => letters[byte & 63]).join("");

class Endpoint implements IceEndpoint, DatagramSink {
  readonly host: Host;
  port!: DatagramPort;
  strays = 0;
  readonly #byUfrag = new Map<string, Session>();
  readonly #byAddress = new Map<string, Session>();
  /** The last datagram's source and session: most come in rows. */
  #lastFrom: SocketAddress | undefined;
  #lastSession: Session | undefined;

  constructor(host: Host) {
    this.host = host;
  }

  get local(): SocketAddress {
    return this.port.local;
  }

  expect(remoteUfrag: string, accept: (session: IceSession) => IceSink): IceSession {
    if (this.#byUfrag.size >= sessionsMax) {
      throw networkFailure("no-resources", `an ICE endpoint has ${sessionsMax} sessions at the most`);
    }
    // RFC 8445 §5.3: at least 24 bits of the fragment and 128 of the password are random.
    const password = Secret.copy(new TextEncoder().encode(iceChars(this.host, 24)));
    const session = new Session(this, { ufrag: iceChars(this.host, 8), password }, remoteUfrag);
    this.#byUfrag.set(session.credentials.ufrag, session);
    session.sink = accept(session);
    return session;
  }

  datagrams(bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      const datagram = step >= bytes.length ? bytes : bytes.subarray(at, Math.min(at + step, bytes.length));
      if (demultiplex(datagram) === "stun") this.#stun(datagram, from);
      else this.#data(datagram, from, ecn);
    }
  }

  #data(bytes: Uint8Array, from: SocketAddress, ecn: Ecn): void {
    const last = this.#lastFrom;
    if (last === undefined || last.port !== from.port || last.address !== from.address) {
      this.#lastFrom = { ...from };
      this.#lastSession = this.#byAddress.get(key(from));
    }
    if (this.#lastSession === undefined) this.strays++;
    else this.#lastSession.sink.datagrams(bytes, from, bytes.length, ecn);
  }

  #stun(bytes: Uint8Array, from: SocketAddress): void {
    const message = parseStun(bytes);
    const username = message?.attributes.get(stunAttribute.username);
    if (message === undefined || message.type !== stunType.bindingRequest || username === undefined) {
      this.strays++; // we ask nothing, so no answer is ours
      return;
    }
    const [ufrag = "", remoteUfrag = ""] = new TextDecoder().decode(username).split(":");
    const session = this.#byUfrag.get(ufrag);
    if (session === undefined) this.strays++;
    else session.check(message, remoteUfrag, from, this.host.now());
  }

  /** A check from there was authentic: what comes from there is the session's. */
  learn(session: Session, from: SocketAddress): void {
    this.#byAddress.set(key(from), session);
    this.#lastFrom = undefined;
  }

  unlearn(session: Session, address: string): void {
    if (this.#byAddress.get(address) === session) this.#byAddress.delete(address);
    this.#lastFrom = undefined;
  }

  forget(session: Session): void {
    this.#byUfrag.delete(session.credentials.ufrag);
  }

  writable(): void {
    for (const session of this.#byUfrag.values()) session.sink.writable?.();
  }

  softError(failure: Failure): void {
    for (const session of this.#byUfrag.values()) session.sink.softError?.(failure);
  }

  closed(failure?: Failure): void {
    for (const session of [...this.#byUfrag.values()]) session.end(failure);
  }

  close(): void {
    for (const session of [...this.#byUfrag.values()]) session.close();
    this.port.close();
  }
}

const key = ({ address, port }: SocketAddress): string => `${address} ${port}`;
const silent: IceSink = { datagrams: () => undefined, closed: () => undefined };

class Session implements IceSession {
  readonly credentials: IceCredentials;
  sink: IceSink = silent;
  refusedChecks = 0;
  remote: SocketAddress | undefined;
  readonly #endpoint: Endpoint;
  readonly #remoteUfrag: string;
  /** Addresses whose checks were authentic, in the order of their last one. */
  readonly #addresses = new Set<string>();
  #consentUntil = Number.NEGATIVE_INFINITY;
  #ended = false;

  constructor(endpoint: Endpoint, credentials: IceCredentials, remoteUfrag: string) {
    this.#endpoint = endpoint;
    this.credentials = credentials;
    this.#remoteUfrag = remoteUfrag;
  }

  get local(): SocketAddress {
    return this.#endpoint.local;
  }

  get hasConsent(): boolean {
    return this.#endpoint.host.now() < this.#consentUntil;
  }

  get blocked(): boolean {
    return this.#endpoint.port.blocked;
  }

  /** A connectivity check (RFC 8445 §7.3). */
  check(message: StunMessage, remoteUfrag: string, from: SocketAddress, now: Instant): void {
    const { port, host } = this.#endpoint;
    const { transaction, attributes } = message;
    const { password } = this.credentials;
    const objection = this.#objectionTo(message, remoteUfrag);
    if (objection !== undefined) {
      this.refusedChecks++;
      const { fields, isSigned } = objection;
      const signature = isSigned ? password : undefined;
      port.send(writeStun(host.crypto, stunType.bindingError, transaction, fields, signature), from);
      return;
    }
    this.#learn(from);
    const mapped: StunField = [stunAttribute.xorMappedAddress, xorMappedAddress(from, transaction)];
    port.send(writeStun(host.crypto, stunType.bindingSuccess, transaction, [mapped], password), from);
    const isNominated = attributes.has(stunAttribute.useCandidate);
    const isSelected = this.remote?.port === from.port && this.remote.address === from.address;
    if (isNominated || isSelected) this.#consentUntil = now + consentMs;
    if (isNominated && !isSelected) {
      this.remote = { ...from };
      this.sink.selected?.(this.remote);
    }
  }

  #objectionTo(message: StunMessage, remoteUfrag: string): Objection | undefined {
    const { attributes, integrityAt } = message;
    // RFC 8489 §9.1.3: a check without integrity is bad, one with the wrong password is not authorized.
    if (integrityAt === undefined) return objection(400, "Bad Request", false);
    if (
      remoteUfrag !== this.#remoteUfrag ||
      !verifyStun(this.#endpoint.host.crypto, message, this.credentials.password)
    ) {
      return objection(401, "Unauthenticated", false);
    }
    const unknown = [...attributes.keys()].filter((type) => type < 0x8000 && !understood.has(type));
    if (unknown.length > 0) {
      const list = Uint8Array.from(unknown.flatMap((type) => [type >>> 8, type & 0xff]));
      return objection(420, "Unknown Attribute", true, [stunAttribute.unknownAttributes, list]);
    }
    // RFC 8445 §7.3.1.1: a lite endpoint is always controlled; who thinks to be controlled too has to change.
    return attributes.has(stunAttribute.iceControlled) ? objection(487, "Role Conflict", true) : undefined;
  }

  #learn(from: SocketAddress): void {
    const address = key(from);
    this.#addresses.delete(address);
    this.#addresses.add(address);
    this.#endpoint.learn(this, from);
    if (this.#addresses.size <= pairsMax) return;
    for (const oldest of this.#addresses) {
      this.#addresses.delete(oldest);
      this.#endpoint.unlearn(this, oldest);
      return;
    }
  }

  send(bytes: Uint8Array, _to?: SocketAddress, segmentSize?: number, ecn?: Ecn): void {
    if (this.remote !== undefined && this.hasConsent) this.#endpoint.port.send(bytes, this.remote, segmentSize, ecn);
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    return this.#endpoint.port.set(option, value);
  }

  close(): void {
    this.end();
  }

  end(failure?: Failure): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#consentUntil = Number.NEGATIVE_INFINITY;
    this.#endpoint.forget(this);
    for (const address of this.#addresses) this.#endpoint.unlearn(this, address);
    this.credentials.password.wipe();
    this.#endpoint.host.soon(() => this.sink.closed(failure));
  }

  ref(): void {
    this.#endpoint.port.ref();
  }

  unref(): void {
    this.#endpoint.port.unref();
  }
}

/** What a check is refused with. */
interface Objection {
  readonly fields: readonly StunField[];
  readonly isSigned: boolean;
}

const objection = (code: number, reason: string, isSigned: boolean, ...more: readonly StunField[]): Objection => ({
  fields: [[stunAttribute.errorCode, errorCode(code, reason)], ...more],
  isSigned,
});

/** Attributes that must be understood, and are (RFC 8489 §14). */
const understood = new Set<number>([
  stunAttribute.username,
  stunAttribute.messageIntegrity,
  stunAttribute.priority,
  stunAttribute.useCandidate,
]);
