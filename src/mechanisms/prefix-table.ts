/**
 * Longest-prefix match over addresses of one size, 4 bytes or 16: a radix tree whose look-up reads the address where it
 * lies in a packet and allocates nothing.
 */
export class PrefixTable<Value> {
  readonly addressSize: number;
  #root: Node<Value> | undefined;
  #size = 0;

  /** @param addressSize bytes of an address: 4 for IPv4, 16 for IPv6 */
  constructor(addressSize: 4 | 16) {
    this.addressSize = addressSize;
  }

  /** Prefixes in the table. */
  get size(): number {
    return this.#size;
  }

  /** Enters a prefix; one that is already there gets the new value. Bits behind the prefix do not matter. */
  set(address: Uint8Array, length: number, value: Value): void {
    if (address.length !== this.addressSize || length < 0 || length > 8 * this.addressSize) {
      throw new RangeError(`no prefix: ${address.length} bytes, length ${length}`);
    }
    let node = this.#root;
    let parent: Node<Value> | undefined;
    while (node !== undefined) {
      const common = commonBits(node.prefix, 0, address, 0, Math.min(node.length, length));
      if (common < node.length) {
        this.#replace(parent, node, this.#split(node, common, address, length, value));
        return;
      }
      if (node.length === length) {
        if (node.value === undefined) this.#size++;
        node.value = { value };
        return;
      }
      parent = node;
      node = bit(address, 0, node.length) === 0 ? node.zero : node.one;
    }
    const leaf: Node<Value> = { prefix: address.slice(), length, value: { value }, zero: undefined, one: undefined };
    this.#size++;
    if (parent === undefined) this.#root = leaf;
    else attach(parent, leaf);
  }

  /** The value of the longest prefix that holds the address at `at`; undefined if none does. */
  get(bytes: Uint8Array, at = 0): Value | undefined {
    let best: Value | undefined;
    let node = this.#root;
    while (node !== undefined) {
      const { length } = node;
      if (commonBits(node.prefix, 0, bytes, at, length) < length) break;
      if (node.value !== undefined) best = node.value.value;
      if (length === 8 * this.addressSize) break;
      node = bit(bytes, at, length) === 0 ? node.zero : node.one;
    }
    return best;
  }

  /** Takes out every prefix with this value. */
  deleteValue(value: Value): void {
    this.#root = this.#prune(this.#root, value);
  }

  #prune(node: Node<Value> | undefined, value: Value): Node<Value> | undefined {
    if (node === undefined) return undefined;
    node.zero = this.#prune(node.zero, value);
    node.one = this.#prune(node.one, value);
    if (node.value?.value === value && node.value !== undefined) {
      node.value = undefined;
      this.#size--;
    }
    if (node.value !== undefined || (node.zero !== undefined && node.one !== undefined)) return node;
    return node.zero ?? node.one;
  }

  /** A node for the common part, with the old node and the new prefix below it. */
  #split(node: Node<Value>, common: number, address: Uint8Array, length: number, value: Value): Node<Value> {
    this.#size++;
    const joint: Node<Value> = {
      prefix: address.slice(),
      length: common,
      value: undefined,
      zero: undefined,
      one: undefined,
    };
    attach(joint, node);
    if (common === length) joint.value = { value };
    else attach(joint, { prefix: address.slice(), length, value: { value }, zero: undefined, one: undefined });
    return joint;
  }

  #replace(parent: Node<Value> | undefined, node: Node<Value>, by: Node<Value>): void {
    if (parent === undefined) this.#root = by;
    else if (parent.zero === node) parent.zero = by;
    else parent.one = by;
  }
}

interface Node<Value> {
  readonly prefix: Uint8Array;
  /** Bits of `prefix` that count. */
  readonly length: number;
  /** Boxed, so that any value can stand in the table. */
  value: { readonly value: Value } | undefined;
  zero: Node<Value> | undefined;
  one: Node<Value> | undefined;
}

function attach<Value>(parent: Node<Value>, child: Node<Value>): void {
  if (bit(child.prefix, 0, parent.length) === 0) parent.zero = child;
  else parent.one = child;
}

function bit(bytes: Uint8Array, at: number, index: number): number {
  return (bytes[at + (index >> 3)]! >> (7 - (index & 7))) & 1;
}

/** How many leading bits agree, `most` at the most. */
function commonBits(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, most: number): number {
  for (let i = 0; 8 * i < most; i++) {
    const difference = a[aAt + i]! ^ b[bAt + i]!;
    if (difference !== 0) return Math.min(most, 8 * i + Math.clz32(difference) - 24);
  }
  return most;
}
