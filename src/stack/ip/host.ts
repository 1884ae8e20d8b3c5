import { type Prefix, prefixHolds } from "../../bytes/index.js";
import { type Entropy, type Instant, networkFailure } from "../../contract/index.js";
import { type StackDrop, type StackEvent, stackDrops } from "../interfaces.js";
import { ephemeralPortFirst, ephemeralPortLast, icmpPerSecondMax, udpQueueMax } from "../limits.js";
import { PerSecond } from "../per-second.js";
import { fragment } from "./fragment.js";
import { u16 } from "./header.js";
import { PathMtus } from "./path-mtus.js";

/** What the protocols of a stack share: our addresses, what waits to be sent and to be told, what is counted. */
export class IpHost {
  /** Bytes of the largest packet of the layer below. */
  mtu: number;
  readonly addresses: readonly Prefix[];
  readonly entropy: Entropy;
  readonly drops = Object.fromEntries(stackDrops.map((reason) => [reason, 0])) as Record<StackDrop, number>;
  readonly pathMtus = new PathMtus();
  /** Errors, echoes and resets for strangers. */
  readonly icmpLimit = new PerSecond(icmpPerSecondMax);
  readonly events: StackEvent[] = [];
  /** Of the input that is worked on. */
  now: Instant = 0;
  readonly #packets: Uint8Array[] = [];
  #identification = 0;

  constructor(mtu: number, addresses: readonly Prefix[], entropy: Entropy) {
    this.mtu = mtu;
    this.addresses = addresses;
    this.entropy = entropy;
  }

  /** Our address for a destination: one on its network, else the first of its family. */
  sourceFor(destination: Uint8Array): Uint8Array | undefined {
    let first: Uint8Array | undefined;
    for (const prefix of this.addresses) {
      if (prefix.address.length !== destination.length) continue;
      if (prefixHolds(prefix, destination)) return prefix.address;
      first ??= prefix.address;
    }
    return first;
  }

  isOurs(address: Uint8Array): boolean {
    return this.holds(address, 0, address.length);
  }

  /** Is what stands there an address of ours? */
  holds(bytes: Uint8Array, at: number, size: number): boolean {
    next: for (const { address } of this.addresses) {
      if (address.length !== size) continue;
      for (let i = 0; i < size; i++) if (address[i] !== bytes[at + i]) continue next;
      return true;
    }
    return false;
  }

  /** Bytes of the largest packet that goes there whole, as far as is known. */
  mtuTo(destination: Uint8Array): number {
    return this.pathMtus.get(destination, this.now) ?? this.mtu;
  }

  /** Queues a packet that is written whole, cut to what the way carries; false if it was dropped, which is counted. */
  queue(packet: Uint8Array, destination: Uint8Array): boolean {
    const fragments = fragment(packet, this.mtuTo(destination), ++this.#identification);
    if (this.#packets.length + fragments.length > udpQueueMax) return this.drop("queue-full");
    this.#packets.push(...fragments);
    return true;
  }

  /** The next packet that waits. */
  next(): Uint8Array | undefined {
    return this.#packets.shift();
  }

  /** RFC 6056 §3.3.1: a random port to begin with, then the next that is free. */
  freePort(taken: (port: number) => boolean): number {
    const count = ephemeralPortLast - ephemeralPortFirst + 1;
    const start = u16(this.entropy.fill(new Uint8Array(2)), 0) % count;
    for (let i = 0; i < count; i++) {
      const port = ephemeralPortFirst + ((start + i) % count);
      if (!taken(port)) return port;
    }
    throw networkFailure("no-resources", "no port is free");
  }

  drop(reason: StackDrop): false {
    this.drops[reason]++;
    return false;
  }
}
