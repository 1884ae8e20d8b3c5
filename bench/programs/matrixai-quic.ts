import { createHmac, randomFillSync, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  applicationProtocol,
  askedFor,
  filling,
  type QuicImplementation,
  type QuicLink,
  question,
} from "./quic-implementation.js";

/** As much of @matrixai/quic as is used here; its types come with it, and it is not among our dependencies. */
interface Matrixai {
  readonly QUICServer: new (
    options: object,
  ) => {
    start(options: object): Promise<void>;
    addEventListener(name: string, call: (event: { readonly detail: MatrixaiConnection }) => void): void;
    readonly port: number;
  };
  readonly QUICClient: {
    createQUICClient(options: object): Promise<{
      readonly connection: MatrixaiConnection;
      destroy(options: object): Promise<void>;
    }>;
  };
  readonly events: {
    readonly EventQUICServerConnection: { readonly name: string };
    readonly EventQUICConnectionStream: { readonly name: string };
  };
}
interface MatrixaiConnection {
  newStream(): MatrixaiStream;
  addEventListener(name: string, call: (event: { readonly detail: MatrixaiStream }) => void): void;
}
interface MatrixaiStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

const folder = new URL("../../../bench/peers/node_modules/", import.meta.url);
const load = async <T>(name: string): Promise<T> => (await import(new URL(`${name}/dist/index.js`, folder).href)) as T;

/** Its version, if `npm install --prefix bench/peers --ignore-scripts` has been done. */
export function matrixaiVersion(): string | undefined {
  try {
    const manifest = readFileSync(new URL("@matrixai/quic/package.json", folder), "utf8");
    return (JSON.parse(manifest) as { version: string }).version;
  } catch {
    return undefined;
  }
}

const config = {
  verifyPeer: false,
  applicationProtos: [applicationProtocol],
  initialMaxData: 16 << 20,
  initialMaxStreamDataBidiLocal: 16 << 20,
  initialMaxStreamDataBidiRemote: 16 << 20,
  initialMaxStreamsBidi: 2_000,
};

async function loaded() {
  const quic = await load<Matrixai>("@matrixai/quic");
  const { default: Logger, LogLevel } = await load<{
    default: new (name: string, level: unknown, handlers: readonly unknown[]) => unknown;
    LogLevel: { readonly SILENT: unknown };
  }>("@matrixai/logger");
  return { quic, logger: new Logger("bench", LogLevel.SILENT, []) };
}

export const matrixaiQuic: QuicImplementation = {
  name: "@matrixai/quic",
  async serve({ chain, key }) {
    const { quic, logger } = await loaded();
    const server = new quic.QUICServer({
      logger,
      config: { ...config, cert: chain, key },
      crypto: {
        key: new Uint8Array(32).fill(1).buffer,
        ops: {
          sign: async (secret: ArrayBuffer, data: ArrayBuffer) => hmac(secret, data),
          verify: async (secret: ArrayBuffer, data: ArrayBuffer, sum: ArrayBuffer) =>
            timingSafeEqual(new Uint8Array(hmac(secret, data)), new Uint8Array(sum)),
        },
      },
    });
    server.addEventListener(quic.events.EventQUICServerConnection.name, ({ detail: connection }) =>
      connection.addEventListener(quic.events.EventQUICConnectionStream.name, ({ detail: stream }) => {
        void answer(stream).catch(() => undefined);
      }),
    );
    await server.start({ host: "127.0.0.1", port: 0 });
    return server.port;
  },

  async connect(port) {
    const { quic, logger } = await loaded();
    const client = await quic.QUICClient.createQUICClient({
      host: "127.0.0.1",
      port,
      localHost: "127.0.0.1",
      logger,
      crypto: { ops: { randomBytes: async (into: ArrayBuffer) => void randomFillSync(new Uint8Array(into)) } },
      config,
    });
    return new Link(client.connection, () => void client.destroy({ force: true }).catch(() => undefined));
  },
};

class Link implements QuicLink {
  readonly #connection: MatrixaiConnection;
  readonly close: () => void;

  constructor(connection: MatrixaiConnection, close: () => void) {
    this.#connection = connection;
    this.close = close;
  }

  async ask(bytes: number): Promise<void> {
    const { readable, writable } = this.#connection.newStream();
    const writer = writable.getWriter();
    await writer.write(question(bytes));
    await writer.close();
    let left = bytes;
    for await (const piece of readable) left -= piece.length;
    if (left !== 0) throw new Error(`${left} bytes are missing`);
  }
}

async function answer({ readable, writable }: MatrixaiStream): Promise<void> {
  const asked: number[] = [];
  for await (const piece of readable) asked.push(...piece);
  const writer = writable.getWriter();
  for (let left = askedFor(Uint8Array.from(asked)); left > 0; left -= filling.length) {
    await writer.write(filling.subarray(0, Math.min(filling.length, left)));
  }
  await writer.close();
}

function hmac(secret: ArrayBuffer, data: ArrayBuffer): ArrayBuffer {
  const sum = createHmac("sha256", new Uint8Array(secret)).update(new Uint8Array(data)).digest();
  return Uint8Array.from(sum).buffer;
}
