import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { atExit } from "./at-exit.js";
import { outputMax } from "./limits.js";

/** A real peer's program: its output is collected and awaited by pattern, and it never outlives its use. */
export class Program implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #watchers = new Set<() => void>();
  readonly #ended: Promise<void>;
  #said = "";
  #over: string | undefined;

  constructor(command: string, args: readonly string[], signal: AbortSignal) {
    this.#name = `${command} ${args[0] ?? ""}`;
    this.#child = spawn(command, args, { stdio: "pipe" });
    const kill = () => this.#child.kill("SIGKILL");
    if (signal.aborted) kill();
    signal.addEventListener("abort", kill, { once: true });
    const takeBack = atExit(kill);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("latin1").on("data", (text: string) => {
        if (this.#said.length < outputMax) this.#said += text;
        this.#tell();
      });
    }
    this.#child.stdin.on("error", () => {});
    this.#ended = new Promise((ended) => {
      const end = (how: string) => {
        signal.removeEventListener("abort", kill);
        takeBack();
        this.#over ??= how;
        this.#tell();
        ended();
      };
      this.#child.on("error", (error) => end(error.message)).on("close", (code) => end(`ended with ${code}`));
    });
  }

  get said(): string {
    return this.#said;
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits for the pattern in what was said. Rejects when the program ends without it. */
  async says(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = this.#said.match(pattern);
      if (match !== null) return match;
      if (this.#over !== undefined) throw new Error(`${this.#name} ${this.#over} and did not say ${pattern}`);
      await new Promise<void>((told) => this.#watchers.add(told));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over === undefined) this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #tell(): void {
    for (const told of this.#watchers) told();
    this.#watchers.clear();
  }
}

/** What a program answers, or undefined if it is not there or fails. */
export function ask(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((answer) => {
    execFile(command, [...args], { timeout: 5_000, encoding: "utf8" }, (error, out) => answer(error ? undefined : out));
  });
}
