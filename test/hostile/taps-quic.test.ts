import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { connect, type QuicStream } from "../../src/protocols/quic/index.js";
import { type Connection, secure, TransportProperties } from "../../src/taps/index.js";
import { streamMessageBytesMax } from "../../src/taps/limits.js";
import { neighbours, serverAddress, vouchedFor } from "../support/taps.js";

const { identity } = vouchedFor("server.test");
const remote = { address: serverAddress, port: 443 };
const security = secure({ allowed: ["QUIC"], alpn: ["test"], identity });

type Act = "open" | "open-one-way" | "write" | "finish" | "reset" | "stop" | "datagram" | "update" | "migrate" | "wait";

const acts: fc.Arbitrary<readonly [Act, number]> = fc.tuple(
  fc.constantFrom<Act>(
    "open",
    "open-one-way",
    "write",
    "finish",
    "reset",
    "stop",
    "datagram",
    "update",
    "migrate",
    "wait",
  ),
  fc.nat(7),
);

const peer = { kind: "raw-public-key", publicKey: identity.publicKey } as const;
const verify = () => ({ trusted: true, publicKey: identity.publicKey, peer }) as const;

const deaf = { bytes() {}, ended() {}, drained() {}, peerReset() {}, peerStopped() {}, closed() {} };

test("whatever a peer does with its streams, each Connection has one end and the Listener goes on (seed 9000)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(acts, { maxLength: 40 }),
      fc.constantFrom("close", "abort", "vanish"),
      fc.boolean(),
      async (schedule, end, messages) => {
        const both = neighbours({ link: { delayMs: 5 } });
        const { world, clientHost } = both;
        const transport = messages
          ? new TransportProperties({ preserveMsgBoundaries: "require", preserveOrder: "none" })
          : new TransportProperties();
        const sleep = (ms: number) =>
          new Promise<void>((resolve) => void clientHost.wakeAt(clientHost.now() + ms, resolve));
        await world.finish(
          (async () => {
            const listener = await both.server.preconnection({ local: { port: 443 }, security, transport }).listen();
            const ends = new Map<Connection, number>();
            listener.on("connectionReceived", (connection) => {
              ends.set(connection, 0);
              const ended = () => void ends.set(connection, ends.get(connection)! + 1);
              connection.on("closed", ended);
              connection.on("connectionError", ended);
            });
            const serving = listener.serve(async (connection) => {
              for await (const { data, final } of connection) await connection.send(data, { final });
            });
            const options = {
              alpn: ["test"],
              serverName: "server.test",
              datagramFrameMax: 1_200,
              idleTimeoutMs: 5_000,
              verify,
            };
            const session = connect(clientHost, remote, options, { stream: () => deaf, closed() {} });
            await session.confirmed;
            const streams: QuicStream[] = [];
            for (const [act, which] of schedule) {
              const stream = streams[which % Math.max(1, streams.length)];
              if (act === "open") streams.push(session.openStream(deaf));
              else if (act === "open-one-way") streams.push(session.openStream(deaf, { direction: "unidirectional" }));
              else if (act === "write") stream?.write(new Uint8Array(which * 1_000));
              else if (act === "finish") stream?.finish();
              else if (act === "reset") stream?.reset(which);
              else if (act === "stop") stream?.stopSending(which);
              else if (act === "datagram") session.sendDatagram(new Uint8Array(which));
              else if (act === "update") session.updateKeys();
              else if (act === "migrate") await session.migrate().catch(() => {});
              else await sleep(which * 10);
            }
            if (end === "close") session.close(7, "enough");
            else if (end === "abort") session.abort();
            else clientHost.setAddresses("eth0", []);
            await sleep(60_000);
            for (const [connection, count] of ends) {
              assert.equal(connection.state, "closed");
              assert.equal(count, 1);
            }
            assert.equal(listener.statistics.failed, 0);
            // Nothing of it is left: the Listener serves who comes next.
            clientHost.setAddresses("eth0", ["192.0.2.1"]);
            const next = connect(clientHost, remote, options, { stream: () => deaf, closed() {} });
            await next.confirmed;
            next.close();
            await listener.stop();
            await serving;
          })(),
        );
      },
    ),
    { seed: 9000, numRuns: 60 },
  );
});

test("a Message that is larger than any may be is given up, and its stream with it", async () => {
  const both = neighbours({ link: { delayMs: 1 } });
  const transport = new TransportProperties({ preserveMsgBoundaries: "require", preserveOrder: "none" });
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 443 }, security, transport }).listen();
      const options = { alpn: ["test"], serverName: "server.test", verify };
      const session = connect(both.clientHost, remote, options, { stream: () => deaf, closed() {} });
      await session.confirmed;
      const accepted = (await listener.accept())!;
      const stopped = new Promise<number>((resolve) => {
        const stream = session.openStream({ ...deaf, peerStopped: resolve }, { direction: "unidirectional" });
        stream.write(new Uint8Array(streamMessageBytesMax + 1));
      });
      assert.equal(await stopped, 0);
      const small = session.openStream(deaf, { direction: "unidirectional" });
      small.write(new Uint8Array(3));
      small.finish();
      assert.equal((await accepted.receive()).data.length, 3);
      session.close();
      await listener.stop();
    })(),
  );
});
