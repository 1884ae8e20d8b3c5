import { varintAt, varintSpan } from "../../../../src/bytes/index.js";
import { type StreamEvent, type StreamLimits, Streams } from "../../../../src/protocols/quic/streams/index.js";

export const limits: StreamLimits = {
  maxData: 1_000_000,
  maxStreamDataBidiLocal: 100_000,
  maxStreamDataBidiRemote: 100_000,
  maxStreamDataUni: 100_000,
  maxStreamsBidi: 10,
  maxStreamsUni: 10,
};

export type Record4 = readonly [kind: number, id: number, from: number, to: number];

/** A packet's frames, and what they held. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly held: readonly Record4[];
}

/** One end, with a clock. */
export class Side {
  readonly streams: Streams;
  now = 1_000;

  constructor(isClient: boolean, own: Partial<StreamLimits> = {}, options: { connectionWindowMax?: number } = {}) {
    this.streams = new Streams({
      isClient,
      limits: { ...limits, ...own },
      rtt: { smoothedMs: 100 },
      ...options,
    });
  }

  /** The next packet; undefined if there is nothing to send. */
  packet(size = 1_200): Packet | undefined {
    const bytes = new Uint8Array(size);
    const held: Record4[] = [];
    const end = this.streams.fill(bytes, 0, size, {
      hold: (kind, id, from, to) => void held.push([kind, id, from, to]),
    });
    return end === 0 ? undefined : { bytes: bytes.subarray(0, end), held };
  }

  take(packet: Packet): void {
    for (const frame of framesOf(packet.bytes)) this.frame(frame);
  }

  frame({ type, values, data }: Frame): void {
    const { streams, now } = this;
    const [first = 0, second = 0, third = 0] = values;
    const take: Readonly<Record<number, () => void>> = {
      4: () => streams.onResetStream(first, second, third, now),
      5: () => streams.onStopSending(first, second),
      16: () => streams.onMaxData(first),
      17: () => streams.onMaxStreamData(first, second),
      18: () => streams.onMaxStreams("bidirectional", first),
      19: () => streams.onMaxStreams("unidirectional", first),
      21: () => streams.onStreamDataBlocked(first),
    };
    if (type >= 8 && type < 16) streams.onStream(first, second, data, type % 2 === 1, now);
    else take[type]?.();
  }

  events(): StreamEvent[] {
    const all: StreamEvent[] = [];
    for (let event = this.streams.event(); event !== undefined; event = this.streams.event()) all.push(event);
    return all;
  }

  acknowledged(packet: Packet): void {
    for (const [kind, id, from, to] of packet.held) this.streams.acknowledged(kind, id, from, to);
  }

  lost(packet: Packet): void {
    for (const [kind, id, from, to] of packet.held) this.streams.lost(kind, id, from, to);
  }
}

export function pair(own: { client?: Partial<StreamLimits>; server?: Partial<StreamLimits> } = {}): {
  client: Side;
  server: Side;
} {
  const client = new Side(true, own.client);
  const server = new Side(false, own.server);
  client.streams.start({ ...limits, ...own.server });
  server.streams.start({ ...limits, ...own.client });
  return { client, server };
}

/** Everything that either has to say reaches the other, and is acknowledged. Answers what they heard. */
export function settle(client: Side, server: Side): { client: StreamEvent[]; server: StreamEvent[] } {
  const heard: { client: StreamEvent[]; server: StreamEvent[] } = { client: [], server: [] };
  for (let quiet = false; !quiet; ) {
    quiet = true;
    for (const [from, to, name] of [
      [client, server, "server"],
      [server, client, "client"],
    ] as const) {
      for (let packet = from.packet(); packet !== undefined; packet = from.packet()) {
        quiet = false;
        to.take(packet);
        heard[name].push(...to.events());
        from.acknowledged(packet);
      }
    }
    heard.client.push(...client.events());
    heard.server.push(...server.events());
  }
  return heard;
}

export interface Frame {
  readonly type: number;
  readonly values: readonly number[];
  readonly data: Uint8Array;
}

const integers: Readonly<Record<number, number>> = {
  4: 3,
  5: 2,
  16: 1,
  17: 2,
  18: 1,
  19: 1,
  20: 1,
  21: 2,
  22: 1,
  23: 1,
  24: 0,
  25: 1,
};

/** The frames of streams and flow control, read by hand. */
export function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  const integer = () => {
    const value = varintAt(bytes, at, bytes.length);
    at += varintSpan(bytes[at]!);
    return value;
  };
  while (at < bytes.length) {
    const type = bytes[at++]!;
    if (type >= 0x08 && type <= 0x0f) {
      const id = integer();
      const offset = (type & 4) !== 0 ? integer() : 0;
      const size = (type & 2) !== 0 ? integer() : bytes.length - at;
      frames.push({ type, values: [id, offset], data: bytes.subarray(at, at + size) });
      at += size;
    } else {
      const count = integers[type];
      if (count === undefined) throw new TypeError(`frame type ${type}`);
      frames.push({ type, values: Array.from({ length: count }, integer), data: bytes.subarray(at, at) });
    }
  }
  return frames;
}

export const text = (events: readonly StreamEvent[], id: number): string =>
  events
    .map((event) => (event.kind === "bytes" && event.id === id ? new TextDecoder().decode(event.bytes) : ""))
    .join("");
