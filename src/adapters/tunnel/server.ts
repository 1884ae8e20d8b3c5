import { EventEmitter } from "node:events";
import type { Connection, Listener } from "../../taps/index.js";
import { type ConnectionSocket, toSocket } from "../socket.js";

/** Takes the sockets that arrive: a function, or a server of `node:http`, `node:https`, `node:tls` or `ws`'s. */
export type ConnectionHandler =
  | ((socket: ConnectionSocket) => void)
  | { emit(name: "connection", socket: ConnectionSocket): unknown };

export interface TunnelServerEvents {
  connection: [ConnectionSocket];
  close: [];
}

/** A listener inside a tunnel with the face of a `net.Server` that is listening. */
export class TunnelServer extends EventEmitter<TunnelServerEvents> implements AsyncDisposable {
  readonly #listener: Listener<SecurityModeOfListener>;
  readonly #open = new Set<ConnectionSocket>();
  #isListening = true;

  constructor(
    listener: Listener<SecurityModeOfListener>,
    handler: ConnectionHandler | undefined,
    arrived: (connection: Connection) => void,
  ) {
    super();
    this.#listener = listener;
    if (typeof handler === "function") this.on("connection", handler);
    else if (handler !== undefined) this.on("connection", (socket) => void handler.emit("connection", socket));
    listener.on("connectionReceived", (connection) => {
      arrived(connection);
      const socket = toSocket(connection, { allowHalfOpen: true });
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
      if (!this.emit("connection", socket)) socket.destroy();
    });
  }

  get listening(): boolean {
    return this.#isListening;
  }

  address(): { readonly address: string; readonly family: "IPv4" | "IPv6"; readonly port: number } | null {
    const [local] = this.#listener.localEndpoints;
    if (local === undefined) return null;
    return { address: local.address, family: local.address.includes(":") ? "IPv6" : "IPv4", port: local.port };
  }

  getConnections(done: (error: Error | null, count: number) => void): void {
    process.nextTick(done, null, this.#open.size);
  }

  /** Accepts no more; `done` is called when the last connection has ended. */
  close(done?: (error?: Error) => void): this {
    if (done !== undefined) this.once("close", done);
    void this.stop().then(() => this.#lastOneOut());
    return this;
  }

  /** Accepts no more. */
  async stop(): Promise<void> {
    this.#isListening = false;
    await this.#listener.stop();
  }

  ref(): this {
    this.#listener.ref();
    return this;
  }

  unref(): this {
    this.#listener.unref();
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => void this.close(() => resolve()));
  }

  #lastOneOut(): void {
    const [first] = this.#open;
    if (first === undefined) this.emit("close");
    else first.once("close", () => this.#lastOneOut());
  }
}

type SecurityModeOfListener = "disabled";
