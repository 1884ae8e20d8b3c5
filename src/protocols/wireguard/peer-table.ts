import { toHex } from "../../bytes/index.js";
import type { Entropy } from "../../contract/index.js";
import { PrefixTable } from "../../mechanisms/prefix-table.js";
import { failure } from "./failure.js";
import { peersMax, retiredSessionsMax } from "./limits.js";
import { u32le } from "./messages/layout.js";
import type { Suite } from "./noise.js";
import { Peer, type PeerConfig } from "./peer.js";
import type { Session } from "./session.js";

/** Who owns an index that we gave out: an initiation under way, or a session. */
export interface IndexOwner {
  readonly peer: Peer;
  readonly session: Session | undefined;
}

/** The peers of one identity, found by key, by inner address and by index. */
export class PeerTable {
  readonly #suite: Suite;
  readonly #entropy: Entropy;
  readonly #peers = new Map<string, Peer>();
  readonly #routes4 = new PrefixTable<Peer>(4);
  readonly #routes6 = new PrefixTable<Peer>(16);
  readonly #indices = new Map<number, IndexOwner>();

  constructor(suite: Suite, entropy: Entropy) {
    this.#suite = suite;
    this.#entropy = entropy;
  }

  get isFull(): boolean {
    return this.#peers.size >= peersMax;
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#peers.values();
  }

  find(publicKey: Uint8Array): Peer | undefined {
    return this.#peers.get(toHex(publicKey));
  }

  /** A peer with the same key makes room for it. Throws `misuse` failures for a bad key or a full table. */
  add(config: PeerConfig): Peer {
    if (config.publicKey.length !== 32) {
      throw failure("bad-configuration", `a public key of ${config.publicKey.length} bytes`, { at: "publicKey" });
    }
    this.remove(config.publicKey);
    if (this.isFull) throw failure("too-many-peers", `more than ${peersMax} peers`);
    const peer = new Peer(this.#suite, config, this.#entropy);
    this.#peers.set(toHex(config.publicKey), peer);
    for (const { address, length } of config.allowedIps) {
      (address.length === 4 ? this.#routes4 : this.#routes6).set(address, length, peer);
    }
    return peer;
  }

  /** Wipes and forgets a peer; answers it if there was one. */
  remove(publicKey: Uint8Array): Peer | undefined {
    const peer = this.find(publicKey);
    if (peer === undefined) return undefined;
    this.wipe(peer);
    peer.forget();
    this.#peers.delete(toHex(publicKey));
    this.#routes4.deleteValue(peer);
    this.#routes6.deleteValue(peer);
    return peer;
  }

  /** The peer whose allowed IPs hold the address at `address` in the packet at `packet`. */
  route(bytes: Uint8Array, packet: number, address: number): Peer | undefined {
    return (bytes[packet]! >> 4 === 4 ? this.#routes4 : this.#routes6).get(bytes, address);
  }

  owner(index: number): IndexOwner | undefined {
    return this.#indices.get(index);
  }

  own(index: number, peer: Peer, session: Session | undefined): void {
    this.#indices.set(index, { peer, session });
  }

  /** An index that nobody has. */
  newIndex(): number {
    const bytes = new Uint8Array(4);
    let index: number;
    do index = u32le(this.#entropy.fill(bytes), 0);
    while (this.#indices.has(index));
    return index;
  }

  /** Ends all sessions of a peer and whatever it waits for. */
  wipe(peer: Peer): void {
    for (const session of [...peer.retired, peer.previous, peer.current, peer.next]) this.endSession(session);
    peer.retired.length = 0;
    peer.previous = peer.current = peer.next = undefined;
    this.forgetInitiation(peer);
    peer.staged.length = 0;
  }

  /** The session leaves its place; it still receives until two more have left theirs. */
  retire(peer: Peer, session: Session | undefined): void {
    if (session === undefined) return;
    peer.retired.push(session);
    if (peer.retired.length > retiredSessionsMax) this.endSession(peer.retired.shift());
  }

  endSession(session: Session | undefined): void {
    if (session === undefined) return;
    session.end();
    this.#indices.delete(session.localIndex);
  }

  forgetInitiation(peer: Peer): void {
    if (peer.initiation === undefined) return;
    peer.initiation.wipe();
    this.#indices.delete(peer.initiation.index);
    peer.initiation = undefined;
  }

  clear(): void {
    for (const peer of this.#peers.values()) {
      this.wipe(peer);
      peer.forget();
    }
    this.#peers.clear();
  }
}
