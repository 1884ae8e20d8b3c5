import { readUrl, type Target, urlSchemes } from "../taps/index.js";
import { UsageError } from "./exit.js";
import { didYouMean } from "./suggest.js";

/** What a URL names, and the options that came with it in its query. */
export interface TargetWithOptions extends Target {
  /** Without the query. */
  readonly url: string;
  /** By the names of the options that mean the same: `alpn`, `groups` … */
  readonly query: Readonly<Record<string, readonly string[]>>;
}

/** Query keys, each the name of an option of `connect` and `listen`. */
const handshakeKeys = ["alpn", "groups", "suites", "signatures", "versions", "server-name", "psk-identity"];
const queryKeys: Readonly<Record<string, readonly string[]>> = {
  TLS: handshakeKeys,
  QUIC: handshakeKeys,
  gQUIC: ["versions", "server-name"],
  CurveCP: ["server-name", "extension", "peer-extension"],
  MinimaLT: ["server-name", "suites"],
  tcpcrypt: ["teps", "ciphers", "aware"],
  DTLS: handshakeKeys,
};

/**
 * Reads a URL by the table of schemes that `dial` uses, and a query behind it by the table above: what is in neither is a
 * usage error, with what was perhaps meant. A URL never carries a secret.
 */
export function target(text: string): TargetWithOptions {
  const at = text.indexOf("?");
  const [url, search] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  if (url.includes("@")) throw new UsageError("a URL carries no user name and no password", "sealport help secrets");
  const read = readUrl(url);
  if (read.port !== undefined && read.port > 65_535) throw new UsageError(`${read.port} is no port`);
  const keys = queryKeys[read.row.allowed[0] ?? ""] ?? [];
  const query: Record<string, string[]> = {};
  for (const [key, value] of new URLSearchParams(search)) {
    if (!keys.includes(key)) {
      throw new UsageError(
        `${read.scheme}: has no option ${key}`,
        didYouMean(key, keys) ?? (keys.length > 0 ? `options: ${keys.join(", ")}` : undefined),
      );
    }
    (query[key] ??= []).push(...value.split(","));
  }
  return { ...read, url, query };
}

/** SRTP has keys and packets of its own, and so its own commands behind `connect` and `listen`; ZRTP agrees on such keys. */
export const isSrtp = (url: string): boolean => /^srtp:/i.test(url);
export const isZrtp = (url: string): boolean => /^zrtp:/i.test(url);

/** Rows for `sealport help urls`. */
export const schemeRows = (): readonly (readonly [string, string])[] =>
  Object.entries(urlSchemes).map(([name, { about, allowed }]) => {
    const keys = queryKeys[allowed[0] ?? ""];
    return [`${name}://HOST:PORT`, keys === undefined ? about : `${about}; options: ${keys.join(", ")}`];
  });
