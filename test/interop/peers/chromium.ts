import { type ChildProcess, spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { scratch } from "./certificates.js";

interface Reply {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A headless Chromium with a false camera and microphone, driven by its DevTools protocol over a pipe. */
export class Chromium implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #next = 1;
  #session: string | undefined;
  #said = "";
  #heard = "";

  /** Starts it and opens a page. */
  static async open(url: string): Promise<Chromium> {
    const browser = new Chromium();
    const { targetId } = await browser.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#call("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = String(sessionId);
    await browser.#call("Page.navigate", { url });
    return browser;
  }

  private constructor() {
    this.#profile = scratch();
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      "--allow-loopback-in-peer-connection",
      "--disable-features=WebRtcHideLocalIpsWithMdns",
      "--remote-debugging-pipe",
      `--user-data-dir=${this.#profile}`,
    ];
    this.#child = spawn("chromium", flags, { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"], detached: true });
    this.#child.on("error", (error) => this.#end(error.message));
    this.#child.on("exit", () => this.#end("Chromium is gone"));
    this.#child.stderr!.on("data", (bytes: Buffer) => (this.#said = (this.#said + bytes).slice(-4_000)));
    (this.#child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => this.#hear(text));
    process.once("exit", this.#kill);
  }

  /** What an expression, awaited, is worth in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** The page, as PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.#call("Page.captureScreenshot", { format: "png" });
    return new Uint8Array(Buffer.from(String(data), "base64"));
  }

  #call(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const pipe = this.#child.stdio[3] as Writable;
    return new Promise((resolve, reject) => {
      const patience = setTimeout(
        () => reject(new Error(`${method} took too long. Chromium said:\n${this.#said}`)),
        20_000,
      );
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(patience);
        if (result === undefined) reject(new Error(`${method}: ${error?.message}\n${this.#said}`));
        else resolve(result);
      });
      pipe.write(`${JSON.stringify({ id, method, params, ...(this.#session && { sessionId: this.#session }) })}\0`);
    });
  }

  #hear(text: string): void {
    const messages = (this.#heard + text).split("\0");
    this.#heard = messages.pop()!;
    for (const message of messages) {
      const reply = JSON.parse(message) as Reply;
      if (reply.id === undefined) continue;
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    }
  }

  #end(message: string): void {
    for (const settle of this.#waiting.values()) settle({ error: { message } });
    this.#waiting.clear();
  }

  readonly #kill = (): void => {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#kill);
    const gone = new Promise((done) => this.#child.once("exit", done));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#kill();
      await gone;
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
