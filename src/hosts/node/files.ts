import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { fileSizeMax } from "./limits.js";

/** For what only its owner may read: tickets, keys, pre-shared keys. */
const ownerOnly = 0o600;

/** The whole file, or undefined if there is none. Throws if it has more than `fileSizeMax` bytes. */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path);
    if (size > fileSizeMax) throw new RangeError(`${path} has more than ${fileSizeMax} bytes`);
    const bytes = await readFile(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Puts new contents in place at once, mode 0600: a reader, or a crash, finds the old file or the new one. */
export async function replaceWhole(path: string, bytes: Uint8Array): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(aside, "wx", ownerOnly);
  try {
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
    await rename(aside, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(aside, { force: true });
    throw error;
  }
}

/** Can others than the owner read it? Worth a warning when the file holds a key. False where modes mean nothing. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  return process.platform !== "win32" && ((await stat(path)).mode & 0o077) !== 0;
}
