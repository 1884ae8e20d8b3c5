import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { DtlsSocket } from "../../../src/adapters/dtls/index.js";
import { Secret } from "../../../src/contract/index.js";

const psk = (identity: string, byte = 7) => ({
  identity: new TextEncoder().encode(identity),
  key: new Secret(new Uint8Array(16).fill(byte)),
});

async function bound(): Promise<DtlsSocket> {
  const server = new DtlsSocket({ server: { psks: [psk("lamp"), psk("radio")] } });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

test("it looks like a dgram socket: many clients on one bound socket, each answered at its address", async () => {
  const server = await bound();
  const { port } = server.address();
  server.on("message", (bytes, from) => server.send(`${bytes}!`, from.port, from.address));
  const clients = ["lamp", "radio"].map((name) => new DtlsSocket({ client: { psks: [psk(name)] } }));
  for (const [i, client] of clients.entries()) {
    client.send(`from ${i}`, port);
    const [bytes, from] = (await once(client, "message")) as [Buffer, { readonly port: number }];
    assert.equal(String(bytes), `from ${i}!`);
    assert.equal(from.port, port);
  }
  for (const socket of [...clients, server]) {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  }
});

test("what cannot be sent is the callback's error: too long, nobody to send it to, a key that nobody knows", async () => {
  const server = await bound();
  const { port } = server.address();
  const sent = (socket: DtlsSocket, bytes: Uint8Array) =>
    new Promise<Error | null>((resolve) => socket.send(bytes, port, "127.0.0.1", resolve));
  const client = new DtlsSocket({ client: { psks: [psk("lamp")] } });
  assert.equal(await sent(client, new Uint8Array(10)), null);
  assert.match((await sent(client, new Uint8Array(5_000)))?.message ?? "", /at most 1\d\d\d bytes/);
  const mute = new DtlsSocket({});
  assert.match((await sent(mute, new Uint8Array(1)))?.message ?? "", /no session/);
  const stranger = new DtlsSocket({ client: { psks: [psk("fridge")] } });
  assert.ok((await sent(stranger, new Uint8Array(1))) instanceof Error);
  for (const socket of [client, stranger, server]) socket.close();
});
