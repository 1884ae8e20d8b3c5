import type { Prefix } from "../bytes/index.js";
import { type Alarm, type Failure, type Host, type PacketPort, type PacketSink, wake } from "../contract/index.js";
import { Stack } from "../stack/index.js";
import { devicePacketsMax } from "./limits.js";
import { type Resolve, type StackDriver, StackNetwork } from "./stack-network.js";

export interface DeviceNetworkOptions {
  /** What the network is called. */
  readonly name: string;
  /** Our addresses behind the device, each with the length of its network's prefix. */
  readonly addresses: readonly Prefix[];
  /** Default: no names, addresses alone. */
  readonly resolve?: Resolve;
}

/**
 * A stack of ours behind a device that carries IP packets, as a `Network`: its TCP is ours and so offers `eno-stream`, and who is
 * on the other side of the device, the kernel or whoever it forwards to, speaks its own.
 */
export class DeviceNetwork implements StackDriver {
  readonly host: Host;
  readonly stack: Stack;
  readonly network: StackNetwork;
  readonly #device: PacketPort;
  readonly #arrived: Uint8Array;
  readonly #leaving: Uint8Array;
  readonly #ranges = new Uint32Array(2 * devicePacketsMax);
  #alarm: Alarm | undefined;
  #alarmAt = Number.POSITIVE_INFINITY;
  #isTouched = false;
  #holds = 0;
  #isOpen = true;

  /** Rejects as `openDevice` does. It keeps the process alive only while something on it does. */
  static async open(
    host: Host,
    openDevice: (sink: PacketSink) => Promise<PacketPort>,
    options: DeviceNetworkOptions,
  ): Promise<DeviceNetwork> {
    let made: DeviceNetwork | undefined;
    const device = await openDevice({
      readable: () => {
        if (made !== undefined) made.#readable();
      },
      closed: (failure) => {
        if (made !== undefined) made.#end(failure);
      },
    });
    made = new DeviceNetwork(host, device, options);
    // What came before there was anybody to pull it.
    host.soon(() => made.#readable());
    return made;
  }

  private constructor(host: Host, device: PacketPort, { name, addresses, resolve }: DeviceNetworkOptions) {
    const { crypto, entropy } = host;
    this.host = host;
    this.#device = device;
    this.stack = new Stack({ crypto, entropy, addresses, mtu: device.mtu });
    this.network = new StackNetwork(name, this, resolve ?? (() => Promise.resolve([])));
    this.#arrived = new Uint8Array(devicePacketsMax * ((device.mtu + 3) & ~3));
    this.#leaving = new Uint8Array(this.#arrived.length);
    device.unref();
  }

  touched(): void {
    if (this.#isTouched || !this.#isOpen) return;
    this.#isTouched = true;
    this.host.soon(this.#drainSoon);
  }

  hold(by: 1 | -1): void {
    this.#holds += by;
    if (!this.#isOpen) return;
    if (this.#holds === 0) this.#device.unref();
    else if (this.#holds === 1 && by === 1) this.#device.ref();
  }

  /** Ends everything on it at once, and lets go of the device. */
  close(): void {
    this.#end(undefined);
    this.#device.close();
  }

  readonly #drainSoon = (): void => {
    this.#isTouched = false;
    this.#drain();
  };

  #readable(): void {
    while (this.#isOpen) {
      const count = this.#gather(this.#arrived, (at) => this.#device.pull(this.#arrived, at));
      if (count === 0) break;
      const packets = { kind: "packets", bytes: this.#arrived, ranges: this.#ranges, count } as const;
      this.stack.handle(packets, this.host.now());
      this.#tell();
    }
    this.#drain();
  }

  #drain(): void {
    while (this.#isOpen) {
      const now = this.host.now();
      const count = this.#gather(this.#leaving, (at) => this.stack.pull(this.#leaving, at, now));
      if (count > 0) this.#device.send(this.#leaving, this.#ranges, count);
      this.#tell();
      if (count === 0) break;
    }
    this.#arm();
  }

  /** Puts packets side by side, as many as there are and fit. */
  #gather(into: Uint8Array, next: (at: number) => number): number {
    let count = 0;
    for (let at = 0; count < devicePacketsMax && at + this.#device.mtu <= into.length; count++) {
      const size = next(at);
      if (size === 0) break;
      this.#ranges[2 * count] = at;
      this.#ranges[2 * count + 1] = at + size;
      at += (size + 3) & ~3;
    }
    return count;
  }

  #tell(): void {
    for (let event = this.stack.event(); event !== undefined; event = this.stack.event()) this.network.event(event);
  }

  #arm(): void {
    const at = this.stack.deadline();
    if (at === undefined || at >= this.#alarmAt || !this.#isOpen) return;
    this.#alarm?.cancel();
    this.#alarmAt = at;
    this.#alarm = this.host.wakeAt(at, this.#wake);
    this.#alarm.unref();
  }

  readonly #wake = (): void => {
    this.#alarmAt = Number.POSITIVE_INFINITY;
    if (!this.#isOpen) return;
    this.stack.handle(wake, this.host.now());
    this.#tell();
    this.#drain();
  };

  #end(failure: Failure | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#alarm?.cancel();
    this.network.end(failure ?? "the device was closed");
  }
}
