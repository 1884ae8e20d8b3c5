import assert from "node:assert/strict";
import { test } from "node:test";
import { equal } from "../../../src/bytes/index.js";
import { Secret } from "../../../src/contract/index.js";
import type { SimulatedHost } from "../../../src/hosts/simulator/index.js";
import { fingerprintOf, sessionIdentity } from "../../../src/protocols/dtls-srtp/index.js";
import { type MasterKey, profiles } from "../../../src/protocols/srtp/index.js";
import {
  type Connection,
  dial,
  EstablishmentError,
  type SecurityInit,
  secure,
  serve,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { rtcpPacket, rtpPacket } from "../../support/rtp.js";
import { clientAddress, neighbours, serverAddress } from "../../support/taps.js";

const profile = "AEAD_AES_128_GCM";
const url = `srtp://${serverAddress}:5004`;

const masterKey = (seed: number): MasterKey => ({
  key: new Secret(new Uint8Array(profiles[profile].keySize).fill(seed)),
  salt: new Uint8Array(profiles[profile].saltSize).fill(seed),
});
const keys = (send: number, receive: number) =>
  ({ srtp: { profile, sendKey: masterKey(send), receiveKey: masterKey(receive) } }) satisfies SecurityInit;

const packet = (sequence: number, size = 160) =>
  rtpPacket({ sequence, ssrc: 0x5ea1, timestamp: 160 * sequence, payload: new Uint8Array(size).fill(sequence) });

const sleep = (host: SimulatedHost, ms: number): Promise<void> =>
  new Promise((resolve) => void host.wakeAt(host.now() + ms, resolve));

async function take(connection: Connection, count: number): Promise<Uint8Array[]> {
  const taken: Uint8Array[] = [];
  while (taken.length < count) taken.push((await connection.receive()).data);
  return taken;
}

test("srtp: imported keys make a Connection at once, and each Message is one RTP or RTCP packet", () => {
  const { world, client, server } = neighbours();
  return world.finish(
    (async () => {
      const echo = async (connection: Connection) => {
        for await (const { data } of connection) await connection.send(data);
      };
      await using _ = await serve(server, "srtp://*:5004", echo, keys(2, 1));
      await using connection = await dial(client, url, keys(1, 2));
      assert.equal(connection.stack, "SRTP/UDP");
      const sent = [packet(1), packet(2, 1_000), rtcpPacket({ ssrc: 0x5ea1 }), packet(3)];
      for (const each of sent) await connection.send(each);
      const back = await take(connection, sent.length);
      for (const [i, each] of sent.entries()) assert.ok(equal(back[i]!, each), `packet ${i}`);
      const { security } = connection;
      assert.ok(security?.protocol === "SRTP" && security.outcome === undefined);
      assert.ok(security.session !== undefined);
      assert.ok(Object.values(security.session.receiveDrops).every((count) => count === 0));
      assert.equal(connection.get("singularTransmissionMsgMaxLen"), 1_472 - security.session.overhead);
    })(),
  );
});

test("srtp: a Listener has one peer, whoever has the keys, and follows it; nothing unauthentic makes a Connection", () => {
  const { world, client, server, clientHost } = neighbours();
  return world.finish(
    (async () => {
      const accepted: Connection[] = [];
      const heard: number[] = [];
      const moves: string[] = [];
      const handler = async (connection: Connection) => {
        accepted.push(connection);
        connection.on("pathChange", ({ what }) => moves.push(what));
        for await (const { data } of connection) heard.push(data[12]!);
      };
      await using _ = await serve(server, "srtp://*:5004", handler, keys(2, 1));
      await using stranger = await dial(client, url, keys(9, 9));
      for (let i = 1; i <= 10; i++) await stranger.send(packet(i));
      await sleep(clientHost, 200);
      assert.equal(accepted.length, 0);
      {
        await using first = await dial(client, url, keys(1, 2));
        await first.send(packet(100));
        await sleep(clientHost, 200);
      }
      // The same keys from another port: a rollover counter of its own begins with the same sequence numbers, so they go on.
      await using second = await dial(client, url, keys(1, 2));
      await second.send(packet(101));
      await sleep(clientHost, 200);
      assert.deepEqual(heard, [100, 101]);
      assert.equal(accepted.length, 1);
      assert.deepEqual(moves, ["handover"]);
      await accepted[0]!.send(packet(7));
      assert.ok(equal((await second.receive()).data, packet(7)), "answered where it is now");
      await accepted[0]!.close();
      await second.send(packet(102));
      await sleep(clientHost, 200);
      assert.deepEqual([accepted.length, heard.at(-1)], [2, 102], "who goes on has another Connection");
    })(),
  );
});

test("srtp: keyed by DTLS, both sides dial, and are Ready when they have proved themselves", () => {
  const { world, client, server, clientHost, serverHost } = neighbours();
  return world.finish(
    (async () => {
      const ours = sessionIdentity(clientHost.crypto, clientHost.entropy, clientHost.now());
      const theirs = sessionIdentity(serverHost.crypto, serverHost.entropy, serverHost.now());
      const print = ({ certificates }: typeof ours) => [fingerprintOf(clientHost.crypto, certificates[0]!)];
      const from = (system: typeof client, host: string, init: SecurityInit) =>
        system
          .preconnection({
            local: { port: 5004 },
            remote: { host, port: 5004, protocol: "SRTP" },
            transport: unreliableDatagram,
            security: secure({ allowed: ["SRTP"], ...init }),
          })
          .connect({ timeout: 20_000 });
      const pair = await Promise.all([
        from(server, clientAddress, {
          srtp: { role: "server", fingerprints: print(ours), dtls: { identity: theirs } },
        }),
        from(client, serverAddress, {
          srtp: { role: "client", fingerprints: print(theirs), dtls: { identity: ours } },
        }),
      ]);
      const [there, here] = pair;
      const { security } = here;
      assert.ok(security?.protocol === "SRTP" && security.outcome?.srtp !== undefined && security.peer !== undefined);
      for (let i = 1; i <= 5; i++) {
        await here.send(packet(i));
        assert.ok(equal((await there.receive()).data, packet(i)));
        await there.send(packet(50 + i));
        assert.ok(equal((await here.receive()).data, packet(50 + i)));
      }
      for (const each of pair) await each.close();
      // Another certificate than was promised makes no Connection.
      const wrong = { srtp: { role: "client", fingerprints: print(ours), dtls: { identity: ours } } } as const;
      const right = { srtp: { role: "server", fingerprints: print(ours), dtls: { identity: theirs } } } as const;
      const both = await Promise.allSettled([from(server, clientAddress, right), from(client, serverAddress, wrong)]);
      for (const each of both) assert.ok(each.status === "rejected" && each.reason instanceof EstablishmentError);
    })(),
  );
});

test("srtp: keyed by ZRTP, both sides dial, and are Ready when both have the keys; the words are the users' to compare", () => {
  const { world, client, server } = neighbours();
  return world.finish(
    (async () => {
      const from = (system: typeof client, host: string, init: SecurityInit) =>
        system
          .preconnection({
            local: { port: 5004 },
            remote: { host, port: 5004, protocol: "SRTP" },
            transport: unreliableDatagram,
            security: secure({ allowed: ["SRTP"], ...init }),
          })
          .connect({ timeout: 20_000 });
      const zrtp = { srtp: { zrtp: { ssrc: 0x5ea1 } } };
      const peer = { srtp: { zrtp: { ssrc: 0x5ea2 } } };
      const pair = await Promise.all([from(server, clientAddress, peer), from(client, serverAddress, zrtp)]);
      const [there, here] = pair;
      const [a, b] = pair.map(({ security }) => (security?.protocol === "SRTP" ? security.zrtp : undefined));
      assert.ok(a?.outcome?.words !== undefined);
      assert.deepEqual(a.outcome.words, b?.outcome?.words);
      for (let i = 1; i <= 5; i++) {
        await here.send(packet(i));
        assert.ok(equal((await there.receive()).data, packet(i)));
      }
      assert.ok(here.security?.protocol === "SRTP" && here.security.peer === undefined, "nobody has compared yet");
      b!.compared(true);
      assert.ok(here.security.peer !== undefined);
      for (const each of pair) await each.close();
      // Two that only answer never begin.
      const passive = { srtp: { zrtp: { passive: true } } };
      const both = await Promise.allSettled([
        from(server, clientAddress, passive),
        from(client, serverAddress, passive),
      ]);
      for (const each of both) assert.ok(each.status === "rejected" && each.reason instanceof EstablishmentError);
      await assert.rejects(
        serve(server, "srtp://*:5004", () => {}, zrtp),
        /dialled from both sides/,
      );
    })(),
  );
});

test("srtp: what is no packet, and a packet sent twice, is a SendError; what SRTP takes no part in is refused by name", () => {
  const { world, client, server } = neighbours();
  return world.finish(
    (async () => {
      await using connection = await dial(client, url, keys(1, 2));
      await connection.send(packet(1));
      await assert.rejects(connection.send(packet(1)), /sent before/);
      await assert.rejects(connection.send(new TextEncoder().encode("no RTP at all")), /no RTP or RTCP packet/);
      await connection.send(packet(2));
      await assert.rejects(dial(client, url, {}), /needs its master keys/);
      await assert.rejects(dial(client, url, { ...keys(1, 2), alpn: ["x"] }), /takes no alpn/);
      const byDtls = { srtp: { role: "server", dtls: {} } } as const;
      await assert.rejects(
        serve(server, "srtp://*:5004", () => {}, byDtls),
        /dialled from both sides/,
      );
    })(),
  );
});
