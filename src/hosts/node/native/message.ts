import { linux } from "./libc.js";
import { type Memory, Scratch } from "./memory.js";

/**
 * A `struct msghdr` at a fixed address with all that it points to, the payload apart: one piece of memory, a name, ancillary data.
 *
 *     0 msghdr · 64 iovec · 96 name (sockaddr) · 256 ancillary data
 */
export class Message {
  readonly address: number;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** What came: bytes of each datagram, zero if they came one by one; the byte of DSCP and ECN. */
  segmentSize = 0;
  trafficClass = 0;

  constructor(memory: Memory) {
    const scratch = new Scratch(memory, size);
    this.address = scratch.address;
    this.#bytes = scratch.bytes;
    this.#words = new Uint32Array(scratch.bytes.buffer);
    this.#pointer(16, this.address + iovecAt);
    this.#words[24 >> 2] = 1;
    this.#pointer(0, this.address + nameAt);
    this.#pointer(32, this.address + controlAt);
  }

  /** Address and room of the name, for the calls that take one. */
  get nameAddress(): number {
    return this.address + nameAt;
  }

  get name(): Uint8Array {
    return this.#bytes.subarray(nameAt, nameAt + nameSizeMax);
  }

  /** The name as words in the machine's order, to compare it with. */
  nameWord(index: number): number {
    return this.#words[(nameAt >> 2) + index]!;
  }

  get nameSize(): number {
    return this.#words[8 >> 2]!;
  }

  set nameSize(bytes: number) {
    this.#words[8 >> 2] = bytes;
  }

  /** The memory of the payload. The caller has checked that it is there. */
  payload(address: number, bytes: number): void {
    this.#pointer(iovecAt, address);
    this.#words[(iovecAt + 8) >> 2] = bytes;
  }

  /** Writes the value of an option where ancillary data are only while sending; answers its address. */
  value(value: number): number {
    this.#words[controlAt >> 2] = value;
    return this.address + controlAt;
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ancillary data of what is to be sent: a segment size and a traffic class, if they are not zero. */
  outgoing(segmentSize: number, trafficClass: number, isIpv6: boolean): void {
    let at = controlAt;
    if (segmentSize > 0) {
      at = this.#control(at, linux.SOL_UDP, linux.UDP_SEGMENT, 2);
      this.#bytes[at - 8] = segmentSize & 0xff;
      this.#bytes[at - 7] = segmentSize >> 8;
    }
    if (trafficClass > 0) {
      at = isIpv6
        ? this.#control(at, linux.IPPROTO_IPV6, linux.IPV6_TCLASS, 4)
        : this.#control(at, linux.IPPROTO_IP, linux.IP_TOS, 4);
      this.#words[(at - 8) >> 2] = trafficClass;
    }
    this.#words[40 >> 2] = at - controlAt;
  }

  /** Writes a header for data of up to 8 bytes; answers where the next one starts, 8 bytes after the data's start. */
  #control(at: number, level: number, type: number, bytes: number): number {
    const word = at >> 2;
    this.#words[word] = 16 + bytes;
    this.#words[word + 1] = 0;
    this.#words[word + 2] = level;
    this.#words[word + 3] = type;
    return at + 24;
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes it ready for the kernel to write into. */
  expect(): void {
    this.nameSize = nameSizeMax;
    this.#words[40 >> 2] = controlSizeMax;
    this.#words[48 >> 2] = 0;
  }

  /** Reads the ancillary data that came. */
  read(): void {
    this.segmentSize = 0;
    this.trafficClass = 0;
    const end = controlAt + Math.min(this.#words[40 >> 2]!, controlSizeMax);
    for (let at = controlAt; at + 16 < end; ) {
      const word = at >> 2;
      const bytes = this.#words[word]!;
      if (bytes < 16 || at + bytes > end) return;
      const level = this.#words[word + 2]!;
      const type = this.#words[word + 3]!;
      if (level === linux.SOL_UDP && type === linux.UDP_GRO) this.segmentSize = this.#words[word + 4]! & 0xffff;
      // IP_TOS is one byte, IPV6_TCLASS an int.
      else if (level === linux.IPPROTO_IP && type === linux.IP_TOS) this.trafficClass = this.#bytes[at + 16]!;
      else if (level === linux.IPPROTO_IPV6 && type === linux.IPV6_TCLASS) this.trafficClass = this.#bytes[at + 16]!;
      at += (bytes + 7) & ~7;
    }
  }

  #pointer(at: number, address: number): void {
    this.#words[at >> 2] = address % 0x1_0000_0000;
    this.#words[(at >> 2) + 1] = Math.floor(address / 0x1_0000_0000);
  }
}

const iovecAt = 64;
const nameAt = 96;
/** A sockaddr_storage. */
const nameSizeMax = 128;
const controlAt = 256;
const controlSizeMax = 256;
const size = controlAt + controlSizeMax;
