import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Order as TlsOrder } from "./tls-end.js";

/** A process of its own for one end of a benchmark, so that both ends have a core. */
export class BenchEnd<Order extends object = TlsOrder> implements AsyncDisposable {
  readonly #child: ChildProcess;

  /** `program` is beside this file; it takes orders as messages, and answers each with one. */
  constructor(program = "tls-end.js") {
    this.#child = fork(fileURLToPath(new URL(`./${program}`, import.meta.url)), {
      execArgv: ["--expose-gc"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
  }

  async do<Wanted extends object>(order: Order): Promise<Wanted> {
    this.#child.send(order);
    const [answer] = (await Promise.race([
      once(this.#child, "message"),
      once(this.#child, "exit").then(([code]) => [{ error: `the process ended with ${code}` }]),
    ])) as [Wanted | { readonly error: string }];
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill();
    await gone;
  }
}
