import { fromBase64, toBase64 } from "../../bytes/index.js";
import { Secret } from "../../contract/index.js";
import type { SrtpContextOptions } from "./context.js";
import { failure } from "./failure.js";
import { checkMasterKey, type MasterKey } from "./keys.js";
import { mkiSizeMax, rtpLifetimeMax, sdesKeysMax, sdesLineSizeMax, windowBitsMax } from "./limits.js";
import { profiles, type SrtpProfileName } from "./profiles.js";

/** What an `a=crypto` line of SDP says (RFC 4568): keys by import, in the form that other programs write and read. */
export interface SdesCrypto {
  /** Tells the lines of a media section apart; an answer repeats the one that it chose (§4.1). */
  readonly tag: number;
  readonly profile: SrtpProfileName;
  /** At least one; each is the holder's to wipe. */
  readonly keys: readonly [MasterKey, ...MasterKey[]];
  /** Packets, as in `SrtpContextOptions`; default 0. */
  readonly keyDerivationRate?: number;
  readonly unencryptedRtp?: boolean;
  readonly unencryptedRtcp?: boolean;
  /** The least packets that a receiver's window should hold. */
  readonly windowSizeHint?: number;
}

const line = /^(?:a=)?crypto:(\d{1,9}) (\S+) (\S+)((?: \S+)*)\s*$/;
const bad = (what: string, at = "crypto") =>
  failure("bad-sdes", `no crypto attribute of RFC 4568: ${what}`, {
    at,
    hint: "1 AES_CM_128_HMAC_SHA1_80 inline:BASE64",
  });
const unsupported = (what: string, at: string) => failure("unsupported-sdes", `${what} is not supported`, { at });

/**
 * Reads a line, with or without `a=crypto:` in front. Throws `bad-sdes` for what the grammar does not allow (§9.2) and
 * `unsupported-sdes` for a suite or a session parameter that we do not have; `UNAUTHENTICATED_SRTP` is never supported.
 * No failure carries a key.
 */
export function parseSdes(text: string): SdesCrypto {
  if (text.length > sdesLineSizeMax) throw bad("it is too long");
  const match = line.exec(/^(?:a=)?crypto:/.test(text) ? text : `crypto:${text}`);
  if (match === null) throw bad("a tag, a suite and a key are wanted");
  const [, tag = "", suite = "", params = "", rest = ""] = match;
  if (!Object.hasOwn(profiles, suite)) throw unsupported(`the suite ${suite}`, "crypto-suite");
  const profile = suite as SrtpProfileName;
  const [first, ...others] = params.split(";").map((each) => parseKey(profile, each));
  if (first === undefined || others.length >= sdesKeysMax) throw bad("too many keys", "key-params");
  const size = first.mki?.length ?? 0;
  if (others.some((key) => key.mki?.length !== size || size === 0)) {
    throw bad("several keys have identifiers of one size", "key-params"); // §6.1
  }
  const parsed = { tag: Number(tag), profile, keys: [first, ...others] as const };
  return Object.assign(parsed, ...rest.split(" ").filter(Boolean).map(parseParameter));
}

/** What both directions' options take from a line. */
export function optionsOf(crypto: SdesCrypto): Omit<SrtpContextOptions, "crypto"> & { unencryptedRtcp?: boolean } {
  const { profile, keys, windowSizeHint: hint, tag: _, ...more } = crypto;
  let windowBits = 1_024;
  while (hint !== undefined && windowBits - 32 < hint && windowBits < windowBitsMax) windowBits *= 2;
  return { profile, key: keys[0], ...more, windowBits };
}

/** Writes the line that `parseSdes` reads, from `a=crypto:` on. It holds the keys in the clear: it is a secret. */
export function formatSdes(crypto: SdesCrypto): string {
  const keys = crypto.keys.map(({ key, salt, mki, lifetime }) => {
    const both = new Uint8Array(key.size + salt.length);
    both.set(key.expose());
    both.set(salt, key.size);
    const text = [`inline:${toBase64(both)}`];
    both.fill(0);
    if (lifetime !== undefined)
      text.push(Number.isInteger(Math.log2(lifetime)) ? `2^${Math.log2(lifetime)}` : `${lifetime}`);
    if (mki !== undefined) text.push(`${mki.reduce((value, byte) => value * 256n + BigInt(byte), 0n)}:${mki.length}`);
    return text.join("|");
  });
  const { keyDerivationRate: rate = 0, windowSizeHint: hint } = crypto;
  const parameters = [
    ...(rate > 0 ? [`KDR=${Math.log2(rate)}`] : []),
    ...(crypto.unencryptedRtcp ? ["UNENCRYPTED_SRTCP"] : []),
    ...(crypto.unencryptedRtp ? ["UNENCRYPTED_SRTP"] : []),
    ...(hint !== undefined ? [`WSH=${hint}`] : []),
  ];
  return [`a=crypto:${crypto.tag}`, crypto.profile, keys.join(";"), ...parameters].join(" ");
}

/** `inline:key-salt|lifetime|mki:length`, the last two optional (§6.1). */
function parseKey(profile: SrtpProfileName, text: string): MasterKey {
  if (!text.startsWith("inline:")) throw bad("the key method is inline", "key-method");
  const [keySalt = "", ...fields] = text.slice("inline:".length).split("|");
  // The padding may be left off.
  const both = fromBase64(keySalt.padEnd(Math.ceil(keySalt.length / 4) * 4, "="));
  if (both === undefined) throw bad("the key is no base64", "key-salt");
  const mkiField = fields.at(-1)?.includes(":") ? fields.pop() : undefined;
  const lifetimeField = fields.shift();
  if (fields.length > 0) throw bad("a key has a lifetime and an identifier, no more", "key-info");
  const { keySize } = profiles[profile];
  const lifetime = lifetimeField === undefined ? undefined : parseLifetime(lifetimeField);
  const mki = mkiField === undefined ? undefined : parseMki(mkiField);
  const key = new Secret(both.slice(0, keySize));
  const master = { key, salt: both.slice(keySize), ...(mki && { mki }), ...(lifetime && { lifetime }) };
  both.fill(0);
  checkMasterKey(profile, master);
  return master;
}

function parseLifetime(text: string): number {
  const match = /^(2\^)?(\d{1,15})$/.exec(text);
  const value = match === null ? 0 : match[1] ? 2 ** Number(match[2]) : Number(match[2]);
  if (!(value >= 1 && value <= rtpLifetimeMax)) throw bad("a lifetime is 1 to 2^48 packets", "lifetime");
  return value;
}

/** A number and the bytes that it has in a packet. */
function parseMki(text: string): Uint8Array {
  const match = /^(\d{1,308}):(\d{1,3})$/.exec(text);
  const size = Number(match?.[2] ?? 0);
  if (match === null || !(size >= 1 && size <= mkiSizeMax)) throw bad("an identifier has 1 to 128 bytes", "mki");
  const mki = new Uint8Array(size);
  let value = BigInt(match[1]!);
  for (let i = size - 1; i >= 0; i--, value >>= 8n) mki[i] = Number(value & 0xffn);
  if (value !== 0n) throw bad("the identifier does not fit its length", "mki");
  return mki;
}

/** Session parameters (§6.3). What begins with a dash may be ignored, everything else that is unknown may not. */
function parseParameter(text: string): Partial<SdesCrypto> {
  const [name = "", value = ""] = text.split("=");
  if (name === "KDR" && /^\d{1,2}$/.test(value) && Number(value) <= 24) {
    // §6.3.1: the exponent; 2^0 is a rate too.
    return { keyDerivationRate: 2 ** Number(value) };
  }
  if (name === "WSH" && /^\d{2,5}$/.test(value) && Number(value) >= 64) return { windowSizeHint: Number(value) };
  if (text === "UNENCRYPTED_SRTP") return { unencryptedRtp: true };
  if (text === "UNENCRYPTED_SRTCP") return { unencryptedRtcp: true };
  if (text.startsWith("-")) return {};
  if (name === "KDR" || name === "WSH") throw bad(`${name} is out of range`, name);
  throw unsupported(`the session parameter ${name}`, name);
}
