import { type Prefix, toHex } from "../../bytes/index.js";
import type { Instant, SocketAddress } from "../../contract/index.js";
import { PrefixTable } from "../../mechanisms/prefix-table.js";
import { type Admission, Guest } from "./guest.js";
import { peerIdNone } from "./limits.js";
import type { Session } from "./session.js";

const where = ({ address, port }: SocketAddress): string => `${address} ${port}`;

/** A server's clients, found by what packets say: session ID, peer ID, where they come from, addresses inside. */
export class Guests {
  readonly #all = new Set<Guest>();
  readonly #byAddress = new Map<string, Guest>();
  readonly #byPeerId = new Map<number, Guest>();
  readonly #bySession = new Map<string, Guest>();
  readonly #routes = { 4: new PrefixTable<Guest>(4), 6: new PrefixTable<Guest>(16) };
  #halfOpen = 0;
  #nextPeerId = 0;

  get size(): number {
    return this.#all.size;
  }

  /** Those that are not let in yet. */
  get halfOpen(): number {
    return this.#halfOpen;
  }

  [Symbol.iterator](): IterableIterator<Guest> {
    return this.#all.values();
  }

  has(guest: Guest): boolean {
    return this.#all.has(guest);
  }

  bySession(sessionId: Uint8Array): Guest | undefined {
    return this.#bySession.get(toHex(sessionId));
  }

  byPeerId(peerId: number): Guest | undefined {
    return this.#byPeerId.get(peerId);
  }

  at(address: SocketAddress): Guest | undefined {
    return this.#byAddress.get(where(address));
  }

  /** Whose the address is that lies at `addressAt`, of the packet at `packetAt`. */
  routed(bytes: Uint8Array, addressAt: number, packetAt: number): Guest | undefined {
    return this.#routes[bytes[packetAt]! >> 4 === 4 ? 4 : 6].get(bytes, addressAt);
  }

  /** A client that has proved that it hears at its address, and is not let in yet. */
  add(session: Session, remoteSessionId: Uint8Array, from: SocketAddress, now: Instant): Guest {
    const guest = new Guest(session, this.#freePeerId(), { ...from }, toHex(remoteSessionId), now);
    this.#all.add(guest);
    this.#halfOpen++;
    this.#byPeerId.set(guest.peerId, guest);
    this.#bySession.set(guest.sessionKey, guest);
    return guest;
  }

  /** It is let in: its address outside is its own, and so are those inside. Nobody else may be at the former. */
  admit(guest: Guest, admission: Admission): void {
    guest.admission = admission;
    this.#halfOpen--;
    this.#byAddress.set(where(guest.address), guest);
    for (const { address, length } of [...admission.addresses.map(single), ...(admission.routes ?? [])]) {
      this.#routes[address.length === 4 ? 4 : 6].set(address, length, guest);
    }
  }

  /** Its packets come from elsewhere. False if another client is there. */
  move(guest: Guest, to: SocketAddress): boolean {
    if (this.#byAddress.has(where(to))) return false;
    this.#byAddress.delete(where(guest.address));
    guest.address = { ...to };
    this.#byAddress.set(where(to), guest);
    return true;
  }

  /** False if it was not there any more. */
  remove(guest: Guest): boolean {
    if (!this.#all.delete(guest)) return false;
    if (guest.admission === undefined) this.#halfOpen--;
    this.#byPeerId.delete(guest.peerId);
    this.#bySession.delete(guest.sessionKey);
    if (this.at(guest.address) === guest) this.#byAddress.delete(where(guest.address));
    this.#routes[4].deleteValue(guest);
    this.#routes[6].deleteValue(guest);
    return true;
  }

  #freePeerId(): number {
    while (this.#byPeerId.has(this.#nextPeerId)) this.#nextPeerId = (this.#nextPeerId + 1) % peerIdNone;
    const id = this.#nextPeerId;
    this.#nextPeerId = (id + 1) % peerIdNone;
    return id;
  }
}

const single = ({ address }: Prefix): Prefix => ({ address, length: 8 * address.length });
