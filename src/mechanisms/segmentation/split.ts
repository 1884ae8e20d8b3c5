import { copySum, finish, fold, sum } from "../../bytes/checksum.js";

/** What a packet that a device hands over whole is to become: nothing but itself, or segments. */
export type SuperKind = "packet" | "tcp" | "udp";

/**
 * Cuts a super-packet into the packets that it stands for, one at a time, each written once where it is wanted: a kernel
 * that leaves segmentation to its device hands over 64 KiB of TCP under one header. Checksums are made on the way.
 */
export class Splitter {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #kind: SuperKind = "packet";
  /** Bytes of payload in each segment. */
  #step = 0;
  /** Where the transport header starts; behind the end if no checksum is to be made. */
  #transport = 0;
  #checksumAt = 0;
  /** Where the next payload starts. */
  #next = 0;
  #first = 0;
  #done = true;
  #version = 4;
  #sequence = 0;
  #identification = 0;
  #offsetAndFlags = 0;
  /** Sums of what is the same in all segments. */
  #ipSum = 0;
  #transportSum = 0;

  /**
   * Takes a packet that lies at `at … end`. `checksumStart` and `checksumOffset`, from the packet's start on, say where a
   * checksum is still to be made (the field holds the pseudo header's sum); zero for none. False if it makes no sense.
   */
  start(
    bytes: Uint8Array,
    at: number,
    end: number,
    kind: SuperKind,
    segmentSize: number,
    checksumStart: number,
    checksumOffset: number,
  ): boolean {
    this.#done = true;
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#kind = kind;
    this.#version = bytes[at]! >> 4;
    this.#transport = at + checksumStart;
    this.#checksumAt = this.#transport + checksumOffset;
    if (end <= at || end > bytes.length) return false;
    if (kind === "packet") this.#done = checksumStart > 0 && this.#checksumAt + 2 > end;
    else this.#done = segmentSize <= 0 || checksumStart === 0 || !this.#prepare(segmentSize);
    return !this.#done;
  }

  /** Bytes of the next packet; zero if there is none. */
  get nextSize(): number {
    if (this.#done) return 0;
    return this.#kind === "packet"
      ? this.#end - this.#at
      : this.#first - this.#at + Math.min(this.#step, this.#end - this.#next);
  }

  /** Writes the next packet at `at` and answers its size; zero if there is none. */
  next(into: Uint8Array, at: number): number {
    if (this.#done) return 0;
    return this.#kind === "packet" ? this.#whole(into, at) : this.#segment(into, at);
  }

  /** Passes over the next packet. */
  skip(): void {
    this.#next += this.#step;
    if (this.#kind === "packet" || this.#next >= this.#end) this.#done = true;
  }

  #prepare(segmentSize: number): boolean {
    const bytes = this.#bytes;
    const isTcp = this.#kind === "tcp";
    const at = this.#at;
    const transport = this.#transport;
    const end = this.#end;
    const ipSize = transport - at;
    if (
      transport + (isTcp ? 20 : 8) > end ||
      (this.#version === 4 ? ipSize < 20 : this.#version !== 6 || ipSize < 40)
    ) {
      return false;
    }
    const transportSize = isTcp ? (bytes[transport + 12]! >> 4) * 4 : 8;
    this.#first = this.#next = transport + transportSize;
    if ((isTcp && transportSize < 20) || this.#first > end) return false;
    this.#step = segmentSize;
    this.#checksumAt = transport + (isTcp ? 16 : 6);
    bytes[this.#checksumAt] = bytes[this.#checksumAt + 1] = 0;
    this.#sequence = isTcp ? word(bytes, transport + 4) : 0;
    this.#offsetAndFlags = isTcp ? half(bytes, transport + 12) : half(bytes, transport + 4);
    this.#transportSum =
      (this.#version === 4 ? sum(bytes, at + 12, 8) : sum(bytes, at + 8, 32)) +
      (isTcp ? 6 : 17) +
      sum(bytes, transport, transportSize) -
      (this.#sequence >>> 16) -
      (this.#sequence & 0xffff) -
      this.#offsetAndFlags;
    if (this.#version === 4) {
      this.#identification = half(bytes, at + 4);
      // Length, identification and checksum are each segment's own.
      bytes[at + 2] = bytes[at + 3] = bytes[at + 4] = bytes[at + 5] = bytes[at + 10] = bytes[at + 11] = 0;
      this.#ipSum = sum(bytes, at, ipSize);
    }
    return true;
  }

  #whole(into: Uint8Array, at: number): number {
    const size = this.#end - this.#at;
    const summedAt = this.#transport - this.#at;
    this.#done = true;
    if (summedAt === 0) copySum(this.#bytes, this.#at, into, at, size);
    else {
      for (let i = 0; i < summedAt; i++) into[at + i] = this.#bytes[this.#at + i]!;
      const total = copySum(this.#bytes, this.#transport, into, at + summedAt, size - summedAt);
      // RFC 768: a checksum of zero would say that there is none; for TCP both zeros are the same.
      putHalf(into, at + this.#checksumAt - this.#at, finish(total) || 0xffff);
    }
    return size;
  }

  #segment(into: Uint8Array, at: number): number {
    const bytes = this.#bytes;
    const headerSize = this.#first - this.#at;
    const payload = this.#next;
    const size = Math.min(this.#step, this.#end - payload);
    const isFirst = payload === this.#first;
    const isLast = payload + size === this.#end;
    for (let i = 0; i < headerSize; i++) into[at + i] = bytes[this.#at + i]!;
    const ipSize = this.#transport - this.#at;
    const transport = at + ipSize;
    const length = headerSize - ipSize + size;
    let total = this.#transportSum + length + copySum(bytes, payload, into, at + headerSize, size);
    if (this.#kind === "tcp") {
      const sequence = (this.#sequence + (payload - this.#first)) >>> 0;
      putWord(into, transport + 4, sequence);
      // Only the first says that the window was reduced (RFC 3168 §6.1.2), only the last that there is an end.
      const flags = this.#offsetAndFlags & (isFirst ? 0xffff : ~cwr) & (isLast ? 0xffff : ~(fin | psh));
      into[transport + 13] = flags & 0xff;
      total += (sequence >>> 16) + (sequence & 0xffff) + flags;
    } else {
      putHalf(into, transport + 4, length);
      total += length;
    }
    putHalf(into, at + this.#checksumAt - this.#at, finish(total) || 0xffff);
    if (this.#version === 4) {
      const identification = (this.#identification + Math.floor((payload - this.#first) / this.#step)) & 0xffff;
      putHalf(into, at + 2, ipSize + length);
      putHalf(into, at + 4, identification);
      putHalf(into, at + 10, ~fold(this.#ipSum + ipSize + length + identification) & 0xffff);
    } else putHalf(into, at + 4, ipSize - 40 + length);
    this.#next += size;
    this.#done = isLast;
    return headerSize + size;
  }
}

/** Control bits of TCP (RFC 9293 §3.1, RFC 3168 §6.1). */
const fin = 1;
const psh = 8;
const cwr = 128;

const half = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
const word = (bytes: Uint8Array, at: number): number => ((half(bytes, at) << 16) | half(bytes, at + 2)) >>> 0;

function putHalf(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  putHalf(bytes, at, value >>> 16);
  putHalf(bytes, at + 2, value & 0xffff);
}
