import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

/** How long a stranger may live, in milliseconds; a test that needs longer is broken. */
const lifetimeMaxMs = 240_000;
/** How long a test waits for one line, in milliseconds. */
const patienceMs = 60_000;
/** How much of its output is kept for reading, in characters. */
const outputMax = 4 << 20;

const alive = new Set<Program>();
process.once("exit", () => {
  for (const program of alive) program.kill();
});

/**
 * A stranger's program that a test talks to. Its output is collected, and awaited by pattern rather than by the clock;
 * it never outlives the test file. Whatever goes wrong, the error carries what the program said.
 */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lifetime: NodeJS.Timeout;
  readonly #watchers = new Set<() => void>();
  #said = "";
  #status: string | undefined;
  #sink: ((bytes: Buffer) => void) | undefined;

  constructor(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.name = `${name}: ${[command, ...args].join(" ")}`;
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    alive.add(this);
    this.#lifetime = setTimeout(() => this.kill(), lifetimeMaxMs);
    this.#lifetime.unref();
    this.#child.stdout.on("data", (bytes: Buffer) => (this.#sink ? this.#sink(bytes) : this.#hear(bytes)));
    this.#child.stderr.on("data", (bytes: Buffer) => this.#hear(bytes));
    // A program that is gone does not read: what matters is then its exit, not the broken pipe.
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => this.#end(`could not start: ${error.message}`));
    this.#child.on("close", (code, signal) => this.#end(signal ? `ended by ${signal}` : `exited with ${code}`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** All that it has said so far on both outputs. */
  get said(): string {
    return this.#said;
  }

  /** How it ended, or undefined while it runs. */
  get status(): string | undefined {
    return this.#status;
  }

  /** Waits for the pattern in what was said after `from` characters; rejects if the program ends or stays silent. */
  async says(pattern: RegExp | string, from = 0): Promise<RegExpMatchArray> {
    return this.#until(`say ${pattern}`, () => {
      const match = this.#said.slice(from).match(pattern);
      if (!match && this.#status !== undefined) throw this.#error(`${this.#status} before it said ${pattern}`);
      return match ?? undefined;
    });
  }

  /** Waits for it to end by itself and answers how. */
  async ends(): Promise<string> {
    return this.#until("end", () => this.#status);
  }

  /** Writes to its input; resolves when the pipe has taken it. */
  write(input: string | Uint8Array): Promise<void> {
    return new Promise((done) => {
      this.#child.stdin.write(input, () => done());
    });
  }

  /** Closes its input. */
  finish(): void {
    this.#child.stdin.end();
  }

  /** From now on its standard output is data, for this function alone. */
  stream(sink: (bytes: Buffer) => void): void {
    this.#sink = sink;
  }

  /** Gives its standard output back to it as input, byte for byte: a server that copies becomes one that echoes. */
  loopBack(): void {
    this.#child.stdout.pipe(this.#child.stdin, { end: false });
    this.#sink = () => {};
  }

  /** Stops reading its output, so that it has to wait. */
  pause(): void {
    this.#child.stdout.pause();
  }

  resume(): void {
    this.#child.stdout.resume();
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    if (this.#status === undefined && this.#child.pid !== undefined) this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#until("end", () => this.#status);
  }

  #hear(bytes: Buffer): void {
    if (this.#said.length < outputMax) this.#said += bytes.toString("latin1");
    this.#tell();
  }

  #end(status: string): void {
    clearTimeout(this.#lifetime);
    alive.delete(this);
    this.#status ??= status;
    this.#tell();
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #until<T>(what: string, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(check);
        act();
      };
      const check = () => {
        try {
          const found = look();
          if (found !== undefined) settle(() => resolve(found));
        } catch (error) {
          settle(() => reject(error));
        }
      };
      const timer = setTimeout(
        () => settle(() => reject(this.#error(`did not ${what} within ${patienceMs} ms`))),
        patienceMs,
      );
      this.#watchers.add(check);
      check();
    });
  }

  #error(what: string): Error {
    return new Error(`${this.name}\n${what}. It said:\n${this.#said.slice(-3000)}`);
  }
}
