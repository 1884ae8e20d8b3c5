import { type Prefix, prefixHolds, toHex } from "../../bytes/index.js";
import { leasesMax } from "./limits.js";

/** Addresses inside that a responder gives its peers (RFC 7296 §2.19), each to one at a time. */
export class Leases {
  /** By address: whose it is. */
  readonly #leased = new Map<string, number>();

  /** An address of the pools of this family for an IKE SA: the wanted one if it is free. Undefined if there is none left. */
  lease(pools: readonly Prefix[], family: 4 | 6, owner: number, wanted?: Uint8Array): Uint8Array | undefined {
    const size = family === 4 ? 4 : 16;
    for (const pool of pools) {
      if (pool.address.length !== size) continue;
      const bits = 8 * size - pool.length;
      if (wanted !== undefined && prefixHolds(pool, wanted) && this.#take(wanted, owner)) return wanted;
      const count = bits > 16 ? leasesMax : 2 ** bits;
      // The prefix's own address is the network's where there are others.
      for (let i = count > 2 ? 1 : 0; i < (count > 2 && family === 4 ? count - 1 : count); i++) {
        const address = add(base(pool), i);
        if (this.#take(address, owner)) return address;
      }
    }
    return undefined;
  }

  release(owner: number): void {
    for (const [address, each] of this.#leased) if (each === owner) this.#leased.delete(address);
  }

  #take(address: Uint8Array, owner: number): boolean {
    const key = toHex(address);
    const holder = this.#leased.get(key);
    if (holder !== undefined ? holder !== owner : this.#leased.size >= leasesMax) return false;
    this.#leased.set(key, owner);
    return true;
  }
}

function base({ address, length }: Prefix): Uint8Array {
  const bytes = address.slice();
  for (let bit = length; bit < 8 * bytes.length; bit++) bytes[bit >> 3]! &= ~(0x80 >> (bit & 7));
  return bytes;
}

function add(address: Uint8Array, count: number): Uint8Array {
  let carry = count;
  for (let i = address.length - 1; i >= 0 && carry > 0; i--) {
    carry += address[i]!;
    address[i] = carry & 0xff;
    carry >>= 8;
  }
  return address;
}
