import { readFileSync } from "node:fs";
import { Secret } from "../contract/index.js";
import { ConfigError, UsageError } from "./exit.js";

/** Most bytes read from one source. A PEM file with a long chain has a few tens of thousands. */
const sourceBytesMax = 4 * 1024 * 1024;

/**
 * Bytes that the user named: `@FILE`, `env:NAME`, or `-` for stdin. A bare path is allowed where the value cannot be
 * mistaken for the secret itself. Everyone on the machine can read a command line, so a secret is never on it.
 */
export function readSource(source: string, option: string, barePath: boolean): Uint8Array {
  if (source === "-") return bounded(readFileSync(0), option);
  if (source.startsWith("@")) return bounded(readFileSync(source.slice(1)), option);
  if (source.startsWith("env:")) {
    const value = process.env[source.slice("env:".length)];
    if (value === undefined) throw new ConfigError(`${option}: the environment has no ${source.slice("env:".length)}`);
    return new TextEncoder().encode(value);
  }
  if (barePath) return bounded(readFileSync(source), option);
  throw new UsageError(
    `${option} takes a source, not a value`,
    "write @FILE, env:NAME or - for stdin; other users can read a command line",
  );
}

/** A key from a source: hexadecimal, or base64 behind `base64:`; white space around it is ignored. */
export function readKey(source: string, option: string): Secret {
  const words = new TextDecoder().decode(readSource(source, option, false)).trim();
  if (words.startsWith("base64:")) {
    const coded = words.slice("base64:".length);
    const bytes = Uint8Array.from(Buffer.from(coded, "base64"));
    if (bytes.length === 0 || Buffer.from(bytes).toString("base64").replace(/=+$/, "") !== coded.replace(/=+$/, "")) {
      throw new ConfigError(`${option}: not base64`);
    }
    return new Secret(bytes);
  }
  if (!/^([0-9a-f]{2})+$/i.test(words)) {
    throw new ConfigError(
      `${option}: not hexadecimal`,
      "32 hexadecimal digits make a 16-byte key; base64:… also works",
    );
  }
  return new Secret(Uint8Array.from(Buffer.from(words, "hex")));
}

function bounded(bytes: Uint8Array, option: string): Uint8Array {
  if (bytes.length > sourceBytesMax) throw new ConfigError(`${option}: more than ${sourceBytesMax} bytes`);
  return bytes;
}
