import { fromHex } from "../../../bytes/index.js";
import type { QuicVersion } from "../options.js";

/** What a long header's two type bits say: the same four packets in every version, numbered differently. */
export const PacketType = { initial: 0, zeroRtt: 1, handshake: 2, retry: 3, oneRtt: 4, versionNegotiation: 5 } as const;
export type PacketType = (typeof PacketType)[keyof typeof PacketType];

/** All in which versions differ: a row each. RFC 9001 §5, RFC 9369 §3. */
export interface Version {
  readonly name: QuicVersion;
  /** The long header's version field. */
  readonly code: number;
  readonly initialSalt: Uint8Array;
  /** HKDF labels are this and "key", "iv", "hp", "ku". */
  readonly labelPrefix: string;
  /** Packet type → the two bits of a long header, and back. */
  readonly bitsOfType: readonly [initial: number, zeroRtt: number, handshake: number, retry: number];
  readonly typeOfBits: readonly [PacketType, PacketType, PacketType, PacketType];
  /** The keys that everybody knows, RFC 9001 §5.8. */
  readonly retryKey: Uint8Array;
  readonly retryNonce: Uint8Array;
}

const { initial, zeroRtt, handshake, retry } = PacketType;

export const versions = {
  "1": {
    name: "1",
    code: 0x0000_0001,
    initialSalt: fromHex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    labelPrefix: "quic ",
    bitsOfType: [0, 1, 2, 3],
    typeOfBits: [initial, zeroRtt, handshake, retry],
    retryKey: fromHex("be0c690b9f66575a1d766b54e368c84e"),
    retryNonce: fromHex("461599d35d632bf2239825bb"),
  },
  "2": {
    name: "2",
    code: 0x6b33_43cf,
    initialSalt: fromHex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
    labelPrefix: "quicv2 ",
    bitsOfType: [1, 2, 3, 0],
    typeOfBits: [retry, initial, zeroRtt, handshake],
    retryKey: fromHex("8fb4b01b56ac48e260fbcbcead7ccc92"),
    retryNonce: fromHex("d86969bc2d7c6d9990efb04a"),
  },
} as const satisfies Record<QuicVersion, Version>;

export const versionByCode: ReadonlyMap<number, Version> = new Map(
  Object.values(versions).map((version) => [version.code, version]),
);
