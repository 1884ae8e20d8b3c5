import assert from "node:assert/strict";
import { test } from "node:test";
import { equal, fromUtf8, utf8 } from "../../../src/bytes/index.js";
import { Secret } from "../../../src/contract/index.js";
import { profiles } from "../../../src/protocols/srtp/index.js";
import { type Connection, dial, secure, serve, unreliableDatagram } from "../../../src/taps/index.js";
import { rtpPacket } from "../../support/rtp.js";
import { neighbours, serverAddress, vouchedFor } from "../../support/taps.js";

const { root, identity } = vouchedFor("server.test");
const echo = async (connection: Connection): Promise<void> => {
  for await (const { data } of connection) if (data.length > 0) await connection.send(data);
};

test("dtls+tcp: DTLS in frames on TCP, many clients on one port, each Message back as it was", () => {
  const both = neighbours({ roots: [root] });
  return both.world.finish(
    (async () => {
      await using _ = await serve(both.server, "dtls+tcp://*:4433", echo, { identity });
      const connections = await Promise.all([1, 2, 3].map(() => dial(both.client, "dtls+tcp://server.test:4433")));
      for (const [i, connection] of connections.entries()) {
        assert.equal(connection.stack, "DTLS/RFC 4571/TCP");
        assert.equal(connection.security?.outcome?.version, "1.3");
        assert.equal(connection.get("preserveMsgBoundaries"), true);
        assert.equal(connection.get("congestionControl"), true);
        for (const size of [1, 700, 1_100]) {
          const sent = `${i} ${"x".repeat(size)}`;
          await connection.send(utf8(sent));
          assert.equal(fromUtf8((await connection.receive()).data), sent);
        }
      }
      await Promise.all(connections.map((connection) => connection.close()));
      assert.ok(connections.every(({ state }) => state === "closed"));
    })(),
  );
});

test("frames are nobody's who has not named them: UDP's DTLS is what is dialled, and neither finds the other", () => {
  const both = neighbours({ roots: [root] });
  return both.world.finish(
    (async () => {
      await using _ = await serve(both.server, "dtls+tcp://*:4433", echo, { identity });
      await using __ = await serve(both.server, "dtls://*:4433", echo, { identity });
      const unnamed = both.client.preconnection({
        remote: { host: "server.test", port: 4433 },
        transport: unreliableDatagram,
        security: secure({ allowed: ["DTLS"] }),
      });
      const { children } = await unnamed.candidates();
      const stacks = children[0]!.children;
      assert.deepEqual(
        stacks.flatMap(({ name, verdict }) => (verdict.state === "excluded" ? [] : [name])),
        ["DTLS/UDP"],
      );
      const connection = await unnamed.connect();
      assert.equal(connection.stack, "DTLS/UDP");
      await connection.close();
      const nobody = dial(both.client, "dtls+tcp://server.test:4434", { timeout: 5_000 });
      await assert.rejects(nobody, { reason: "establishment-failed" });
    })(),
  );
});

test("srtp in frames on TCP: each Message is one packet, under imported keys alone", () => {
  const both = neighbours();
  const profile = "AEAD_AES_128_GCM";
  const key = (seed: number) => ({
    key: new Secret(new Uint8Array(profiles[profile].keySize).fill(seed)),
    salt: new Uint8Array(profiles[profile].saltSize).fill(seed),
  });
  const keys = (send: number, receive: number) =>
    secure({ allowed: ["SRTP"], srtp: { profile, sendKey: key(send), receiveKey: key(receive) } });
  return both.world.finish(
    (async () => {
      const at = { port: 5004, protocol: "RFC 4571" };
      const listener = await both.server
        .preconnection({ local: at, transport: unreliableDatagram, security: keys(2, 1) })
        .listen();
      listener.serve(echo).catch(() => undefined);
      const connection = await both.client
        .preconnection({
          remote: { address: serverAddress, ...at },
          transport: unreliableDatagram,
          security: keys(1, 2),
        })
        .connect();
      assert.equal(connection.stack, "SRTP/RFC 4571/TCP");
      for (const sequence of [1, 2, 3]) {
        const packet = rtpPacket({ sequence, ssrc: 7, payload: new Uint8Array(900).fill(sequence) });
        await connection.send(packet);
        assert.ok(equal((await connection.receive()).data, packet));
      }
      connection.abort();
      await listener.stop();
    })(),
  );
});
