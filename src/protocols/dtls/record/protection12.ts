import type { CryptoProvider, Entropy } from "../../../contract/index.js";
import { ReplayWindow } from "../../../mechanisms/replay-window.js";
import type { TrafficKeys12 } from "../../tls/handshake/vocabulary.js";
import {
  type FragmentOpener,
  type FragmentSealer,
  fragmentOpener,
  fragmentSealer,
} from "../../tls/record12/protection.js";
import { limits } from "../limits.js";
import {
  contentType,
  plainHeaderSize,
  readSequence,
  readU16,
  recordVersion,
  writeNumber,
  writePlainHeader,
} from "./content-type.js";
import type { Opened, RecordOpener, RecordSealer } from "./protection.js";

/** The one protected epoch of 1.2. */
const epoch = 1;

/** Seals records of DTLS 1.2 (RFC 6347 §4.1.2), with the peer's connection ID if it has one (RFC 9146 §4). */
export class Sealer12 implements RecordSealer {
  readonly epoch = epoch;
  readonly headroom: number;
  readonly tailroom: number;
  /** 1.2 cannot update its keys; GCM's bound of RFC 9147 §4.5.3 holds here too. */
  readonly countMax = Math.floor(2 ** 24.5);
  sequence = 0;
  readonly #sealer: FragmentSealer;
  readonly #connectionId: Uint8Array;
  readonly #number = new Uint8Array(8);

  constructor(crypto: CryptoProvider, entropy: Entropy, { suite, keys }: TrafficKeys12, connectionId: Uint8Array) {
    this.#connectionId = connectionId;
    const isNamed = connectionId.length > 0;
    this.#sealer = fragmentSealer(crypto, entropy, suite, keys, isNamed ? connectionId : undefined);
    this.headroom = plainHeaderSize + connectionId.length + this.#sealer.prefixSize;
    // The real type, and up to a block of padding.
    const padding = suite.protection.kind === "cbc" ? 16 : 0;
    this.tailroom = this.#sealer.sealedSize(0) - this.#sealer.prefixSize + padding + (isNamed ? 1 : 0);
  }

  seal(bytes: Uint8Array, at: number, size: number, type: number): number {
    const sequence = this.sequence++;
    const cid = this.#connectionId;
    const fragmentAt = at + plainHeaderSize + cid.length;
    let inner = size;
    let outer = type;
    if (cid.length > 0) {
      bytes[at + this.headroom + size] = type;
      inner++;
      outer = contentType.tls12Cid;
    }
    writeNumber(this.#number, 0, epoch, sequence);
    const fragment = this.#sealer.seal(bytes, fragmentAt, inner, outer, recordVersion, this.#number);
    writePlainHeader(bytes, at, outer, epoch, sequence, fragment, cid);
    return plainHeaderSize + cid.length + fragment;
  }

  /** RFC 9146 has no way to change them. */
  renamed(): undefined {
    return undefined;
  }

  destroy(): void {
    this.#sealer.destroy();
  }
}

/** Opens records of DTLS 1.2. */
export class Opener12 implements RecordOpener {
  readonly epoch = epoch;
  readonly window = new ReplayWindow(limits.replayWindowBits);
  readonly forgedMax = 2 ** 36;
  forged = 0;
  type = 0;
  contentAt = 0;
  contentSize = 0;
  sequence = 0;
  readonly #opener: FragmentOpener;
  readonly #number = new Uint8Array(8);
  readonly #idSize: number;

  /** `connectionId` is ours, empty without. */
  constructor(crypto: CryptoProvider, { suite, keys }: TrafficKeys12, connectionId: Uint8Array) {
    this.#idSize = connectionId.length;
    this.#opener = fragmentOpener(crypto, suite, keys, connectionId.length > 0 ? connectionId : undefined);
  }

  /** Must records have our connection ID? Those that have none are refused then, and the other way round: RFC 9146 §3. */
  get isNamed(): boolean {
    return this.#idSize > 0;
  }

  /** The record is `bytes[at … at+size)`. */
  open(bytes: Uint8Array, at: number, size: number): Opened {
    const sequence = readSequence(bytes, at + 5);
    if (!this.window.mayAccept(sequence)) return "replayed";
    const outer = bytes[at]!;
    const fragmentAt = at + plainHeaderSize + this.#idSize;
    const number = this.#number;
    for (let i = 0; i < 8; i++) number[i] = bytes[at + 3 + i]!;
    let content = this.#opener.open(bytes, fragmentAt, at + size - fragmentAt, outer, readU16(bytes, at + 1), number);
    if (content < 0) {
      this.forged++;
      return "bad-record";
    }
    this.window.accept(sequence);
    this.contentAt = fragmentAt + this.#opener.prefixSize;
    this.type = outer;
    if (outer === contentType.tls12Cid) {
      // content, real type, zeros
      while (content > 0 && bytes[this.contentAt + content - 1] === 0) content--;
      if (content === 0) return "malformed-record";
      this.type = bytes[this.contentAt + --content]!;
    }
    this.contentSize = content;
    this.sequence = sequence;
    return "opened";
  }

  destroy(): void {
    this.#opener.destroy();
  }
}
