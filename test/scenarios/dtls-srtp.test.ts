import assert from "node:assert/strict";
import { toHex } from "../../src/bytes/index.js";
import type { LinkOptions, World } from "../../src/hosts/simulator/index.js";
import { overStream } from "../../src/mechanisms/framed-port.js";
import {
  bind,
  type DtlsSrtpClientOptions,
  type DtlsSrtpLayered,
  type DtlsSrtpServerOptions,
  type DtlsSrtpSession,
  type DtlsSrtpSink,
  fingerprintOf,
  over,
  sessionIdentity,
} from "../../src/protocols/dtls-srtp/index.js";
import { rtcpPacket, rtpPacket } from "../support/rtp.js";
import { scenario } from "../support/scenario.js";

const near = { address: "192.0.2.1", port: 5004 };
const far = { address: "198.51.100.1", port: 5004 };
const media = (i: number): Uint8Array => rtpPacket({ sequence: (65_500 + i) & 0xffff, ssrc: 5, payload: `frame ${i}` });

/** Two hosts on a link, and what each side needs to know of the other. */
function setUp(world: World, link: LinkOptions) {
  const client = world.host("client", { addresses: [near.address] });
  const server = world.host("server", { addresses: [far.address] });
  world.link(client, server, link);
  const identities = [client, server].map((host) => sessionIdentity(host.crypto, host.entropy, host.now()));
  const [clients, servers] = identities.map(({ certificates: [first] }) => fingerprintOf(client.crypto, first!));
  const options = {
    client: { fingerprints: [servers!], dtls: { identity: identities[0]! } } satisfies DtlsSrtpClientOptions,
    server: { fingerprints: [clients!], dtls: { identity: identities[1]! } } satisfies DtlsSrtpServerOptions,
  };
  const delivered: string[] = [];
  const quiet: DtlsSrtpSink = { datagrams: () => {}, closed: () => {} };
  const telling: DtlsSrtpSink = { datagrams: (bytes) => void delivered.push(toHex(bytes)), closed: () => {} };
  return { client, server, options, delivered, quiet, telling };
}

for (const version of ["1.3", "1.2"] as const) {
  scenario(
    `DTLS ${version}: keys are agreed on and media come through, over loss, repetition and reordering`,
    8,
    async (world) => {
      const bad = {
        delayMs: 20,
        loss: { in: 1, of: 6 },
        duplication: { in: 1, of: 8 },
        reordering: { in: 1, of: 5 },
        reorderMs: 40,
      };
      const { client, server, options, delivered, quiet, telling } = setUp(world, bad);
      const versions = [version];
      const serverOptions = { ...options.server, dtls: { ...options.server.dtls, versions } };
      const clientOptions = {
        ...options.client,
        dtls: { ...options.client.dtls, versions, handshakeTimeoutMs: 120_000 },
      };
      const b = await bind(server, "server", { local: far, remote: near }, serverOptions, telling);
      const a = await bind(client, "client", { local: near, remote: far }, clientOptions, quiet);
      a.send(media(9_999)); // before there are keys: goes nowhere
      await world.until(() => a.profile !== undefined && b.profile !== undefined, 120_000);
      assert.equal(a.profile, "AEAD_AES_128_GCM");
      const sent = new Set<string>();
      for (let i = 0; i < 200; i++) {
        const packet = i % 20 === 19 ? rtcpPacket({ ssrc: 5, words: 6 + i }) : media(i);
        sent.add(toHex(packet));
        a.send(packet);
        await world.run(3);
      }
      await world.run(500);
      assert.equal(new Set(delivered).size, delivered.length, "nothing comes twice");
      assert.ok(delivered.every((packet) => sent.has(packet)));
      assert.ok(delivered.length > 130, `${delivered.length} of 200 came`);
      assert.equal(b.srtp!.receiveDrops["bad-tag"], 0);
      a.close();
      b.close();
      await world.run(200);
    },
  );
}

scenario(
  "another certificate than signalling promised ends the handshake, on either side, and no media pass",
  1,
  async (world) => {
    for (const liar of ["client", "server"] as const) {
      const { client, server, options, delivered, quiet, telling } = setUp(world, { delayMs: 5 });
      const stranger = sessionIdentity(client.crypto, client.entropy, client.now());
      const of = <Options extends DtlsSrtpClientOptions>(role: "client" | "server", given: Options): Options =>
        role === liar ? { ...given, dtls: { ...given.dtls, identity: stranger } } : given;
      const port = liar === "client" ? 6000 : 7000;
      const [local, remote] = [
        { ...near, port },
        { ...far, port },
      ];
      const b = await bind(server, "server", { local: remote, remote: local }, of("server", options.server), telling);
      const a = await bind(client, "client", { local, remote }, of("client", options.client), quiet);
      const honest = liar === "client" ? b : a;
      const outcome = honest.confirmed.then(
        () => "confirmed",
        (failure: unknown) => String(failure),
      );
      await world.run(2_000);
      assert.match(await outcome, /not the one that signalling promised/);
      a.send(media(1));
      await world.run(100);
      assert.deepEqual(delivered, []);
      a.abort();
      b.abort();
    }
  },
);

scenario(
  "DTLS-SRTP stands on a byte stream, each datagram behind its length (RFC 4571, RFC 7850)",
  3,
  async (world) => {
    const { client, server, options, delivered, quiet, telling } = setUp(world, {
      delayMs: 10,
      loss: { in: 1, of: 20 },
    });
    const sessions: DtlsSrtpSession[] = [];
    /** A layered session with frames below. */
    const stacked = (make: () => DtlsSrtpLayered) => {
      const layered = make();
      const frames = overStream(layered.lower);
      sessions.push(layered.session);
      return {
        lower: frames.lower,
        attach: (stream: Parameters<typeof frames.attach>[0]) => {
          frames.attach(stream);
          layered.attach(frames.port);
        },
      };
    };
    const listener = await server.network.listenStreams(far, (stream) => {
      const { lower, attach } = stacked(() => over(server, "server", options.server, stream.remote, telling));
      attach(stream);
      return lower;
    });
    const ours = stacked(() => over(client, "client", options.client, far, quiet));
    ours.attach(client.network.connectStream(far, ours.lower));
    await world.until(() => sessions.length === 2 && sessions.every(({ profile }) => profile !== undefined), 60_000);
    for (let i = 0; i < 50; i++) {
      sessions[0]!.send(media(i));
      await world.run(5);
    }
    await world.until(() => delivered.length === 50, 60_000);
    assert.deepEqual(
      delivered,
      Array.from({ length: 50 }, (_, i) => toHex(media(i))),
      "a stream loses nothing and keeps the order",
    );
    for (const session of sessions) session.abort();
    await listener.close();
  },
);
