import { readFileSync } from "node:fs";
import { fromBase64, fromHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import type { DirectionKeys } from "../../src/protocols/gquic/protection/keys.js";
import { type GquicVersion, type Version, versions } from "../../src/protocols/gquic/wire/versions.js";

/** One connection, or more, between two strangers, with all that protected it. */
export interface Capture {
  readonly version: GquicVersion;
  readonly keys: readonly CaptureKeys[];
  readonly diversified?: { readonly nonce: string; readonly diversifiedKey: string; readonly diversifiedIv: string };
  readonly serverPrivate?: { readonly initial?: string; readonly forward?: string };
  readonly messages: { readonly client?: readonly string[]; readonly server?: readonly string[] };
  readonly packets: readonly CapturePacket[];
}

export interface CaptureKeys {
  readonly cid: string;
  readonly side: "C" | "S";
  readonly phase: "I" | "F";
  readonly myPrivate?: string;
  readonly peerPublic?: string;
  readonly shared: string;
  readonly nonces: string;
  readonly info: string;
  readonly clientKey: string;
  readonly serverKey: string;
  readonly clientIv: string;
  readonly serverIv: string;
  readonly subkey?: string;
  readonly clientHeader?: string;
  readonly serverHeader?: string;
  /** The server's initial key and IV are the diversified ones already. */
  readonly diversified?: boolean;
}

export interface CapturePacket {
  readonly from: "client" | "server";
  readonly raw: string;
  readonly number?: number;
  readonly numberSize?: number;
  readonly nonce?: string;
  readonly level?: 0 | 1 | 2;
  readonly frames?: readonly string[];
  readonly versions?: readonly string[];
  /** The first half of the plaintext's SHA-256. */
  readonly plain?: string;
}

const folder = new URL("../../../test/vectors/data/gquic/", import.meta.url);

export const fixture = (name: string): string => readFileSync(new URL(name, folder), "utf8");
export const capture = (name: string): Capture => JSON.parse(fixture(`${name}.json`)) as Capture;
export const rawOf = ({ raw }: CapturePacket): Uint8Array => fromBase64(raw)!;
export const versionOf = ({ version }: Capture): Version => versions[version];

export const secret = (hex: string): Secret => new Secret(fromHex(hex));

export function directionKeys(keys: CaptureKeys, direction: "client" | "server"): DirectionKeys {
  const header = direction === "client" ? keys.clientHeader : keys.serverHeader;
  return {
    key: secret(direction === "client" ? keys.clientKey : keys.serverKey),
    iv: secret(direction === "client" ? keys.clientIv : keys.serverIv),
    header: header === undefined ? undefined : secret(header),
  };
}
