import {
  type Answer,
  type CryptoProvider,
  type DatagramInput,
  type Datagrams,
  type Entropy,
  earliest,
  type Instant,
  type KeyLog,
  type Machine,
  type Question,
  type Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { CookieChecker } from "./cookies.js";
import { type DropCounts, type DropReason, noDrops } from "./failure.js";
import { ReceivedInitiation, SentInitiation } from "./handshake.js";
import { destinationAt, innerLength, sourceAt } from "./inner.js";
import { keyLogLines } from "./key-log.js";
import {
  acceptTimeoutMs,
  batchPacketsMax,
  batchSizeMax,
  defaultMtu,
  initiationIntervalMinMs,
  keepaliveTimeoutMs,
  pendingAcceptsMax,
  rejectAfterMs,
  rekeyTimeoutMs,
} from "./limits.js";
import { Load } from "./load.js";
import {
  cookieReplyLayout,
  MessageType,
  messageType,
  responseLayout,
  transportLayout,
  u32le,
} from "./messages/layout.js";
import { type KeyPair, Suite, type TransportKeys } from "./noise.js";
import { OutgoingMessages } from "./outgoing.js";
import type { Peer, PeerConfig, PeerStatus } from "./peer.js";
import { PeerTable } from "./peer-table.js";
import { Session } from "./session.js";
import { isLater, tai64n } from "./timestamp.js";

export interface WireGuardConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Our identity, an X25519 private key of 32 bytes (IPK). */
  readonly privateKey: Secret;
  readonly peers?: readonly PeerConfig[];
  /** Largest inner packet in bytes; padding never passes it. Default 1420. */
  readonly mtu?: number;
  /** Ask the application about unknown peers (IV); by default they are refused. */
  readonly acceptUnknownPeers?: boolean;
  /** Inner packets straight from a stack, instead of one `packet` input for each. */
  readonly source?: PacketSource;
  readonly keyLog?: KeyLog;
}

/** Gives inner packets where they are wanted, so that they are sealed in place. */
export interface PacketSource {
  /** Writes one packet at `at` in `into`, `mtu` bytes at the most, and answers its size; zero if there is none. */
  pull(into: Uint8Array, at: number, now: Instant): number;
}

export type WireGuardInput =
  /** One inner IP packet to send. The machine may hold it until it is transmitted. */
  | { readonly kind: "packet"; readonly bytes: Uint8Array }
  | { readonly kind: "add-peer"; readonly peer: PeerConfig }
  | { readonly kind: "remove-peer"; readonly publicKey: Uint8Array }
  /** Shake hands with a peer now, whether or not there is something to send. */
  | { readonly kind: "initiate"; readonly publicKey: Uint8Array }
  /** The peer is known to be elsewhere by other means, a name looked up anew: shake hands with it there. */
  | { readonly kind: "endpoint"; readonly publicKey: Uint8Array; readonly endpoint: SocketAddress }
  | { readonly kind: "close" };

export type WireGuardAsks = {
  /** May this unknown peer come in, and with which inner addresses? Undefined refuses. */
  "accept-peer": {
    ask: { readonly publicKey: Uint8Array; readonly from: SocketAddress };
    answer: Omit<PeerConfig, "publicKey">;
  };
};

export type WireGuardEvent =
  /**
   * Inner packets, in place in the bytes of the input. Packet `i` is `bytes[ranges[2i] … ranges[2i+1])`; the event is
   * the machine's and good until its next input.
   */
  | { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number }
  | { readonly kind: "session"; readonly publicKey: Uint8Array; readonly initiator: boolean }
  | { readonly kind: "moved"; readonly publicKey: Uint8Array; readonly from: SocketAddress; readonly to: SocketAddress }
  /** An initiation got no answer in five seconds, and another goes out. */
  | { readonly kind: "retrying"; readonly publicKey: Uint8Array }
  /** Ninety seconds without an answer: what waited for the peer is dropped. */
  | { readonly kind: "unanswered"; readonly publicKey: Uint8Array }
  /** The peer's keys came to their end and are wiped. */
  | { readonly kind: "expired"; readonly publicKey: Uint8Array }
  | Question<WireGuardAsks>;

/** An initiation of an unknown peer, about which the application was asked. */
interface PendingAccept {
  readonly from: SocketAddress;
  readonly initiation: ReceivedInitiation;
  readonly at: Instant;
}

const nothing = new Uint8Array(0);

/** A WireGuard endpoint: many peers behind one identity, over datagrams, offering IP packets. */
export class WireGuard implements Machine<WireGuardInput | DatagramInput | Answer, WireGuardEvent> {
  readonly publicKey: Uint8Array;
  readonly mtu: number;
  readonly drops: DropCounts = noDrops();

  readonly #suite: Suite;
  readonly #entropy: Entropy;
  readonly #own: KeyPair;
  readonly #checker: CookieChecker;
  readonly #load = new Load();
  readonly #source: PacketSource | undefined;
  readonly #keyLog: KeyLog | undefined;
  readonly #acceptUnknownPeers: boolean;

  readonly #peers: PeerTable;
  readonly #accepts = new Map<number, PendingAccept>();
  #nextQuestion = 1;

  readonly #outgoing = new OutgoingMessages();
  /** Peers whose staged packets can go out now. */
  readonly #ready = new Set<Peer>();
  readonly #events: WireGuardEvent[] = [];
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  /** A sealed message that did not fit the last batch. */
  readonly #carry: Uint8Array;
  #carrySize = 0;
  #carryTo: SocketAddress | undefined;

  /** Made once and used again, unless inputs come faster than events are taken. */
  #inboundTold = true;
  #inbound: { kind: "packets"; bytes: Uint8Array; ranges: Uint32Array; count: number } = {
    kind: "packets",
    bytes: nothing,
    ranges: new Uint32Array(2 * batchPacketsMax),
    count: 0,
  };
  /** No duty falls before this moment. It may be too early, never too late: only a wake looks at every peer. */
  #dueAt: Instant | undefined;
  #closed = false;

  constructor(config: WireGuardConfig, now: Instant) {
    this.#suite = new Suite(config.crypto);
    this.#entropy = config.entropy;
    this.#peers = new PeerTable(this.#suite, config.entropy);
    this.#own = this.#suite.keyPair(config.privateKey.expose());
    this.publicKey = this.#own.publicKey;
    this.#checker = new CookieChecker(this.#suite, this.publicKey, config.entropy);
    this.mtu = config.mtu ?? defaultMtu;
    this.#source = config.source;
    this.#keyLog = config.keyLog;
    this.#acceptUnknownPeers = config.acceptUnknownPeers ?? false;
    this.#carry = new Uint8Array(this.mtu + 15 + transportLayout.overhead);
    for (const peer of config.peers ?? []) this.#addPeer(peer, now);
  }

  handle(input: WireGuardInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#closed) return;
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "packet":
        this.#packet(input.bytes, now);
        break;
      case "wake":
        this.#dueAt = undefined;
        for (const peer of this.#peers) this.#duties(peer, now);
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "initiate": {
        const peer = this.#peers.find(input.publicKey);
        if (peer !== undefined) {
          peer.renewAttempts(now);
          this.#initiate(peer, now);
        }
        break;
      }
      case "endpoint": {
        const peer = this.#peers.find(input.publicKey);
        if (peer !== undefined) {
          peer.endpoint = input.endpoint;
          this.#initiate(peer, now);
        }
        break;
      }
      case "add-peer":
        this.#addPeer(input.peer, now);
        break;
      case "remove-peer":
        this.#removePeer(input.publicKey);
        break;
      case "close":
        this.#close();
        break;
      case "opened":
      case "closed":
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    if (this.#closed) return undefined;
    // Packets without a session leave a handshake behind them, so that comes last once more.
    return this.#transmitMessage(into) ?? this.#transmitPackets(into, now) ?? this.#transmitMessage(into);
  }

  event(): WireGuardEvent | undefined {
    const event = this.#events.shift();
    if (event === this.#inbound) this.#inboundTold = true;
    return event;
  }

  deadline(): Instant | undefined {
    return this.#dueAt;
  }

  status(): readonly PeerStatus[] {
    return [...this.#peers].map((peer) => peer.status);
  }

  // ── peers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #addPeer(config: PeerConfig, now: Instant): Peer {
    this.#removePeer(config.publicKey);
    const peer = this.#peers.add(config);
    peer.start(now);
    this.#watch(peer);
    return peer;
  }

  #removePeer(publicKey: Uint8Array): void {
    const peer = this.#peers.remove(publicKey);
    if (peer !== undefined) this.#ready.delete(peer);
  }

  #wipe(peer: Peer): void {
    this.#peers.wipe(peer);
    this.#ready.delete(peer);
  }

  #close(): void {
    this.#peers.clear();
    this.#ready.clear();
    this.#outgoing.clear();
    this.#accepts.clear();
    this.#own.privateKey.wipe();
    this.#closed = true;
  }

  #duties(peer: Peer, now: Instant): void {
    for (let duty = peer.due(now); duty !== undefined; duty = peer.due(now)) {
      switch (duty) {
        case "send-keepalive":
          this.#keepalive(peer, now);
          break;
        case "initiate":
          this.#initiate(peer, now);
          break;
        case "retry":
          this.#initiate(peer, now);
          this.#events.push({ kind: "retrying", publicKey: peer.publicKey });
          break;
        case "give-up":
          this.#peers.forgetInitiation(peer);
          peer.staged.length = 0;
          this.#events.push({ kind: "unanswered", publicKey: peer.publicKey });
          break;
        case "wipe":
          this.#wipe(peer);
          this.#events.push({ kind: "expired", publicKey: peer.publicKey });
          break;
      }
    }
    this.#watch(peer);
  }

  /** After a peer's timers were set. */
  #watch(peer: Peer): void {
    this.#dueAt = earliest(this.#dueAt, peer.deadline());
  }

  // ── handshakes ─────────────────────────────────────────────────────────────────────────────────────────────────

  #initiate(peer: Peer, now: Instant): void {
    if (peer.endpoint === undefined) {
      this.#drop("no-endpoint");
      return;
    }
    if (!peer.mayInitiate(now)) return;
    this.#peers.forgetInitiation(peer);
    const ephemeral = this.#suite.newKeyPair(this.#entropy);
    const index = this.#peers.newIndex();
    const initiation = SentInitiation.create(this.#suite, this.#own, peer, ephemeral, index, tai64n(now));
    if (initiation === undefined) {
      this.#drop("bad-handshake");
      return;
    }
    peer.initiation = initiation;
    this.#peers.own(index, peer, undefined);
    peer.cookies.sign(initiation.message, now);
    if (this.#keyLog !== undefined) for (const line of keyLogLines(this.#own, peer, ephemeral)) this.#keyLog(line);
    this.#sendMessage(initiation.message.slice(), peer.endpoint);
    peer.initiated(now);
    this.#watch(peer);
  }

  /** §5.3: mac1 always; under load also a cookie, and no more than a source's share. */
  #admit(message: Uint8Array, from: SocketAddress, now: Instant): boolean {
    if (!this.#checker.mac1(message)) return this.#drop("bad-mac1");
    if (!this.#load.count(now)) return true;
    if (!this.#checker.mac2(message, from, now)) {
      if (!this.#outgoing.isFull) this.#sendMessage(this.#checker.reply(message, u32le(message, 4), from, now), from);
      return this.#drop("cookie-wanted");
    }
    return this.#load.admit(from.address, now) || this.#drop("rate-limited");
  }

  #initiation(message: Uint8Array, from: SocketAddress, now: Instant): void {
    const initiation = ReceivedInitiation.read(this.#suite, this.#own, message);
    if (initiation === undefined) {
      this.#drop("bad-handshake");
      return;
    }
    const peer = this.#peers.find(initiation.staticKey);
    if (peer !== undefined) this.#respond(peer, initiation, from, now);
    else if (this.#acceptUnknownPeers && this.#mayAsk(now)) {
      const id = this.#nextQuestion++;
      this.#accepts.set(id, { from, initiation, at: now });
      const question = { kind: "accept-peer", publicKey: initiation.staticKey, from } as const;
      this.#events.push({ kind: "question", id, question });
    } else {
      initiation.wipe();
      this.#drop("unknown-peer");
    }
  }

  #answer({ id, answer }: Answer, now: Instant): void {
    const pending = this.#accepts.get(id);
    if (pending === undefined) return;
    this.#accepts.delete(id);
    const { initiation, from, at } = pending;
    if (answer === undefined || this.#peers.isFull) {
      initiation.wipe();
      this.#drop("unknown-peer");
      return;
    }
    const config = answer as WireGuardAsks["accept-peer"]["answer"];
    const known = this.#peers.find(initiation.staticKey);
    const peer = known ?? this.#addPeer({ ...config, publicKey: initiation.staticKey }, now);
    if (now - at < acceptTimeoutMs) this.#respond(peer, initiation, from, now);
    else initiation.wipe();
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
      this.#drop(reason ?? "bad-handshake");
      return;
    }
    const ephemeral = this.#suite.newKeyPair(this.#entropy);
    const index = this.#peers.newIndex();
    if (this.#keyLog !== undefined) for (const line of keyLogLines(this.#own, peer, ephemeral)) this.#keyLog(line);
    const response = initiation.respond(peer.preSharedKey, ephemeral, index);
    if (response === undefined) {
      this.#drop("bad-handshake");
      return;
    }
    peer.timestamp = timestamp.slice();
    peer.lastInitiationAt = now;
    const session = this.#derive(peer, response.keys, index, initiation.sender, false, now);
    // §6.2: the new keys wait until the initiator proves that it has them; no older unproved ones remain.
    this.#peers.endSession(peer.next);
    this.#peers.retire(peer, peer.previous);
    peer.previous = undefined;
    peer.next = session;
    this.#learn(peer, from);
    peer.receivedAuthenticated(now);
    peer.cookies.sign(response.message, now);
    this.#sendMessage(response.message, from);
    peer.sentAuthenticated(now);
    this.#watch(peer);
  }

  #response(message: Uint8Array, from: SocketAddress, now: Instant): void {
    const owner = this.#peers.owner(u32le(message, responseLayout.receiver));
    const initiation = owner?.peer.initiation;
    if (owner === undefined || owner.session !== undefined || initiation === undefined) {
      this.#drop("unknown-index");
      return;
    }
    const { peer } = owner;
    const keys = initiation.accept(message);
    if (keys === undefined) {
      this.#drop("bad-handshake");
      return;
    }
    peer.initiation = undefined;
    const session = this.#derive(peer, keys, initiation.index, u32le(message, responseLayout.sender), true, now);
    this.#peers.retire(peer, peer.previous);
    if (peer.next === undefined) peer.previous = peer.current;
    else {
      // Both began at once: the peer goes on with the session that it began, and has packets of the last on their way.
      this.#peers.retire(peer, peer.current);
      peer.previous = peer.next;
      peer.next = undefined;
    }
    peer.current = session;
    this.#learn(peer, from);
    peer.receivedAuthenticated(now);
    this.#completed(peer, true, now);
    this.#watch(peer);
    // §6.5: the responder may not send before it has heard from us under the new keys.
    if (peer.staged.length === 0) peer.stage(nothing);
    this.#ready.add(peer);
  }

  #cookieReply(message: Uint8Array, now: Instant): void {
    const owner = this.#peers.owner(u32le(message, cookieReplyLayout.receiver));
    if (owner === undefined) this.#drop("unknown-index");
    else if (!owner.peer.cookies.accept(message, now)) this.#drop("bad-tag");
  }

  #derive(
    peer: Peer,
    keys: TransportKeys,
    localIndex: number,
    remoteIndex: number,
    initiator: boolean,
    now: Instant,
  ): Session {
    const session = new Session(this.#suite, keys, localIndex, remoteIndex, initiator, now);
    this.#peers.own(localIndex, peer, session);
    peer.derivedSession(now);
    return session;
  }

  #completed(peer: Peer, initiator: boolean, now: Instant): void {
    peer.completedHandshake(now);
    this.#events.push({ kind: "session", publicKey: peer.publicKey, initiator });
  }

  #sendMessage(bytes: Uint8Array, to: SocketAddress): void {
    if (!this.#outgoing.push(bytes, to)) this.#drop("queue-full");
  }

  #transmitMessage(into: Uint8Array): Transmit | undefined {
    const message = this.#outgoing.shift();
    if (message === undefined) return undefined;
    into.set(message.bytes);
    return this.#out(message.bytes.length, message.bytes.length, message.to);
  }

  // ── packets in ─────────────────────────────────────────────────────────────────────────────────────────────────

  #datagrams({ bytes, from, segmentSize }: Datagrams, now: Instant): void {
    if (!this.#inboundTold) this.#inbound = { ...this.#inbound, ranges: new Uint32Array(2 * batchPacketsMax) };
    const inbound = this.#inbound;
    inbound.bytes = bytes;
    inbound.count = 0;
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      const size = Math.min(step, bytes.length - at);
      const type = messageType(bytes, at, size);
      if (type === MessageType.transport) this.#transport(bytes, at, size, from, now);
      else if (type === 0) this.#drop("malformed");
      else this.#handshakeMessage(type, bytes.subarray(at, at + size), from, now);
    }
    this.#inboundTold = inbound.count === 0;
    if (inbound.count > 0) this.#events.push(inbound);
  }

  #handshakeMessage(type: number, message: Uint8Array, from: SocketAddress, now: Instant): void {
    if (type === MessageType.cookieReply) this.#cookieReply(message, now);
    else if (!this.#admit(message, from, now)) return;
    else if (type === MessageType.initiation) this.#initiation(message, from, now);
    else this.#response(message, from, now);
  }

  #transport(bytes: Uint8Array, at: number, size: number, from: SocketAddress, now: Instant): void {
    const owner = this.#peers.owner(u32le(bytes, at + transportLayout.receiver));
    const session = owner?.session;
    if (owner === undefined || session === undefined) {
      this.#drop("unknown-index");
      return;
    }
    const padded = session.open(bytes, at, size, now);
    if (typeof padded !== "number") {
      this.#drop(padded);
      return;
    }
    const { peer } = owner;
    peer.receivedAuthenticated(now);
    peer.packetsReceived++;
    peer.bytesReceived += size;
    this.#learn(peer, from);
    if (session === peer.next) this.#confirm(peer, now);
    this.#keepFresh(peer, session, now);
    if (padded > 0) peer.receivedData(now);
    this.#watch(peer);
    if (padded === 0) return; // a keepalive
    const packet = at + transportLayout.packet;
    const length = innerLength(bytes, packet, padded);
    if (length === 0) this.#drop("not-ip");
    else if (this.#peers.route(bytes, packet, sourceAt(bytes, packet)) !== peer) this.#drop("source-not-allowed");
    else this.#deliver(packet, packet + length);
  }

  #deliver(start: number, end: number): void {
    const inbound = this.#inbound;
    const at = 2 * inbound.count++;
    if (at >= inbound.ranges.length) {
      const larger = new Uint32Array(2 * inbound.ranges.length);
      larger.set(inbound.ranges);
      inbound.ranges = larger;
    }
    inbound.ranges[at] = start;
    inbound.ranges[at + 1] = end;
  }

  /** The initiator has spoken under the new keys: now they are ours to send with (§6.2). */
  #confirm(peer: Peer, now: Instant): void {
    this.#peers.retire(peer, peer.previous);
    peer.previous = peer.current;
    peer.current = peer.next;
    peer.next = undefined;
    this.#completed(peer, false, now);
    if (peer.staged.length > 0) this.#ready.add(peer);
  }

  /** Roaming (§2.1): after an authentic message, its source is where the peer is. */
  #learn(peer: Peer, from: SocketAddress): void {
    const known = peer.endpoint;
    if (known !== undefined && known.port === from.port && known.address === from.address) return;
    peer.endpoint = { ...from };
    if (known !== undefined)
      this.#events.push({ kind: "moved", publicKey: peer.publicKey, from: known, to: peer.endpoint });
  }

  /** §6.2: an initiator that only receives renews the keys in time, too. */
  #keepFresh(peer: Peer, session: Session, now: Instant): void {
    if (session !== peer.current || !session.initiator) return;
    if (now - session.bornAt >= rejectAfterMs - keepaliveTimeoutMs - rekeyTimeoutMs) this.#initiate(peer, now);
  }

  // ── packets out ────────────────────────────────────────────────────────────────────────────────────────────────

  #packet(bytes: Uint8Array, now: Instant): void {
    const length = innerLength(bytes, 0, bytes.length);
    const peer = length === 0 ? undefined : this.#peers.route(bytes, 0, destinationAt(bytes, 0));
    if (length === 0) this.#drop("not-ip");
    else if (peer === undefined) this.#drop("no-route");
    else this.#stage(peer, bytes, now);
  }

  #stage(peer: Peer, packet: Uint8Array, now: Instant): void {
    if (!peer.stage(packet)) this.#drop("queue-full");
    if (peer.current?.usable(now)) this.#ready.add(peer);
    else {
      if (peer.initiation === undefined) peer.renewAttempts(now);
      this.#initiate(peer, now);
    }
  }

  #keepalive(peer: Peer, now: Instant): void {
    if (peer.staged.length === 0) this.#stage(peer, nothing, now);
  }

  /** Seals packets of one peer and one size side by side, for as long as there are such. */
  #transmitPackets(into: Uint8Array, now: Instant): Transmit | undefined {
    let at = 0;
    let segment = 0;
    let to: SocketAddress | undefined;
    if (this.#carryTo !== undefined) {
      into.set(this.#carry.subarray(0, this.#carrySize));
      at = segment = this.#carrySize;
      to = this.#carryTo;
      this.#carryTo = undefined;
    }
    const room = this.#carry.length;
    const most = Math.min(into.length, batchSizeMax) - room;
    for (let count = at > 0 ? 1 : 0; count < batchPacketsMax && at <= most; count++) {
      const peer = this.#nextPacket(into, at, now);
      if (peer === undefined) break;
      const size = this.#sealed;
      const endpoint = peer.endpoint!;
      if (segment === 0) {
        segment = size;
        to = endpoint;
      } else if (size > segment || endpoint !== to) {
        this.#carry.set(into.subarray(at, at + size));
        this.#carrySize = size;
        this.#carryTo = endpoint;
        break;
      }
      at += size;
      if (size < segment) break;
    }
    return to === undefined ? undefined : this.#out(at, segment, to);
  }

  /** Bytes of the message that `#nextPacket` sealed last. */
  #sealed = 0;

  /** Seals the next packet at `at`; answers its peer. Packets that cannot go now are staged or dropped on the way. */
  #nextPacket(into: Uint8Array, at: number, now: Instant): Peer | undefined {
    for (const peer of this.#ready) {
      const packet = peer.current?.usable(now) ? peer.staged.shift() : undefined;
      if (packet === undefined || peer.endpoint === undefined) {
        this.#ready.delete(peer);
        continue;
      }
      if (peer.staged.length === 0) this.#ready.delete(peer);
      if (packet.length > this.mtu) {
        this.#drop("malformed");
        continue;
      }
      into.set(packet, at + transportLayout.packet);
      this.#seal(peer, into, at, packet.length, now);
      return peer;
    }
    const source = this.#source;
    if (source === undefined) return undefined;
    const start = at + transportLayout.packet;
    for (let size = source.pull(into, start, now); size > 0; size = source.pull(into, start, now)) {
      const length = innerLength(into, start, size);
      const peer = length === 0 ? undefined : this.#peers.route(into, start, destinationAt(into, start));
      if (peer === undefined) this.#drop(length === 0 ? "not-ip" : "no-route");
      else if (peer.endpoint !== undefined && peer.current?.usable(now)) {
        this.#seal(peer, into, at, size, now);
        return peer;
      } else this.#stage(peer, into.slice(start, start + size), now);
    }
    return undefined;
  }

  #seal(peer: Peer, into: Uint8Array, at: number, size: number, now: Instant): void {
    const session = peer.current!;
    // §5.4.6: padded to a multiple of 16, but never beyond the MTU.
    const padded = Math.max(size, Math.min((size + 15) & ~15, this.mtu));
    const packet = at + transportLayout.packet;
    into.fill(0, packet + size, packet + padded);
    this.#sealed = session.seal(into, at, padded);
    peer.packetsSent++;
    peer.bytesSent += this.#sealed;
    peer.sentAuthenticated(now);
    if (size > 0) peer.sentData(now);
    this.#watch(peer);
    if (session.stale(now)) this.#initiate(peer, now);
  }

  #out(size: number, segmentSize: number, to: SocketAddress): Transmit {
    const out = this.#transmitted;
    out.size = size;
    out.segmentSize = segmentSize;
    out.to = to;
    return out;
  }

  #drop(reason: DropReason): false {
    this.drops[reason]++;
    return false;
  }
}
