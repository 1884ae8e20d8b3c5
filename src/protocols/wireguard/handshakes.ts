import type { Answer, Instant, KeyLog, SocketAddress } from "../../contract/index.js";
import { CookieChecker } from "./cookies.js";
import type { Endpoint } from "./endpoint.js";
import type { DropReason } from "./failure.js";
import { ReceivedInitiation, SentInitiation } from "./handshake.js";
import type { WireGuardAsks } from "./interfaces.js";
import { keyLogLines } from "./key-log.js";
import { acceptTimeoutMs, initiationIntervalMinMs, pendingAcceptsMax } from "./limits.js";
import { Load } from "./load.js";
import { cookieReplyLayout, MessageType, responseLayout, u32le } from "./messages/layout.js";
import type { TransportKeys } from "./noise.js";
import { type Outgoing, OutgoingMessages } from "./outgoing.js";
import { keepaliveOnly, type Peer, type PeerConfig } from "./peer.js";
import { Session } from "./session.js";
import { isLater, tai64n } from "./timestamp.js";

/** An initiation of an unknown peer, about which the application was asked. */
interface PendingAccept {
  readonly from: SocketAddress;
  readonly initiation: ReceivedInitiation;
  readonly at: Instant;
}

export interface HandshakesConfig {
  readonly keyLog: KeyLog | undefined;
  /** Ask about unknown peers? */
  readonly acceptsUnknownPeers: boolean;
  /** Takes in a peer that the application lets in. */
  readonly addPeer: (config: PeerConfig, now: Instant) => Peer;
}

/** All that leads to a session: initiations, responses, cookies, and the question whether to let somebody in (§5, §6). */
export class Handshakes {
  readonly #endpoint: Endpoint;
  readonly #checker: CookieChecker;
  readonly #load = new Load();
  readonly #outgoing = new OutgoingMessages();
  readonly #keyLog: KeyLog | undefined;
  readonly #acceptsUnknownPeers: boolean;
  readonly #admitPeer: (config: PeerConfig, now: Instant) => Peer;
  readonly #accepts = new Map<number, PendingAccept>();
  #nextQuestion = 1;

  constructor(endpoint: Endpoint, config: HandshakesConfig) {
    const { suite, own, entropy } = endpoint;
    this.#endpoint = endpoint;
    this.#checker = new CookieChecker(suite, own.publicKey, entropy);
    this.#keyLog = config.keyLog;
    this.#acceptsUnknownPeers = config.acceptsUnknownPeers;
    this.#admitPeer = config.addPeer;
  }

  /** Shakes hands with a peer, unless that began a moment ago. */
  initiate(peer: Peer, now: Instant): void {
    const { suite, entropy, own, peers } = this.#endpoint;
    if (peer.endpoint === undefined) {
      this.#endpoint.drop("no-endpoint");
      return;
    }
    if (!peer.mayInitiate(now)) return;
    peers.forgetInitiation(peer);
    const ephemeral = suite.newKeyPair(entropy);
    const index = peers.newIndex();
    const initiation = SentInitiation.create(suite, own, peer, ephemeral, index, tai64n(now));
    if (initiation === undefined) {
      this.#endpoint.drop("bad-handshake");
      return;
    }
    peer.initiation = initiation;
    peers.own(index, peer, undefined);
    peer.cookies.sign(initiation.message, now);
    if (this.#keyLog !== undefined) for (const line of keyLogLines(own, peer, ephemeral)) this.#keyLog(line);
    this.#sendMessage(initiation.message.slice(), peer.endpoint);
    peer.initiated(now);
    this.#endpoint.watch(peer);
  }

  /** A handshake message or a cookie. */
  received(type: number, message: Uint8Array, from: SocketAddress, now: Instant): void {
    if (type === MessageType.cookieReply) this.#cookieReply(message, now);
    else if (!this.#admit(message, from, now)) return;
    else if (type === MessageType.initiation) this.#initiation(message, from, now);
    else this.#response(message, from, now);
  }

  /** The application has said whether somebody may come in. */
  answer({ id, answer }: Answer, now: Instant): void {
    const { peers } = this.#endpoint;
    const pending = this.#accepts.get(id);
    if (pending === undefined) return;
    this.#accepts.delete(id);
    const { initiation, from, at } = pending;
    if (answer === undefined || peers.isFull) {
      initiation.wipe();
      this.#endpoint.drop("unknown-peer");
      return;
    }
    const config = answer as WireGuardAsks["accept-peer"]["answer"];
    const known = peers.find(initiation.staticKey);
    const peer = known ?? this.#admitPeer({ ...config, publicKey: initiation.staticKey }, now);
    if (now - at < acceptTimeoutMs) this.#respond(peer, initiation, from, now);
    else initiation.wipe();
  }

  /** The initiator has spoken under the new keys: now they are ours to send with (§6.2). */
  confirm(peer: Peer, now: Instant): void {
    this.#endpoint.peers.retire(peer, peer.previous);
    peer.previous = peer.current;
    peer.current = peer.next;
    peer.next = undefined;
    this.#completed(peer, false, now);
    if (peer.staged.length > 0) this.#endpoint.ready.add(peer);
  }

  /** The next message that is to go out. */
  next(): Outgoing | undefined {
    return this.#outgoing.shift();
  }

  clear(): void {
    this.#outgoing.clear();
    this.#accepts.clear();
  }

  /** §5.3: mac1 always; under load also a cookie, and no more than a source's share. */
  #admit(message: Uint8Array, from: SocketAddress, now: Instant): boolean {
    if (!this.#checker.mac1(message)) return this.#endpoint.drop("bad-mac1");
    if (!this.#load.count(now)) return true;
    if (!this.#checker.mac2(message, from, now)) {
      if (!this.#outgoing.isFull) this.#sendMessage(this.#checker.reply(message, u32le(message, 4), from, now), from);
      return this.#endpoint.drop("cookie-wanted");
    }
    return this.#load.admit(from.address, now) || this.#endpoint.drop("rate-limited");
  }

  #initiation(message: Uint8Array, from: SocketAddress, now: Instant): void {
    const { suite, own, peers } = this.#endpoint;
    const initiation = ReceivedInitiation.read(suite, own, message, (key) => peers.find(key));
    if (initiation === undefined) {
      this.#endpoint.drop("bad-handshake");
      return;
    }
    const peer = peers.find(initiation.staticKey);
    if (peer !== undefined) this.#respond(peer, initiation, from, now);
    else if (this.#acceptsUnknownPeers && this.#mayAsk(now)) {
      const id = this.#nextQuestion++;
      this.#accepts.set(id, { from, initiation, at: now });
      const question = { kind: "accept-peer", publicKey: initiation.staticKey, from } as const;
      this.#endpoint.events.push({ kind: "question", id, question });
    } else {
      initiation.wipe();
      this.#endpoint.drop("unknown-peer");
    }
  }

  /** Is there room for one more question? Those whose peers have tried again since make it. */
  #mayAsk(now: Instant): boolean {
    for (const [id, { initiation, at }] of this.#accepts) {
      if (this.#accepts.size < pendingAcceptsMax || now - at < acceptTimeoutMs) break;
      initiation.wipe();
      this.#accepts.delete(id);
    }
    return this.#accepts.size < pendingAcceptsMax;
  }

  #respond(peer: Peer, initiation: ReceivedInitiation, from: SocketAddress, now: Instant): void {
    const { suite, entropy, own, peers } = this.#endpoint;
    const timestamp = initiation.timestamp();
    const reason: DropReason | undefined =
      timestamp === undefined
        ? "bad-handshake"
        : !isLater(timestamp, peer.timestamp)
          ? "replayed-initiation"
          : peer.lastInitiationAt !== undefined && now - peer.lastInitiationAt < initiationIntervalMinMs
            ? "initiation-flood"
            : undefined;
    if (timestamp === undefined || reason !== undefined) {
      initiation.wipe();
      this.#endpoint.drop(reason ?? "bad-handshake");
      return;
    }
    const ephemeral = suite.newKeyPair(entropy);
    const index = peers.newIndex();
    if (this.#keyLog !== undefined) for (const line of keyLogLines(own, peer, ephemeral)) this.#keyLog(line);
    const response = initiation.respond(peer.preSharedKey, ephemeral, index);
    if (response === undefined) {
      this.#endpoint.drop("bad-handshake");
      return;
    }
    peer.timestamp = timestamp.slice();
    peer.lastInitiationAt = now;
    const session = this.#derive(peer, response.keys, index, initiation.sender, false, now);
    // §6.2: the new keys wait until the initiator proves that it has them; no older unproved ones remain.
    peers.endSession(peer.next);
    peers.retire(peer, peer.previous);
    peer.previous = undefined;
    peer.next = session;
    this.#endpoint.learn(peer, from);
    peer.receivedAuthenticated(now);
    peer.cookies.sign(response.message, now);
    this.#sendMessage(response.message, from);
    peer.sentAuthenticated(now);
    this.#endpoint.watch(peer);
  }

  #response(message: Uint8Array, from: SocketAddress, now: Instant): void {
    const { peers } = this.#endpoint;
    const owner = peers.owner(u32le(message, responseLayout.receiver));
    const initiation = owner?.peer.initiation;
    if (owner === undefined || owner.session !== undefined || initiation === undefined) {
      this.#endpoint.drop("unknown-index");
      return;
    }
    const { peer } = owner;
    const keys = initiation.accept(message);
    if (keys === undefined) {
      this.#endpoint.drop("bad-handshake");
      return;
    }
    peer.initiation = undefined;
    const session = this.#derive(peer, keys, initiation.index, u32le(message, responseLayout.sender), true, now);
    peers.retire(peer, peer.previous);
    if (peer.next === undefined) peer.previous = peer.current;
    else {
      // Both began at once: the peer goes on with the session that it began, and has packets of the last on their way.
      peers.retire(peer, peer.current);
      peer.previous = peer.next;
      peer.next = undefined;
    }
    peer.current = session;
    this.#endpoint.learn(peer, from);
    peer.receivedAuthenticated(now);
    this.#completed(peer, true, now);
    this.#endpoint.watch(peer);
    // §6.5: the responder may not send before it has heard from us under the new keys.
    if (peer.staged.length === 0) peer.stage(keepaliveOnly);
    this.#endpoint.ready.add(peer);
  }

  #cookieReply(message: Uint8Array, now: Instant): void {
    const owner = this.#endpoint.peers.owner(u32le(message, cookieReplyLayout.receiver));
    if (owner === undefined) this.#endpoint.drop("unknown-index");
    else if (!owner.peer.cookies.accept(message, now)) this.#endpoint.drop("bad-tag");
  }

  #derive(
    peer: Peer,
    keys: TransportKeys,
    localIndex: number,
    remoteIndex: number,
    initiator: boolean,
    now: Instant,
  ): Session {
    const { suite, peers } = this.#endpoint;
    const session = new Session(suite, keys, localIndex, remoteIndex, initiator, now);
    peers.own(localIndex, peer, session);
    peer.derivedSession(now);
    return session;
  }

  #completed(peer: Peer, initiator: boolean, now: Instant): void {
    peer.completedHandshake(now);
    this.#endpoint.events.push({ kind: "session", publicKey: peer.publicKey, initiator });
  }

  #sendMessage(bytes: Uint8Array, to: SocketAddress): void {
    if (!this.#outgoing.push(bytes, to)) this.#endpoint.drop("queue-full");
  }
}
