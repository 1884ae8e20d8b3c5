import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Order as TlsOrder } from "./tls-end.js";

/** How long an end may take over an order: one that hangs must not hold everything. */
const answerMaxMs = 120_000;

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

  /** Rejects, and ends the process, if there is no answer within two minutes. */
  async do<Wanted extends object>(order: Order): Promise<Wanted> {
    const over = new AbortController();
    const { signal } = over;
    this.#child.send(order);
    try {
      const [answer] = (await Promise.race([
        once(this.#child, "message", { signal }),
        once(this.#child, "exit", { signal }).then(([code]) => [{ error: `the process ended with ${code}` }]),
        delay(
          answerMaxMs,
          [{ error: `no answer in ${answerMaxMs / 1_000} s to ${JSON.stringify(order).slice(0, 60)}` }],
          {
            signal,
          },
        ),
      ])) as [Wanted | { readonly error: string }];
      if ("error" in answer) throw new Error(answer.error);
      return answer;
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw error;
    } finally {
      over.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill();
    await gone;
  }
}
