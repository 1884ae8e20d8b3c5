import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Answer, Order } from "./tls-end.js";

/** A process of its own for one end of a benchmark, so that both ends have a core. */
export class BenchEnd implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor() {
    const program = fileURLToPath(new URL("./tls-end.js", import.meta.url));
    this.#child = fork(program, { execArgv: ["--expose-gc"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  }

  async do<Wanted extends Answer>(order: Order): Promise<Wanted> {
    this.#child.send(order);
    const [answer] = (await Promise.race([
      once(this.#child, "message"),
      once(this.#child, "exit").then(([code]) => [{ error: `the process ended with ${code}` }]),
    ])) as [Answer];
    if ("error" in answer) throw new Error(answer.error);
    return answer as Wanted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill();
    await gone;
  }
}
