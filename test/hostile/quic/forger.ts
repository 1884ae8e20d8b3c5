import { concat, putVarint, varintSize } from "../../../src/bytes/index.js";
import type { Secret } from "../../../src/contract/index.js";
import {
  initialProtection,
  Protection,
  protectHeader,
  writePacketNumber,
} from "../../../src/protocols/quic/protection/protection.js";
import { initialSuite } from "../../../src/protocols/quic/protection/secrets.js";
import { PacketType, type Version, versions } from "../../../src/protocols/quic/protection/versions.js";
import { patchLength, putLongHeader } from "../../../src/protocols/quic/wire/header.js";
import { provider } from "../../support/provider.js";
import { addresses, type Datagram, type Duel, type Role } from "./duel.js";

export type Level = "initial" | "handshake" | "1-rtt";

export interface PacketOptions {
  readonly number?: number;
  /** Bits set in the first byte, beside what belongs there. */
  readonly firstByte?: number;
  /** Exactly these frames: no padding to what header protection needs. */
  readonly isBare?: boolean;
  readonly token?: Uint8Array;
  readonly dcid?: Uint8Array;
  readonly scid?: Uint8Array;
  readonly version?: Version;
}

/** Integers, each in its shortest form, and bytes as they are. */
export function frame(...parts: readonly (number | Uint8Array)[]): Uint8Array {
  return concat(
    ...parts.map((part) => {
      if (typeof part !== "number") return part;
      const bytes = new Uint8Array(varintSize(part));
      putVarint(bytes, 0, part);
      return bytes;
    }),
  );
}

/** A packet under these keys; its number takes four bytes. */
export function seal(
  keys: Protection,
  level: Level,
  dcid: Uint8Array,
  scid: Uint8Array,
  frames: Uint8Array,
  { number = 0, firstByte = 0, isBare = false, token = new Uint8Array(0), version = versions["1"] }: PacketOptions = {},
): Uint8Array {
  const packet = new Uint8Array(80 + dcid.length + scid.length + token.length + frames.length + 16 + 32);
  let numberAt: number;
  if (level === "1-rtt") {
    packet[0] = 0x43 | firstByte;
    packet.set(dcid, 1);
    numberAt = 1 + dcid.length;
  } else {
    const type = level === "initial" ? PacketType.initial : PacketType.handshake;
    numberAt = putLongHeader(packet, 0, version, type, dcid, scid, token, 4, true);
    packet[0]! |= firstByte;
  }
  writePacketNumber(packet, numberAt, 4, number);
  const payload = numberAt + 4;
  packet.set(frames, payload);
  const end = payload + (isBare ? frames.length : Math.max(frames.length, 4));
  if (level !== "1-rtt") patchLength(packet, numberAt, end + 16);
  keys.packet.seal(packet, 0, payload, end, number);
  protectHeader(keys.header, packet, 0, numberAt, 4);
  return packet.slice(0, end + 16);
}

const labels: Readonly<Record<Role, Readonly<Record<"handshake" | "1-rtt", string>>>> = {
  client: { handshake: "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "1-rtt": "CLIENT_TRAFFIC_SECRET_0" },
  server: { handshake: "SERVER_HANDSHAKE_TRAFFIC_SECRET", "1-rtt": "SERVER_TRAFFIC_SECRET_0" },
};

/** Speaks as one of the two, with its keys, to the other. */
export class Forger {
  readonly #duel: Duel;
  readonly #as: Role;
  #number = 50_000;

  constructor(duel: Duel, as: Role) {
    this.#duel = duel;
    this.#as = as;
  }

  get victim(): Role {
    return this.#as === "client" ? "server" : "client";
  }

  /** A datagram with one packet of these frames. */
  packet(level: Level, frames: Uint8Array, options: PacketOptions = {}): Datagram {
    const victim = this.#duel.end(this.victim);
    const core = victim.connection!.core;
    const dcid = options.dcid ?? core.ownCids.active[0]!;
    const scid = options.scid ?? core.peerInitialCid ?? new Uint8Array(0);
    const keys = this.#keys(level);
    const packet = seal(keys, level, dcid, scid, frames, { number: this.#number++, ...options });
    keys.destroy();
    // RFC 9000 §14.1: a server hears a client's Initial only in a full datagram; bytes behind the packet are passed over.
    const mustFill = level === "initial" && this.#as === "client";
    const bytes = new Uint8Array(mustFill ? Math.max(packet.length, 1_200) : packet.length);
    bytes.set(packet);
    return { bytes, from: addresses[this.#as], to: addresses[this.victim] };
  }

  /** Sends it, and lets both do what follows. */
  async send(level: Level, frames: Uint8Array, options: PacketOptions = {}): Promise<void> {
    this.#duel.end(this.victim).hear(this.packet(level, frames, options), this.#duel.now);
    await this.#duel.settle();
  }

  #keys(level: Level): Protection {
    if (level !== "initial") return this.#protection(this.#duel.secret(labels[this.#as][level]));
    const { originalDcid } = this.#duel.end(this.victim).connection!.core.beginning;
    const { read, write } = initialProtection(provider, versions["1"], originalDcid, this.#as);
    read.destroy();
    return write;
  }

  #protection(secret: Secret): Protection {
    const keys = new Protection(provider, versions["1"], initialSuite, secret, "write");
    secret.wipe();
    return keys;
  }
}
