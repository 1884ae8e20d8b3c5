import { u16 } from "../ip/header.js";

/** The four-tuple, in bytes as packets have it. */
export interface TcpTuple {
  readonly local: Uint8Array;
  readonly localPort: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
}

/** Finds a connection by the four-tuple as it lies in a packet, without making a key. */
export class TupleMap<Value extends { readonly tuple: TcpTuple }> {
  readonly #buckets = new Map<number, Value[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `localAt` and `remoteAt` are where the addresses start in `bytes`. */
  find(
    bytes: Uint8Array,
    localAt: number,
    localPort: number,
    remoteAt: number,
    remotePort: number,
    addressSize: number,
  ): Value | undefined {
    const bucket = this.#buckets.get(hash(bytes, remoteAt, addressSize, localPort, remotePort));
    if (bucket === undefined) return undefined;
    for (const value of bucket) {
      const { tuple } = value;
      if (tuple.localPort !== localPort || tuple.remotePort !== remotePort) continue;
      if (same(tuple.remote, bytes, remoteAt, addressSize) && same(tuple.local, bytes, localAt, addressSize))
        return value;
    }
    return undefined;
  }

  get(tuple: TcpTuple): Value | undefined {
    return this.#buckets.get(hashOf(tuple))?.find(({ tuple: other }) => sameTuple(other, tuple));
  }

  /** The tuple must not be there yet. */
  add(value: Value): void {
    const key = hashOf(value.tuple);
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, [value]);
    else bucket.push(value);
    this.#size++;
  }

  delete(value: Value): void {
    const key = hashOf(value.tuple);
    const bucket = this.#buckets.get(key);
    const index = bucket?.indexOf(value) ?? -1;
    if (bucket === undefined || index < 0) return;
    bucket.splice(index, 1);
    if (bucket.length === 0) this.#buckets.delete(key);
    this.#size--;
  }
}

function hashOf({ remote, remotePort, localPort }: TcpTuple): number {
  return hash(remote, 0, remote.length, localPort, remotePort);
}

function hash(bytes: Uint8Array, at: number, size: number, localPort: number, remotePort: number): number {
  let value = (localPort << 16) ^ remotePort;
  for (let i = at; i < at + size; i += 2) value = (Math.imul(value, 31) + u16(bytes, i)) | 0;
  return value;
}

function same(address: Uint8Array, bytes: Uint8Array, at: number, size: number): boolean {
  if (address.length !== size) return false;
  for (let i = 0; i < size; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}

function sameTuple(a: TcpTuple, b: TcpTuple): boolean {
  const size = b.local.length;
  return (
    a.localPort === b.localPort &&
    a.remotePort === b.remotePort &&
    same(a.local, b.local, 0, size) &&
    same(a.remote, b.remote, 0, size)
  );
}
