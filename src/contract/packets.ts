import type { Failure } from "./failure.js";

/** A device that carries IP packets (`ip-packet`): a TUN of the operating system. Packets wait in it until they are pulled. */
export interface PacketPort {
  readonly name: string;
  /** Bytes of the largest packet. */
  readonly mtu: number;
  /**
   * Writes the next packet that waits at `at`, `mtu` bytes at the most, and answers its size. Zero if there is none now:
   * `readable` follows when there is.
   */
  pull(into: Uint8Array, at: number): number;
  /**
   * Hands packets to the device, or drops and counts them: packet `i` is `bytes[ranges[2i] … ranges[2i+1])`, an IP packet
   * as long as it says. They may be reused when it returns.
   */
  send(bytes: Uint8Array, ranges: Uint32Array, count: number): void;
  /** Packets that were dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  close(): void;
  ref(): void;
  unref(): void;
}

/** What a device tells, never from inside a call to it. `closed` comes exactly once, last. */
export interface PacketSink {
  /** Packets wait: pull until there are none. Not told again before somebody has pulled. */
  readable(): void;
  closed(failure?: Failure): void;
}
