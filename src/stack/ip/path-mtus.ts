import { toHex } from "../../bytes/index.js";
import type { Instant } from "../../contract/index.js";
import { blackHoleMtus, ipv4MtuMin, ipv6MtuMin, pathMtuLifetimeMs, pathMtusMax } from "../limits.js";
import { u16 } from "./header.js";

/** Plateaus for routers that do not say how wide the way is (RFC 1191 §7.1). */
const plateaus = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006];

/** What ICMP has told of paths narrower than our own link (RFC 1191, RFC 8201). */
export class PathMtus {
  readonly #known = new Map<string, { readonly mtu: number; readonly until: Instant }>();

  get(destination: Uint8Array, now: Instant): number | undefined {
    if (this.#known.size === 0) return undefined;
    const key = toHex(destination);
    const known = this.#known.get(key);
    if (known === undefined || known.until > now) return known?.mtu;
    this.#known.delete(key);
    return undefined;
  }

  /** Takes a packet-too-big about `quote`; the new MTU, or undefined if it tells nothing that we believe. */
  learn(destination: Uint8Array, told: number, ours: number, quote: Uint8Array, now: Instant): number | undefined {
    const v4 = destination.length === 4;
    const size = v4 ? u16(quote, 2) : 40 + u16(quote, 4);
    const named = told === 0 && v4 ? (plateaus.find((each) => each < size) ?? ipv4MtuMin) : told;
    // RFC 8201 §4: nothing below the minimum is believed, as nothing that is not below what we sent.
    const mtu = Math.max(named, v4 ? ipv4MtuMin : ipv6MtuMin);
    if (mtu >= Math.min(ours, size)) return undefined;
    this.#remember(destination, mtu, now);
    return mtu;
  }

  /** Packets of this size vanish and nobody says why (RFC 8899 §4.3): the next size to try, if there is one. */
  suspect(destination: Uint8Array, size: number, now: Instant): number | undefined {
    const least = destination.length === 4 ? ipv4MtuMin : ipv6MtuMin;
    const mtu = blackHoleMtus.find((each) => each < size && each >= least);
    if (mtu !== undefined) this.#remember(destination, mtu, now);
    return mtu;
  }

  /** What was suspected was not so: a larger packet has arrived. */
  acquit(destination: Uint8Array): void {
    this.#known.delete(toHex(destination));
  }

  #remember(destination: Uint8Array, mtu: number, now: Instant): void {
    if (this.#known.size >= pathMtusMax) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(toHex(destination), { mtu, until: now + pathMtuLifetimeMs });
  }
}
