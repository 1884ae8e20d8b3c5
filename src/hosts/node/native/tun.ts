import { networkFailure, type PacketPort, type PacketSink } from "../../../contract/index.js";
import { Merger, mergedSegmentsMax, Splitter } from "../../../mechanisms/segmentation/index.js";
import { toFailure } from "../failures.js";
import { tunReadsMax, tunTurnSizeMax } from "../limits.js";
import type { NativeDatagrams } from "./datagrams.js";
import { type Libc, linux, systemError } from "./libc.js";
import type { Watch } from "./libuv.js";
import { Scratch } from "./memory.js";

/** What the kernel leaves to us; an older one does not know UDP. */
const offloads = linux.TUN_F_CSUM | linux.TUN_F_TSO4 | linux.TUN_F_TSO6 | linux.TUN_F_TSO_ECN;
const offloadsOfUdp = linux.TUN_F_USO4 | linux.TUN_F_USO6;

/**
 * Opens a TUN device of this name, which is gone when it is closed or the process ends. Addresses, routes and being up are
 * somebody else's business. Throws a `Failure`: `not-permitted` without CAP_NET_ADMIN.
 */
export function openNativeTun(native: NativeDatagrams, name: string, mtu: number, sink: PacketSink): NativeTun {
  const { libc } = native;
  const encoded = new TextEncoder().encode(name);
  if (encoded.length === 0 || encoded.length > nameSizeMax || /[\s/]/.test(name)) {
    throw networkFailure("no-such-interface", `${name} is no name of a device`, {
      hint: "up to 15 letters and digits",
    });
  }
  const descriptor = libc.open("/dev/net/tun", linux.O_RDWR | linux.O_NONBLOCK | linux.O_CLOEXEC);
  if (descriptor < 0) throw refusal(libc.errno(), name);
  try {
    const request = new Scratch(libc.memory, 40); // struct ifreq
    request.bytes.set(encoded);
    const flags = linux.IFF_TUN | linux.IFF_NO_PI | linux.IFF_VNET_HDR;
    request.bytes.set([flags & 255, flags >> 8], 16);
    if (libc.call.ioctl(descriptor, linux.TUNSETIFF, request.address) < 0) throw refusal(libc.errno(), name);
    if (libc.call.ioctl(descriptor, linux.TUNSETOFFLOAD, offloads | offloadsOfUdp) < 0) {
      if (libc.call.ioctl(descriptor, linux.TUNSETOFFLOAD, offloads) < 0) throw refusal(libc.errno(), name);
    }
    return new NativeTun(native, descriptor, name, mtu, sink);
  } catch (error) {
    libc.call.close(descriptor);
    throw error;
  }
}

/** A TUN device whose kernel hands over up to 64 KiB of TCP or UDP under one header, and takes as much (virtio_net_hdr). */
export class NativeTun implements PacketPort {
  readonly name: string;
  readonly mtu: number;
  readonly drops = { "not-read": 0, "too-big": 0, "not-taken": 0 };
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #sink: PacketSink;
  readonly #watch: Watch;
  readonly #splitter = new Splitter();
  readonly #merger: Merger;
  readonly #arrived: Scratch;
  /** One virtio_net_hdr and the headers of a run; then the pieces of a `writev`. */
  readonly #out: Scratch;
  readonly #pieces: Uint32Array;
  /** Reads and bytes that are left of this turn. */
  #reads = 0;
  #room = 0;
  #paused = false;
  #isOpen = true;

  constructor(native: NativeDatagrams, descriptor: number, name: string, mtu: number, sink: PacketSink) {
    const { libc } = native;
    this.#libc = libc;
    this.#descriptor = descriptor;
    this.name = name;
    this.mtu = mtu;
    this.#sink = sink;
    this.#arrived = new Scratch(libc.memory, arrivedSize);
    this.#out = new Scratch(libc.memory, piecesAt + 16 * (mergedSegmentsMax + 2));
    this.#pieces = new Uint32Array(this.#out.bytes.buffer, piecesAt);
    this.#merger = new Merger(this.#out.bytes, outHeaderAt);
    this.#watch = native.watch(descriptor, this.#ready);
  }

  pull(into: Uint8Array, at: number): number {
    if (this.#paused) this.#goOn();
    for (;;) {
      const size = this.#splitter.nextSize;
      if (size > this.mtu || at + size > into.length) {
        this.drops["too-big"]++;
        this.#splitter.skip();
      } else if (size > 0) return this.#splitter.next(into, at);
      else if (!this.#read()) return 0;
    }
  }

  send(bytes: Uint8Array, ranges: Uint32Array, count: number): void {
    if (!this.#isOpen) return;
    for (let i = 0; i < count; ) {
      const merged = this.#merger.run(bytes, ranges, i, count);
      if (merged === 1) this.#sendOne(bytes, ranges[2 * i]!, ranges[2 * i + 1]!);
      else this.#sendRun(bytes, ranges, i, merged);
      i += merged;
    }
  }

  close(): void {
    this.#end(undefined);
  }

  ref(): void {
    this.#watch.ref();
  }

  unref(): void {
    this.#watch.unref();
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #ready = (): void => {
    this.#reads = tunReadsMax;
    this.#room = tunTurnSizeMax;
    this.#sink.readable();
    // Nobody wanted any, so until somebody does the loop need not tell.
    if (this.#reads < tunReadsMax || !this.#isOpen) return;
    this.#reads = 0;
    this.#paused = true;
    this.#watch.wantsData = false;
  };

  #goOn(): void {
    this.#paused = false;
    this.#reads = tunReadsMax;
    this.#room = tunTurnSizeMax;
    this.#watch.wantsData = true;
  }

  /** Takes the next packet or super-packet; false if there is none, or this turn is over. */
  #read(): boolean {
    while (this.#reads > 0 && this.#room > 0 && this.#isOpen) {
      this.#reads--;
      const { bytes, address } = this.#arrived;
      const size = this.#libc.call.read(this.#descriptor, address + arrivedAt, arrivedSize - arrivedAt);
      if (size < 0) {
        const errno = this.#libc.errno();
        if (errno === linux.EINTR) continue;
        this.#reads = 0;
        // Somebody else took the device away.
        if (errno !== linux.EAGAIN && errno !== linux.EIO) this.#end(errno);
        return false;
      }
      this.#room -= size;
      const type = bytes[arrivedAt + 1]! & ~gsoEcn;
      const kind = type === gsoTcp4 || type === gsoTcp6 ? "tcp" : type === gsoUdp ? "udp" : "packet";
      const hasChecksum = (bytes[arrivedAt]! & needsChecksum) !== 0;
      const packet = arrivedAt + virtioSize;
      const isTaken =
        (type === 0 || kind !== "packet") &&
        this.#splitter.start(
          bytes,
          packet,
          arrivedAt + size,
          kind,
          u16(bytes, arrivedAt + 4),
          hasChecksum ? u16(bytes, arrivedAt + 6) : 0,
          hasChecksum ? u16(bytes, arrivedAt + 8) : 0,
        );
      if (isTaken) return true;
      this.drops["not-read"]++;
    }
    return false;
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #sendOne(bytes: Uint8Array, start: number, end: number): void {
    this.#out.bytes.fill(0, 0, virtioSize);
    this.#piece(0, this.#out.address, virtioSize);
    if (start < 0 || start >= end || end > bytes.length) throw new RangeError("a packet outside of its memory");
    this.#piece(1, this.#libc.memory.addressOf(bytes) + start, end - start);
    this.#write(2, 1);
  }

  /** One header, and the payloads from where they lie. */
  #sendRun(bytes: Uint8Array, ranges: Uint32Array, first: number, count: number): void {
    const { headerSize, segmentSize, version } = this.#merger;
    const out = this.#out.bytes;
    out.fill(0, 0, virtioSize);
    out[1] = version === 4 ? gsoTcp4 : gsoTcp6;
    putU16(out, 2, headerSize);
    putU16(out, 4, segmentSize);
    this.#piece(0, this.#out.address, virtioSize + headerSize);
    const base = this.#libc.memory.addressOf(bytes);
    for (let i = 0; i < count; i++) {
      const start = ranges[2 * (first + i)]! + headerSize;
      const end = ranges[2 * (first + i) + 1]!;
      if (start > end || end > bytes.length) throw new RangeError("a packet outside of its memory");
      this.#piece(1 + i, base + start, end - start);
    }
    this.#write(1 + count, count);
  }

  #piece(index: number, address: number, size: number): void {
    const pieces = this.#pieces;
    pieces[4 * index] = address % 0x1_0000_0000;
    pieces[4 * index + 1] = Math.floor(address / 0x1_0000_0000);
    pieces[4 * index + 2] = size;
  }

  #write(pieces: number, packets: number): void {
    const { call } = this.#libc;
    for (;;) {
      if (call.writev(this.#descriptor, this.#out.address + piecesAt, pieces) >= 0) return;
      if (this.#libc.errno() === linux.EINTR) continue;
      // The device is down, or this packet is not to its liking: IP promises nothing.
      this.drops["not-taken"] += packets;
      return;
    }
  }

  #end(errno: number | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch.close();
    this.#libc.call.close(this.#descriptor);
    const failure = errno === undefined ? undefined : toFailure(systemError(errno, "read"), this.name);
    setImmediate(() => this.#sink.closed(failure));
  }
}

function refusal(errno: number, name: string): Error {
  if (errno === linux.ENOENT) return networkFailure("not-supported", "this system has no /dev/net/tun", { at: name });
  if (errno === linux.EBUSY) return networkFailure("address-in-use", `the device ${name} is in use`, { at: name });
  const failure = toFailure(systemError(errno, "TUNSETIFF"), name);
  if (failure.reason !== "not-permitted") return failure;
  return networkFailure("not-permitted", `a device needs root, or CAP_NET_ADMIN: ${failure.message}`, {
    at: name,
    hint: "without --tun a tunnel needs neither root nor a device",
  });
}

/** Values of virtio_net_hdr (virtio 1.2 §5.1.6), in the machine's order: flags, type, header size, segment size, checksum. */
const virtioSize = 10;
const needsChecksum = 1;
const gsoTcp4 = 1;
const gsoTcp6 = 4;
const gsoUdp = 5;
const gsoEcn = 0x80;
/** IFNAMSIZ, less the zero. */
const nameSizeMax = 15;

/** The packet behind its virtio_net_hdr begins at a word. */
const arrivedAt = 2;
const arrivedSize = arrivedAt + virtioSize + 65_536;
const outHeaderAt = virtioSize;
const piecesAt = 128;

/** x64 and arm64 put the low byte first. */
const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = value >> 8;
}
