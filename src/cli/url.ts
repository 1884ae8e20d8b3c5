import type { ProtocolName } from "../contract/index.js";
import { UsageError } from "./exit.js";
import { didYouMean } from "./suggest.js";

/** What a URL names: protocols, a peer, and the options that fit into its query. */
export interface Target {
  readonly scheme: string;
  /** Protocols that may secure it, best first; none for cleartext. */
  readonly allowed: readonly ProtocolName[];
  readonly host: string;
  readonly port: number;
  /** By the names of the options that mean the same: `alpn`, `groups` … */
  readonly query: Readonly<Record<string, readonly string[]>>;
}

interface Scheme {
  readonly allowed: readonly ProtocolName[];
  readonly about: string;
  /** Query keys, each the name of an option of `connect` and `listen`. */
  readonly keys: readonly string[];
  /** Port if the URL has none; without one, a URL without a port is a usage error. */
  readonly port?: number;
}

const tlsKeys = ["alpn", "groups", "suites", "versions", "server-name", "psk-identity"] as const;

/** The one table of schemes. */
export const schemes: Readonly<Record<string, Scheme>> = {
  any: { allowed: ["TLS"], about: "whichever secure transport answers first", keys: tlsKeys },
  tls: { allowed: ["TLS"], about: "TLS 1.3 or 1.2 over TCP", keys: tlsKeys },
  https: { allowed: ["TLS"], about: "TLS over TCP, port 443", keys: tlsKeys, port: 443 },
  tcp: { allowed: [], about: "TCP without any security", keys: [] },
};

/** Reads a URL by the table: what is not in it is a usage error, with what was perhaps meant. */
export function target(text: string): Target {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) {
    throw new UsageError(
      `${text} is not a URL`,
      `write SCHEME://HOST:PORT with one of: ${Object.keys(schemes).join(", ")}`,
    );
  }
  const name = scheme.toLowerCase();
  const row = Object.hasOwn(schemes, name) ? schemes[name]! : undefined;
  if (row === undefined) {
    throw new UsageError(
      `no protocol has the scheme ${scheme}:`,
      didYouMean(name, Object.keys(schemes)) ?? `schemes: ${Object.keys(schemes).join(", ")}`,
    );
  }
  // Parsed as https, since WHATWG's URL gives hosts their canonical form for the schemes that it knows alone.
  if (/^[^/?#]*@/.test(rest))
    throw new UsageError("a URL carries no user name and no password", "sealport help secrets");
  const parsed = parse(text, rest);
  const port = portOf(rest) ?? row.port;
  if (port === undefined) throw new UsageError(`${text} has no port`);
  if (parsed.pathname !== "/" || parsed.hash !== "")
    throw new UsageError(`${text}: nothing follows the port but a query`);
  const query: Record<string, string[]> = {};
  for (const [key, value] of parsed.searchParams) {
    if (!row.keys.includes(key)) {
      throw new UsageError(
        `${name}: has no option ${key}`,
        didYouMean(key, row.keys) ?? (row.keys.length > 0 ? `options: ${row.keys.join(", ")}` : undefined),
      );
    }
    (query[key] ??= []).push(...value.split(","));
  }
  return { scheme: name, allowed: row.allowed, host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"), port, query };
}

function parse(text: string, rest: string): URL {
  try {
    return new URL(`https://${rest}`);
  } catch {
    throw new UsageError(`${text} is not a URL`);
  }
}

/** The port as written: WHATWG's URL would drop 443. */
function portOf(rest: string): number | undefined {
  const [, digits] = /^[^/?#]*?:(\d+)(?:[/?#]|$)/.exec(rest.replace(/^\[[^\]]*\]/, "")) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
