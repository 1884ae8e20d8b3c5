import { connect, createServer, type Server, type Socket } from "node:net";
import { wireBytesMax } from "./limits.js";

/**
 * A path between two ends that an observer sits on: everything that passes is kept, and it can be cut. It knows no
 * protocol, and neither end can tell it from the loopback.
 */
export class Wire implements AsyncDisposable {
  /** Where to connect, on 127.0.0.1, instead of the far end's own port. */
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #passed: { readonly toServer: Buffer[]; readonly toClient: Buffer[] } = { toServer: [], toClient: [] };
  #size = 0;

  /** A wire to a port of 127.0.0.1. */
  static async to(port: number): Promise<Wire> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    await new Promise<void>((listening, failed) => {
      server.once("error", failed).listen(0, "127.0.0.1", listening);
    });
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port to listen on");
    return new Wire(server, address.port, port);
  }

  private constructor(server: Server, port: number, far: number) {
    this.#server = server;
    this.port = port;
    server.on("connection", (near) => {
      const beyond = connect({ port: far, host: "127.0.0.1", allowHalfOpen: true });
      this.#pass(near, beyond, this.#passed.toServer);
      this.#pass(beyond, near, this.#passed.toClient);
      near.resume();
    });
  }

  /** What went from the client to the server so far, all connections one after the other. */
  get toServer(): Uint8Array {
    return Buffer.concat(this.#passed.toServer);
  }

  get toClient(): Uint8Array {
    return Buffer.concat(this.#passed.toClient);
  }

  /** Ends both directions with a FIN, as anyone on the path can: neither end has said goodbye. */
  cut(): void {
    for (const socket of this.#sockets) socket.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }

  #pass(from: Socket, to: Socket, kept: Buffer[]): void {
    this.#sockets.add(from);
    from.on("data", (bytes: Buffer) => {
      if ((this.#size += bytes.length) <= wireBytesMax) kept.push(bytes);
      if (to.writable) to.write(bytes);
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
