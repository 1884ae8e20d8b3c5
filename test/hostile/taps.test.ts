import assert from "node:assert/strict";
import { test } from "node:test";
import { disabled, secure, unreliableDatagram } from "../../src/taps/index.js";
import { datagramPeersMax, listenerHandshakesMax, receiveQueueMessagesMax } from "../../src/taps/limits.js";
import { neighbours, serverAddress, vouchedFor } from "../support/taps.js";

const { root, identity } = vouchedFor("server.test");

test("peers that never finish their handshakes are bounded in number and in time, and do not keep others out for long", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({ local: { port: 443 }, security: secure({ identity }) })
        .listen();
      let refused = 0;
      listener.on("softError", ({ reason }) => {
        if (reason === "queue-full") refused++;
      });
      const flood = 300;
      const silent = Array.from({ length: listenerHandshakesMax + flood }, () =>
        both.client.preconnection({ remote: { address: serverAddress, port: 443 }, security: disabled() }).initiate(),
      );
      await Promise.all(silent.map((each) => each.ready.catch(() => {})));
      await wait(both, 100);
      assert.equal(refused, flood);
      // Their time is up, and so is their hold.
      await wait(both, 31_000);
      assert.equal(listener.statistics.failed, listenerHandshakesMax);
      const honest = await both.client.preconnection({ remote: { host: "server.test", port: 443 } }).connect();
      assert.equal(honest.stack, "TLS/TCP");
      honest.abort();
      for (const each of silent) each.abort();
      await listener.stop();
    })(),
  );
});

test("datagrams that nobody reads are dropped and counted, and memory stays bounded", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const parts = { security: disabled(), transport: unreliableDatagram };
      const listener = await both.server.preconnection({ local: { port: 7 }, ...parts }).listen();
      const connection = await both.client
        .preconnection({ remote: { address: serverAddress, port: 7 }, ...parts })
        .connect();
      const extra = 100;
      for (let i = 0; i < receiveQueueMessagesMax + extra; i++) await connection.send(new Uint8Array(1));
      await wait(both, 1_000);
      const accepted = (await listener.accept())!;
      assert.equal(accepted.statistics.datagramsDropped, extra);
      let read = 0;
      while (accepted.tryReceive() !== undefined) read++;
      assert.equal(read, receiveQueueMessagesMax);
      accepted.abort();
      await listener.stop();
    })(),
  );
});

test("a byte stream that nobody reads stops its sender", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security: disabled() }).listen();
      const connection = await both.client
        .preconnection({ remote: { address: serverAddress, port: 7 }, security: disabled() })
        .connect();
      const accepted = (await listener.accept())!;
      let taken = 0;
      for (let i = 0; i < 1_000; i++) {
        while (connection.trySend(new Uint8Array(65_536))) taken += 65_536;
        await wait(both, 10);
      }
      assert.ok(taken < 16 * 1024 * 1024, `${taken} bytes were taken`);
      assert.ok(accepted.statistics.bytesReceived < 8 * 1024 * 1024, `${accepted.statistics.bytesReceived} bytes wait`);
      connection.abort();
      accepted.abort();
    })(),
  );
});

test("a UDP port tells only so many peers apart", async () => {
  const both = neighbours();
  const { network } = both.serverHost;
  const bind = network.bindDatagrams.bind(network);
  let sink: Parameters<typeof bind>[1] | undefined;
  network.bindDatagrams = (local, given, options) => {
    sink = given;
    return bind(local, given, options);
  };
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({ local: { port: 7 }, security: disabled(), transport: unreliableDatagram })
        .listen({ backlog: 10 });
      let refused = 0;
      listener.on("softError", ({ reason }) => {
        if (reason === "queue-full") refused++;
      });
      for (let i = 0; i < datagramPeersMax + 5; i++) {
        const from = { address: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, port: 1 };
        sink!.datagrams(new Uint8Array(1), from, 1, 0);
      }
      // Ten wait; the others found the backlog full and were let go.
      assert.equal(listener.statistics.dropped, datagramPeersMax + 5 - 10);
      assert.equal(refused, datagramPeersMax + 5 - 10);
      await listener.stop();
    })(),
  );
});

function wait({ world, clientHost }: ReturnType<typeof neighbours>, ms: number): Promise<void> {
  return new Promise((resolve) => void clientHost.wakeAt(world.now() + ms, resolve));
}
