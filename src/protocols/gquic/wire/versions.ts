import { type Layout, layouts } from "./layouts.js";

/** Versions that exist here. Names are their tags on the wire. */
export type GquicVersion = "Q039" | "Q043" | "Q044" | "Q046" | "Q050";

/** What differs from version to version. */
export interface Version {
  readonly name: GquicVersion;
  /** Four ASCII bytes, the first on top. */
  readonly code: number;
  readonly layout: Layout;
  /** Bytes of an AEAD's tag and of the part of its nonce that is a secret. */
  readonly tagSize: 12 | 16;
  readonly ivSize: 4 | 12;
  /** Packets without keys are hidden under keys of the connection id, rather than hashed; headers are hidden too. */
  readonly hidesHeaders: boolean;
  /** The handshake is in CRYPTO frames, with offsets of each level, rather than on stream 1. */
  readonly cryptoFrames: boolean;
  /** STOP_WAITING goes beside acknowledgements. */
  readonly stopWaiting: boolean;
  /** MESSAGE frames exist. */
  readonly messages: boolean;
  /** The reset of who knows nothing: a Public Reset, or IETF QUIC's, by the token in SHLO (SRST). */
  readonly reset: "public" | "stateless";
}

const publicHeader = { layout: layouts.public, tagSize: 12, ivSize: 4, hidesHeaders: false } as const;
const row = {
  cryptoFrames: false,
  stopWaiting: false,
  messages: false,
  reset: "stateless",
} as const;

const code = (name: GquicVersion): number =>
  ((name.charCodeAt(0) << 24) | (name.charCodeAt(1) << 16) | (name.charCodeAt(2) << 8) | name.charCodeAt(3)) >>> 0;

/** One row a version. */
export const versions: Readonly<Record<GquicVersion, Version>> = {
  Q039: { ...publicHeader, ...row, name: "Q039", code: code("Q039"), stopWaiting: true, reset: "public" },
  Q043: { ...publicHeader, ...row, name: "Q043", code: code("Q043"), stopWaiting: true, reset: "public" },
  Q044: { ...publicHeader, ...row, name: "Q044", code: code("Q044"), layout: layouts.q044 },
  Q046: { ...publicHeader, ...row, name: "Q046", code: code("Q046"), layout: layouts.q046, messages: true },
  Q050: {
    ...row,
    name: "Q050",
    code: code("Q050"),
    layout: layouts.q050,
    tagSize: 16,
    ivSize: 12,
    hidesHeaders: true,
    cryptoFrames: true,
    messages: true,
  },
};

const byCode = new Map<number, Version>(Object.values(versions).map((version) => [version.code, version]));

/** Undefined for what is no version of ours. */
export const versionByCode = (number: number): Version | undefined => byCode.get(number);
