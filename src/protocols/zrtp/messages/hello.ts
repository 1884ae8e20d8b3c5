import { DecodeError, type Reader, utf8 } from "../../../bytes/index.js";
import type { Algorithms, Kind } from "../algorithms.js";
import { listedMax } from "../limits.js";
import { block, decoded, frame, imageSize, macSize, text, zidSize } from "./frame.js";

/** Version 1.10; of its characters the first three count (RFC 6189 §4.1.1). */
export const version = "1.10";
const significant = 3;
const versionAt = 12;

export interface HelloFlags {
  /** S: it can verify signatures of the SAS (§7.2). */
  readonly signatureCapable: boolean;
  /** M: it can relay a SAS, as a PBX does (§7.3). */
  readonly mitm: boolean;
  /** P: it never sends a Commit. */
  readonly passive: boolean;
}

/** §5.2, Figure 3. */
export interface HelloMessage {
  readonly version: string;
  /** Names the software, 16 characters. */
  readonly client: string;
  readonly h3: Uint8Array;
  readonly zid: Uint8Array;
  readonly flags: HelloFlags;
  /** Blocks of four characters as they were listed, known or not. */
  readonly algorithms: Readonly<Record<Kind, readonly string[]>>;
  readonly mac: Uint8Array;
}

const kinds = ["hashes", "ciphers", "authTags", "keyAgreements", "sas"] as const satisfies readonly Kind[];
const bits = { signatureCapable: 4, mitm: 2, passive: 1 } as const;

/** The message without its MAC, which comes behind. */
export function encodeHello(hello: {
  readonly client: string;
  readonly h3: Uint8Array;
  readonly zid: Uint8Array;
  readonly flags: HelloFlags;
  readonly algorithms: Algorithms;
}): Uint8Array {
  return frame("Hello", (writer) => {
    writer
      .put(utf8(version))
      .put(utf8(hello.client.padEnd(16).slice(0, 16)))
      .put(hello.h3)
      .put(hello.zid);
    const { signatureCapable, mitm, passive } = hello.flags;
    writer.u8((signatureCapable ? 0x40 : 0) | (mitm ? 0x20 : 0) | (passive ? 0x10 : 0));
    const [hc, cc, ac, kc, sc] = kinds.map((kind) => hello.algorithms[kind].length) as [
      number,
      number,
      number,
      number,
      number,
    ];
    writer
      .u8(hc)
      .u8((cc << 4) | ac)
      .u8((kc << 4) | sc);
    for (const kind of kinds) for (const name of hello.algorithms[kind]) writer.put(block(name));
    writer.put(new Uint8Array(macSize));
  });
}

export const decodeHello = (message: Uint8Array): HelloMessage | undefined => decoded(message, readHello);

function readHello(reader: Reader): HelloMessage {
  const named = text(reader.take(4));
  const client = text(reader.take(16));
  const h3 = reader.take(imageSize);
  const zid = reader.take(zidSize);
  const flags = reader.u8() >>> 4;
  const hc = reader.u8() & 0x0f;
  const [ccAc, kcSc] = [reader.u8(), reader.u8()];
  const counts = [hc, ccAc >>> 4, ccAc & 0x0f, kcSc >>> 4, kcSc & 0x0f];
  if (counts.some((count) => count > listedMax)) throw new DecodeError("more than seven values in a list");
  const algorithms = { hashes: [], ciphers: [], authTags: [], keyAgreements: [], sas: [] } as Record<Kind, string[]>;
  for (const [i, kind] of kinds.entries()) {
    for (let n = counts[i]!; n > 0; n--) algorithms[kind].push(text(reader.take(4)));
  }
  return {
    version: named,
    client,
    h3,
    zid,
    flags: {
      signatureCapable: (flags & bits.signatureCapable) !== 0,
      mitm: (flags & bits.mitm) !== 0,
      passive: (flags & bits.passive) !== 0,
    },
    algorithms,
    mac: reader.take(macSize),
  };
}

/** The version that a Hello names, whatever else is in it; undefined if it is too short for one. */
export const versionOf = (message: Uint8Array): string | undefined =>
  message.length < versionAt + 4 ? undefined : text(message.subarray(versionAt, versionAt + 4));

/** Less than, equal to or greater than zero as the peer's version is lower than, the same as or higher than ours. */
export function compareVersion(theirs: string): number {
  const [a, b] = [theirs.slice(0, significant), version.slice(0, significant)];
  return a === b ? 0 : a < b ? -1 : 1;
}
