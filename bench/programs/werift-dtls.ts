import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { PemIdentity } from "./implementation.js";

/** What of werift's DTLS is used here; it is installed beside, not with the package (bench/README.md). */
interface WeriftEvent {
  subscribe(call: (...args: never[]) => void): unknown;
}
interface WeriftSocket {
  readonly onConnect: WeriftEvent;
  readonly onData: WeriftEvent;
  readonly onError: WeriftEvent;
  send(bytes: Buffer): Promise<void>;
  connect(): Promise<void>;
  close(): void;
}
interface Werift {
  readonly DtlsClient: new (options: object) => WeriftSocket;
  readonly DtlsServer: new (options: object) => WeriftSocket;
}

const peers = new URL("../../../bench/peers/", import.meta.url);
const home = new URL("node_modules/werift-dtls/", peers);

/** Its version; undefined if it is not installed. */
export function weriftVersion(): string | undefined {
  const path = new URL("package.json", home);
  if (!existsSync(path)) return undefined;
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

const load = (): Werift => createRequire(new URL("package.json", peers))("werift-dtls/lib/dtls/src") as Werift;

/** The transport that it wants: one socket, one peer. */
async function transport(port: number | undefined) {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  let remote = port;
  const made = {
    type: "udp",
    address: { address: "127.0.0.1", port: socket.address().port },
    onData: (_: Buffer, __: unknown) => {},
    send: (bytes: Buffer) =>
      new Promise<void>((sent, failed) =>
        socket.send(bytes, remote, "127.0.0.1", (error) => (error ? failed(error) : sent())),
      ),
    close: async () => void socket.close(),
    closed: false,
  };
  socket.on("message", (bytes, from) => {
    // It serves one client; another handshake comes from another port.
    remote = from.port;
    made.onData(bytes, [from.address, from.port]);
  });
  return made;
}

const signatureHash = { signature: 3, hash: 4 };

/** A server for one client after the other: each new port gets a server object of its own. */
export async function weriftServer({ chain, key }: PemIdentity, received: () => void): Promise<number> {
  const { DtlsServer } = load();
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const flows = new Map<number, { onData: (bytes: Buffer, from: unknown) => void }>();
  socket.on("message", (bytes, from) => {
    let flow = flows.get(from.port);
    if (flow === undefined) {
      flow = {
        onData: () => {},
        ...{
          type: "udp",
          address: from,
          closed: false,
          send: (answer: Buffer) =>
            new Promise<void>((sent, failed) =>
              socket.send(answer, from.port, from.address, (error) => (error ? failed(error) : sent())),
            ),
          close: async () => void flows.delete(from.port),
        },
      };
      flows.set(from.port, flow);
      const server = new DtlsServer({ cert: chain, key, signatureHash, transport: flow, extendedMasterSecret: true });
      server.onData.subscribe(received);
    }
    flow.onData(bytes, [from.address, from.port]);
  });
  return socket.address().port;
}

export async function weriftClient(port: number): Promise<WeriftSocket> {
  const { DtlsClient } = load();
  const client = new DtlsClient({ transport: await transport(port), extendedMasterSecret: true });
  const connected = new Promise<void>((resolve, reject) => {
    client.onConnect.subscribe(resolve);
    client.onError.subscribe(reject as never);
  });
  await client.connect();
  await connected;
  return client;
}
