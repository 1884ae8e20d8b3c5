import { EventEmitter } from "node:events";
import type { DatagramPort, Network, SocketAddress } from "../../contract/index.js";
import { nodeError } from "../socket.js";

export interface DatagramSocketOptions {
  /** Port inside; any free one by default. */
  readonly port?: number;
  /** The one peer: then `send` needs no destination, nobody else is heard, and its refusals are errors. */
  readonly remote?: { readonly host: string; readonly port: number };
}

export interface RemoteInfo {
  readonly address: string;
  readonly family: "IPv4" | "IPv6";
  readonly port: number;
  readonly size: number;
}

export interface DatagramSocketEvents {
  message: [Buffer, RemoteInfo];
  error: [Error];
  close: [];
}

type Sent = (error: Error | null, bytes: number) => void;

/** A UDP socket inside a tunnel with the face of a bound `dgram.Socket`. */
export class TunnelDatagramSocket extends EventEmitter<DatagramSocketEvents> {
  readonly #network: Network;
  #port: DatagramPort | undefined;
  #isClosed = false;

  static async open(network: Network, options: DatagramSocketOptions): Promise<TunnelDatagramSocket> {
    const { port = 0, remote } = options;
    const socket = new TunnelDatagramSocket(network);
    const to = remote && { address: (await network.resolve(remote.host))[0]!, port: remote.port };
    const any = (to?.address.includes(":") ?? false) ? "::" : "0.0.0.0";
    socket.#port = await network.bindDatagrams(
      { address: any, port },
      {
        // Lent until this returns, and a listener may keep it.
        datagrams: (bytes, from, size) => {
          for (let at = 0; at < bytes.length || at === 0; at += Math.max(size, 1)) {
            const body = Buffer.from(bytes.slice(at, at + size));
            socket.emit("message", body, infoOf(from, body.length));
          }
        },
        softError: (failure) => {
          if (socket.listenerCount("error") > 0) socket.emit("error", nodeError(failure));
        },
        closed: () => {
          socket.#isClosed = true;
          socket.emit("close");
        },
      },
      to && { remote: to },
    );
    return socket;
  }

  private constructor(network: Network) {
    super();
    this.#network = network;
  }

  address(): { readonly address: string; readonly family: "IPv4" | "IPv6"; readonly port: number } {
    const { address, port } = this.#port!.local;
    return { address, family: familyOf(address), port };
  }

  /** As `dgram.Socket.send`: `(bytes, port, host, done)`, or `(bytes, done)` with a fixed remote. */
  send(bytes: Uint8Array | string, ...rest: readonly (number | string | Sent | undefined)[]): void {
    const done = rest.find((each): each is Sent => typeof each === "function");
    const port = rest.find((each): each is number => typeof each === "number");
    const host = rest.find((each): each is string => typeof each === "string") ?? "127.0.0.1";
    const body = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    void this.#send(body, port === undefined ? undefined : { host, port }).then(
      () => done?.(null, body.length),
      (error: unknown) => {
        if (done !== undefined) done(nodeError(error), 0);
        else this.emit("error", nodeError(error));
      },
    );
  }

  close(done?: () => void): this {
    if (done !== undefined) this.once("close", done);
    if (!this.#isClosed) this.#port?.close();
    return this;
  }

  ref(): this {
    this.#port?.ref();
    return this;
  }

  unref(): this {
    this.#port?.unref();
    return this;
  }

  async #send(bytes: Uint8Array, to?: { readonly host: string; readonly port: number }): Promise<void> {
    if (to === undefined) return this.#port!.send(bytes);
    const [address] = await this.#network.resolve(to.host);
    this.#port!.send(bytes, { address: address!, port: to.port });
  }
}

const familyOf = (address: string): "IPv4" | "IPv6" => (address.includes(":") ? "IPv6" : "IPv4");

function infoOf({ address, port }: SocketAddress, size: number): RemoteInfo {
  return { address, family: familyOf(address), port, size };
}
