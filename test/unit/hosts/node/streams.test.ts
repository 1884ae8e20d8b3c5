import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
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
