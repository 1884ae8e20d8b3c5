import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "./at-exit.js";

/** A folder of its owner's alone, for a program that wants its keys as files. It goes when it is disposed of, or with the process. */
export class PrivateFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "sealport-"));
  readonly #written = new Set<string>();
  readonly #gone = () => rmSync(this.path, { recursive: true, force: true });
  readonly #takeBack = atExit(this.#gone);

  /** Writes a file once, since a program may be reading it by the next time, and answers with its path. */
  file(name: string, text: string): string {
    const path = join(this.path, name);
    if (!this.#written.has(name)) writeFileSync(path, text, { mode: 0o600 });
    this.#written.add(name);
    return path;
  }

  [Symbol.dispose](): void {
    this.#takeBack();
    this.#gone();
  }
}
