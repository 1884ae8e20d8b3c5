import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import {
  type AcceptSession,
  byProtocol,
  fileHandlers,
  type Http3Handler,
  hqServer,
  http3Server,
  Origin,
} from "../../src/adapters/http3/index.js";
import { clientSecurity, serverSecurity } from "../../src/adapters/quic/index.js";
import type { Failure, SessionStreamSink } from "../../src/contract/index.js";
import {
  connect,
  listen,
  type QuicClientOptions,
  type QuicListener,
  type QuicOutcome,
  type QuicServerOptions,
  type QuicSession,
  type QuicSink,
  type QuicStream,
} from "../../src/protocols/quic/index.js";
import { MemorySessionStore, type SessionStore } from "../../src/protocols/tls/index.js";
import { host, ourIdentity } from "./ours.js";
import { authority, der } from "./peers/index.js";

/** How long any one thing may take, in milliseconds; a test that needs longer is broken. */
const patienceMs = 60_000;

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export interface OurQuic {
  readonly alpn?: string;
  readonly address?: string;
  readonly sessions?: SessionStore;
  readonly keyLogPath?: string;
  readonly options?: Partial<QuicClientOptions>;
}

/** The options of our clients: the run's authority is trusted, and the server is localhost. */
export function ourOptions({ alpn = "echo", sessions, keyLogPath, options }: OurQuic): QuicClientOptions {
  return {
    ...clientSecurity(host, [alpn], "localhost", {
      trust: der(authority()),
      ...(sessions !== undefined && { sessions }),
    }),
    ...(keyLogPath !== undefined && {
      keyLog: (line: string) => appendFileSync(keyLogPath, `${line}\n`, { mode: 0o600 }),
    }),
    ...options,
  };
}

/** Our client on streams and datagrams, with what it was told. */
export class OurClient implements QuicSink, AsyncDisposable {
  readonly session: QuicSession;
  readonly told: string[] = [];
  readonly datagrams: Uint8Array[] = [];
  readonly over: Promise<Failure | undefined>;
  #end!: (failure: Failure | undefined) => void;
  #wake: (() => void)[] = [];

  constructor(port: number, ours: OurQuic = {}) {
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.session = connect(host, { address: ours.address ?? "127.0.0.1", port }, ourOptions(ours), this);
  }

  /** The agreement; rejects with what prevented it. */
  outcome(): Promise<QuicOutcome> {
    return within(this.session.confirmed, "the handshake");
  }

  /** Sends these bytes on a stream of their own; resolves with what came back, to its end. */
  echo(bytes: Uint8Array, early = false): Promise<Uint8Array> {
    const back = new Promise<Uint8Array>((resolve, reject) => {
      const pieces: Uint8Array[] = [];
      const stream = this.session.openStream(
        {
          bytes: (piece) => pieces.push(piece),
          ended: () => resolve(Buffer.concat(pieces)),
          drained: () => undefined,
          peerReset: (code) => reject(new Error(`the stream was reset with ${code}`)),
          closed: (failure) => reject(failure ?? new Error("the stream ended before the answer had")),
        },
        { early },
      );
      stream.write(bytes);
      stream.finish();
    });
    return within(back, `the echo of ${bytes.length} bytes`);
  }

  async tells(what: string, times = 1): Promise<void> {
    const all = (async () => {
      while (this.told.filter((each) => each === what).length < times) {
        await new Promise<void>((wake) => this.#wake.push(wake));
      }
    })();
    await within(all, `${what}; it told ${this.told.join(", ")}`);
  }

  async close(): Promise<void> {
    this.session.close();
    await within(this.over, "the end of the session");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.abort();
    await this.over;
  }

  stream(): undefined {}

  datagram(bytes: Uint8Array): void {
    this.datagrams.push(bytes);
    this.#tell("datagram");
  }

  earlyData(status: "accepted" | "rejected"): void {
    this.#tell(`early data ${status}`);
  }

  ticket(): void {
    this.#tell("ticket");
  }

  keyUpdated(direction: "read" | "write", byPeer: boolean): void {
    this.#tell(`new keys to ${direction}${byPeer ? " by peer" : ""}`);
  }

  moved(): void {
    this.#tell("moved");
  }

  closed(failure?: Failure): void {
    this.#tell("closed");
    this.#end(failure);
  }

  #tell(what: string): void {
    this.told.push(what);
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Our client of files by h3 or hq-interop. */
export function ourOrigin(port: number, ours: OurQuic): Origin {
  return new Origin(host, { address: ours.address ?? "127.0.0.1", port }, `localhost:${port}`, ourOptions(ours));
}

export async function fetched(origin: Origin, path: string): Promise<Uint8Array> {
  const get = (async () => (await origin.ask(path)).body.bytes())();
  return within(get, path);
}

export interface OurServerSetup {
  readonly www?: string;
  readonly address?: string;
  readonly keyLogPath?: string;
  readonly options?: Partial<QuicServerOptions>;
}

/** Our server: `echo` gives streams and datagrams back, `hq-interop` and `h3` serve files, and h3 hashes what is posted. */
export class OurQuicServer implements AsyncDisposable {
  readonly port: number;
  readonly sessions: QuicSession[] = [];
  /** What was told of all sessions, in order. */
  readonly told: string[] = [];
  readonly outcomes: QuicOutcome[] = [];
  readonly #listener: QuicListener;

  static async start({
    www = "/nowhere",
    address = "127.0.0.1",
    keyLogPath,
    options,
  }: OurServerSetup = {}): Promise<OurQuicServer> {
    const files = fileHandlers(www);
    const posts: Http3Handler = async (request) => {
      if (request.method !== "POST") return files.http3(request);
      const hash = createHash("sha256");
      let size = 0;
      for await (const piece of request.body) {
        hash.update(piece);
        size += piece.length;
      }
      return { body: `${size} ${hash.digest("hex")}\n` };
    };
    const accept = byProtocol({
      echo: (session) => new EchoSink(session),
      "hq-interop": hqServer(files.hq),
      h3: http3Server(posts),
    });
    let server: OurQuicServer | undefined;
    const security = serverSecurity(host, ["echo", "hq-interop", "h3"], {
      identity: ourIdentity("p256"),
      earlyData: true,
      quic: {
        datagramFrameMax: 65_535,
        peerBidirectionalStreams: 1_000,
        ...(keyLogPath !== undefined && {
          keyLog: (line: string) => appendFileSync(keyLogPath, `${line}\n`, { mode: 0o600 }),
        }),
        ...options,
      },
    });
    const listener = await listen(host, { address, port: 0 }, security, (session) => server!.#accept(session, accept));
    server = new OurQuicServer(listener);
    return server;
  }

  private constructor(listener: QuicListener) {
    this.#listener = listener;
    this.port = listener.local.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.abort();
    await this.#listener.closeAll();
  }

  #accept(session: QuicSession, accept: AcceptSession): QuicSink {
    this.sessions.push(session);
    const sink = accept(session);
    return {
      ...sink,
      confirmed: (outcome) => {
        this.outcomes.push(outcome);
        sink.confirmed?.(outcome, session);
      },
      keyUpdated: (direction, byPeer) => void this.told.push(`new keys to ${direction}${byPeer ? " by peer" : ""}`),
      moved: (move) => void this.told.push(`moved ${move.whose}`),
    };
  }
}

/** Gives back every stream, each direction at its own pace, and every datagram. */
class EchoSink implements QuicSink {
  readonly #session: QuicSession;

  constructor(session: QuicSession) {
    this.#session = session;
  }

  stream(stream: QuicStream): SessionStreamSink | undefined {
    if (stream.direction === "unidirectional") return undefined;
    return {
      bytes: (bytes) => {
        if (!stream.write(bytes)) stream.pause();
      },
      ended: () => stream.finish(),
      drained: () => stream.resume(),
      closed: () => undefined,
    };
  }

  datagram(bytes: Uint8Array): void {
    this.#session.sendDatagram(bytes);
  }

  closed(): void {}
}

/** Rejects, with what it was about, what takes too long. */
export async function within<T>(promise: Promise<T>, what: string, ms = patienceMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const store = (): MemorySessionStore => new MemorySessionStore();
