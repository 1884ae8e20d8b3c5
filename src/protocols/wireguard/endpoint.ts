import { type Entropy, earliest, type Instant, type SocketAddress } from "../../contract/index.js";
import { type DropCounts, type DropReason, noDrops } from "./failure.js";
import type { WireGuardEvent } from "./interfaces.js";
import type { KeyPair, Suite } from "./noise.js";
import type { Peer } from "./peer.js";
import { PeerTable } from "./peer-table.js";

/** What the parts of an endpoint share: who we are, the peers, what is told and counted, when the next duty falls. */
export class Endpoint {
  readonly suite: Suite;
  readonly entropy: Entropy;
  readonly own: KeyPair;
  readonly peers: PeerTable;
  /** Peers whose staged packets can go out now. */
  readonly ready = new Set<Peer>();
  readonly events: WireGuardEvent[] = [];
  readonly drops: DropCounts = noDrops();
  /** No duty falls before this moment. It may be too early, never too late: only a wake looks at every peer. */
  dueAt: Instant | undefined;

  constructor(suite: Suite, entropy: Entropy, own: KeyPair) {
    this.suite = suite;
    this.entropy = entropy;
    this.own = own;
    this.peers = new PeerTable(suite, entropy);
  }

  /** After a peer's timers were set. */
  watch(peer: Peer): void {
    this.dueAt = earliest(this.dueAt, peer.deadline());
  }

  /** Roaming (§2.1): after an authentic message, its source is where the peer is. */
  learn(peer: Peer, from: SocketAddress): void {
    const known = peer.endpoint;
    if (known !== undefined && known.port === from.port && known.address === from.address) return;
    peer.endpoint = { ...from };
    if (known !== undefined)
      this.events.push({ kind: "moved", publicKey: peer.publicKey, from: known, to: peer.endpoint });
  }

  drop(reason: DropReason): false {
    this.drops[reason]++;
    return false;
  }
}
