import { readFileSync, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBase64 } from "../../bytes/index.js";
import { Failure, Secret } from "../../contract/index.js";
import { fileSizeMax } from "./limits.js";

/** Where a private key comes from: never the command line. */
export type KeySource = Secret | { readonly file: string } | { readonly env: string };

/** A tunnel's text and the name it goes by. What has a section in it is a text, everything else a path. */
export function readTunnelFile(source: string | URL): { readonly text: string; readonly name: string } {
  if (typeof source === "string" && /^\s*\[/m.test(source)) return { text: source, name: "tunnel" };
  const path = typeof source === "string" ? source : fileURLToPath(source);
  return { text: readBounded(path), name: basename(path, extname(path)) };
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
    protocol: "WireGuard",
    message: `${path} is larger than ${fileSizeMax} bytes`,
  });
}
