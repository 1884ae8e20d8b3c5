import { backlogMax, halfOpenMax } from "../limits.js";
import type { TcpConnection } from "./connection.js";
import type { TcpOptions } from "./interfaces.js";

export interface ListenOptions extends TcpOptions {
  /** Our address; any of them if absent. */
  readonly address?: Uint8Array;
  /** Established connections that may wait for `accept`. */
  readonly backlog?: number;
}

/** A port that is listened on: what is half open on it, and what waits to be accepted. */
export class TcpListener {
  readonly port: number;
  readonly options: ListenOptions;
  readonly halfOpen = new Set<TcpConnection>();
  readonly #waiting: TcpConnection[] = [];

  constructor(port: number, options: ListenOptions) {
    this.port = port;
    this.options = options;
  }

  /** So many handshakes are under way that the next get cookies. */
  get isCrowded(): boolean {
    return this.halfOpen.size >= halfOpenMax;
  }

  /** No more can wait: a SYN is dropped, and comes again later. */
  get isFull(): boolean {
    return this.#waiting.length >= (this.options.backlog ?? backlogMax);
  }

  established(connection: TcpConnection): void {
    this.halfOpen.delete(connection);
    this.#waiting.push(connection);
  }

  accept(): TcpConnection | undefined {
    return this.#waiting.shift();
  }
}
