import assert from "node:assert/strict";
import { createServer as createHttpServer, get } from "node:http";
import { createServer as createHttpsServer, get as secureGet } from "node:https";
import { connect as connectSocket, createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { Pool } from "pg";
import { Agent, fetch } from "undici";
import { WebSocket, WebSocketServer } from "ws";
import {
  ConnectionSocket,
  dialer,
  httpAgent,
  pgStream,
  toSocket,
  toWebStreams,
  undiciConnector,
} from "../../src/adapters/index.js";
import { dial, serve, transportServices } from "../../src/index.js";
import { startPostgres } from "../support/postgres.js";
import { vouchedForAt } from "../support/taps.js";

const { pem, root, identity } = vouchedForAt(Date.now(), "localhost", "127.0.0.1");
const trusting = dialer(transportServices(), { security: { trust: [root] } });

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { readonly port: number }).port;
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve));

test("pg talks to a real PostgreSQL through our sockets, in cleartext and through our TLS on both ends", async () => {
  const postgres = await startPostgres();
  // TLS in front of the server, ours: each Connection is passed on to PostgreSQL.
  const front = await serve(
    "tls://127.0.0.1:0",
    async (connection) => {
      const client = toSocket(connection);
      const behind = connectSocket(postgres.port, "127.0.0.1");
      client.pipe(behind).pipe(client);
      await new Promise((resolve) => behind.once("close", resolve));
    },
    { identity, alpn: ["postgresql"] },
  );
  try {
    for (const [port, isSecure] of [
      [postgres.port, false],
      [front.port, true],
    ] as const) {
      const pool = new Pool({
        host: "127.0.0.1",
        port,
        user: "sealport",
        database: "postgres",
        max: 4,
        stream: pgStream(trusting, { isSecure }) as () => Duplex,
      });
      const big = "x".repeat(1_000_000);
      const rows = await Promise.all(
        Array.from(
          { length: 20 },
          async (_, i) => (await pool.query("select $1::int as i, length($2) as l", [i, big])).rows[0],
        ),
      );
      assert.deepEqual(rows[19], { i: 19, l: 1_000_000 });
      const { rows: many } = await pool.query("select g from generate_series(1, 20000) g");
      assert.equal(many.length, 20_000);
      await pool.end();
    }
  } finally {
    await front.close();
    await postgres.stop();
  }
});

test("pg is told in Node's words when nobody listens", async () => {
  const server = createServer();
  const port = await portOf(server);
  await closed(server);
  const pool = new Pool({ host: "127.0.0.1", port, stream: pgStream(trusting) as () => Duplex });
  await assert.rejects(pool.query("select 1"), (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED");
  await pool.end();
});

test("undici's fetch goes through our Connections to node:http and node:https, and keeps them alive", async () => {
  let connections = 0;
  const bodyBack = (request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => {
    request.pipe(response);
  };
  const plain = createHttpServer(bodyBack);
  const secured = createHttpsServer({ cert: pem.cert, key: pem.key }, bodyBack);
  secured.on("secureConnection", () => connections++);
  const [http, https] = [await portOf(plain), await portOf(secured)];
  const dispatcher = new Agent({ connect: undiciConnector(trusting) as never, connections: 1 });
  const body = "payload ".repeat(50_000);
  for (const url of [`http://127.0.0.1:${http}/`, `https://localhost:${https}/`, `https://127.0.0.1:${https}/`]) {
    const response = await fetch(url, { method: "POST", body, dispatcher });
    assert.equal(await response.text(), body);
  }
  const again = await fetch(`https://localhost:${https}/`, { method: "POST", body: "again", dispatcher });
  assert.equal(await again.text(), "again");
  assert.equal(connections, 2);
  await dispatcher.close();
  await Promise.all([closed(plain), closed(secured)]);
});

test("node's http and https take our agents", async () => {
  const plain = createHttpServer((_, response) => response.end("plain"));
  const secured = createHttpsServer({ cert: pem.cert, key: pem.key }, (_, response) => response.end("secured"));
  const [http, https] = [await portOf(plain), await portOf(secured)];
  const read = (request: typeof get, url: string, agent: import("node:http").Agent) =>
    new Promise<string>((resolve, reject) => {
      const asked = request(url, { agent }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString())).on("end", () => resolve(text));
      });
      asked.on("error", reject);
    });
  const open = httpAgent(trusting);
  const closedUp = httpAgent(trusting, { isSecure: true, keepAlive: true });
  assert.equal(await read(get, `http://127.0.0.1:${http}/`, open), "plain");
  assert.equal(await read(secureGet as typeof get, `https://localhost:${https}/`, closedUp), "secured");
  assert.equal(await read(secureGet as typeof get, `https://localhost:${https}/`, closedUp), "secured");
  closedUp.destroy();
  await Promise.all([closed(plain), closed(secured)]);
});

test("ws opens a WebSocket over our TLS", async () => {
  const server = createHttpsServer({ cert: pem.cert, key: pem.key });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  const port = await portOf(server);
  const client = new WebSocket(`wss://localhost:${port}/`, {
    createConnection: () => {
      const socket = new ConnectionSocket((_, signal) =>
        trusting({ host: "localhost", port, isSecure: true, alpn: ["http/1.1"] }, { signal }),
      );
      return socket.connect({ port, host: "localhost" }) as never;
    },
  });
  const echoed = new Promise((resolve) => client.once("message", (data) => resolve(String(data))));
  client.once("open", () => client.send("over TLS of our own"));
  assert.equal(await echoed, "over TLS of our own");
  client.close();
  await new Promise((resolve) => client.once("close", resolve));
  sockets.close();
  await closed(server);
});

test("WHATWG streams carry a Connection's bytes both ways and end with it", async () => {
  const server = await serve("tcp://127.0.0.1:0", async (connection) => {
    const { readable, writable } = toWebStreams(connection);
    await readable.pipeTo(writable);
  });
  const connection = await dial(`tcp://127.0.0.1:${server.port}`);
  const { readable, writable } = toWebStreams(connection);
  const sent = new Uint8Array(300_000).map((_, i) => i);
  const writing = new Blob([sent]).stream().pipeTo(writable);
  const received = new Uint8Array(await new Response(readable).arrayBuffer());
  await writing;
  assert.deepEqual(received, sent);
  await connection.close();
  await server.close();
});

test("await using closes a Connection, and an aborted signal aborts one that is being made", async () => {
  const server = await serve("tcp://127.0.0.1:0", async (connection) => {
    for await (const _ of connection);
  });
  let kept: Awaited<ReturnType<typeof dial>>;
  {
    await using connection = await dial(`tcp://127.0.0.1:${server.port}`);
    kept = connection;
    assert.equal(connection.state, "established");
  }
  assert.equal(kept.state, "closed");
  const abort = new AbortController();
  // An address that never answers: TEST-NET-1, RFC 5737.
  const dialling = dial("tcp://192.0.2.1:9", { signal: abort.signal });
  abort.abort(new Error("changed my mind"));
  await assert.rejects(dialling, /aborted locally/);
  await server.close();
});
