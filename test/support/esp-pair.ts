import { finish, pseudoHeaderSum, sum } from "../../src/bytes/checksum.js";
import { fromHex, parseAddress, parsePrefix } from "../../src/bytes/index.js";
import { type Instant, Secret, type SocketAddress, wake } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  type AssociationPair,
  Encryption,
  Esp,
  type EspAlgorithms,
  type EspConfig,
  type EspEvent,
  encryptions,
  Integrity,
  integrities,
  keySizes,
  selectorOf,
} from "../../src/protocols/esp/index.js";
import { provider } from "./provider.js";

export const gcm: EspAlgorithms = {
  encryption: Encryption.aesGcm16,
  keyBits: 128,
  integrity: Integrity.none,
  isExtended: false,
};

/** Every suite that exists, with and without extended numbers, each with a name. */
export const everySuite: readonly { readonly name: string; readonly algorithms: EspAlgorithms }[] = encryptions.flatMap(
  ({ id, keyBits, name, how }) =>
    (typeof how === "object" && "aead" in how ? [undefined] : integrities).flatMap((row) =>
      [false, true].map((isExtended) => ({
        name: `${name}${row ? `/${row.name}` : ""}${isExtended ? "/ESN" : ""}`,
        algorithms: { encryption: id, keyBits, integrity: row?.id ?? Integrity.none, isExtended },
      })),
    ),
);

export const outside = {
  a: { address: "192.0.2.1", port: 4500 },
  b: { address: "192.0.2.2", port: 4500 },
} as const;

export const inside = { a: ["10.0.0.1", "fd00::1"], b: ["10.0.0.2", "fd00::2"] } as const;

type Options = Omit<Partial<AssociationPair>, "algorithms" | "keysIn" | "keysOut" | "spiIn" | "spiOut"> & {
  readonly algorithms?: EspAlgorithms;
  /** Which keys and SPIs: another one for each pair. */
  readonly generation?: number;
};

const anything = ["0.0.0.0/0", "::/0"].map((text) => selectorOf(parsePrefix(text)!));

/** Both ends of a pair of associations with keys of a generation. */
export function pairOf(end: "a" | "b", { algorithms = gcm, generation = 0, ...more }: Options = {}): AssociationPair {
  const sizes = keySizes(algorithms)!;
  const keys = (from: "a" | "b") => {
    const bytes = seededEntropy(`esp ${from} ${generation}`).fill(new Uint8Array(sizes.encryption + sizes.integrity));
    return {
      encryption: Secret.copy(bytes.subarray(0, sizes.encryption)),
      integrity: sizes.integrity === 0 ? undefined : Secret.copy(bytes.subarray(sizes.encryption)),
    };
  };
  const spi = (of: "a" | "b") => (of === "a" ? 0xa000_0000 : 0xb000_0000) + generation;
  const other = end === "a" ? "b" : "a";
  return {
    spiIn: spi(end),
    spiOut: spi(other),
    algorithms,
    keysIn: keys(other),
    keysOut: keys(end),
    mode: "tunnel",
    local: anything,
    remote: anything,
    encapsulation: "udp",
    peer: outside[other],
    ...more,
  };
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

/** A machine, and all that it told. */
export class End {
  readonly machine: Esp;
  readonly packets: Uint8Array[] = [];
  readonly events: EspEvent[] = [];
  address: SocketAddress;

  constructor(name: "a" | "b", config: Partial<EspConfig> = {}) {
    this.machine = new Esp({ crypto: provider, entropy: seededEntropy(`esp ${name}`), ...config });
    this.address = outside[name];
  }

  /** Everything to send now, datagram by datagram; and everything that is told. */
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
      } else this.events.push(e.kind === "ike" ? { ...e, bytes: e.bytes.slice() } : e);
    }
    return out;
  }

  /** What it makes of one packet to send. */
  seal(packet: Uint8Array, now: Instant): Datagram[] {
    this.machine.handle({ kind: "packet", bytes: packet }, now);
    return this.drain(now);
  }

  receive({ bytes, from, to }: Datagram, now: Instant): void {
    this.machine.handle({ kind: "datagrams", bytes: bytes.slice(), from, to, segmentSize: 0, ecn: 0 }, now);
    this.drain(now);
  }

  wake(now: Instant): Datagram[] {
    this.machine.handle(wake, now);
    return this.drain(now);
  }

  told<K extends EspEvent["kind"]>(kind: K): Extract<EspEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<EspEvent, { kind: K }> => event.kind === kind);
  }
}

/** Two ends with one pair of associations. */
export function twoEnds(options: Options = {}, config: Partial<EspConfig> = {}): { a: End; b: End; now: Instant } {
  const now = 1_700_000_000_000;
  const ends = { a: new End("a", config), b: new End("b", config), now };
  for (const name of ["a", "b"] as const) {
    const addresses = {
      local: parseAddress(inside[name][0])!,
      remote: parseAddress(inside[name === "a" ? "b" : "a"][0])!,
    };
    const pair = pairOf(name, { ends: addresses, ...options });
    ends[name].machine.handle({ kind: "install", pair }, now);
  }
  return ends;
}

/** A UDP packet with right checksums. */
export function udpPacket(
  from: string,
  to: string,
  size: number,
  ports: readonly [number, number] = [1000, 2000],
): Uint8Array {
  const [source, destination] = [parseAddress(from)!, parseAddress(to)!];
  const header = source.length === 4 ? 20 : 40;
  const packet = new Uint8Array(header + 8 + size);
  const view = new DataView(packet.buffer);
  if (source.length === 4) {
    packet.set(fromHex("4500000000004000401100000000000000000000"));
    view.setUint16(2, packet.length);
    packet.set(source, 12);
    packet.set(destination, 16);
    view.setUint16(10, finish(sum(packet, 0, 20)));
  } else {
    packet.set(fromHex("6000000000001140"));
    view.setUint16(4, packet.length - 40);
    packet.set(source, 8);
    packet.set(destination, 24);
  }
  view.setUint16(header, ports[0]);
  view.setUint16(header + 2, ports[1]);
  view.setUint16(header + 4, 8 + size);
  for (let i = 0; i < size; i++) packet[header + 8 + i] = i;
  const total = pseudoHeaderSum(source, destination, 17, 8 + size) + sum(packet, header, 8 + size);
  view.setUint16(header + 6, finish(total) || 0xffff);
  return packet;
}
