import type { DatagramOptions, DatagramPort, DatagramSink, Ecn, SocketAddress } from "../../../contract/index.js";
import { addressOn, hostOf } from "../addresses.js";
import { toFailure } from "../failures.js";
import {
  copiedSizeMax,
  datagramQueueMax,
  datagramReadsMax,
  segmentedSizeMax,
  segmentsMax,
  socketBufferSize,
} from "../limits.js";
import { type Libc, linux, openLibc, systemError } from "./libc.js";
import { Libuv, type Watch } from "./libuv.js";
import { Message } from "./message.js";
import { readName, writeName } from "./socket-name.js";

/**
 * UDP through the C library: batches in one call both ways (UDP_SEGMENT, UDP_GRO), real ECN, DSCP and DF. All ports of a
 * process read into one piece of memory, one after the other.
 */
export class NativeDatagrams {
  readonly libc: Libc;
  readonly #libuv: Libuv;
  readonly #arrival: Message;
  readonly #arrived: Uint8Array;
  readonly #arrivedAddress: number;
  readonly #copied: Uint8Array;
  readonly #copiedAddress: number;

  /** Opens both libraries; throws with the reason if anything is in doubt. */
  constructor(libc: Libc = openLibc(), libuv: Libuv = new Libuv()) {
    this.libc = libc;
    this.#libuv = libuv;
    const { memory } = libc;
    this.#arrival = new Message(memory);
    this.#arrived = new Uint8Array(new ArrayBuffer(arrivedSize));
    this.#arrivedAddress = memory.addressOf(this.#arrived);
    this.#copied = new Uint8Array(new ArrayBuffer(copiedSizeMax));
    this.#copiedAddress = memory.addressOf(this.#copied);
  }

  /** As `bindDatagrams` of node:dgram's path, multicast aside. Throws a `Failure`. */
  bind(local: SocketAddress, sink: DatagramSink, options: DatagramOptions = {}): NativeDatagramPort {
    const host = options.interface === undefined ? hostOf(local) : addressOn(options.interface, local.address);
    const isIpv6 = host.includes(":");
    const { call } = this.libc;
    const message = new Message(this.libc.memory);
    const { AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC } = linux;
    const at = `${local.address}:${local.port}`;
    const check = (status: number, what: string): number => {
      if (status < 0) throw toFailure(systemError(this.libc.errno(), what), at);
      return status;
    };
    const nameSize = writeName(message.name, host, local.port, isIpv6, this.libc);
    const family = isIpv6 ? AF_INET6 : AF_INET;
    const descriptor = check(call.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    try {
      const socket = new Socket(this.libc, descriptor, isIpv6, message);
      socket.prepare(options);
      check(call.bind(descriptor, message.nameAddress, nameSize), "bind");
      if (options.remote !== undefined) {
        const { remote } = options;
        const remoteSize = writeName(message.name, hostOf(remote), remote.port, isIpv6, this.libc);
        check(call.connect(descriptor, message.nameAddress, remoteSize), "connect");
        socket.tellErrors();
      }
      message.nameSize = 28;
      check(call.getsockname(descriptor, message.nameAddress, message.address + 8), "getsockname");
      message.nameSize = 0;
      const local = readName(message.name);
      return new NativeDatagramPort(this, socket, local, options.remote !== undefined, sink);
    } catch (error) {
      call.close(descriptor);
      throw toFailure(error, at);
    }
  }

  // ── for the ports ──────────────────────────────────────────────────────────────────────────────────────────────

  watch(descriptor: number, ready: () => void): Watch {
    return this.#libuv.watch(descriptor, ready);
  }

  /** The message that holds what came last, and the memory that it lies in. */
  get arrival(): Message {
    return this.#arrival;
  }

  get arrived(): Uint8Array {
    return this.#arrived;
  }

  /**
   * Reads one datagram, or several of one size from one peer, to `at`, where a whole batch has room. Answers their bytes,
   * or the error number, negated.
   */
  receive(descriptor: number, at: number, flags: number): number {
    const { libc } = this;
    // A sink may have given away what it was lent; then there is nothing to read into any more.
    if (this.#arrived.length !== arrivedSize || at < 0 || at + batchSizeMax > arrivedSize) return -linux.EINVAL;
    this.#arrival.expect();
    this.#arrival.payload(this.#arrivedAddress + at, batchSizeMax);
    const size = libc.call.recvmsg(descriptor, this.#arrival.address, flags);
    return size < 0 ? -libc.errno() : size;
  }

  /** Points the message at bytes; few bytes are copied, since asking for the address of new memory costs more. */
  lend(message: Message, bytes: Uint8Array, at: number, size: number): void {
    if (at < 0 || size < 0 || at + size > bytes.length) throw new RangeError("a range outside of its memory");
    if (size === 0) message.payload(this.#copiedAddress, 0);
    else if (size <= copiedSizeMax) {
      this.#copied.set(at === 0 && size === bytes.length ? bytes : bytes.subarray(at, at + size));
      message.payload(this.#copiedAddress, size);
    } else message.payload(this.libc.memory.addressOf(bytes) + at, size);
  }
}

/** A descriptor and its options. */
class Socket {
  readonly descriptor: number;
  readonly isIpv6: boolean;
  /** What is sent, and the memory for the values of options. */
  readonly message: Message;
  readonly #libc: Libc;

  constructor(libc: Libc, descriptor: number, isIpv6: boolean, message: Message) {
    this.#libc = libc;
    this.descriptor = descriptor;
    this.isIpv6 = isIpv6;
    this.message = message;
  }

  prepare(options: DatagramOptions): void {
    this.#option(linux.SOL_SOCKET, linux.SO_RCVBUF, options.receiveBuffer ?? socketBufferSize);
    this.#option(linux.SOL_SOCKET, linux.SO_SNDBUF, options.sendBuffer ?? socketBufferSize);
    if (options.reuseAddress) this.#option(linux.SOL_SOCKET, linux.SO_REUSEADDR, 1);
    if (this.isIpv6) {
      this.#option(linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, options.ipv6Only ? 1 : 0);
      this.#option(linux.IPPROTO_IPV6, linux.IPV6_RECVTCLASS, 1);
    }
    // An IPv6 socket hears IPv4, too.
    this.#option(linux.IPPROTO_IP, linux.IP_RECVTOS, 1);
    this.#option(linux.SOL_UDP, linux.UDP_GRO, 1);
    if (options.dontFragment) this.dontFragment(true);
  }

  /** ICMP errors of a fixed peer, the soft ones too (ip(7), IP_RECVERR). */
  tellErrors(): void {
    this.#option(linux.IPPROTO_IP, linux.IP_RECVERR, 1);
    if (this.isIpv6) this.#option(linux.IPPROTO_IPV6, linux.IPV6_RECVERR, 1);
  }

  hopLimit(value: number): boolean {
    const isSet = this.#option(linux.IPPROTO_IP, linux.IP_TTL, value);
    return this.isIpv6 ? this.#option(linux.IPPROTO_IPV6, linux.IPV6_UNICAST_HOPS, value) : isSet;
  }

  /** DSCP and ECN, as one byte (RFC 2474 §3, RFC 3168 §5). */
  trafficClass(value: number): boolean {
    const isSet = this.#option(linux.IPPROTO_IP, linux.IP_TOS, value);
    return this.isIpv6 ? this.#option(linux.IPPROTO_IPV6, linux.IPV6_TCLASS, value) : isSet;
  }

  dontFragment(wanted: boolean): boolean {
    const value = wanted ? linux.PMTUDISC_PROBE : linux.PMTUDISC_WANT;
    const isSet = this.#option(linux.IPPROTO_IP, linux.IP_MTU_DISCOVER, value);
    return this.isIpv6 ? this.#option(linux.IPPROTO_IPV6, linux.IPV6_MTU_DISCOVER, value) : isSet;
  }

  #option(level: number, option: number, value: number): boolean {
    const at = this.message.value(value);
    return this.#libc.call.setsockopt(this.descriptor, level, option, at, 4) === 0;
  }
}

/** What could not be sent at once. */
interface Waiting {
  readonly bytes: Uint8Array;
  readonly to: SocketAddress | undefined;
  readonly segmentSize: number;
  readonly ecn: Ecn;
}

export class NativeDatagramPort implements DatagramPort {
  readonly local: SocketAddress;
  readonly #native: NativeDatagrams;
  readonly #socket: Socket;
  readonly #sink: DatagramSink;
  readonly #watch: Watch;
  readonly #hasPeer: boolean;
  #isOpen = true;
  #canSegment = true;
  #dscp = 0;
  #blocked = false;
  /** From `#firstWaiting` on. */
  #waiting: Waiting[] = [];
  #firstWaiting = 0;
  #waitingBytes = 0;
  #dropped = 0;
  /** The last address sent to, whose name lies in the message, and the last heard: most traffic has one peer. */
  #to: SocketAddress | undefined;
  #toIsIpv6 = false;
  #from: SocketAddress = nowhere;
  readonly #fromWords = new Uint32Array(7);

  constructor(native: NativeDatagrams, socket: Socket, local: SocketAddress, hasPeer: boolean, sink: DatagramSink) {
    this.#native = native;
    this.#socket = socket;
    this.local = local;
    this.#hasPeer = hasPeer;
    this.#sink = sink;
    this.#toIsIpv6 = socket.isIpv6;
    this.#watch = native.watch(socket.descriptor, this.#ready);
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  /** Datagrams that were dropped because too many waited. */
  get dropped(): number {
    return this.#dropped;
  }

  send(bytes: Uint8Array, to?: SocketAddress, segmentSize = bytes.length, ecn: Ecn = 0): void {
    if (!this.#isOpen) return;
    if (this.#waitingBytes > 0) this.#wait(bytes, 0, to, segmentSize, ecn);
    else {
      const sent = this.#sendFrom(bytes, to, segmentSize, ecn);
      if (sent >= 0) this.#wait(bytes, sent, to, segmentSize, ecn);
    }
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    if (!this.#isOpen) return false;
    switch (option) {
      case "hopLimit":
        return this.#socket.hopLimit(value);
      case "dontFragment":
        return this.#socket.dontFragment(value !== 0);
      case "dscp":
        if (value < 0 || value > 63 || !this.#socket.trafficClass(value << 2)) return false;
        this.#dscp = value;
        return true;
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch.close();
    this.#native.libc.call.close(this.#socket.descriptor);
    this.#waiting = [];
    // As sockets of Node: in the loop's closing phase, after all that was on its way.
    setImmediate(() => this.#sink.closed());
  }

  ref(): void {
    this.#watch.ref();
  }

  unref(): void {
    this.#watch.unref();
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers from where on the network takes no more; negative if it took (or refused) all. */
  #sendFrom(bytes: Uint8Array, to: SocketAddress | undefined, segmentSize: number, ecn: Ecn): number {
    if (!this.#name(to)) return -1;
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    let batch = step;
    if (this.#canSegment && step < bytes.length) {
      batch = step * Math.max(1, Math.min(segmentsMax, Math.floor(segmentedSizeMax / step)));
    }
    for (let at = 0; at < bytes.length || at === 0; ) {
      const size = Math.min(batch, bytes.length - at);
      const errno = this.#sendOne(bytes, at, size, size > step ? step : 0, ecn);
      if (errno === linux.EAGAIN) return at;
      if (size > step && isOurs(errno)) {
        // Larger than the path takes in one piece, or a device without checksums: one by one.
        if (errno === linux.EIO) this.#canSegment = false;
        batch = step;
        continue;
      }
      if (errno !== 0) this.#tell(errno, "sendmsg");
      at += size || 1;
    }
    return -1;
  }

  /** Answers the error number, or zero. */
  #sendOne(bytes: Uint8Array, at: number, size: number, segmentSize: number, ecn: Ecn): number {
    const { libc } = this.#native;
    const { message, descriptor } = this.#socket;
    message.outgoing(segmentSize, ecn === 0 ? 0 : (this.#dscp << 2) | ecn, this.#toIsIpv6);
    for (let attempt = 0; ; attempt++) {
      this.#native.lend(message, bytes, at, size);
      if (libc.call.sendmsg(descriptor, message.address, 0) >= 0) return 0;
      const errno = libc.errno();
      if (errno === linux.EINTR) continue;
      // What a fixed peer's network said of an earlier datagram is told in place of sending this one.
      const isEarlier = this.#hasPeer && attempt === 0 && errno !== linux.EAGAIN && !isOurs(errno);
      if (!isEarlier) return errno;
      this.#tell(errno, "sendmsg");
    }
  }

  /** Puts the destination into the message; false if there is none. */
  #name(to: SocketAddress | undefined): boolean {
    const { message, isIpv6 } = this.#socket;
    if (this.#hasPeer) {
      message.nameSize = 0;
      return true;
    }
    if (to === undefined) return false;
    if (to === this.#to) return true;
    try {
      message.nameSize = writeName(message.name, hostOf(to), to.port, isIpv6, this.#native.libc);
    } catch (error) {
      this.#to = undefined;
      queueMicrotask(() => this.#sink.softError?.(toFailure(error)));
      return false;
    }
    this.#to = to;
    // Ancillary data of mapped IPv4 are IPv4's.
    this.#toIsIpv6 = isIpv6 && to.address.includes(":");
    return true;
  }

  #wait(bytes: Uint8Array, from: number, to: SocketAddress | undefined, segmentSize: number, ecn: Ecn): void {
    const size = bytes.length - from;
    if (this.#waitingBytes + size > datagramQueueMax) {
      this.#dropped += Math.ceil(size / (segmentSize || 1));
      return;
    }
    this.#waiting.push({ bytes: bytes.slice(from), to: to && { ...to }, segmentSize, ecn });
    // An empty datagram waits, too.
    this.#waitingBytes += size + 1;
    this.#blocked = true;
    this.#watch.wantsRoom = true;
  }

  #sendWaiting(): void {
    while (this.#firstWaiting < this.#waiting.length) {
      const { bytes, to, segmentSize, ecn } = this.#waiting[this.#firstWaiting]!;
      const sent = this.#sendFrom(bytes, to, segmentSize, ecn);
      if (sent >= 0) {
        this.#waiting[this.#firstWaiting] = { bytes: bytes.subarray(sent), to, segmentSize, ecn };
        this.#waitingBytes -= sent;
        return;
      }
      this.#waitingBytes -= bytes.length + 1;
      this.#firstWaiting++;
    }
    this.#waiting = [];
    this.#firstWaiting = 0;
    this.#waitingBytes = 0;
    this.#watch.wantsRoom = false;
    this.#blocked = false;
    this.#sink.writable?.();
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * What the kernel gives one by one is joined here as long as it is of one peer and one size, so that everything above is
   * done once for many: decryption, acknowledgements, the drain.
   */
  readonly #ready = (): void => {
    if (this.#waitingBytes > 0) this.#sendWaiting();
    const native = this.#native;
    const { arrival } = native;
    let start = 0;
    let end = 0;
    let segment = 0;
    let ecn: Ecn = 0;
    let from = nowhere;
    for (let reads = 0; reads < datagramReadsMax && this.#isOpen; reads++) {
      const size = native.receive(this.#socket.descriptor, end, 0);
      if (size < 0) {
        if (size === -linux.EINTR) continue;
        if (size === -linux.EAGAIN) break;
        this.#tell(-size, "recvmsg");
        this.#forgetErrors();
        continue;
      }
      arrival.read();
      const step = arrival.segmentSize || size;
      const nextEcn = (arrival.trafficClass & 3) as Ecn;
      const peer = this.#heard(arrival);
      const joins = end > start && peer === from && step === segment && nextEcn === ecn && (end - start) % step === 0;
      if (!joins) {
        this.#deliver(start, end, from, segment, ecn);
        start = end;
        [from, segment, ecn] = [peer, step, nextEcn];
      }
      end += size;
      if (end <= joinedSizeMax) continue;
      this.#deliver(start, end, from, segment, ecn);
      start = end = 0;
      from = nowhere;
    }
    this.#deliver(start, end, from, segment, ecn);
  };

  #deliver(start: number, end: number, from: SocketAddress, segment: number, ecn: Ecn): void {
    if (from === nowhere || !this.#isOpen) return;
    this.#sink.datagrams(this.#native.arrived.subarray(start, end), from, segment, ecn);
  }

  /** The queue of errors only doubles what the call itself answered; but while it is full the descriptor is never at rest. */
  #forgetErrors(): void {
    if (!this.#hasPeer) return;
    for (let i = 0; i < datagramReadsMax; i++) {
      if (this.#native.receive(this.#socket.descriptor, errorsAt, linux.MSG_ERRQUEUE) < 0) return;
    }
  }

  #heard(arrival: Message): SocketAddress {
    const known = this.#fromWords;
    const words = this.#socket.isIpv6 ? 7 : 2;
    let isKnown = true;
    for (let i = 0; i < words; i++) {
      const word = arrival.nameWord(i);
      if (known[i] !== word) {
        known[i] = word;
        isKnown = false;
      }
    }
    if (!isKnown) this.#from = readName(arrival.name);
    return this.#from;
  }

  #tell(errno: number, call: string): void {
    const failure = toFailure(systemError(errno, call));
    queueMicrotask(() => {
      if (this.#isOpen) this.#sink.softError?.(failure);
    });
  }
}

/** Errors that are about the datagram at hand, not about an earlier one. */
const isOurs = (errno: number): boolean => errno === linux.EMSGSIZE || errno === linux.EINVAL || errno === linux.EIO;

/** More than the kernel's batches can have; and ours, which are joined of those. */
const batchSizeMax = 65_536;
const joinedSizeMax = 65_536;
/** Behind them, where errors quote what was sent. */
const errorsAt = joinedSizeMax + batchSizeMax;
const arrivedSize = errorsAt + batchSizeMax;

const nowhere: SocketAddress = { address: "::", port: 0 };
