import type { Host, SocketAddress } from "../../../contract/index.js";
import {
  connect,
  type HostIdentity,
  hostIdentity,
  hostSecretSize,
  listen,
  type MinimaltClientOptions,
  type MinimaltListener,
  type MinimaltServerOptions,
  type MinimaltSession,
  type MinimaltStream,
} from "../../../protocols/minimalt/index.js";

const loopback: SocketAddress = { address: "127.0.0.1", port: 0 };

/** A server of ours that echoes, and what it saw. */
export interface Echo extends AsyncDisposable {
  readonly identity: HostIdentity;
  readonly listener: MinimaltListener;
  readonly accepted: MinimaltSession[];
  readonly streams: MinimaltStream[];
  /** How each session ended that did: a failure's reason, or "well". */
  readonly ends: string[];
}

/** Two ends over loopback. */
export class MinimaltStage {
  readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  newIdentity(): HostIdentity {
    return hostIdentity(this.host.crypto, this.host.entropy.fill(new Uint8Array(hostSecretSize)));
  }

  async echo(options: Partial<MinimaltServerOptions> = {}): Promise<Echo> {
    const { identity = this.newIdentity() } = options;
    const accepted: MinimaltSession[] = [];
    const streams: MinimaltStream[] = [];
    const ends: string[] = [];
    const listener = await listen(this.host, loopback, { ...options, identity }, (next) => {
      accepted.push(next);
      return {
        stream(stream) {
          streams.push(stream);
          return {
            bytes: (bytes) => void stream.write(bytes),
            ended: () => stream.finish(),
            drained: () => {},
            closed: () => {},
          };
        },
        closed: (failure) => void ends.push(failure?.reason ?? "well"),
      };
    });
    return { identity, listener, accepted, streams, ends, [Symbol.asyncDispose]: () => listener.close() };
  }

  /** A client's session with an echo, whose record it asks the echo itself for, unless the options say otherwise. */
  client(to: Echo, options: Partial<MinimaltClientOptions> = {}): MinimaltSession {
    const { publicKey: serverKey, box } = to.identity;
    const whole = { serverKey, serverBoxKey: box.publicKey, ...options };
    return connect(this.host, to.listener.local, whole, { stream: () => undefined, closed: () => undefined });
  }

  /** Sends bytes on a connection of their own; resolves when all have come back right, and rejects if they do not. */
  echoed(
    session: MinimaltSession,
    bytes: Uint8Array,
    signal: AbortSignal,
    during: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let back = 0;
      const stop = (): void => {
        session.abort();
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop, { once: true });
      const stream = session.openStream({
        bytes: (got) => {
          for (const byte of got) if (byte !== bytes[back++]) reject(new Error(`byte ${back - 1} came back wrong`));
        },
        ended: () => {},
        drained: () => {},
        closed: (failure) => {
          signal.removeEventListener("abort", stop);
          if (failure !== undefined) reject(failure);
          else if (back === bytes.length) resolve();
          else reject(new Error(`${back} bytes came back`));
        },
      });
      const half = bytes.length >> 1;
      stream.write(bytes.subarray(0, half));
      const second = async (): Promise<void> => {
        await session.confirmed;
        await during();
        stream.write(bytes.subarray(half));
        stream.finish();
      };
      second().catch(reject);
    });
  }
}
