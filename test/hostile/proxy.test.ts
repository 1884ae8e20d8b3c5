import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { handshakeMs } from "../../src/adapters/forward/limits.js";
import { ProxyServer } from "../../src/adapters/index.js";
import { plainWay } from "../support/way.js";

async function proxy(options?: ConstructorParameters<typeof ProxyServer>[1]) {
  const server = new ProxyServer(plainWay, options);
  const { port } = await server.listen(0, "127.0.0.1");
  return {
    server,
    dial: async (): Promise<Socket> => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.on("error", () => {}).resume();
      await once(socket, "connect");
      return socket;
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Gives both ends the turns that they need. */
async function turns(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 100_000 && !isSo(); i++) await setImmediate();
  assert.ok(isSo());
}

const http = (text: string): Uint8Array => Buffer.from(text);
const [greeting, bind] = [Uint8Array.of(5, 1, 0), Uint8Array.of(5, 2, 0, 1, 127, 0, 0, 1, 0, 80)];
const slow: Readonly<Record<string, readonly Uint8Array[]>> = {
  "say nothing": [],
  "stop in the middle of a SOCKS greeting": [Uint8Array.of(5)],
  "stop in the middle of a SOCKS request": [greeting, Uint8Array.of(5, 1, 0)],
  "do not hang up when they were refused": [greeting, bind],
  "offer no method that will do": [Uint8Array.of(5, 1, 2)],
  "stop in the middle of a request line": [http("GE")],
  "stop in the middle of HTTP's headers": [http("GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\nX: ")],
  "do not hang up when CONNECT was refused": [http("CONNECT nowhere HTTP/1.1\r\nHost: nowhere\r\n\r\n")],
  "are slow with a second request": [http("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), http("GET / HT")],
};
for (const [what, pieces] of Object.entries(slow)) {
  test(`clients that ${what} are hung up on when their time is over`, async (t: TestContext) => {
    await using all = await proxy();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const socket = await all.dial();
    for (const piece of pieces) {
      const before = socket.bytesRead;
      socket.write(piece);
      if (piece !== pieces.at(-1)) await turns(() => socket.bytesRead > before);
    }
    await turns(() => all.server.clients === 1);
    for (let i = 0; i < 200; i++) await setImmediate();
    assert.equal(all.server.clients, 1, "there is time");
    t.mock.timers.tick(handshakeMs + 1);
    await turns(() => all.server.clients === 0);
    t.mock.timers.reset();
    socket.destroy();
  });
}

test("three hundred clients at once that send rubbish leave nothing behind, and the next is served", async () => {
  await using all = await proxy();
  const rubbish = Array.from({ length: 300 }, (_, i) => {
    const bytes = Buffer.alloc(2_000 + i);
    for (let at = 0; at < bytes.length; at++) bytes[at] = (Math.imul(at + 1, i + 7) >>> 3) & 255;
    if (i % 3 === 0) bytes[0] = 5;
    return bytes;
  });
  await Promise.all(
    rubbish.map(async (bytes) => {
      const socket = await all.dial();
      socket.write(bytes);
      socket.end();
      if (!socket.closed) await once(socket, "close");
    }),
  );
  await turns(() => all.server.clients === 0);
  const echo = createServer((socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const { port } = echo.address() as AddressInfo;
  const socket = await all.dial();
  socket.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255, 42));
  await turns(() => socket.bytesRead === 2 + 10 + 1);
  socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});

test("who tries passwords is refused each time, by SOCKS and by HTTP, and gets nothing else", async () => {
  await using all = await proxy({ credentials: { user: "u", password: "right" } });
  for (const password of ["", "wrong", "righ", "right\0", "x".repeat(255)]) {
    const socket = await all.dial();
    const said: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => said.push(chunk));
    const closed = once(socket, "end");
    socket.write(Buffer.from([5, 1, 2, 1, 1, 117, password.length, ...Buffer.from(password)]));
    // What follows a wrong password is not heard.
    socket.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, 0, 80));
    await closed;
    assert.deepEqual([...Buffer.concat(said)], [5, 2, 1, 1], JSON.stringify(password));
    socket.destroy();
  }
  const socket = await all.dial();
  const answered = once(socket, "data") as Promise<[Buffer]>;
  socket.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic dTp3cm9uZw==\r\n\r\n");
  const [answer] = await answered;
  assert.match(answer.toString(), /^HTTP\/1\.1 407 /);
  socket.destroy();
});
