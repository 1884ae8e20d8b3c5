import type {
  DatagramOptions,
  DatagramPort,
  DatagramSink,
  Ecn,
  Failure,
  Host,
  KeyExpiry,
  Network,
  SocketAddress,
} from "../../contract/index.js";
import { demultiplex, type SharedProtocol } from "../../mechanisms/demultiplex.js";
import type { DropCounts } from "./failure.js";
import type { MasterKey } from "./keys.js";
import { packetSizeMax } from "./limits.js";
import { SrtpSender, type SrtpSenderOptions } from "./protect.js";
import { SrtpReceiver } from "./unprotect.js";

/** Both directions of a session with imported keys. What is not of one direction holds for both. */
export interface SrtpOptions extends Omit<SrtpSenderOptions, "crypto" | "key"> {
  /** PSKI: the key that we protect with. */
  readonly sendKey: MasterKey;
  /** PSKI: the key that the peer protects with. With the same one in both directions, no source may be in both (RFC 3711 §9.1). */
  readonly receiveKey: MasterKey;
}

/** Whether one of our keys comes to its end, and which. */
export type KeyDirection = "send" | "receive";

/**
 * SRTP with one peer. It offers what it stands on, datagrams: each message that is sent or told is one RTP packet or one
 * RTCP packet (compound or not), told apart as RFC 5761 §4 has it. What cannot be protected is not sent, but counted.
 */
export interface SrtpSession extends DatagramPort {
  readonly protocol: "SRTP";
  /** Where packets go; undefined until the first authentic one has come, if it was not given. */
  readonly remote: SocketAddress | undefined;
  /** Packets that were not sent, by reason. */
  readonly sendDrops: Readonly<DropCounts>;
  /** Packets that were not delivered, by reason. */
  readonly receiveDrops: Readonly<DropCounts>;
  /** Bytes that protection adds to a packet, at the most. */
  readonly overhead: number;
  /** KU: new keys, in either direction or both, from now on (see `SrtpSender.rekey` and `SrtpReceiver.rekey`). */
  rekey(keys: { readonly send?: MasterKey; readonly receive?: MasterKey }): void;
  /** KE: told once for each key, when nine tenths of its packets are used up. */
  onKeyExpiring(call: (why: KeyExpiry, direction: KeyDirection) => void): Disposable;
  /** Tells a source's rollover counter to the receiving direction (RFC 3711 §3.3.1). */
  tellRollover(ssrc: number, counter: number): void;
}

export interface SrtpSink extends DatagramSink {
  /** Datagrams of other protocols on the same port (RFC 7983), lent like all others. Without it they are dropped. */
  foreign?(bytes: Uint8Array, from: SocketAddress, protocol: SharedProtocol | undefined): void;
}

/** SRTP over datagrams of any kind, in two steps: give `lower` to whoever makes the port, then the port to `attach`. */
export interface Layered {
  readonly session: SrtpSession;
  readonly lower: DatagramSink;
  attach(port: DatagramPort): void;
}

/** SRTP over whatever is attached; `remote` is where packets go, by default where the last authentic one came from. */
export function over(
  host: Pick<Host, "crypto">,
  options: SrtpOptions,
  sink: SrtpSink,
  remote?: SocketAddress,
): Layered {
  const session = new Session(host, options, sink, remote);
  return { session, lower: session, attach: (port) => session.attach(port) };
}

/** SRTP on a port of its own. Without `remote` it answers to wherever the last authentic packet came from (RFC 4961). */
export async function bind(
  host: Host,
  addresses: { readonly local: SocketAddress; readonly remote?: SocketAddress },
  options: SrtpOptions,
  sink: SrtpSink,
  below: { readonly network?: Network; readonly datagrams?: DatagramOptions } = {},
): Promise<SrtpSession> {
  const { session, lower, attach } = over(host, options, sink, addresses.remote);
  attach(await (below.network ?? host.network).bindDatagrams(addresses.local, lower, below.datagrams));
  return session;
}

/** Bytes of sealed packets that go out as one batch. */
const batchSizeMax = packetSizeMax;

class Session implements SrtpSession, DatagramSink {
  readonly protocol = "SRTP";
  readonly overhead: number;
  readonly #sender: SrtpSender;
  readonly #receiver: SrtpReceiver;
  readonly #sink: SrtpSink;
  /** Sealed packets, the first of them `#segment` bytes long, `#batched` bytes in all. */
  readonly #batch: Uint8Array;
  #batched = 0;
  #segment = 0;
  readonly #listeners = new Set<(why: KeyExpiry, direction: KeyDirection) => void>();
  readonly #told = { send: false, receive: false };
  #port: DatagramPort | undefined;
  #remote: SocketAddress | undefined;
  readonly #follows: boolean;
  #closed = false;

  constructor({ crypto }: Pick<Host, "crypto">, options: SrtpOptions, sink: SrtpSink, remote?: SocketAddress) {
    const { sendKey, receiveKey, ...common } = options;
    this.#sender = new SrtpSender({ ...common, crypto, key: sendKey });
    this.#receiver = new SrtpReceiver({ ...common, crypto, key: receiveKey });
    this.#sink = sink;
    this.#remote = remote;
    this.#follows = remote === undefined;
    this.overhead = this.#sender.overhead;
    this.#batch = new Uint8Array(batchSizeMax + this.overhead);
  }

  attach(port: DatagramPort): void {
    this.#port = port;
    if (this.#closed) port.close();
  }

  get local(): SocketAddress {
    return this.#port?.local ?? unbound;
  }

  get remote(): SocketAddress | undefined {
    return this.#remote;
  }

  get blocked(): boolean {
    return this.#port?.blocked ?? true;
  }

  get sendDrops(): Readonly<DropCounts> {
    return this.#sender.drops;
  }

  get receiveDrops(): Readonly<DropCounts> {
    return this.#receiver.drops;
  }

  send(bytes: Uint8Array, to = this.#remote, segmentSize = bytes.length, ecn: Ecn = 0): void {
    if (this.#port === undefined || this.#closed || to === undefined) return;
    for (let at = 0; at < bytes.length; at += segmentSize) {
      const size = Math.min(segmentSize, bytes.length - at);
      if (size > batchSizeMax) {
        this.#sender.drops["no-room"]++;
        continue;
      }
      if (this.#batched + size > batchSizeMax) this.#flush(to, ecn);
      this.#batch.set(size === bytes.length ? bytes : bytes.subarray(at, at + size), this.#batched);
      this.#seal(size, to, ecn);
    }
    this.#flush(to, ecn);
    this.#watch("send", this.#sender.keyState);
  }

  /** Protects the packet that lies behind the batch, and adds it: all of a batch but the last are of one size. */
  #seal(plain: number, to: SocketAddress, ecn: Ecn): void {
    const batch = this.#batch;
    const start = this.#batched;
    const sealed =
      demultiplex(batch, false, start) === "rtcp"
        ? this.#sender.protectRtcp(batch, start, plain)
        : this.#sender.protect(batch, start, plain);
    if (typeof sealed !== "number") return;
    if (start > 0 && sealed > this.#segment) {
      this.#flush(to, ecn);
      batch.copyWithin(0, start, start + sealed);
    }
    if (this.#batched === 0) this.#segment = sealed;
    this.#batched += sealed;
    if (sealed < this.#segment) this.#flush(to, ecn);
  }

  #flush(to: SocketAddress, ecn: Ecn): void {
    if (this.#batched > 0) this.#port?.send(this.#batch.subarray(0, this.#batched), to, this.#segment, ecn);
    this.#batched = 0;
  }

  datagrams(bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length && !this.#closed; at += step) {
      this.#datagram(bytes, at, Math.min(step, bytes.length - at), from, ecn);
    }
    this.#watch("receive", this.#receiver.keyState);
  }

  #datagram(bytes: Uint8Array, at: number, size: number, from: SocketAddress, ecn: Ecn): void {
    const protocol = demultiplex(bytes, false, at);
    if (protocol !== "rtp" && protocol !== "rtcp") {
      if (this.#sink.foreign) this.#sink.foreign(bytes.subarray(at, at + size), from, protocol);
      else this.#receiver.drops.malformed++;
      return;
    }
    const plain =
      protocol === "rtcp" ? this.#receiver.unprotectRtcp(bytes, at, size) : this.#receiver.unprotect(bytes, at, size);
    if (typeof plain !== "number") return;
    if (this.#follows && (this.#remote?.port !== from.port || this.#remote.address !== from.address)) {
      this.#remote = { ...from };
    }
    this.#sink.datagrams(bytes.subarray(at, at + plain), from, plain, ecn);
  }

  rekey({ send, receive }: { readonly send?: MasterKey; readonly receive?: MasterKey }): void {
    if (receive) this.#receiver.rekey(receive);
    if (send) this.#sender.rekey(send);
    if (send) this.#told.send = false;
    if (receive) this.#told.receive = false;
  }

  onKeyExpiring(call: (why: KeyExpiry, direction: KeyDirection) => void): Disposable {
    this.#listeners.add(call);
    return { [Symbol.dispose]: () => void this.#listeners.delete(call) };
  }

  #watch(direction: KeyDirection, state: SrtpSender["keyState"]): void {
    if (state === "good" || this.#told[direction]) return;
    this.#told[direction] = true;
    for (const call of [...this.#listeners]) call("packets", direction);
  }

  tellRollover(ssrc: number, counter: number): void {
    this.#receiver.tellRollover(ssrc, counter);
  }

  writable(): void {
    this.#sink.writable?.();
  }

  softError(failure: Failure): void {
    this.#sink.softError?.(failure);
  }

  closed(failure?: Failure): void {
    if (!this.#closed) this.#destroy();
    this.#sink.closed(failure);
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    return this.#port?.set(option, value) ?? false;
  }

  close(): void {
    if (this.#closed) return;
    this.#destroy();
    this.#port?.close();
  }

  #destroy(): void {
    this.#closed = true;
    this.#sender.destroy();
    this.#receiver.destroy();
  }

  ref(): void {
    this.#port?.ref();
  }

  unref(): void {
    this.#port?.unref();
  }
}

const unbound: SocketAddress = { address: "0.0.0.0", port: 0 };
