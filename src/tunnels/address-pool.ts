import { formatAddress, type Prefix } from "../bytes/index.js";

/** Addresses of networks of ours, given out one after the other and taken back. */
export class AddressPool {
  readonly #networks: readonly Prefix[];
  readonly #range: readonly [Uint8Array, Uint8Array] | undefined;
  /** How many have each: a client that comes anew has its fixed address while the one before it is not gone yet. */
  readonly #taken = new Map<string, number>();

  /** Each network with our own address in it; of IPv4's, only those from the first to the last of `range` are given out. */
  constructor(networks: readonly Prefix[], range?: readonly [Uint8Array, Uint8Array]) {
    this.#networks = networks;
    this.#range = range;
  }

  /** One of each network, or these instead of their families', whoever has them. Undefined if there is none left. */
  take(fixed: readonly Prefix[] = []): readonly Prefix[] | undefined {
    const others = this.#networks.filter(
      ({ address }) => !fixed.some((each) => each.address.length === address.length),
    );
    const found = [...fixed, ...others.map((network) => this.#free(network))];
    if (!found.every((each) => each !== undefined)) return undefined;
    for (const { address } of found) {
      const text = formatAddress(address);
      this.#taken.set(text, (this.#taken.get(text) ?? 0) + 1);
    }
    return found;
  }

  give(addresses: readonly Prefix[]): void {
    for (const { address } of addresses) {
      const text = formatAddress(address);
      const left = (this.#taken.get(text) ?? 0) - 1;
      if (left > 0) this.#taken.set(text, left);
      else this.#taken.delete(text);
    }
  }

  #free({ address, length }: Prefix): Prefix | undefined {
    // Sixteen bits are more clients than a server takes.
    const bits = Math.min(16, 8 * address.length - length);
    const at = address.length - 2;
    const mask = 2 ** bits - 1;
    const own = (address[at]! << 8) | address[at + 1]!;
    for (let host = 1; host < mask; host++) {
      const next = address.slice();
      const value = (own & ~mask) | ((own + host) & mask);
      if ((value & mask) === 0 || (value & mask) === mask) continue;
      next[at] = value >> 8;
      next[at + 1] = value;
      if (this.#isOutside(next) || this.#taken.has(formatAddress(next))) continue;
      return { address: next, length };
    }
    return undefined;
  }

  #isOutside(address: Uint8Array): boolean {
    if (this.#range === undefined || address.length !== 4) return false;
    const [first, last] = this.#range.map(numberOf) as [number, number];
    const number = numberOf(address);
    return number < first || number > last;
  }
}

const numberOf = ([a, b, c, d]: Uint8Array): number => ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
