import { readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBase64 } from "../../bytes/index.js";
import { Failure, Secret } from "../../contract/index.js";
import { fileSizeMax } from "./limits.js";

/** Where a private key comes from: never the command line. */
export type KeySource = Secret | { readonly file: string } | { readonly env: string };

export interface TunnelFile {
  readonly text: string;
  /** The name it goes by. */
  readonly name: string;
  /** Reads what the file names beside itself; absent for a text. */
  readonly read?: (name: string) => string | undefined;
}

/** A tunnel's file. What has lines or a section in it is a text, everything else a path. */
export function readTunnelFile(source: string | URL): TunnelFile {
  if (typeof source === "string" && /^\s*\[|\n/m.test(source)) return { text: source, name: "tunnel" };
  const path = typeof source === "string" ? source : fileURLToPath(source);
  const read = (name: string): string | undefined => {
    try {
      return readBounded(resolve(dirname(path), name));
    } catch {
      return undefined;
    }
  };
  return { text: readBounded(path), name: basename(path, extname(path)).replace(/\.swanctl$/, ""), read };
}

/** Is it strongSwan's swanctl.conf? Told without loading its room. */
export const looksLikeSwanctl = (text: string): boolean => /^\s*connections\s*\{/m.test(text);

/** Does a text look like an OpenVPN client's file rather than wg-quick's? Told without loading either room. */
export const looksLikeOvpn = (text: string): boolean =>
  !/^\s*\[\s*(interface|peer)\s*\]/im.test(text) &&
  /^\s*(client|tls-client|remote\s|dev\s|<ca>|<connection>|proto\s)/m.test(text);

/** Is it a server's? */
export const looksLikeOvpnServer = (text: string): boolean =>
  !/^\s*\[\s*(interface|peer)\s*\]/im.test(text) && /^\s*(server\s|server-ipv6\s|mode\s+server)/m.test(text);

/** A secret text, such as a password: the first line of a file or variable. */
export function readSecretText(source: KeySource): Secret {
  if (source instanceof Secret) return source;
  const text = "file" in source ? readBounded(source.file) : process.env[source.env];
  const line = text?.split(/\r?\n/)[0];
  if (line !== undefined && line !== "") return new Secret(new TextEncoder().encode(line));
  const where = "file" in source ? source.file : `$${source.env}`;
  throw new Failure({
    fault: "misuse",
    reason: "bad-configuration",
    protocol: "tunnel",
    message: `${where} holds no secret`,
  });
}

/** A key of 32 bytes in base64, as `wg genkey` writes it. The text is never repeated in a failure. */
export function readKeySource(source: KeySource): Secret {
  if (source instanceof Secret) return source;
  const [text, where] =
    "file" in source ? [readBounded(source.file), source.file] : [process.env[source.env], `$${source.env}`];
  const bytes = fromBase64(text?.trim() ?? "");
  if (bytes?.length === 32) return new Secret(bytes);
  throw new Failure({
    fault: "misuse",
    reason: "bad-configuration",
    protocol: "WireGuard",
    message: text === undefined ? `${where} is not set` : `${where} does not hold 32 bytes in base64`,
    at: "PrivateKey",
  });
}

function readBounded(path: string): string {
  const { size } = statSync(path);
  if (size <= fileSizeMax) return readFileSync(path, "utf8");
  throw new Failure({
    fault: "misuse",
    reason: "bad-configuration",
    protocol: "tunnel",
    message: `${path} is larger than ${fileSizeMax} bytes`,
  });
}
