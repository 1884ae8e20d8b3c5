import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { alertName } from "../../../src/protocols/tls/index.js";
import { records, types } from "./bytes.js";

/** A TCP connection held by someone who knows no TLS but what the test writes. */
export class RawSocket implements AsyncDisposable {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void)[] = [];

  static async to(port: number): Promise<RawSocket> {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const raw = new RawSocket(socket);
    await new Promise<void>((done, fail) => socket.once("connect", () => done()).once("error", fail));
    return raw;
  }

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => this.#changed(() => (this.#received = Buffer.concat([this.#received, bytes]))));
    socket.on("end", () => this.#changed(() => (this.#ended = true)));
    // A reset is an answer too.
    socket.on("error", () => {});
    socket.on("close", () => this.#changed(() => (this.#ended = true)));
  }

  get received(): Buffer {
    return this.#received;
  }

  send(...bytes: readonly Uint8Array[]): void {
    for (const each of bytes) if (this.socket.writable) this.socket.write(each);
  }

  /** Waits until the condition holds, or fails when the peer hangs up or is silent for too long. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = setTimeout(() => this.#changed(() => (this.#ended = true)), patienceMs);
    try {
      while (!holds()) {
        if (this.#ended)
          throw new Error(`no ${what}; received ${this.#received.toString("hex").slice(0, 400) || "nothing"}`);
        await new Promise<void>((wake) => this.#wake.push(wake));
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Waits for the peer to hang up and answers the plain alert that it left, by its name; `sealed` for one under keys. */
  async verdict(): Promise<string> {
    await this.until("end of the connection", () => this.#ended);
    const last = records(this.#received).at(-1);
    if (last?.type === types.applicationData) return "sealed";
    return last?.type === types.alert ? alertName(last.body[1]!) : "close";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }

  #changed(how: () => void): void {
    how();
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Longer than any answer takes, in milliseconds. */
const patienceMs = 10_000;

/** Listens for a victim and plays a server that the test writes. */
export class RawServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<RawSocket>();

  static async start(play: (raw: RawSocket) => Promise<void>): Promise<RawServer> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new RawServer(server, play);
  }

  private constructor(server: Server, play: (raw: RawSocket) => Promise<void>) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => {
      const raw = new RawSocket(socket);
      this.#sockets.add(raw);
      // The victim may hang up in the middle of the play: what it said is what the test looks at.
      play(raw).catch(() => {});
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const raw of this.#sockets) await raw[Symbol.asyncDispose]();
    await new Promise((done) => this.#server.close(done));
  }
}
