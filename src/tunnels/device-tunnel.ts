import type {
  Answer,
  DatagramInput,
  Failure,
  Host,
  Instant,
  Machine,
  Network,
  PacketPort,
  PacketSink,
  SocketAddress,
  Transmit,
  Wake,
} from "../contract/index.js";
import { DatagramDriver } from "../mechanisms/driver/index.js";
import { type PacketProtocol, type PacketSource, type PacketTap, tapPackets, tapped } from "./packet-tunnel.js";
import type { TunnelHandlers } from "./tunnel.js";

/** Packets wait in the device: the protocol pulls them. */
interface DeviceReadable {
  readonly kind: "device-readable";
}

const deviceReadable: DeviceReadable = Object.freeze({ kind: "device-readable" });

/** The protocol as it is, with one input more that only has it drained. */
class DeviceMachine<Input extends { readonly kind: string }, Event> implements Machine<Input, Event> {
  readonly #protocol: Machine<Input, Event>;

  constructor(protocol: Machine<Input, Event>) {
    this.#protocol = protocol;
  }

  handle(input: Input | DeviceReadable | Wake, now: Instant): void {
    if (input.kind !== "device-readable") this.#protocol.handle(input as Input | Wake, now);
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    return this.#protocol.transmit(into, now);
  }

  event(): Event | undefined {
    return this.#protocol.event();
  }

  deadline(): Instant | undefined {
    return this.#protocol.deadline();
  }
}

/**
 * A packet protocol between a device of IP packets and a UDP port: whoever is behind the device has the stack. What waits
 * in the device is sealed where it is pulled to, what is opened goes to the device from where it lies.
 */
export class DeviceTunnel<Input extends { readonly kind: string }, Event extends { readonly kind: string }> {
  readonly #driver: DatagramDriver<Input | DeviceReadable, Event>;
  readonly #ended: (failure: Failure | undefined) => void;
  #device: PacketPort | undefined;
  #isOver = false;

  /**
   * The protocol pulls from `source`. `ended` is told once: when the device or the last port is gone. `tap` sees what passes
   * between the protocol and the device.
   */
  constructor(
    host: Host,
    protocol: (source: PacketSource) => PacketProtocol<Input, Event>,
    handlers: TunnelHandlers<Event>,
    ended: (failure: Failure | undefined) => void,
    tap?: PacketTap,
  ) {
    this.#ended = ended;
    const machine = protocol(tapped({ pull: (into, at) => this.#device?.pull(into, at) ?? 0 }, tap));
    this.#driver = new DatagramDriver<Input | DeviceReadable, Event>(
      host,
      new DeviceMachine(machine as Machine<Input | DatagramInput | Answer, Event>),
      {
        event: (event) => {
          if (isPackets(event)) {
            if (tap !== undefined) tapPackets(event, tap);
            this.#device?.send(event.bytes, event.ranges, event.count);
          } else handlers.event?.(event);
        },
        ...(handlers.answer && { answer: handlers.answer }),
        softError: (failure) => handlers.softError?.(failure),
        closed: (failure) => this.#end(failure),
      },
    );
  }

  /** Takes up a device. Rejects as `openDevice` and the network outside do; then nothing is left open. */
  async open(
    openDevice: (sink: PacketSink) => Promise<PacketPort>,
    outside: Pick<Network, "bindDatagrams">,
    local: SocketAddress,
  ): Promise<SocketAddress> {
    this.#device = await openDevice({
      readable: () => void this.#driver.handle(deviceReadable),
      closed: (failure) => this.#end(failure),
    });
    try {
      return (await this.#driver.bind(outside, local)).local;
    } catch (error) {
      this.#isOver = true;
      this.#device.close();
      throw error;
    }
  }

  handle(input: Input): void {
    if (!this.#isOver) this.#driver.handle(input);
  }

  close(): void {
    this.#end(undefined);
  }

  #end(failure: Failure | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#driver.close();
    this.#device?.close();
    this.#ended(failure);
  }
}

interface Packets {
  readonly kind: "packets";
  readonly bytes: Uint8Array;
  readonly ranges: Uint32Array;
  readonly count: number;
}

function isPackets(event: unknown): event is Packets {
  return typeof event === "object" && event !== null && "kind" in event && event.kind === "packets";
}
