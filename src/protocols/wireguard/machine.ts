import type { Answer, DatagramInput, Instant, Machine, Transmit, Wake } from "../../contract/index.js";
import { Endpoint } from "./endpoint.js";
import type { DropCounts } from "./failure.js";
import { Handshakes } from "./handshakes.js";
import { Incoming } from "./incoming.js";
import type { WireGuardConfig, WireGuardEvent, WireGuardInput } from "./interfaces.js";
import { defaultMtu } from "./limits.js";
import { Suite } from "./noise.js";
import { OutgoingPackets } from "./outgoing-packets.js";
import type { Peer, PeerConfig, PeerStatus } from "./peer.js";

/** A WireGuard endpoint: many peers behind one identity, over datagrams, offering IP packets. */
export class WireGuard implements Machine<WireGuardInput | DatagramInput | Answer, WireGuardEvent> {
  readonly mtu: number;
  readonly #endpoint: Endpoint;
  readonly #handshakes: Handshakes;
  readonly #incoming: Incoming;
  readonly #outgoing: OutgoingPackets;
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  #closed = false;

  constructor(config: WireGuardConfig, now: Instant) {
    const suite = new Suite(config.crypto);
    this.mtu = config.mtu ?? defaultMtu;
    const endpoint = new Endpoint(suite, config.entropy, suite.keyPair(config.privateKey.expose()));
    this.#endpoint = endpoint;
    this.#handshakes = new Handshakes(endpoint, {
      keyLog: config.keyLog,
      acceptsUnknownPeers: config.acceptUnknownPeers ?? false,
      addPeer: (peer, at) => this.#addPeer(peer, at),
    });
    this.#incoming = new Incoming(endpoint, this.#handshakes);
    this.#outgoing = new OutgoingPackets(endpoint, this.#handshakes, config.source, this.mtu);
    for (const peer of config.peers ?? []) this.#addPeer(peer, now);
  }

  get publicKey(): Uint8Array {
    return this.#endpoint.own.publicKey;
  }

  get drops(): DropCounts {
    return this.#endpoint.drops;
  }

  handle(input: WireGuardInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#closed) return;
    switch (input.kind) {
      case "datagrams":
        this.#incoming.datagrams(input, now);
        break;
      case "packet":
        this.#outgoing.packet(input.bytes, now);
        break;
      case "wake":
        this.#endpoint.dueAt = undefined;
        for (const peer of this.#endpoint.peers) this.#duties(peer, now);
        break;
      case "answer":
        this.#handshakes.answer(input, now);
        break;
      case "initiate": {
        const peer = this.#endpoint.peers.find(input.publicKey);
        if (peer !== undefined) {
          peer.renewAttempts(now);
          this.#handshakes.initiate(peer, now);
        }
        break;
      }
      case "endpoint": {
        const peer = this.#endpoint.peers.find(input.publicKey);
        if (peer !== undefined) {
          peer.endpoint = input.endpoint;
          this.#handshakes.initiate(peer, now);
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
    return this.#transmitMessage(into) ?? this.#outgoing.transmit(into, now) ?? this.#transmitMessage(into);
  }

  event(): WireGuardEvent | undefined {
    const event = this.#endpoint.events.shift();
    this.#incoming.told(event);
    return event;
  }

  deadline(): Instant | undefined {
    return this.#endpoint.dueAt;
  }

  status(): readonly PeerStatus[] {
    return [...this.#endpoint.peers].map((peer) => peer.status);
  }

  #transmitMessage(into: Uint8Array): Transmit | undefined {
    const message = this.#handshakes.next();
    if (message === undefined) return undefined;
    into.set(message.bytes);
    const out = this.#transmitted;
    out.size = out.segmentSize = message.bytes.length;
    out.to = message.to;
    return out;
  }

  #addPeer(config: PeerConfig, now: Instant): Peer {
    this.#removePeer(config.publicKey);
    const peer = this.#endpoint.peers.add(config);
    peer.start(now);
    this.#endpoint.watch(peer);
    return peer;
  }

  #removePeer(publicKey: Uint8Array): void {
    const peer = this.#endpoint.peers.remove(publicKey);
    if (peer !== undefined) this.#endpoint.ready.delete(peer);
  }

  #duties(peer: Peer, now: Instant): void {
    const { peers, ready, events } = this.#endpoint;
    for (let duty = peer.due(now); duty !== undefined; duty = peer.due(now)) {
      switch (duty) {
        case "send-keepalive":
          this.#outgoing.keepalive(peer, now);
          break;
        case "initiate":
          this.#handshakes.initiate(peer, now);
          break;
        case "retry":
          this.#handshakes.initiate(peer, now);
          events.push({ kind: "retrying", publicKey: peer.publicKey });
          break;
        case "give-up":
          peers.forgetInitiation(peer);
          peer.staged.length = 0;
          events.push({ kind: "unanswered", publicKey: peer.publicKey });
          break;
        case "wipe":
          peers.wipe(peer);
          ready.delete(peer);
          events.push({ kind: "expired", publicKey: peer.publicKey });
          break;
      }
    }
    this.#endpoint.watch(peer);
  }

  #close(): void {
    const { peers, ready, own } = this.#endpoint;
    peers.clear();
    ready.clear();
    this.#handshakes.clear();
    own.privateKey.wipe();
    this.#closed = true;
  }
}
