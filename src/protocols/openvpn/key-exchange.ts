import { concat, fromUtf8, utf8 } from "../../bytes/index.js";
import { type CryptoProvider, type Entropy, Secret } from "../../contract/index.js";
import { prf10 } from "../../crypto/prf.js";
import type { Role } from "./control/wrap.js";
import { keyExchangeMax, stringMax } from "./limits.js";

/** What one side says in key method 2, first of all inside TLS (wire document §6.6). */
export interface KeyExchange {
  /** 48 bytes; the client's alone. */
  readonly preMaster: Uint8Array | undefined;
  readonly random1: Uint8Array;
  readonly random2: Uint8Array;
  /** The options string: compared for people's sake, and nothing follows from it. */
  readonly options: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** `NAME=value` lines. */
  readonly peerInfo: string;
}

const preMasterSize = 48;
const randomSize = 32;
const keyMethod2 = 2;

export function newKeyExchange(
  entropy: Entropy,
  role: Role,
  rest: Omit<KeyExchange, "preMaster" | "random1" | "random2">,
): KeyExchange {
  return {
    preMaster: role === "client" ? entropy.fill(new Uint8Array(preMasterSize)) : undefined,
    random1: entropy.fill(new Uint8Array(randomSize)),
    random2: entropy.fill(new Uint8Array(randomSize)),
    ...rest,
  };
}

export function encodeKeyExchange(exchange: KeyExchange): Uint8Array {
  const { preMaster = new Uint8Array(0), random1, random2, options, user, password, peerInfo } = exchange;
  const strings = [options, user, password, peerInfo || undefined].map(encodeString);
  return concat(Uint8Array.of(0, 0, 0, 0, keyMethod2), preMaster, random1, random2, ...strings);
}

/** With its length, which counts the zero byte behind it; nothing at all has length zero. */
function encodeString(text: string | undefined): Uint8Array {
  if (text === undefined) return Uint8Array.of(0, 0);
  const bytes = utf8(text);
  const size = bytes.length + 1;
  return concat(Uint8Array.of(size >> 8, size & 0xff), bytes, Uint8Array.of(0));
}

/** The message; "more" while it is cut, undefined for what it can never become. Bytes behind it belong to nobody. */
export function decodeKeyExchange(bytes: Uint8Array, from: Role): KeyExchange | "more" | undefined {
  if (bytes.length > keyExchangeMax) return undefined;
  if (bytes.some((byte, i) => i < 4 && byte !== 0) || (bytes.length > 4 && bytes[4] !== keyMethod2)) return undefined;
  let at = 5;
  const take = (size: number): Uint8Array | undefined => {
    if (at + size > bytes.length) return undefined;
    at += size;
    return bytes.slice(at - size, at);
  };
  const preMaster = from === "client" ? take(preMasterSize) : new Uint8Array(0);
  const random1 = preMaster && take(randomSize);
  const random2 = random1 && take(randomSize);
  if (preMaster === undefined || random1 === undefined || random2 === undefined) return "more";
  const texts: (string | undefined)[] = [];
  for (let i = 0; i < 4; i++) {
    const size = take(2);
    // Old peers leave out what comes behind the options.
    if (size === undefined && i > 0 && at === bytes.length) {
      texts.push(undefined);
      continue;
    }
    if (size === undefined) return "more";
    const length = (size[0]! << 8) | size[1]!;
    if (length > stringMax) return undefined;
    const raw = take(length);
    if (raw === undefined) return "more";
    const end = raw.indexOf(0);
    const text = fromUtf8(end < 0 ? raw : raw.subarray(0, end));
    if (text === undefined) return undefined;
    texts.push(text === "" ? undefined : text);
  }
  const [options = "", user, password, peerInfo = ""] = texts;
  return {
    preMaster: from === "client" ? preMaster : undefined,
    random1,
    random2,
    options,
    user,
    password,
    peerInfo,
  };
}

export const exporterLabels = {
  dataKeys: "EXPORTER-OpenVPN-datakeys",
  dynamicTlsCrypt: "EXPORTER-OpenVPN-dynamic-tls-crypt",
} as const;

/** Bytes of the data channel's key material (§7.1). */
export const keyBlockSize = 256;

/** The key material as peers without the exporter derive it (§7.7, with the session IDs that the document leaves out). */
export function prfKeyBlock(
  crypto: CryptoProvider,
  client: KeyExchange,
  server: KeyExchange,
  clientSessionId: Uint8Array,
  serverSessionId: Uint8Array,
): Secret {
  const md5 = crypto.hash("MD5");
  const sha1 = crypto.hash("SHA-1");
  const randoms1 = concat(client.random1, server.random1);
  const master = prf10(md5, sha1, client.preMaster!, "OpenVPN master secret", randoms1, 48);
  const seed = concat(client.random2, server.random2, clientSessionId, serverSessionId);
  const block = prf10(md5, sha1, master, "OpenVPN key expansion", seed, keyBlockSize);
  master.fill(0);
  return new Secret(block);
}

/** The lines of a peer's information, by name; of two with one name the last counts. */
export function peerInfoOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").map((line) => /^([A-Za-z0-9_]+)=(.*)$/.exec(line));
  return new Map(lines.flatMap((match) => (match ? [[match[1]!, match[2]!]] : [])));
}

/** IV_PROTO's bits (§6.7) that this room knows. */
export const Proto = {
  dataV2: 1 << 1,
  requestPush: 1 << 2,
  tlsExport: 1 << 3,
  authPending: 1 << 4,
  controlExit: 1 << 7,
  authFailedTemp: 1 << 8,
  dynamicTlsCrypt: 1 << 9,
} as const;
