import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { test } from "node:test";
import { nodeNetwork } from "../../../../src/hosts/node/index.js";

test("a stream that is aborted while its end is on the way leaves no descriptor open", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  await new Promise<void>((closed) => {
    const port = nodeNetwork().connectStream(
      { address: "127.0.0.1", port: address.port },
      {
        opened: () => {
          port.finish();
          port.abort();
        },
        bytes: () => {},
        ended: () => {},
        drained: () => {},
        closed: () => closed(),
      },
    );
  });
  server.close();
  server.unref();
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  for (let turns = 0; turns < 200 && sockets() > 0; turns++) await new Promise((turn) => setTimeout(turn, 5));
  assert.equal(sockets(), 0);
});

test("a stream writes at once, without waiting for acknowledgments, unless Nagle's algorithm is asked for", async (context) => {
  const server = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const told = context.mock.method(Socket.prototype, "setNoDelay");
  const { port } = address;
  for (const noDelay of [undefined, true, false]) {
    const options = noDelay === undefined ? {} : { noDelay };
    await new Promise<void>((closed) => {
      const stream = nodeNetwork().connectStream(
        { address: "127.0.0.1", port },
        { opened: () => stream.abort(), bytes: () => {}, ended: () => {}, drained: () => {}, closed: () => closed() },
        options,
      );
    });
  }
  server.close();
  assert.deepEqual(
    told.mock.calls.map(({ arguments: [enabled] }) => enabled),
    [true, true, false],
  );
});
