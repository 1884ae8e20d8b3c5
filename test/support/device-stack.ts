import { parsePrefix } from "../../src/bytes/index.js";
import type { Alarm, Host, PacketPort } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { openTun } from "../../src/hosts/node/tun.js";
import { type AddressEvent, EthernetLink, Stack } from "../../src/stack/index.js";
import { StackNetwork } from "../../src/tunnels/index.js";
import { openTap } from "./tap.js";

/** What the link between the device and the stack does to packets, each way: probabilities, and milliseconds. */
export interface Impairment {
  readonly loss?: number;
  readonly duplicate?: number;
  /** This share waits `lateMs` longer than the rest. */
  readonly late?: number;
  readonly lateMs?: number;
  readonly delayMs?: number;
}

const mtu = 1_420;

/**
 * Our stack behind a TUN device, or, over Ethernet, behind a TAP device: the other side of the device is the kernel's own TCP.
 * Between them lies a link of ours that loses, repeats and reorders.
 */
export class DeviceStack {
  readonly network: StackNetwork;
  readonly stack: Stack;
  /** The link between the stack and a TAP device. */
  readonly link: EthernetLink | undefined;
  readonly host: Host;
  readonly #machine: Stack | EthernetLink;
  readonly #device: PacketPort;
  readonly #impairment: Impairment;
  readonly #chance: () => number;
  readonly #arrived = new Uint8Array(128 * 1024);
  readonly #leaving = new Uint8Array(128 * 1024);
  readonly #ranges = new Uint32Array(256);
  #isTouched = false;
  #alarmAt = Number.POSITIVE_INFINITY;
  #alarm: Alarm | undefined;
  #isOpen = true;

  static async open(
    host: Host,
    device: string,
    addresses: readonly string[],
    impairment: Impairment = {},
  ): Promise<DeviceStack> {
    let made: DeviceStack | undefined;
    const port = await openTun(device, mtu, { readable: () => made?.readable(), closed: () => {} });
    made = new DeviceStack(host, port, addresses, impairment);
    return made;
  }

  /** The same over Ethernet frames, with this hardware address of ours. */
  static async openTap(
    host: Host,
    device: string,
    addresses: readonly string[],
    hardware: Uint8Array,
    isTested = false,
  ): Promise<DeviceStack> {
    let made: DeviceStack | undefined;
    const port = await openTap(device, mtu, { readable: () => made?.readable(), closed: () => {} });
    made = new DeviceStack(host, port, addresses, {}, hardware, isTested);
    return made;
  }

  constructor(
    host: Host,
    device: PacketPort,
    addresses: readonly string[],
    impairment: Impairment,
    hardware?: Uint8Array,
    isTested = false,
  ) {
    const { crypto, entropy } = host;
    this.host = host;
    this.#device = device;
    this.#impairment = impairment;
    const seeded = seededEntropy(11);
    const four = new Uint8Array(4);
    this.#chance = () => {
      const [a, b, c] = seeded.fill(four);
      return ((a! << 16) | (b! << 8) | c!) / 0x100_0000;
    };
    this.stack = new Stack({ crypto, entropy, mtu, addresses: addresses.map((each) => parsePrefix(each)!) });
    const test = isTested ? { entropy, from: host.now() } : undefined;
    this.link = hardware && new EthernetLink(this.stack, { address: hardware, ...(test && { test }) });
    this.#machine = this.link ?? this.stack;
    this.network = new StackNetwork("behind the device", this, () => Promise.reject(new Error("no names here")));
  }

  /** Hears of each answer to an echo, by the request's word. */
  echoed: (word: number) => void = () => {};
  /** Hears what has become of an address that is tested. */
  addressTold: (event: AddressEvent) => void = () => {};

  touched(): void {
    if (this.#isTouched) return;
    this.#isTouched = true;
    this.host.soon(() => {
      this.#isTouched = false;
      this.#drain();
    });
  }

  hold(): void {}

  close(): void {
    this.#isOpen = false;
    this.#alarm?.cancel();
    this.network.end("over");
    this.#device.close();
  }

  /** From the device to the stack. */
  readable(): void {
    for (;;) {
      let [at, count] = [0, 0];
      for (; count < 64; count++) {
        const size = this.#device.pull(this.#arrived, at);
        if (size === 0) break;
        this.#ranges[2 * count] = at;
        this.#ranges[2 * count + 1] = at + size;
        at += (size + 3) & ~3;
      }
      if (count === 0) break;
      this.#pass(this.#arrived, count, (bytes, ranges, passed) => {
        const now = this.host.now();
        if (this.link) this.link.handle({ kind: "frames", bytes, ranges, count: passed }, now);
        else this.stack.handle({ kind: "packets", bytes, ranges, count: passed }, now);
        this.#tell();
      });
    }
    this.#drain();
  }

  /** From the stack to the device. */
  #drain(): void {
    for (let count = 64; count === 64 && this.#isOpen; ) {
      let at = 0;
      for (count = 0; count < 64; count++) {
        const size = this.#machine.pull(this.#leaving, at, this.host.now());
        if (size === 0) break;
        this.#ranges[2 * count] = at;
        this.#ranges[2 * count + 1] = at + size;
        at += (size + 3) & ~3;
      }
      if (count > 0)
        this.#pass(this.#leaving, count, (bytes, ranges, passed) => this.#device.send(bytes, ranges, passed));
      this.#tell();
    }
    const at = this.#machine.deadline();
    if (at === undefined || at >= this.#alarmAt || !this.#isOpen) return;
    this.#alarmAt = at;
    this.#alarm?.cancel();
    this.#alarm = this.host.wakeAt(at, () => {
      this.#alarmAt = Number.POSITIVE_INFINITY;
      if (!this.#isOpen) return;
      this.#machine.handle({ kind: "wake" }, this.host.now());
      this.#tell();
      this.#drain();
    });
  }

  #tell(): void {
    for (let event = this.#machine.event(); event !== undefined; event = this.#machine.event()) {
      if (event.kind === "address") {
        this.addressTold(event);
        continue;
      }
      if (event.kind === "echo-reply") this.echoed(event.word);
      this.network.event(event);
    }
  }

  /** Gives on what the link lets through, now or later. */
  #pass(bytes: Uint8Array, count: number, to: (bytes: Uint8Array, ranges: Uint32Array, count: number) => void): void {
    const { loss = 0, duplicate = 0, late = 0, lateMs = 2, delayMs = 0 } = this.#impairment;
    if (loss + duplicate + late + delayMs === 0) {
      to(bytes, this.#ranges, count);
      return;
    }
    const passed: number[] = [];
    for (let i = 0; i < count; i++) {
      const [start, end] = [this.#ranges[2 * i]!, this.#ranges[2 * i + 1]!];
      if (this.#chance() < loss) continue;
      const waits = delayMs + (this.#chance() < late ? lateMs : 0);
      if (waits > 0) this.#later(bytes.slice(start, end), waits, to);
      else passed.push(start, end);
      if (this.#chance() < duplicate) this.#later(bytes.slice(start, end), waits + 1, to);
    }
    to(bytes, Uint32Array.from(passed), passed.length / 2);
  }

  #later(packet: Uint8Array, ms: number, to: (bytes: Uint8Array, ranges: Uint32Array, count: number) => void): void {
    setTimeout(() => {
      if (!this.#isOpen) return;
      to(packet, Uint32Array.of(0, packet.length), 1);
      this.#drain();
    }, ms);
  }
}
