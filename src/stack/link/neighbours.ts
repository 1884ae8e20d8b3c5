import { toHex } from "../../bytes/index.js";
import type { Instant } from "../../contract/index.js";
import {
  neighbourQueueMax,
  neighbourReachableMs,
  neighbourRetransmitMs,
  neighbourSolicitsMax,
  neighboursMax,
} from "../limits.js";

/** One neighbour on the link, by its IP address. */
export interface Neighbour {
  readonly address: Uint8Array;
  /** Six bytes, once they are known. */
  hardware: Uint8Array | undefined;
  /** Until then what is known is believed without asking. */
  freshUntil: Instant;
  /** When it is asked again, and how often it was. */
  askAt: Instant | undefined;
  asked: number;
  /** Packets that wait for the answer. */
  readonly waiting: Uint8Array[];
}

/** What is known of the neighbours: ARP's table and RFC 4861's neighbour cache in one. Only who was asked is believed. */
export class Neighbours {
  readonly #all = new Map<string, Neighbour>();

  get size(): number {
    return this.#all.size;
  }

  /** The neighbour to whom something is to be sent; made if it is not known, at the cost of the oldest. */
  reach(address: Uint8Array): Neighbour {
    const key = toHex(address);
    const known = this.#all.get(key);
    if (known !== undefined) return known;
    if (this.#all.size >= neighboursMax) this.#all.delete(this.#all.keys().next().value!);
    const made: Neighbour = {
      address: address.slice(),
      hardware: undefined,
      freshUntil: 0,
      askAt: undefined,
      asked: 0,
      waiting: [],
    };
    this.#all.set(key, made);
    return made;
  }

  /** Must it be asked now for its address? What is stale is used meanwhile. */
  wantsAsking(neighbour: Neighbour, now: Instant): boolean {
    if (neighbour.askAt !== undefined || (neighbour.hardware !== undefined && now < neighbour.freshUntil)) return false;
    neighbour.askAt = now + neighbourRetransmitMs;
    neighbour.asked = 1;
    return true;
  }

  /** Keeps a packet until the answer comes; the oldest goes for it. */
  hold(neighbour: Neighbour, packet: Uint8Array): void {
    neighbour.waiting.push(packet);
    if (neighbour.waiting.length > neighbourQueueMax) neighbour.waiting.shift();
  }

  /**
   * A neighbour has said where it is. Answers it, with what waits for it, if anybody wants to know. Unasked, only a
   * neighbour that asks for us itself is believed.
   */
  learned(address: Uint8Array, hardware: Uint8Array, hasAskedUs: boolean, now: Instant): Neighbour | undefined {
    const known = this.#all.get(toHex(address));
    const isAwaited = known?.askAt !== undefined;
    if (!isAwaited && !hasAskedUs) return undefined;
    const neighbour = known ?? this.reach(address);
    neighbour.hardware = hardware.slice();
    neighbour.freshUntil = now + neighbourReachableMs;
    neighbour.askAt = undefined;
    neighbour.asked = 0;
    return neighbour;
  }

  /** Those who are due: to be asked again, or, having been asked often enough, gone. */
  due(now: Instant): { readonly ask: readonly Neighbour[]; readonly gone: readonly Neighbour[] } {
    const ask: Neighbour[] = [];
    const gone: Neighbour[] = [];
    for (const [key, neighbour] of this.#all) {
      if (neighbour.askAt === undefined || neighbour.askAt > now) continue;
      if (neighbour.asked < neighbourSolicitsMax) {
        neighbour.asked++;
        neighbour.askAt = now + neighbourRetransmitMs;
        ask.push(neighbour);
      } else {
        this.#all.delete(key);
        gone.push(neighbour);
      }
    }
    return { ask, gone };
  }

  deadline(): Instant | undefined {
    let at: Instant | undefined;
    for (const { askAt } of this.#all.values()) if (askAt !== undefined && (at === undefined || askAt < at)) at = askAt;
    return at;
  }
}
