import { concat, parsePrefix } from "../../../bytes/index.js";
import { type Host, Secret, type SocketAddress } from "../../../contract/index.js";
import {
  type AssociationPair,
  Encryption,
  type EspAlgorithms,
  type EspEvent,
  Integrity,
  keySizes,
  selectorOf,
} from "../../../protocols/esp/index.js";
import { type EspTunnel, openEsp } from "../../../tunnels/esp.js";
import { opened, tagSize, type WitnessCipher } from "../../stage/witness.js";
import { UdpWire } from "../../udp-wire.js";

export type Side = "near" | "far";

/** What ESP's probes play on; a test puts other associations in the place of those that a proof gives. */
export interface EspStage {
  readonly host: Host;
  near(pair: AssociationPair): AssociationPair;
  far(pair: AssociationPair): AssociationPair;
  /** What a proof sees of a tunnel. */
  view(tunnel: EspTunnel): EspTunnel;
}

export const openStage = (host: Host): EspStage => ({
  host,
  near: (pair) => pair,
  far: (pair) => pair,
  view: (tunnel) => tunnel,
});

const other = { near: "far", far: "near" } as const;
export const inside = { near: "10.68.0.1", far: "10.68.0.2" } as const;
const prefix = (side: Side) => parsePrefix(`${inside[side]}/32`)!;

export const aes256Gcm: EspAlgorithms = {
  encryption: Encryption.aesGcm16,
  keyBits: 256,
  integrity: Integrity.none,
  isExtended: false,
};

/** Keying material of what each end sends, as much as the largest suite takes. */
export type Material = Readonly<Record<Side, Uint8Array>>;

export const newMaterial = ({ host }: EspStage): Material => ({
  near: host.entropy.fill(new Uint8Array(128)),
  far: host.entropy.fill(new Uint8Array(128)),
});

/** What a proof wants of an association; the rest goes without saying. */
export type Terms = Partial<Pick<AssociationPair, "algorithms" | "lifetime" | "follows" | "begins">> & {
  readonly keys: Material;
  /** Which of the pairs that follow each other: it takes over from the one before. Default 0, the first. */
  readonly generation?: number;
};

/** By which a side knows what comes to it. */
export const spiOf = (side: Side, generation = 0): number => (side === "near" ? 0x1000 : 0x2000) + generation;

function pairOf(side: Side, { keys, generation = 0, ...terms }: Terms, peer: SocketAddress): AssociationPair {
  const algorithms = terms.algorithms ?? aes256Gcm;
  const { encryption = 0, integrity = 0 } = keySizes(algorithms) ?? {};
  const cut = (from: Side) => ({
    encryption: Secret.copy(keys[from].subarray(0, encryption)),
    integrity: integrity === 0 ? undefined : Secret.copy(keys[from].subarray(encryption, encryption + integrity)),
  });
  return {
    spiIn: spiOf(side, generation),
    spiOut: spiOf(other[side], generation),
    algorithms,
    keysIn: cut(other[side]),
    keysOut: cut(side),
    mode: "tunnel",
    local: [selectorOf(prefix(side))],
    remote: [selectorOf(prefix(other[side]))],
    encapsulation: "udp",
    peer,
    ...(generation > 0 && { replaces: spiOf(side, generation - 1) }),
    ...terms,
  };
}

/** One end, with what it told. */
export interface End {
  readonly tunnel: EspTunnel;
  readonly told: Exclude<EspEvent, { readonly kind: "packets" }>[];
  install(terms: Terms): void;
  /** Milliseconds to the answer of the other end; undefined if there was none in this time. */
  echo(timeoutMs?: number): Promise<number | undefined>;
  drops(reason: string): number;
}

const loopback = (port: number): SocketAddress => ({ address: "127.0.0.1", port });

async function open(stage: EspStage, side: Side, peer: () => SocketAddress): Promise<End> {
  const told: End["told"] = [];
  const tunnel = stage.view(
    await openEsp(stage.host, {
      local: loopback(0),
      addresses: [prefix(side)],
      pairs: [],
      mtu: 1_280,
      on: (event) => void told.push(event),
    }),
  );
  return {
    tunnel,
    told,
    install: (terms) => tunnel.handle({ kind: "install", pair: stage[side](pairOf(side, terms, peer())) }),
    echo: (timeoutMs = 10_000) => tunnel.ping(inside[other[side]], { timeoutMs }).catch(() => undefined),
    drops: (reason) => tunnel.status().drops[reason]!,
  };
}

/** Two ends on the loopback, and a wire between them that somebody watches. */
export interface Meeting extends AsyncDisposable {
  readonly near: End;
  readonly far: End;
  readonly wire: UdpWire;
}

/** Keys for both ends from elsewhere, and that is all there is to it. */
export async function meet(stage: EspStage, near: Terms, far: Terms = near): Promise<Meeting> {
  let wire: UdpWire | undefined;
  const there = await open(stage, "far", () => loopback(wire!.outerPort));
  const here = await open(stage, "near", () => loopback(wire!.port));
  const made = await UdpWire.to(there.tunnel.local.port);
  wire = made;
  const end = async (): Promise<void> => {
    here.tunnel.close();
    there.tunnel.close();
    await made[Symbol.asyncDispose]();
  };
  try {
    there.install(far);
    here.install(near);
  } catch (error) {
    await end();
    throw error;
  }
  return { near: here, far: there, wire, [Symbol.asyncDispose]: end };
}

export async function until(holds: () => boolean, signal: AbortSignal): Promise<void> {
  while (!holds()) {
    signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 2));
  }
}

/** Opens a packet from the wire by its keys alone, with no code of the protocol's (RFC 4303 §2, RFC 4106, RFC 7634). */
export function witnessed(cipher: WitnessCipher, keys: Uint8Array, packet: Uint8Array): Uint8Array | undefined {
  if (packet.length < 16 + tagSize) return undefined;
  const nonce = concat(keys.subarray(32, 36), packet.subarray(8, 16));
  return opened(cipher, keys.subarray(0, 32), nonce, packet.subarray(0, 8), packet.subarray(16));
}
