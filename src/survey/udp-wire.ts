import type { Socket } from "node:dgram";
import { wireBytesMax } from "./limits.js";
import { bound } from "./udp.js";

const loopback = "127.0.0.1";

/**
 * A path for datagrams that an observer sits on: everything that passes is kept, it can go dark, and like a NAT it can
 * take another port towards the server. It knows no protocol.
 */
export class UdpWire implements AsyncDisposable {
  readonly toServer: Buffer[] = [];
  readonly toClient: Buffer[] = [];
  readonly #near: Socket;
  readonly #serverPort: number;
  #far: Socket;
  #client: number | undefined;
  #isCut = false;
  #isOver = false;
  #size = 0;

  /** A wire to a port of 127.0.0.1. */
  static async to(port: number): Promise<UdpWire> {
    return new UdpWire(await bound(), await bound(), port);
  }

  private constructor(near: Socket, far: Socket, serverPort: number) {
    this.#near = near;
    this.#far = far;
    this.#serverPort = serverPort;
    near.on("message", (bytes, { port }) => {
      this.#client = port;
      this.#keep(this.toServer, bytes);
      if (!this.#isCut) this.#far.send(bytes, serverPort, loopback);
    });
    this.#hear(far);
  }

  /** Where to connect instead of the server's own port. */
  get port(): number {
    return this.#near.address().port;
  }

  /** Where the server sees the client. */
  get outerPort(): number {
    return this.#far.address().port;
  }

  get serverPort(): number {
    return this.#serverPort;
  }

  /** Nothing passes any more, in either direction. */
  cut(): void {
    this.#isCut = true;
  }

  /** As a NAT that has forgotten: the client is seen at another port from now on. */
  async rebind(): Promise<void> {
    const old = this.#far;
    this.#far = await bound();
    this.#hear(this.#far);
    old.close();
  }

  /** It may be disposed of twice: by who made it, and when its time is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const socket of [this.#near, this.#far]) socket.close();
  }

  #hear(far: Socket): void {
    far.on("message", (bytes) => {
      this.#keep(this.toClient, bytes);
      if (!this.#isCut && this.#client !== undefined) this.#near.send(bytes, this.#client, loopback);
    });
  }

  #keep(kept: Buffer[], bytes: Buffer): void {
    if ((this.#size += bytes.length) <= wireBytesMax) kept.push(bytes);
  }
}
