import { open, readFile, rename, stat, unlink } from "node:fs/promises";
import { Failure, type Instant } from "../contract/index.js";
import { MemorySessionStore, type SessionStore, type StoredSession } from "../protocols/tls/store/index.js";

/**
 * A session store in one file that its owner alone may read (mode 0600), for one process at a time. A file that others
 * may read is refused; one that makes no sense counts as empty. Each change is written beside the file and then renamed
 * over it, so a crash leaves the old sessions or the new ones.
 */
export class FileSessionStore implements SessionStore {
  readonly path: string;
  readonly #memory = new MemorySessionStore();
  /** The write under way, and with it all that came before. */
  #saved: Promise<void> = Promise.resolve();
  #saving = false;
  #changed = false;

  private constructor(path: string) {
    this.path = path;
  }

  /** Reads the file if there is one. Throws a `misuse` failure if others may read it, and Node's error if we may not. */
  static async open(path: string): Promise<FileSessionStore> {
    const store = new FileSessionStore(path);
    const mode = await stat(path).then(
      (found) => found.mode,
      (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? undefined : Promise.reject(error)),
    );
    if (mode === undefined) return store;
    if ((mode & 0o077) !== 0 && process.platform !== "win32") {
      throw new Failure({
        fault: "misuse",
        reason: "session-file-readable",
        protocol: "TLS",
        at: path,
        message: `others may read ${path}, which holds the secrets of sessions`,
        hint: `chmod 600 ${path}, or remove it`,
      });
    }
    for (const [key, sessions] of parse(await readFile(path, "utf8"))) {
      for (const session of sessions) store.#memory.add(key, session);
    }
    return store;
  }

  add(key: string, session: StoredSession): Promise<void> {
    this.#memory.add(key, session);
    return this.#save();
  }

  /** What is taken is gone from the file before it is used: a crash cannot bring a used ticket back. */
  async take(key: string, now: Instant): Promise<StoredSession | undefined> {
    const taken = this.#memory.take(key, now);
    if (taken !== undefined) await this.#save();
    return taken;
  }

  peek(key: string, now: Instant): StoredSession | undefined {
    return this.#memory.peek(key, now);
  }

  remove(key: string): Promise<void> {
    this.#memory.remove(key);
    return this.#save();
  }

  /** Changes that come while one write is under way share the next. */
  #save(): Promise<void> {
    this.#changed = true;
    if (!this.#saving) {
      this.#saving = true;
      this.#saved = this.#write().finally(() => {
        this.#saving = false;
      });
    }
    return this.#saved;
  }

  async #write(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      const beside = `${this.path}.${process.pid}.new`;
      await unlink(beside).catch(() => undefined);
      const file = await open(beside, "wx", 0o600);
      try {
        await file.writeFile(format(this.#memory));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, this.path);
    }
  }
}

interface Stored {
  readonly bytes: string;
  readonly expiresAt: number;
}

function format(memory: MemorySessionStore): string {
  const sessions: Record<string, readonly Stored[]> = {};
  for (const [key, held] of memory.entries()) {
    sessions[key] = held.map(({ bytes, expiresAt }) => ({ bytes: Buffer.from(bytes).toString("base64"), expiresAt }));
  }
  return `${JSON.stringify({ format: 1, sessions })}\n`;
}

function parse(text: string): [string, StoredSession[]][] {
  try {
    const { format: version, sessions } = JSON.parse(text) as { format: number; sessions: Record<string, Stored[]> };
    if (version !== 1) return [];
    return Object.entries(sessions).map(([key, held]) => [
      key,
      held.map(({ bytes, expiresAt }) => ({ bytes: new Uint8Array(Buffer.from(bytes, "base64")), expiresAt })),
    ]);
  } catch {
    return [];
  }
}
