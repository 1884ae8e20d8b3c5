import {
  type Answer,
  type DatagramInput,
  earliest,
  type Instant,
  type Machine,
  type Transmit,
  type Wake,
} from "../contract/index.js";
import { Merger } from "../mechanisms/segmentation/index.js";
import type { Stack, StackEvent, StackInput } from "../stack/index.js";

/** A machine that offers IP packets: WireGuard, ESP, OpenVPN. What it decrypts it tells as the stack takes it. */
export type PacketProtocol<Input, Event> = Machine<Input | DatagramInput | Answer, Event | StackInput>;

/** The stack was given work by its methods: what it has to send goes out. */
export interface StackTouched {
  readonly kind: "stack-touched";
}

/** Sees every packet that passes between the protocol and the stack. Lent. */
export type PacketTap = (direction: "in" | "out", packet: Uint8Array) => void;

export const stackTouched: StackTouched = Object.freeze({ kind: "stack-touched" });

export type PacketTunnelEvent<Event> =
  | { readonly kind: "stack"; readonly event: StackEvent }
  | { readonly kind: "protocol"; readonly event: Exclude<Event, { readonly kind: "question" }> }
  | Extract<Event, { readonly kind: "question" }>;

/**
 * A packet protocol and the stack on top of it as one machine: what the one decrypts the other reads in place, what the
 * stack has to send the protocol pulls and seals where it lies.
 */
export class PacketTunnel<Input extends { readonly kind: string }, Event extends { readonly kind: string }>
  implements Machine<Input | DatagramInput | Answer | StackTouched, PacketTunnelEvent<Event>>
{
  readonly protocol: PacketProtocol<Input, Event>;
  readonly stack: Stack;
  readonly #events: PacketTunnelEvent<Event>[] = [];
  readonly #tap: PacketTap | undefined;
  readonly #merger = new Merger();
  readonly #merged: { readonly kind: "packets"; bytes: Uint8Array; ranges: Uint32Array; count: number } = {
    kind: "packets",
    bytes: new Uint8Array(0),
    ranges: new Uint32Array(0),
    count: 0,
  };

  /** The protocol must pull its packets from this stack, through `tapped` if there is a tap. */
  constructor(protocol: PacketProtocol<Input, Event>, stack: Stack, tap?: PacketTap) {
    this.protocol = protocol;
    this.stack = stack;
    this.#tap = tap;
  }

  handle(input: Input | DatagramInput | Answer | StackTouched | Wake, now: Instant): void {
    if (input.kind === "wake") {
      this.stack.handle(input as Wake, now);
      this.protocol.handle(input as Wake, now);
    } else if (input.kind !== "stack-touched") this.protocol.handle(input as Input | DatagramInput | Answer, now);
    for (let event = this.protocol.event(); event !== undefined; event = this.protocol.event()) {
      if (event.kind === "packets") this.#packets(event as StackInput, now);
      else if (event.kind === "question") this.#events.push(event as Extract<Event, { readonly kind: "question" }>);
      else {
        const told = event as Exclude<Event, { readonly kind: "question" }>;
        this.#events.push({ kind: "protocol", event: told });
      }
    }
    // Before anything else happens: data in these events lie in the packets that came.
    for (let event = this.stack.event(); event !== undefined; event = this.stack.event()) {
      this.#events.push({ kind: "stack", event });
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    return this.protocol.transmit(into, now);
  }

  #packets(input: StackInput, now: Instant): void {
    const tap = this.#tap;
    const { bytes, ranges, count } = input;
    if (tap !== undefined) tapPackets(input, tap);
    if (count === 1) {
      this.stack.handle(input, now);
      return;
    }
    // One header for many segments: the stack's work is done once for all of them.
    const merged = this.#merged;
    if (merged.ranges.length < 2 * count) merged.ranges = new Uint32Array(2 * count);
    merged.bytes = bytes;
    merged.count = this.#merger.compact(bytes, ranges, count, merged.ranges);
    this.stack.handle(merged, now);
  }

  event(): PacketTunnelEvent<Event> | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    return earliest(this.protocol.deadline(), this.stack.deadline());
  }
}

/** Where packets are pulled from: a stack, or a device. */
export interface PacketSource {
  pull(into: Uint8Array, at: number, now: Instant): number;
}

/** A source whose packets are seen as they are pulled. */
export function tapped(source: PacketSource, tap: PacketTap | undefined): PacketSource {
  if (tap === undefined) return source;
  return {
    pull: (into, at, now) => {
      const size = source.pull(into, at, now);
      if (size > 0) tap("out", into.subarray(at, at + size));
      return size;
    },
  };
}

/** Shows what a protocol has opened. */
export function tapPackets({ bytes, ranges, count }: StackInput, tap: PacketTap): void {
  for (let i = 0; i < count; i++) tap("in", bytes.subarray(ranges[2 * i]!, ranges[2 * i + 1]!));
}
