import type { Instant } from "./time.js";

/**
 * What a machine wrote into the caller's buffer. The object belongs to the machine and is good until its next
 * `transmit`: read it, send, forget it.
 */
export interface Transmit {
  /** Bytes written, from the start of the buffer. */
  readonly size: number;
  /** If set, the bytes are a batch: datagrams of this many bytes each, the last may be shorter. */
  readonly segmentSize?: number;
  /** Where a datagram goes; absent on streams and on flows that have one peer. */
  readonly to?: SocketAddress;
  /** The local address a datagram leaves from, when the machine cares (migration, multi-homed servers). */
  readonly from?: SocketAddress;
  /** ECN codepoint to set, RFC 3168 §5. */
  readonly ecn?: Ecn;
}

/** ECN field of an IP packet: Not-ECT, ECT(1), ECT(0), CE (RFC 3168 §5). */
export type Ecn = 0 | 1 | 2 | 3;

/** One end of a transport address. The address is text in canonical form (RFC 5952 for IPv6), without a zone. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
  /** Zone of a link-local address: an interface name. */
  readonly zone?: string;
}

export const isSameAddress = (a: SocketAddress, b: SocketAddress): boolean =>
  a.port === b.port && a.address === b.address && a.zone === b.zone;

/**
 * The drain law. A machine is given one input and the time (`handle`); it is drained of what to send (`transmit`) and
 * of what to tell (`event`) until both answer undefined; then it names the moment it wants to be woken (`deadline`),
 * when it is handled a `wake`. It never waits, never calls back, never reads a clock.
 *
 * Bytes that came from the network are lent to `handle`: the machine may overwrite them (it decrypts in place) and keeps
 * none of them. Bytes in an event live as long as the bytes of the input that caused it, or are memory of their own.
 * Bytes that the application sends are read only, and the machine may hold them until it has transmitted them.
 */
export interface Machine<Input, Event> {
  handle(input: Input | Wake, now: Instant): void;
  transmit(into: Uint8Array, now: Instant): Transmit | undefined;
  event(): Event | undefined;
  deadline(): Instant | undefined;
}

/** The input of a machine whose deadline has come. Giving it early is harmless. */
export interface Wake {
  readonly kind: "wake";
}

export const wake: Wake = Object.freeze({ kind: "wake" });

/** Where drained output goes. */
export interface Outlet<Event> {
  /** `bytes` is a view of the drain buffer: send or copy it before returning. */
  send(bytes: Uint8Array, transmit: Transmit): void;
  raise(event: Event): void;
}

/** Empties a machine and answers its deadline. Events are raised after every byte they follow has been sent. */
export function drain<Input, Event>(
  machine: Machine<Input, Event>,
  now: Instant,
  buffer: Uint8Array,
  out: Outlet<Event>,
): Instant | undefined {
  for (let t = machine.transmit(buffer, now); t; t = machine.transmit(buffer, now)) {
    out.send(buffer.subarray(0, t.size), t);
  }
  for (let e = machine.event(); e !== undefined; e = machine.event()) out.raise(e);
  return machine.deadline();
}
