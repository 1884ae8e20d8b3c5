import { parseAddress, parsePrefix } from "../../../src/bytes/index.js";
import { type Instant, Secret, type SocketAddress, wake } from "../../../src/contract/index.js";
import { seededEntropy } from "../../../src/crypto/index.js";
import type { WireGuardConfig, WireGuardEvent } from "../../../src/protocols/wireguard/interfaces.js";
import { WireGuard } from "../../../src/protocols/wireguard/machine.js";
import { provider } from "../../support/provider.js";

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

const port = 51_820;

/** One machine with its address, and all that it has told. */
export class End {
  readonly machine: WireGuard;
  readonly packets: Uint8Array[] = [];
  readonly events: WireGuardEvent[] = [];
  address: SocketAddress;

  constructor(machine: WireGuard, address: SocketAddress) {
    this.machine = machine;
    this.address = address;
  }

  /** Everything to send now, datagram by datagram. */
  drain(now: Instant): Datagram[] {
    const out: Datagram[] = [];
    const buffer = new Uint8Array(65_535);
    for (let t = this.machine.transmit(buffer, now); t; t = this.machine.transmit(buffer, now)) {
      const step = t.segmentSize || t.size;
      for (let at = 0; at < t.size; at += step) {
        out.push({ bytes: buffer.slice(at, Math.min(at + step, t.size)), from: this.address, to: t.to! });
      }
    }
    for (let e = this.machine.event(); e; e = this.machine.event()) {
      if (e.kind === "packets") {
        for (let i = 0; i < e.count; i++) this.packets.push(e.bytes.slice(e.ranges[2 * i], e.ranges[2 * i + 1]));
      } else this.events.push(e);
    }
    return out;
  }

  receive(datagram: Datagram, now: Instant): void {
    const { bytes, from, to } = datagram;
    this.machine.handle({ kind: "datagrams", bytes: bytes.slice(), from, to, segmentSize: 0, ecn: 0 }, now);
  }
}

/** Two peers that know each other, on a perfect wire with a clock. */
export class Pair {
  readonly a: End;
  readonly b: End;
  now: Instant = 1_700_000_000_000;
  /** Says which datagrams arrive. */
  filter: (datagram: Datagram) => boolean = () => true;
  /** All that was ever sent. */
  readonly wire: Datagram[] = [];

  constructor(
    options: {
      seed?: number;
      preSharedKey?: boolean;
      a?: Partial<WireGuardConfig>;
      b?: Partial<WireGuardConfig>;
      keepaliveMs?: number;
    } = {},
  ) {
    const entropy = seededEntropy(options.seed ?? 1);
    const keys = [entropy.fill(new Uint8Array(32)), entropy.fill(new Uint8Array(32))] as const;
    const psk = options.preSharedKey ? entropy.fill(new Uint8Array(32)) : undefined;
    const addresses = [
      { address: "192.0.2.1", port },
      { address: "192.0.2.2", port },
    ] as const;
    const publicKeys = keys.map((key) => new WireGuard(this.#config(key, entropy), this.now).publicKey);
    const [a, b] = [0, 1].map((i) => {
      const other = 1 - i;
      const config: WireGuardConfig = {
        ...this.#config(keys[i]!, entropy),
        peers: [
          {
            publicKey: publicKeys[other]!,
            allowedIps: [parsePrefix(`10.0.0.${other + 1}/32`)!, parsePrefix(`fd00::${other + 1}/128`)!],
            endpoint: addresses[other]!,
            ...(psk && { preSharedKey: Secret.copy(psk) }),
            ...(options.keepaliveMs && { persistentKeepaliveMs: options.keepaliveMs }),
          },
        ],
        ...(i === 0 ? options.a : options.b),
      };
      return new End(new WireGuard(config, this.now), addresses[i]!);
    });
    this.a = a!;
    this.b = b!;
  }

  #config(key: Uint8Array, entropy: WireGuardConfig["entropy"]): WireGuardConfig {
    return { crypto: provider, entropy, privateKey: Secret.copy(key) };
  }

  /** Carries datagrams until both are silent. */
  settle(): this {
    for (let moved = true; moved; ) {
      moved = false;
      for (const [from, to] of [
        [this.a, this.b],
        [this.b, this.a],
      ] as const) {
        for (const datagram of from.drain(this.now)) {
          moved = true;
          this.wire.push(datagram);
          if (this.filter(datagram)) to.receive(datagram, this.now);
        }
      }
    }
    return this;
  }

  /** Lets time pass, waking each machine when it wants. */
  advance(ms: number): this {
    const end = this.now + ms;
    for (;;) {
      const at = Math.min(this.a.machine.deadline() ?? Infinity, this.b.machine.deadline() ?? Infinity);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      for (const { machine } of [this.a, this.b])
        if ((machine.deadline() ?? Infinity) <= this.now) machine.handle(wake, this.now);
      this.settle();
    }
    this.now = end;
    return this;
  }

  send(from: End, packet: Uint8Array): this {
    from.machine.handle({ kind: "packet", bytes: packet }, this.now);
    return this.settle();
  }
}

/** An IPv4 or IPv6 packet with this much content. */
export function ipPacket(source: string, destination: string, size = 40, fill = 0): Uint8Array {
  const [from, to] = [parseAddress(source)!, parseAddress(destination)!];
  const packet = new Uint8Array(size).fill(fill);
  const view = new DataView(packet.buffer);
  packet[0] = from.length === 4 ? 0x45 : 0x60;
  if (from.length === 4) view.setUint16(2, size);
  else view.setUint16(4, size - 40);
  packet.set(from, from.length === 4 ? 12 : 8);
  packet.set(to, from.length === 4 ? 16 : 24);
  return packet;
}

export const toB = (size?: number, fill?: number): Uint8Array => ipPacket("10.0.0.1", "10.0.0.2", size, fill);
export const toA = (size?: number, fill?: number): Uint8Array => ipPacket("10.0.0.2", "10.0.0.1", size, fill);
