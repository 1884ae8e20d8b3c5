import type { Instant, SocketAddress } from "../../contract/index.js";
import { BoundedStore } from "../../mechanisms/bounded-store.js";
import type { DropReason } from "./failure.js";
import { FragmentHeader } from "./handshake/fragment.js";
import { IncomingMessages } from "./handshake/incoming.js";
import { limits } from "./limits.js";

interface Half {
  readonly address: string;
  readonly messages: IncomingMessages;
}

/**
 * First ClientHellos in pieces, each from an address that has proved nothing. The pieces of an honest one come one right behind
 * another, so it is whole unless as many strangers come between them as the table has places; what had to go comes again with
 * the next flight. One address can fill a few places only: to take them all, addresses have to be forged.
 */
export class Halves {
  readonly #drop: (reason: DropReason) => void;
  readonly #waiting: BoundedStore<string, Half>;
  /** Places that an address takes. */
  readonly #ofAddress = new Map<string, number>();

  constructor(drop: (reason: DropReason) => void) {
    this.#drop = drop;
    this.#waiting = new BoundedStore({
      entriesMax: limits.partialHellosMax,
      lifetimeMs: limits.partialHelloLifetimeMs,
      left: (half) => {
        this.#forget(half);
        drop("partial-hello-evicted");
      },
    });
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Takes the piece whose header stands at `at` and has been checked. Answers the message if it is whole now. */
  add(bytes: Uint8Array, at: number, from: SocketAddress, now: Instant): Uint8Array | undefined {
    head.read(bytes, at, bytes.length);
    const { address } = from;
    const key = `${address} ${from.port} ${from.zone ?? ""}`;
    let half = this.#waiting.get(key, now);
    if (half?.messages.next !== head.sequence) {
      if (half !== undefined) this.#waiting.delete(key);
      const places = this.#ofAddress.get(address) ?? 0;
      if (places >= limits.partialHellosOfAddressMax) {
        this.#drop("partial-hello-evicted");
        return undefined;
      }
      half = { address, messages: new IncomingMessages(head.sequence) };
      this.#ofAddress.set(address, places + 1);
      this.#waiting.set(key, half, now);
    }
    const verdict = half.messages.add(head, bytes, at, 0);
    if (verdict !== "new" && verdict !== "known") this.#drop(verdict === "old" ? "bad-hello" : verdict);
    const whole = half.messages.take();
    if (whole === undefined) return undefined;
    this.#waiting.take(key, now);
    this.#forget(half);
    return whole.bytes;
  }

  #forget({ address }: Half): void {
    const places = this.#ofAddress.get(address)! - 1;
    if (places > 0) this.#ofAddress.set(address, places);
    else this.#ofAddress.delete(address);
  }
}

/** Read anew for every piece, and by nobody else. */
const head = new FragmentHeader();
