import type { CryptoProvider, Entropy } from "../../../contract/index.js";
import type { TrafficKeys12 } from "../handshake/vocabulary.js";
import { limits } from "../limits.js";
import { type FragmentOpener, type FragmentSealer, fragmentOpener, fragmentSealer } from "../record12/protection.js";
import { recordHeaderSize } from "./content-type.js";
import { writeHeader } from "./plain.js";
import type { RecordOpener, RecordSealer } from "./protection.js";

/** Seals whole records of TLS 1.2: a header before what the fragment protection makes (RFC 5246 §6.2.3). */
export class Sealer12 implements RecordSealer {
  readonly headroom: number;
  readonly tailroom: number;
  /** 1.2 cannot update its keys; GCM's bound of RFC 9846 §5.5 holds here too. */
  readonly countMax = Math.floor(2 ** 24.5);
  count = 0;
  readonly #sealer: FragmentSealer;
  readonly #sequence = new Uint8Array(8);

  constructor(crypto: CryptoProvider, entropy: Entropy, { suite, keys }: TrafficKeys12) {
    this.#sealer = fragmentSealer(crypto, entropy, suite, keys);
    this.headroom = recordHeaderSize + this.#sealer.prefixSize;
    // Block ciphers pad by up to a block; the content itself is counted by the caller.
    this.tailroom = this.#sealer.sealedSize(0) - this.#sealer.prefixSize + 16;
  }

  seal(bytes: Uint8Array, at: number, size: number, type: number): number {
    setSequence(this.#sequence, this.count++);
    const fragment = this.#sealer.seal(bytes, at + recordHeaderSize, size, type, 0x0303, this.#sequence);
    writeHeader(bytes, at, type, 0x0303, fragment);
    return recordHeaderSize + fragment;
  }

  destroy(): void {
    this.#sealer.destroy();
  }
}

export class Opener12 implements RecordOpener {
  readonly hidesType = false;
  readonly fragmentMax = limits.recordSizeMax + limits.recordExpansionMax12;
  type = 0;
  contentAt = 0;
  contentSize = 0;
  count = 0;
  readonly #opener: FragmentOpener;
  readonly #sequence = new Uint8Array(8);

  constructor(crypto: CryptoProvider, { suite, keys }: TrafficKeys12) {
    this.#opener = fragmentOpener(crypto, suite, keys);
  }

  open(bytes: Uint8Array, at: number, size: number): boolean {
    const type = bytes[at]!;
    setSequence(this.#sequence, this.count);
    const fragment = at + recordHeaderSize;
    const content = this.#opener.open(bytes, fragment, size - recordHeaderSize, type, 0x0303, this.#sequence);
    if (content < 0) return false;
    this.count++;
    this.type = type;
    this.contentAt = fragment + this.#opener.prefixSize;
    this.contentSize = content;
    return true;
  }

  destroy(): void {
    this.#opener.destroy();
  }
}

function setSequence(into: Uint8Array, sequence: number): void {
  let rest = sequence;
  for (let i = 7; i >= 0; i--) {
    into[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
