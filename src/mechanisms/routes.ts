import { toHex } from "../bytes/index.js";

interface Route<Connection> {
  readonly cid: Uint8Array;
  readonly connection: Connection;
}

/**
 * Which connection a datagram is for, by the id in its first packet (RFC 9000 §5.2). Our own ids have one size and are found
 * by their last bytes, which are the ones that differ whatever the scheme; ids that clients make up are found whole.
 */
export class Routes<Connection> {
  readonly #size: number;
  readonly #own = new Map<number, Route<Connection>[]>();
  readonly #clients = new Map<string, Connection>();
  /** Most datagrams are for the same connection as the one before. */
  #last: Route<Connection> | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  add(cid: Uint8Array, connection: Connection): void {
    const key = this.#key(cid, 0);
    const routes = this.#own.get(key);
    if (routes === undefined) this.#own.set(key, [{ cid, connection }]);
    else routes.push({ cid, connection });
  }

  remove(cid: Uint8Array): void {
    const key = this.#key(cid, 0);
    const routes = this.#own.get(key)?.filter((route) => !sameBytes(cid, 0, route.cid));
    this.#last = undefined;
    if (routes === undefined || routes.length === 0) this.#own.delete(key);
    else this.#own.set(key, routes);
  }

  find(bytes: Uint8Array, at: number, size: number): Connection | undefined {
    if (size !== this.#size) return undefined;
    if (this.#last !== undefined && sameBytes(bytes, at, this.#last.cid)) return this.#last.connection;
    const route = this.#own.get(this.#key(bytes, at))?.find(({ cid }) => sameBytes(bytes, at, cid));
    if (route !== undefined) this.#last = route;
    return route?.connection;
  }

  /** By the id that a client made up for us, and where it is: until it uses ours. */
  addClient(cid: Uint8Array, from: string, connection: Connection): void {
    this.#clients.set(from + toHex(cid), connection);
  }

  removeClient(cid: Uint8Array, from: string): void {
    this.#clients.delete(from + toHex(cid));
  }

  findClient(cid: Uint8Array, from: string): Connection | undefined {
    return this.#clients.get(from + toHex(cid));
  }

  #key(bytes: Uint8Array, at: number): number {
    const end = at + this.#size;
    let key = 0;
    for (let i = Math.max(at, end - 4); i < end; i++) key = ((key << 8) | bytes[i]!) >>> 0;
    return key;
  }
}

function sameBytes(bytes: Uint8Array, at: number, cid: Uint8Array): boolean {
  for (let i = 0; i < cid.length; i++) if (bytes[at + i] !== cid[i]) return false;
  return true;
}
