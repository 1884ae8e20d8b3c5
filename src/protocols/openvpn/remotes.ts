import type { OpenVpnFailure } from "./failure.js";
import { restartPauseMs, retryMaxMs, retryMs } from "./limits.js";

interface RemotesOptions {
  readonly remotes: number;
  readonly retryMs?: number | undefined;
  readonly retryMaxMs?: number | undefined;
  readonly roundsMax?: number | undefined;
}

/** Which remote comes next, and after what pause: at once while there are others, later and later once all have been tried. */
export class Remotes {
  readonly #options: RemotesOptions;
  #at = -1;
  #tried = 0;
  #rounds = 0;
  #pauseMs: number;
  #wasReached = false;

  constructor(options: RemotesOptions) {
    this.#options = options;
    this.#pauseMs = options.retryMs ?? retryMs;
  }

  next(): number {
    this.#at = (this.#at + 1) % this.#options.remotes;
    this.#tried++;
    return this.#at;
  }

  /** The same once more: it did answer, and wants something else of us. */
  again(): number {
    this.#at = Math.max(-1, this.#at - 1);
    this.#tried = Math.max(0, this.#tried - 1);
    return this.next();
  }

  /** The tunnel is up: what was tried in vain before counts no more. */
  reached(): void {
    this.#wasReached = true;
    this.#tried = 0;
    this.#pauseMs = this.#options.retryMs ?? retryMs;
  }

  /** The last one came to nothing, or its session ended. Answers the pause, or undefined if none is tried again. */
  pauseAfter({ reason }: OpenVpnFailure, wasUp: boolean): number | undefined {
    const isRound = this.#tried >= this.#options.remotes;
    if (isRound) {
      this.#tried = 0;
      this.#rounds++;
      if (!this.#wasReached && this.#rounds >= (this.#options.roundsMax ?? 1)) return undefined;
    }
    const isAway = reason === "restarted-by-peer" || reason === "exited-by-peer";
    const pauseMs = Math.max(isRound || wasUp ? this.#pauseMs : 0, isAway ? restartPauseMs : 0);
    if (isRound) this.#pauseMs = Math.min(2 * this.#pauseMs, this.#options.retryMaxMs ?? retryMaxMs);
    return pauseMs;
  }
}
