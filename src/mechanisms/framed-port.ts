import type {
  DatagramPort,
  DatagramSink,
  Ecn,
  Failure,
  SocketAddress,
  StreamPort,
  StreamSink,
} from "../contract/index.js";
import { FramedPackets, framedPacketMax, frameHeaderSize, putFrameHeader } from "./framed-packets.js";

/**
 * Datagrams over a byte stream, each behind its length (RFC 4571): what wants a `DatagramPort` with one peer, SRTP, DTLS
 * (RFC 7850) or DTLS-SRTP, so stands on TCP, on TLS, or inside a tunnel. In two steps, as sessions are layered: give `lower`
 * to whoever makes the stream, then the stream to `attach`.
 *
 * As with every network, a datagram may get lost: what is sent while the stream takes no more is dropped and counted.
 */
export interface FramedFlow {
  readonly port: DatagramPort & { readonly dropped: number };
  readonly lower: StreamSink;
  attach(stream: StreamPort): void;
}

/** Frames whatever `sink` and the port exchange. */
export function overStream(sink: DatagramSink): FramedFlow {
  const flow = new FramedPort(sink);
  return { port: flow, lower: flow, attach: (stream) => flow.attach(stream) };
}

class FramedPort implements DatagramPort, StreamSink {
  dropped = 0;
  readonly #sink: DatagramSink;
  readonly #packets: FramedPackets;
  #stream: StreamPort | undefined;
  #blocked = false;
  #closed = false;

  constructor(sink: DatagramSink) {
    this.#sink = sink;
    this.#packets = new FramedPackets((packet) => {
      if (!this.#closed && this.#stream) sink.datagrams(packet, this.#stream.remote, packet.length, 0);
    });
  }

  attach(stream: StreamPort): void {
    this.#stream = stream;
    if (this.#closed) stream.abort();
  }

  get local(): SocketAddress {
    return this.#stream?.local ?? unbound;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  send(bytes: Uint8Array, _to?: SocketAddress, segmentSize = bytes.length, _ecn?: Ecn): void {
    const stream = this.#stream;
    for (let at = 0; at < bytes.length; at += segmentSize) {
      const size = Math.min(segmentSize, bytes.length - at);
      if (stream === undefined || this.#blocked || this.#closed || size > framedPacketMax) {
        this.dropped++;
        continue;
      }
      // The stream keeps what it is given until it has sent it, and a datagram is only lent to us.
      const frame = new Uint8Array(frameHeaderSize + size);
      putFrameHeader(frame, 0, size);
      frame.set(bytes.subarray(at, at + size), frameHeaderSize);
      this.#blocked = !stream.write(frame);
    }
  }

  bytes(bytes: Uint8Array): void {
    this.#packets.push(bytes);
  }

  drained(): void {
    this.#blocked = false;
    this.#sink.writable?.();
  }

  /** The peer has nothing more to say: a flow of datagrams is then over. */
  ended(): void {
    this.close();
  }

  softError(failure: Failure): void {
    this.#sink.softError?.(failure);
  }

  closed(failure?: Failure): void {
    this.#closed = true;
    this.#sink.closed(failure);
  }

  /** A stream has no such options for single datagrams but DSCP. */
  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    return option === "dscp" && (this.#stream?.set("dscp", value) ?? false);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream?.finish();
  }

  ref(): void {
    this.#stream?.ref();
  }

  unref(): void {
    this.#stream?.unref();
  }
}

const unbound: SocketAddress = { address: "0.0.0.0", port: 0 };
