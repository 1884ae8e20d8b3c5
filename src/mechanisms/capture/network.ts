import { copyOf } from "../../bytes/index.js";
import type {
  Clock,
  DatagramPort,
  DatagramSink,
  Network,
  SocketAddress,
  StreamPort,
  StreamSink,
} from "../../contract/index.js";
import { tcpPacket, udpPacket } from "./packets.js";
import type { Pcapng } from "./pcapng.js";

/**
 * A network whose traffic is recorded as it passes the ports. Datagrams are what they were; of streams only the bytes
 * are known, so they are shown as TCP segments that lose nothing, with the handshake and the end that ports tell of.
 */
export function captured(network: Network, clock: Clock, into: Pcapng, on = 0): Network {
  return {
    name: network.name,
    resolve: (name, options) => network.resolve(name, options),
    interfaces: () => network.interfaces(),
    connectStream: (remote, sink, options) => {
      const stream = new CapturedStream(sink, clock, into, on, false);
      return stream.attach(network.connectStream(remote, stream, options));
    },
    listenStreams: (local, accept, options) =>
      network.listenStreams(
        local,
        (port) => {
          const stream = new CapturedStream(undefined, clock, into, on, true);
          stream.attach(port);
          return stream.tell(accept(stream));
        },
        options,
      ),
    bindDatagrams: async (local, sink, options) => {
      let port: DatagramPort | undefined;
      const record = (
        direction: "in" | "out",
        bytes: Uint8Array,
        peer: SocketAddress | undefined,
        segmentSize: number,
        ecn: 0 | 1 | 2 | 3,
      ): void => {
        const here = port?.local ?? local;
        const there = peer ?? options?.remote ?? here;
        for (let start = 0; start < bytes.length || start === 0; start += segmentSize || 1) {
          const payload = bytes.subarray(start, start + segmentSize);
          const packet =
            direction === "in" ? udpPacket(there, here, payload, ecn) : udpPacket(here, there, payload, ecn);
          into.packet({ at: clock.now(), on, bytes: packet, direction });
        }
      };
      const tap: DatagramSink = {
        datagrams: (bytes, from, segmentSize, ecn) => {
          record("in", bytes, from, segmentSize, ecn);
          sink.datagrams(bytes, from, segmentSize, ecn);
        },
        writable: () => sink.writable?.(),
        softError: (failure) => sink.softError?.(failure),
        closed: (failure) => sink.closed(failure),
      };
      const below = (port = await network.bindDatagrams(local, tap, options));
      return {
        get local() {
          return below.local;
        },
        get blocked() {
          return below.blocked;
        },
        send: (bytes, to, segmentSize = bytes.length, ecn = 0) => {
          record("out", bytes, to, segmentSize, ecn);
          below.send(bytes, to, segmentSize, ecn);
        },
        set: (option, value) => below.set(option, value),
        close: () => below.close(),
        ref: () => below.ref(),
        unref: () => below.unref(),
      };
    },
  };
}

/** Bytes of a made-up segment: what fits into one IPv4 packet, less than the snap length of common tools. */
const segmentSizeMax = 32_768;

class CapturedStream implements StreamPort, StreamSink {
  readonly #clock: Clock;
  readonly #into: Pcapng;
  readonly #on: number;
  readonly #isAccepted: boolean;
  #sink: StreamSink | undefined;
  #port!: StreamPort;
  /** Next sequence numbers, ours and the peer's, and whether each direction has started and ended. */
  #sent = 0;
  #received = 0;
  #isOpen = false;
  #hasFinished = false;
  readonly #early: Uint8Array[] = [];

  constructor(sink: StreamSink | undefined, clock: Clock, into: Pcapng, on: number, isAccepted: boolean) {
    this.#sink = sink;
    this.#clock = clock;
    this.#into = into;
    this.#on = on;
    this.#isAccepted = isAccepted;
  }

  attach(port: StreamPort): this {
    this.#port = port;
    return this;
  }

  tell(sink: StreamSink): this {
    this.#sink = sink;
    return this;
  }

  get local(): SocketAddress {
    return this.#port.local;
  }

  get remote(): SocketAddress {
    return this.#port.remote;
  }

  get queued(): number {
    return this.#port.queued;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#isOpen) this.#data("out", bytes);
    else this.#early.push(copyOf(bytes));
    return this.#port.write(bytes, released);
  }

  finish(): void {
    this.#end("out", { fin: true, ack: true });
    this.#hasFinished = true;
    this.#port.finish();
  }

  abort(): void {
    if (this.#isOpen) this.#end("out", { rst: true, ack: true });
    this.#port.abort();
  }

  pause = (): void => this.#port.pause();
  resume = (): void => this.#port.resume();
  ref = (): void => this.#port.ref();
  unref = (): void => this.#port.unref();
  set: StreamPort["set"] = (option, value) => this.#port.set(option, value);

  opened(): void {
    this.#isOpen = true;
    const [first, second] = this.#isAccepted ? (["in", "out"] as const) : (["out", "in"] as const);
    this.#segment(first, { syn: true });
    this.#advance(first, 1);
    this.#segment(second, { syn: true, ack: true });
    this.#advance(second, 1);
    this.#segment(first, { ack: true });
    for (const bytes of this.#early.splice(0)) this.#data("out", bytes);
    this.#sink?.opened?.();
  }

  bytes(bytes: Uint8Array): void {
    this.#data("in", bytes);
    this.#sink?.bytes(bytes);
  }

  ended(): void {
    this.#end("in", { fin: true, ack: true });
    this.#sink?.ended();
  }

  drained(): void {
    this.#sink?.drained();
  }

  softError: NonNullable<StreamSink["softError"]> = (failure) => this.#sink?.softError?.(failure);

  closed: StreamSink["closed"] = (failure) => {
    if (failure?.reason === "reset") this.#end("in", { rst: true, ack: true });
    this.#sink?.closed(failure);
  };

  #data(direction: "in" | "out", bytes: Uint8Array): void {
    if (direction === "out" && this.#hasFinished) return;
    for (let start = 0; start < bytes.length; start += segmentSizeMax) {
      const payload = bytes.subarray(start, start + segmentSizeMax);
      this.#segment(direction, { ack: true }, payload);
      this.#advance(direction, payload.length);
    }
  }

  #end(direction: "in" | "out", flags: { fin?: boolean; rst?: boolean; ack: boolean }): void {
    this.#segment(direction, flags);
    this.#advance(direction, 1);
  }

  #advance(direction: "in" | "out", by: number): void {
    if (direction === "out") this.#sent = (this.#sent + by) >>> 0;
    else this.#received = (this.#received + by) >>> 0;
  }

  #segment(
    direction: "in" | "out",
    flags: { syn?: boolean; fin?: boolean; rst?: boolean; ack?: boolean },
    payload: Uint8Array = new Uint8Array(),
  ): void {
    const { local, remote } = this.#port;
    const isOut = direction === "out";
    const header = {
      sequence: isOut ? this.#sent : this.#received,
      acknowledgment: isOut ? this.#received : this.#sent,
      flags,
    };
    const bytes = isOut ? tcpPacket(local, remote, header, payload) : tcpPacket(remote, local, header, payload);
    this.#into.packet({ at: this.#clock.now(), on: this.#on, bytes, direction });
  }
}
