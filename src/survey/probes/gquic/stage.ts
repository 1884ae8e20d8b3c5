import type { Host, Identity, SocketAddress } from "../../../contract/index.js";
import { createVerifier } from "../../../pki/index.js";
import {
  connect,
  type GquicClientOptions,
  type GquicListener,
  type GquicOutcome,
  type GquicServerOptions,
  type GquicSession,
  listen,
  trust,
  type VerifyServer,
} from "../../../protocols/gquic/index.js";
import { type Authority, newAuthority } from "../../stage/authority.js";

export const serverName = "survey.test";

/** A server that gives every stream back. */
export interface Echo extends AsyncDisposable {
  readonly listener: GquicListener;
  readonly sessions: GquicSession[];
  /** Streams whose first bytes came before the handshake was over. */
  early: number;
  /** Ends of the peer's directions that were heard, and how sessions ended. */
  ended: number;
  readonly closed: (Error | undefined)[];
}

/** What a client has got back. */
export interface Echoed {
  readonly session: GquicSession;
  readonly outcome: GquicOutcome;
  readonly earlyData: "accepted" | "rejected" | undefined;
}

/** What Google QUIC's probes play on. */
export class GquicStage {
  readonly host: Host;
  readonly authority: Authority;
  readonly verify: VerifyServer;

  constructor(host: Host) {
    this.host = host;
    this.authority = newAuthority(host);
    this.verify = trust(createVerifier({ provider: host.crypto, anchors: [this.authority.certificate] }));
  }

  async echo(options: Partial<GquicServerOptions> = {}, port = 0): Promise<Echo> {
    const identity: Identity = await this.authority.identity(serverName);
    const sessions: GquicSession[] = [];
    const closed: (Error | undefined)[] = [];
    const local: SocketAddress = { address: "127.0.0.1", port };
    const listener = await listen(this.host, local, { identity, ...options }, (session) => {
      sessions.push(session);
      return {
        stream: (stream) => {
          if (stream.early) echo.early++;
          return {
            bytes: (bytes) => void stream.write(bytes),
            ended: () => {
              echo.ended++;
              stream.finish();
            },
            drained: () => undefined,
            closed: () => undefined,
          };
        },
        closed: (failure) => void closed.push(failure),
      };
    });
    const echo: Echo = {
      listener,
      sessions,
      closed,
      early: 0,
      ended: 0,
      [Symbol.asyncDispose]: () => listener.closeAll(),
    };
    return echo;
  }

  /**
   * Sends bytes to an echo and resolves when all have come back right; rejects if they do not.
   * @param during - happens when half of them have been written
   */
  async echoed(
    port: number,
    bytes: Uint8Array,
    signal: AbortSignal,
    options: GquicClientOptions & {
      readonly during?: (session: GquicSession) => Promise<unknown>;
      readonly early?: boolean;
    } = {},
  ): Promise<Echoed> {
    const { during, early = false, ...rest } = options;
    const remote = { address: "127.0.0.1", port };
    let earlyData: Echoed["earlyData"];
    let fail!: (reason: unknown) => void;
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const session = connect(
      this.host,
      remote,
      { serverName, verify: this.verify, ...rest },
      {
        stream: () => undefined,
        earlyData: (status) => {
          earlyData = status;
        },
        closed: (failure) => fail(failure ?? new Error("closed early")),
      },
    );
    const stop = (): void => {
      session.abort();
      fail(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    let back = 0;
    const whole = new Promise<void>((resolve, reject) => {
      const stream = session.openStream(
        {
          bytes: (got) => {
            for (const byte of got) if (byte !== bytes[back++]) reject(new Error(`byte ${back - 1} came back wrong`));
          },
          ended: () => (back === bytes.length ? resolve() : reject(new Error(`${back} bytes came back`))),
          drained: () => undefined,
          closed: () => undefined,
        },
        { early },
      );
      const half = bytes.length >> 1;
      stream.write(bytes.subarray(0, half));
      const second = async (): Promise<void> => {
        if (during !== undefined) {
          await session.confirmed;
          await during(session);
        }
        stream.write(bytes.subarray(half));
        stream.finish();
      };
      second().catch(reject);
    });
    try {
      await Promise.race([whole, failed]);
      return { session, outcome: await session.confirmed, earlyData };
    } finally {
      signal.removeEventListener("abort", stop);
      failed.catch(() => undefined);
      whole.catch(() => undefined);
      // Behind a wire that is gone it would wait for the server's goodbye until it is idle: nobody shall wait for that.
      session.unref();
    }
  }
}
