import { NumberMap } from "../../mechanisms/number-map.js";
import type { Pair } from "./pair.js";

/** Traffic that goes by one pair after another: the first of them, and those that took over (RFC 7296 §2.8). */
export class Flow {
  /** In the order of their installation. */
  readonly pairs: Pair[] = [];
  /** The one that sends; there is none when nothing but what lingers is left. */
  sender: Pair | undefined;
}

/** The pairs by SPI, and the flows by what they are for. */
export class Flows {
  /** In order: the first whose selectors fit carries a packet. */
  readonly all: Flow[] = [];
  readonly #pairs = new NumberMap<Pair>();
  readonly #flowOf = new Map<Pair, Flow>();

  get size(): number {
    return this.#pairs.size;
  }

  pair(spiIn: number): Pair | undefined {
    return this.#pairs.get(spiIn);
  }

  pairs(): readonly Pair[] {
    return this.#pairs.values();
  }

  flowOf(pair: Pair): Flow {
    return this.#flowOf.get(pair)!;
  }

  /** Adds a pair to the flow of what it replaces, or as a flow of its own. */
  add(pair: Pair, replaces: number | undefined): Flow {
    const before = replaces === undefined ? undefined : this.#pairs.get(replaces);
    let flow = before && this.#flowOf.get(before);
    if (flow === undefined) {
      flow = new Flow();
      this.all.push(flow);
    }
    flow.pairs.push(pair);
    this.#pairs.set(pair.spiIn, pair);
    this.#flowOf.set(pair, flow);
    return flow;
  }

  /** Takes a pair out, and its flow with the last of them. */
  delete(pair: Pair): void {
    const flow = this.flowOf(pair);
    flow.pairs.splice(flow.pairs.indexOf(pair), 1);
    if (flow.pairs.length === 0) this.all.splice(this.all.indexOf(flow), 1);
    this.#pairs.delete(pair.spiIn);
    this.#flowOf.delete(pair);
  }

  canSend(): boolean {
    for (let i = 0; i < this.all.length; i++) if (this.all[i]!.sender !== undefined) return true;
    return false;
  }

  /** The pair by which a whole packet goes out. */
  route(bytes: Uint8Array, at: number, length: number): Pair | undefined {
    for (let i = 0; i < this.all.length; i++) {
      const { sender } = this.all[i]!;
      if (sender?.selectors.outbound(bytes, at, length)) return sender;
    }
    return undefined;
  }
}
