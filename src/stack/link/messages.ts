import { finish, fold, pseudoHeaderSum, sum } from "../../bytes/checksum.js";
import { putU16, u16, writeHeader } from "../ip/header.js";
import { Protocol } from "../ip/protocols.js";

/** EtherTypes (RFC 9542 §B). */
export const EtherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const ethernetHeaderSize = 14;
export const broadcast = new Uint8Array(6).fill(0xff);

/** What a neighbour asks or says, in ARP's words or in Neighbour Discovery's. */
export interface NeighbourMessage {
  readonly kind: "ask" | "tell";
  /** Who speaks, with its hardware address; the address is missing in a probe for a duplicate (RFC 4862 §5.4). */
  readonly sender: Uint8Array | undefined;
  readonly hardware: Uint8Array | undefined;
  /** Whose address is asked for; who tells tells of itself. */
  readonly target: Uint8Array;
}

export function writeEthernet(
  into: Uint8Array,
  at: number,
  destination: Uint8Array,
  source: Uint8Array,
  type: number,
): void {
  into.set(destination, at);
  into.set(source, at + 6);
  putU16(into, at + 12, type);
}

/** Reads an ARP packet for IPv4 over Ethernet (RFC 826). */
export function readArp(bytes: Uint8Array, at: number, end: number): NeighbourMessage | undefined {
  if (end - at < 28 || u16(bytes, at) !== 1 || u16(bytes, at + 2) !== EtherType.ipv4) return undefined;
  if (bytes[at + 4] !== 6 || bytes[at + 5] !== 4) return undefined;
  const operation = u16(bytes, at + 6);
  if (operation !== 1 && operation !== 2) return undefined;
  const hardware = bytes.slice(at + 8, at + 14);
  const sender = bytes.slice(at + 14, at + 18);
  // RFC 5227 §1.1: a probe names nobody as its sender.
  const isProbe = sender.every((byte) => byte === 0);
  if (!isUnicast(hardware)) return undefined;
  const target = operation === 1 ? bytes.slice(at + 24, at + 28) : sender;
  return { kind: operation === 1 ? "ask" : "tell", sender: isProbe ? undefined : sender, hardware, target };
}

/** A frame with an ARP request, or with the answer to `to`. */
export function writeArp(
  ours: Uint8Array,
  address: Uint8Array,
  target: Uint8Array,
  to: Uint8Array | undefined,
): Uint8Array {
  const frame = new Uint8Array(ethernetHeaderSize + 28);
  writeEthernet(frame, 0, to ?? broadcast, ours, EtherType.arp);
  frame.set([0, 1, 8, 0, 6, 4, 0, to === undefined ? 1 : 2], 14);
  frame.set(ours, 22);
  frame.set(address, 28);
  if (to !== undefined) frame.set(to, 32);
  frame.set(target, 38);
  return frame;
}

const routerSolicitation = 133;
const solicitation = 135;
const advertisement = 136;
const redirect = 137;
/** RFC 4861 §4.3, §4.4: source and target link-layer address. */
const sourceOption = 1;
const targetOption = 2;

/** Which of Neighbour Discovery's messages a packet is (RFC 4861 §4), if any: they are never the stack's. */
export function discoveryOf(bytes: Uint8Array, at: number, end: number): "neighbour" | "router" | undefined {
  if (end - at < 44 || bytes[at + 6] !== Protocol.icmpv6) return undefined;
  const type = bytes[at + 40]!;
  if (type === solicitation || type === advertisement) return "neighbour";
  return type >= routerSolicitation && type <= redirect ? "router" : undefined;
}

/** Reads a solicitation or advertisement, with all that RFC 4861 §7.1 wants checked. */
export function readDiscovery(bytes: Uint8Array, at: number, end: number): NeighbourMessage | undefined {
  const size = u16(bytes, at + 4);
  if (end - at < 64 || size < 24 || at + 40 + size > end || bytes[at + 7] !== 255) return undefined;
  const source = bytes.slice(at + 8, at + 24);
  const destination = bytes.slice(at + 24, at + 40);
  const icmp = at + 40;
  if (fold(pseudoHeaderSum(source, destination, Protocol.icmpv6, size) + sum(bytes, icmp, size)) !== 0xffff) {
    return undefined;
  }
  const type = bytes[icmp]!;
  const target = bytes.slice(icmp + 8, icmp + 24);
  if ((type !== solicitation && type !== advertisement) || bytes[icmp + 1] !== 0 || target[0] === 0xff)
    return undefined;
  const isUnspecified = source.every((byte) => byte === 0);
  const wanted = type === solicitation ? sourceOption : targetOption;
  let hardware: Uint8Array | undefined;
  for (let option = icmp + 24; option < icmp + size; ) {
    const optionSize = 8 * bytes[option + 1]!;
    if (optionSize === 0 || option + optionSize > icmp + size) return undefined;
    if (bytes[option] === wanted && optionSize === 8) hardware = bytes.slice(option + 2, option + 8);
    option += optionSize;
  }
  if (hardware !== undefined && (!isUnicast(hardware) || (isUnspecified && type === solicitation))) return undefined;
  const sender = type === advertisement ? target : isUnspecified ? undefined : source;
  return { kind: type === solicitation ? "ask" : "tell", sender, hardware, target };
}

/** A frame with a solicitation for `target`, from no address if it is a probe (RFC 4862 §5.4.2), or with our advertisement for `to` (all nodes, if nobody asked by name). */
export function writeDiscovery(
  kind: "ask" | "tell",
  ours: Uint8Array,
  address: Uint8Array,
  target: Uint8Array,
  to: { readonly address: Uint8Array; readonly hardware: Uint8Array } | undefined,
): Uint8Array {
  const destination = to?.address ?? (kind === "ask" ? solicitedNode(target) : allNodes);
  // §4.3: who has no address yet does not say where it is.
  const size = address.every((byte) => byte === 0) ? 24 : 32;
  const frame = new Uint8Array(ethernetHeaderSize + 40 + size);
  writeEthernet(frame, 0, to?.hardware ?? multicastHardware(destination), ours, EtherType.ipv6);
  const ip = ethernetHeaderSize;
  writeHeader(frame, ip, address, destination, Protocol.icmpv6, size, 0, 0, 0);
  frame[ip + 7] = 255;
  const icmp = ip + 40;
  frame[icmp] = kind === "ask" ? solicitation : advertisement;
  // Solicited, if somebody asked by name; override.
  if (kind === "tell") frame[icmp + 4] = to === undefined ? 0x20 : 0x60;
  frame.set(target, icmp + 8);
  if (size > 24) {
    frame.set([kind === "ask" ? sourceOption : targetOption, 1], icmp + 24);
    frame.set(ours, icmp + 26);
  }
  const pseudo = pseudoHeaderSum(address, destination, Protocol.icmpv6, size);
  putU16(frame, icmp + 2, finish(pseudo + sum(frame, icmp, size)));
  return frame;
}

const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** RFC 4291 §2.7.1. */
export function solicitedNode(address: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(address.subarray(13), 13);
  return group;
}

/** Where a multicast address goes on an Ethernet (RFC 1112 §6.4, RFC 2464 §7). */
export function multicastHardware(address: Uint8Array): Uint8Array {
  if (address.length === 16) return Uint8Array.of(0x33, 0x33, ...address.subarray(12));
  return Uint8Array.of(1, 0, 0x5e, address[1]! & 0x7f, address[2]!, address[3]!);
}

export function isUnicast(hardware: Uint8Array): boolean {
  return (hardware[0]! & 1) === 0 && hardware.some((byte) => byte !== 0);
}
