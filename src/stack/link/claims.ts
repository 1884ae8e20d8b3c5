import { equal } from "../../bytes/index.js";
import { type Entropy, earliest, type Instant } from "../../contract/index.js";
import { u16 } from "../ip/header.js";
import {
  announceIntervalMs,
  announcementsMax,
  announceWaitMs,
  defendIntervalMs,
  neighbourQueueMax,
  neighbourRetransmitMs,
  probeDelayMaxMs,
  probeSpreadMs,
  probesMax,
} from "../limits.js";
import type { NeighbourMessage } from "./messages.js";

/** What has become of an address of ours: free to be used, another's, or used by another beside us. */
export interface AddressEvent {
  readonly kind: "address";
  readonly address: Uint8Array;
  readonly state: "ours" | "duplicate" | "disputed";
  /** The hardware address of the other, six bytes. */
  readonly by: Uint8Array | undefined;
}

/** One address, before and after it was tested. */
interface Claim {
  readonly address: Uint8Array;
  state: "tentative" | "ours" | "duplicate";
  /** When the next probe or announcement is due, or the test is over. */
  at: Instant | undefined;
  probes: number;
  announcements: number;
  defendedAt: Instant;
  /** Packets that want to leave from it. */
  readonly waiting: Uint8Array[];
}

/** What a claim wants said: is anybody there; it is mine. */
export interface ClaimFrame {
  readonly kind: "probe" | "announcement";
  readonly address: Uint8Array;
}

/**
 * Our addresses on a link where others may have them, too (RFC 4862 §5.4, RFC 5227 §2): each is asked for before it is used, and
 * defended once it is.
 *
 *     tentative ─ nobody answers ─▶ ours ─ another speaks from it ─▶ ours, disputed, and said so again
 *               ─ somebody does, or asks the same ─▶ duplicate, and never used
 */
export class Claims {
  /** Is every address ours? Then nobody has to look at packets. */
  areOurs = false;
  readonly #claims: readonly Claim[];
  readonly #entropy: Entropy;
  readonly #events: AddressEvent[] = [];
  readonly #two = new Uint8Array(2);

  constructor(addresses: readonly Uint8Array[], entropy: Entropy, now: Instant) {
    this.#entropy = entropy;
    this.#claims = addresses.map((address) => ({
      address,
      state: "tentative",
      at: now + this.#chance(probeDelayMaxMs),
      probes: 0,
      announcements: 0,
      defendedAt: Number.NEGATIVE_INFINITY,
      waiting: [],
    }));
  }

  stateOf(address: Uint8Array): Claim["state"] | undefined {
    return this.#find(address)?.state;
  }

  /** Keeps a packet until its address is ours; the oldest goes for it. */
  hold(address: Uint8Array, packet: Uint8Array): void {
    const waiting = this.#find(address)?.waiting;
    waiting?.push(packet);
    if (waiting !== undefined && waiting.length > neighbourQueueMax) waiting.shift();
  }

  /** What a neighbour asks or says, with the hardware address that the frame came from. Answers an address that is to be announced. */
  heard({ kind, sender, target }: NeighbourMessage, from: Uint8Array, now: Instant): Uint8Array | undefined {
    for (const claim of this.#claims) {
      const speaks = sender !== undefined && equal(sender, claim.address);
      // Two that ask for the same at one time: neither may have it.
      const asksToo = kind === "ask" && sender === undefined && equal(target, claim.address);
      if (claim.state === "tentative" && (speaks || asksToo)) {
        claim.state = "duplicate";
        // What waits is to be given back.
        claim.at = now;
        this.#tell(claim, "duplicate", from);
      } else if (claim.state === "ours" && speaks && now >= claim.defendedAt + defendIntervalMs) {
        // RFC 5227 §2.4 (c): we keep it, and say so, but not in a quarrel of two who both do.
        claim.defendedAt = now;
        this.#tell(claim, "disputed", from);
        return claim.address;
      }
    }
    return undefined;
  }

  /** What is due now; and packets that may leave, since their address has become ours, or are to be given back. */
  due(now: Instant): { readonly say: readonly ClaimFrame[]; readonly free: readonly Uint8Array[] } {
    const say: ClaimFrame[] = [];
    const free: Uint8Array[] = [];
    for (const claim of this.#claims) {
      if (claim.at === undefined || claim.at > now) continue;
      if (claim.state === "duplicate") {
        claim.at = undefined;
        free.push(...claim.waiting.splice(0));
        continue;
      }
      const { address } = claim;
      const isV4 = address.length === 4;
      const probes = isV4 ? probesMax : 1;
      if (claim.state === "tentative" && claim.probes < probes) {
        claim.probes++;
        const spread = neighbourRetransmitMs + (isV4 ? this.#chance(probeSpreadMs) : 0);
        claim.at = now + (isV4 && claim.probes === probes ? announceWaitMs : spread);
        say.push({ kind: "probe", address });
        continue;
      }
      if (claim.state === "tentative") {
        claim.state = "ours";
        this.areOurs = this.#claims.every(({ state }) => state === "ours");
        this.#tell(claim, "ours", undefined);
        free.push(...claim.waiting.splice(0));
      }
      claim.at = undefined;
      // RFC 5227 §2.3; IPv6 has no need of it.
      if (!isV4) continue;
      say.push({ kind: "announcement", address });
      if (++claim.announcements < announcementsMax) claim.at = now + announceIntervalMs;
    }
    return { say, free };
  }

  event(): AddressEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    let at: Instant | undefined;
    for (const claim of this.#claims) at = earliest(at, claim.at);
    return at;
  }

  #find(address: Uint8Array): Claim | undefined {
    return this.#claims.find((claim) => equal(claim.address, address));
  }

  #tell({ address }: Claim, state: AddressEvent["state"], by: Uint8Array | undefined): void {
    this.#events.push({ kind: "address", address, state, by: by?.slice() });
  }

  /** From zero up to as many milliseconds. */
  #chance(ms: number): number {
    return (u16(this.#entropy.fill(this.#two), 0) / 65_536) * ms;
  }
}
