import { parseAddress } from "../bytes/index.js";
import { type Failure, type Host, networkFailure } from "../contract/index.js";
import type { Stack } from "../stack/index.js";

/** Echo requests that wait for their answers. */
export class Echoes {
  readonly #host: Host;
  readonly #waiting = new Map<number, Waiting>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** An answer came. */
  answered(word: number): void {
    this.#waiting.get(word)?.answered(this.#host.now());
  }

  /** No answer will come any more. */
  end(failure: Failure): void {
    for (const { failed } of [...this.#waiting.values()]) failed(failure);
  }

  /** Milliseconds to the answer; rejects with `timed-out`, or with why there is no tunnel any more. */
  send(tunnel: { readonly stack: Stack; touched(): void }, text: string, timeoutMs: number): Promise<number> {
    const address = parseAddress(text);
    if (address === undefined) return Promise.reject(networkFailure("not-an-address", `${text} is not an IP address`));
    const host = this.#host;
    const start = host.now();
    const [a, b, c, d] = host.entropy.fill(new Uint8Array(4));
    const word = ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
    return new Promise((resolve, reject) => {
      const over = () => {
        this.#waiting.delete(word);
        alarm.cancel();
      };
      const failed = (failure: Failure) => {
        over();
        reject(failure);
      };
      const alarm = host.wakeAt(start + timeoutMs, () =>
        failed(networkFailure("timed-out", `no answer from ${text} in ${timeoutMs} ms`)),
      );
      const answered = (at: number) => {
        over();
        resolve(at - start);
      };
      this.#waiting.set(word, { answered, failed });
      tunnel.stack.ping(address, word, new Uint8Array(32), start);
      tunnel.touched();
    });
  }
}

interface Waiting {
  answered(at: number): void;
  failed(failure: Failure): void;
}
