import type { Host, SocketAddress } from "../../../contract/index.js";
import {
  connect,
  listen,
  type TcpcryptClientOptions,
  type TcpcryptOptions,
  type TcpcryptSession,
} from "../../../protocols/tcpcrypt/index.js";
import { newKeys } from "../../../protocols/wireguard/index.js";
import { openWireGuard, type WireGuardTunnel } from "../../../tunnels/index.js";

const inside = { client: "10.67.0.1", server: "10.67.0.2" } as const;

/** A passive opener that echoes. */
export interface Echo extends AsyncDisposable {
  readonly remote: SocketAddress;
  readonly accepted: TcpcryptSession[];
  /** Whether each stream ended authentically. */
  readonly ends: string[];
  /** Bytes that it delivered. */
  readonly delivered: number;
}

export interface EchoedOptions extends TcpcryptClientOptions {
  readonly during?: (session: TcpcryptSession) => Promise<unknown> | unknown;
}

/** Two ends whose TCP is ours: inside a WireGuard tunnel over loopback, where root is not needed. */
export class TcpcryptStage implements Disposable {
  readonly host: Host;
  readonly #client: WireGuardTunnel;
  readonly #server: WireGuardTunnel;

  static async open(host: Host): Promise<TcpcryptStage> {
    const [ours, theirs] = [newKeys(host), newKeys(host)];
    const server = await openWireGuard(
      host,
      `[Interface]\nPrivateKey = ${theirs.privateKey}\nAddress = ${inside.server}/32
       [Peer]\nPublicKey = ${ours.publicKey}\nAllowedIPs = ${inside.client}/32`,
    );
    const client = await openWireGuard(
      host,
      `[Interface]\nPrivateKey = ${ours.privateKey}\nAddress = ${inside.client}/32
       [Peer]\nPublicKey = ${theirs.publicKey}\nAllowedIPs = ${inside.server}/32\nEndpoint = 127.0.0.1:${server.local.port}`,
    );
    return new TcpcryptStage(host, client, server);
  }

  private constructor(host: Host, client: WireGuardTunnel, server: WireGuardTunnel) {
    this.host = host;
    this.#client = client;
    this.#server = server;
  }

  [Symbol.dispose](): void {
    this.#client.close();
    this.#server.close();
  }

  async echo(options: TcpcryptOptions = {}): Promise<Echo> {
    const accepted: TcpcryptSession[] = [];
    const ends: string[] = [];
    const network = this.#server.network;
    const local = { address: inside.server, port: 0 };
    let delivered = 0;
    const listener = await listen(
      this.host,
      local,
      options,
      (session) => {
        accepted.push(session);
        return {
          bytes: (bytes) => {
            delivered += bytes.length;
            session.write(bytes);
          },
          ended: () => {
            ends.push("FINp");
            session.finish();
          },
          drained: () => {},
          closed: (failure) => {
            if (failure !== undefined) ends.push((failure as { readonly reason: string }).reason);
          },
        };
      },
      { network },
    );
    return {
      remote: { address: inside.server, port: listener.local.port },
      accepted,
      ends,
      get delivered() {
        return delivered;
      },
      [Symbol.asyncDispose]: () => listener.close(),
    };
  }

  /** Sends bytes to an echo and answers the session when all have come back right; rejects if they do not. */
  echoed(
    remote: SocketAddress,
    bytes: Uint8Array,
    signal: AbortSignal,
    options: EchoedOptions = {},
  ): Promise<TcpcryptSession> {
    const { during, ...init } = options;
    return new Promise((resolve, reject) => {
      let back = 0;
      let hasEnded = false;
      const network = this.#client.network;
      const stop = (): void => {
        session.abort();
        reject(signal.reason);
      };
      const session = connect(
        this.host,
        remote,
        init,
        {
          bytes: (got) => {
            for (const byte of got) if (byte !== bytes[back++]) reject(new Error(`byte ${back - 1} came back wrong`));
          },
          ended: () => {
            hasEnded = true;
          },
          drained: () => {},
          closed: (failure) => {
            signal.removeEventListener("abort", stop);
            if (failure !== undefined) reject(failure);
            else if (hasEnded && back === bytes.length) resolve(session);
            else reject(new Error(`${back} bytes came back`));
          },
        },
        { network },
      );
      signal.addEventListener("abort", stop, { once: true });
      const talk = async (): Promise<void> => {
        await session.confirmed;
        session.write(bytes.subarray(0, bytes.length >> 1));
        await during?.(session);
        session.write(bytes.subarray(bytes.length >> 1));
        session.finish();
      };
      talk().catch(reject);
    });
  }

  now(): number {
    return this.host.now();
  }
}
