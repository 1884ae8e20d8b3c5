import type { Host, SocketAddress } from "../../../contract/index.js";
import {
  Boxes,
  type CurveCpClientOptions,
  type CurveCpListener,
  type CurveCpServerOptions,
  type CurveCpSession,
  connect,
  type KeyPair,
  listen,
} from "../../../protocols/curvecp/index.js";

const loopback: SocketAddress = { address: "127.0.0.1", port: 0 };

/** A server of ours that echoes, and what it saw. */
export interface Echo extends AsyncDisposable {
  readonly identity: KeyPair;
  readonly listener: CurveCpListener;
  readonly accepted: CurveCpSession[];
  /** The first that comes. */
  readonly session: Promise<CurveCpSession>;
}

/** Two ends over loopback. */
export class CurveCpStage {
  readonly host: Host;
  readonly #boxes: Boxes;

  constructor(host: Host) {
    this.host = host;
    this.#boxes = new Boxes(host.crypto);
  }

  newKeyPair(): KeyPair {
    return this.#boxes.newKeyPair(this.host.entropy);
  }

  async echo(options: Partial<CurveCpServerOptions> = {}): Promise<Echo> {
    const identity = this.newKeyPair();
    const accepted: CurveCpSession[] = [];
    let came!: (session: CurveCpSession) => void;
    const session = new Promise<CurveCpSession>((resolve) => (came = resolve));
    const listener = await listen(this.host, loopback, { identity, ...options }, (next) => {
      accepted.push(next);
      came(next);
      return {
        bytes: (bytes) => void next.write(bytes),
        ended: () => next.finish(),
        drained: () => {},
        closed: () => {},
      };
    });
    return { identity, listener, accepted, session, [Symbol.asyncDispose]: () => listener.close() };
  }

  /** Sends bytes to an echo and answers the session when all have come back right; rejects if they do not. */
  echoed(
    to: Echo,
    bytes: Uint8Array,
    signal: AbortSignal,
    {
      during,
      ...options
    }: Partial<CurveCpClientOptions> & { readonly during?: (session: CurveCpSession) => Promise<unknown> } = {},
  ): Promise<CurveCpSession> {
    const { promise, resolve, reject } = pending<CurveCpSession>();
    let back = 0;
    const session = connect(
      this.host,
      to.listener.local,
      { serverKey: to.identity.publicKey, ...options },
      {
        bytes: (got) => {
          for (const byte of got) if (byte !== bytes[back++]) reject(new Error(`byte ${back - 1} came back wrong`));
        },
        ended: () => {
          if (back === bytes.length) resolve(session);
          else reject(new Error(`${back} bytes came back`));
        },
        drained: () => {},
        closed: (failure) => reject(failure ?? new Error("closed early")),
      },
    );
    const stop = (): void => {
      session.abort();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    const half = bytes.length >> 1;
    session.write(bytes.subarray(0, half));
    const second = async (): Promise<void> => {
      if (during !== undefined) {
        await session.confirmed;
        await during(session);
      }
      session.write(bytes.subarray(half));
      session.finish();
    };
    second().catch(reject);
    return promise.finally(() => signal.removeEventListener("abort", stop));
  }
}

function pending<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
