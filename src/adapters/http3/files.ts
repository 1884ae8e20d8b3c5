import { constants, type FileHandle, open } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";
import type { HqHandler } from "./hq.js";
import type { Http3Handler } from "./server.js";

/** Bytes that are read from a file at once. */
const pieceSize = 262_144;

/** What files are, by their names' ends; all others are bytes. */
const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

interface Found {
  readonly size: number;
  readonly type: string;
  read(): AsyncGenerator<Uint8Array, void, undefined>;
  close(): Promise<void>;
}

/** The files of a folder, for GET and HEAD, on both protocols. A path that ends with a slash is its index.html. */
export function fileHandlers(folder: string): { readonly http3: Http3Handler; readonly hq: HqHandler } {
  return {
    http3: async ({ method, path }) => {
      if (method !== "GET" && method !== "HEAD") return { status: 405, headers: { allow: "GET, HEAD" } };
      const found = await find(folder, path);
      if (found === undefined) return { status: 404, headers: { "content-type": "text/plain" }, body: "not found\n" };
      const headers = { "content-type": found.type, "content-length": String(found.size) };
      if (method === "GET") return { headers, body: found.read() };
      await found.close();
      return { headers };
    },
    hq: async (path) => (await find(folder, path))?.read(),
  };
}

/** Opens the file that a path of a URL names; undefined if there is none in the folder. */
async function find(folder: string, path: string): Promise<Found | undefined> {
  let name: string;
  try {
    name = decodeURIComponent(path.split("?", 1)[0]!);
  } catch {
    return undefined;
  }
  if (name.includes("\0") || name.includes("\\")) return undefined;
  // An absolute path that is normalized leads nowhere above its root; a link inside the folder is its owner's word.
  const inside = normalize(join(sep, name.endsWith("/") ? `${name}index.html` : name));
  let file: FileHandle | undefined;
  try {
    file = await open(join(folder, inside), constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (stat.isFile()) {
      const type = types[extname(inside)] ?? "application/octet-stream";
      const its = file;
      return { size: stat.size, type, read: () => read(its), close: () => its.close() };
    }
  } catch {
    // Not there, or not for us to read: to the peer both are the same.
  }
  await file?.close();
  return undefined;
}

async function* read(file: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (;;) {
      // Memory of its own for each piece: the stream keeps it until the peer has it.
      const { bytesRead, buffer } = await file.read(new Uint8Array(pieceSize), 0, pieceSize, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
