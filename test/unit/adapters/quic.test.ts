import assert from "node:assert/strict";
import { test } from "node:test";
import { QuicConnection } from "../../../src/adapters/quic/index.js";
import { Failure } from "../../../src/contract/index.js";
import { type MemorySession, type PairOptions, sessionPair } from "../../support/stream-pair.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const turns = async (count = 40): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise<void>((go) => setImmediate(go));
};

interface Pair {
  readonly client: QuicConnection;
  readonly server: QuicConnection;
  readonly sessions: { readonly client: MemorySession; readonly server: MemorySession };
}

function pair(options?: PairOptions): Pair {
  const sessions = sessionPair(options);
  const client = new QuicConnection().attach(sessions.client);
  const server = new QuicConnection().attach(sessions.server);
  sessions.client.sink = client.sink;
  sessions.server.sink = server.sink;
  return { client, server, sessions };
}

async function next(transport: QuicConnection) {
  for await (const stream of transport) return stream;
  throw new Error("the connection ended");
}

test("streams come by a loop, and are read and written by loops or by WHATWG streams", async () => {
  const { client, server } = pair({ pieceMax: 3 });
  const ours = client.open();
  await ours.write(bytes("hello "));
  ours.end(bytes("there"));
  const theirs = await next(server);
  assert.deepEqual([theirs.id, theirs.direction, theirs.early], [0, "bidirectional", false]);
  assert.equal(await theirs.text(), "hello there");
  const upper = new TransformStream<Uint8Array, Uint8Array>();
  const written = new Response("general").body!.pipeThrough(upper).pipeTo(theirs.writable);
  assert.equal(await new Response(ours.readable).text(), "general");
  await written;
  assert.equal(await ours.closed, undefined);
  assert.equal(await theirs.closed, undefined);
});

test("one-way streams go both ways, each with its direction", async () => {
  const { client, server } = pair();
  client.open({ direction: "unidirectional" }).end(bytes("up"));
  const up = await next(server);
  assert.equal(up.direction, "unidirectional");
  assert.equal(await up.text(), "up");
  server.open({ direction: "unidirectional" }).end(bytes("down"));
  assert.equal(await (await next(client)).text(), "down");
});

test("who does not read holds the writer back", async () => {
  const { client, server } = pair({ mark: 10_000 });
  const ours = client.open();
  let sent = 0;
  const writing = (async () => {
    for (; sent < 2_000_000; sent += 8_192) await ours.write(new Uint8Array(8_192));
    ours.end();
  })();
  const theirs = await next(server);
  await turns();
  const held = sent;
  assert.ok(held < 300_000, `${held} bytes left`);
  await turns();
  assert.equal(sent, held);
  let got = 0;
  for await (const piece of theirs) got += piece.length;
  await writing;
  assert.equal(got, sent);
});

test("resets and stops carry their codes, and what waits hears of them", async () => {
  const { client, server, sessions } = pair();
  const ours = client.open();
  await ours.write(bytes("x"));
  const theirs = await next(server);
  theirs.stop(7);
  await turns();
  await assert.rejects(ours.write(bytes("y")), (error: unknown) => error instanceof Failure && error.code === 7);
  const reading = ours.read();
  theirs.reset(9);
  await assert.rejects(reading, (error: unknown) => error instanceof Failure && error.code === 9);
  assert.equal(sessions.server.streams.get(0)!.resetWith, 9);
  // By WHATWG streams the reason is the code.
  const second = client.open();
  await second.write(bytes("z"));
  const peer = await next(server);
  await peer.readable.cancel(11);
  await peer.writable.abort(12);
  assert.equal(sessions.server.streams.get(4)!.stoppedWith, 11);
  assert.equal(sessions.server.streams.get(4)!.resetWith, 12);
});

test("leaving a loop early tells the peer to stop; too much text too", async () => {
  const { client, server, sessions } = pair();
  client.open().end(bytes("a long story"));
  for await (const _ of await next(server)) break;
  assert.equal(sessions.server.streams.get(0)!.isInOver, true);
  client.open().end(bytes("a long story"));
  await assert.rejects((await next(server)).text(4), (error: unknown) => error instanceof Failure);
});

test("the end: loops end, or throw what the connection failed of; what is open fails", async () => {
  const good = pair();
  const seen = (async () => {
    let count = 0;
    for await (const _ of good.server) count++;
    return count;
  })();
  good.client.open().end();
  await turns();
  await good.client.close();
  assert.equal(await seen, 1);
  assert.equal(await good.server.closed, undefined);

  const bad = pair();
  const waiting = next(bad.server);
  const stream = bad.client.open();
  await turns();
  await waiting;
  const open = stream.read();
  bad.sessions.server.close(5, "out of order");
  await assert.rejects(open, (error: unknown) => error instanceof Failure);
  assert.equal((await bad.client.closed)?.code, 5);
  await assert.rejects(next(bad.client), (error: unknown) => error instanceof Failure && error.code === 5);
  assert.throws(
    () => bad.client.open(),
    (error: unknown) => error instanceof Failure && error.fault === "misuse",
  );
});

test("a datagram that cannot leave is refused", async () => {
  const { client } = pair();
  assert.equal(client.datagrams.max, 0);
  assert.equal(await client.datagrams.send(bytes("x")), "refused");
});
