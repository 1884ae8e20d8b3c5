import type { Host } from "../contract/index.js";
import type { ConnectionProperties, Scheduler } from "./properties.js";

/** What a group's scheduler knows of a member. */
export interface Member {
  readonly connPriority: number;
  /** Bytes that this member has sent since the group had a choice to make. */
  readonly sentBytes: number;
  /** When the member was last served; smaller is longer ago. */
  readonly servedAt: number;
  /** Arrival of the Message that it would send next. */
  readonly arrivedAt: number;
}

/** Whose turn it is, as a comparison: the least member goes next (RFC 8260 §3). */
export const schedulers: Readonly<Record<Scheduler, (a: Member, b: Member) => number>> = {
  "first-come-first-served": (a, b) => a.arrivedAt - b.arrivedAt,
  "round-robin": (a, b) => a.servedAt - b.servedAt,
  // Each Message here is passed down in one piece, so a packet's turn is a Message's.
  "round-robin-per-packet": (a, b) => a.servedAt - b.servedAt,
  "priority-based": (a, b) => a.connPriority - b.connPriority || a.servedAt - b.servedAt,
  "fair-capacity": (a, b) => a.sentBytes - b.sentBytes || a.servedAt - b.servedAt,
  // RFC 9622 §9.2.6: connPriority comes first; its weight is 1 / (1 + connPriority).
  "weighted-fair-queueing": (a, b) =>
    a.sentBytes * (1 + a.connPriority) - b.sentBytes * (1 + b.connPriority) ||
    a.connPriority - b.connPriority ||
    a.servedAt - b.servedAt,
};

/** What a group needs of its members. */
export interface GroupMember extends Member {
  readonly wantsToSend: boolean;
  /** Passes one Message down; false if it could not. */
  sendOne(turn: number): boolean;
  /** Makes a shared property act on this member. */
  applyShared(name: keyof ConnectionProperties): void;
}

/**
 * Connections that were cloned from one another (RFC 9622 §7.4). They share every Connection Property but
 * `connPriority`, and a scheduler decides who sends next.
 */
export class ConnectionGroup<M extends GroupMember = GroupMember> {
  readonly members = new Set<M>();
  /** The shared properties. */
  readonly values: { -readonly [Name in keyof ConnectionProperties]: ConnectionProperties[Name] };
  /** Connections that the peer has added to the group: `groupConnLimit` counts them. */
  received = 0;
  readonly #host: Host;
  #turn = 0;
  #planned = false;
  #running = false;

  constructor(host: Host, values: ConnectionProperties) {
    this.#host = host;
    this.values = { ...values };
  }

  /**
   * A member has something to send. Alone it sends at once; in company the choice is made once all that this turn of
   * work brings is on the table.
   */
  plan(): void {
    if (this.members.size <= 1) {
      this.run();
      return;
    }
    if (this.#planned) return;
    this.#planned = true;
    this.#host.soon(() => {
      this.#planned = false;
      this.run();
    });
  }

  /** Sends until no member may. */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#pick(); next !== undefined; next = this.#pick()) next.sendOne(++this.#turn);
    } finally {
      this.#running = false;
    }
  }

  #pick(): M | undefined {
    const before = schedulers[this.values.connScheduler];
    let best: M | undefined;
    for (const member of this.members) {
      if (member.wantsToSend && (best === undefined || before(member, best) < 0)) best = member;
    }
    return best;
  }
}
