import { parseAddress } from "../bytes/index.js";
import { type Host, networkFailure } from "../contract/index.js";
import type { Stack } from "../stack/index.js";

/** Echo requests that wait for their answers. */
export class Echoes {
  readonly #host: Host;
  readonly #waiting = new Map<number, (at: number) => void>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** An answer came. */
  answered(word: number): void {
    this.#waiting.get(word)?.(this.#host.now());
  }

  /** Milliseconds to the answer; rejects with `timed-out`. */
  send(tunnel: { readonly stack: Stack; touched(): void }, text: string, timeoutMs: number): Promise<number> {
    const address = parseAddress(text);
    if (address === undefined) return Promise.reject(networkFailure("not-an-address", `${text} is not an IP address`));
    const host = this.#host;
    const start = host.now();
    const [a, b, c, d] = host.entropy.fill(new Uint8Array(4));
    const word = ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
    return new Promise((resolve, reject) => {
      const alarm = host.wakeAt(start + timeoutMs, () => {
        this.#waiting.delete(word);
        reject(networkFailure("timed-out", `no answer from ${text} in ${timeoutMs} ms`));
      });
      this.#waiting.set(word, (at) => {
        this.#waiting.delete(word);
        alarm.cancel();
        resolve(at - start);
      });
      tunnel.stack.ping(address, word, new Uint8Array(32), start);
      tunnel.touched();
    });
  }
}
