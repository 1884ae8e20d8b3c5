import assert from "node:assert/strict";
import { toHex } from "../../src/bytes/index.js";
import type { SimulatedHost } from "../../src/hosts/simulator/index.js";
import { demultiplex } from "../../src/mechanisms/demultiplex.js";
import {
  type DtlsSrtpLayered,
  type DtlsSrtpServerOptions,
  fingerprintOf,
  over,
  sessionIdentity,
} from "../../src/protocols/dtls-srtp/index.js";
import { rtpPacket } from "../support/rtp.js";
import { scenario } from "../support/scenario.js";

const near = { address: "192.0.2.1", port: 5004 };
const far = { address: "198.51.100.1", port: 5004 };
const media = (i: number): Uint8Array => rtpPacket({ sequence: i, ssrc: 5, payload: `frame ${i}` });

scenario(
  "whatever else comes to the flow, before, during and after the handshake, media come once and unchanged",
  4,
  async (world, seed) => {
    const client = world.host("client", { addresses: [near.address] });
    const server = world.host("server", { addresses: [far.address] });
    const link = world.link(client, server, { delayMs: 10 });
    const identities = [client, server].map((host) => sessionIdentity(host.crypto, host.entropy, host.now()));
    const prints = identities.map(({ certificates: [first] }) => fingerprintOf(client.crypto, first!));
    const delivered: string[] = [];
    const ends: DtlsSrtpLayered[] = [];
    const put = async (host: SimulatedHost, role: "client" | "server", i: 0 | 1): Promise<DtlsSrtpLayered> => {
      const [local, remote] = i === 0 ? [near, far] : [far, near];
      const options: DtlsSrtpServerOptions = { fingerprints: [prints[1 - i]!], dtls: { identity: identities[i]! } };
      const layered = over(host, role, options, remote, {
        datagrams: (bytes) => void delivered.push(toHex(bytes)),
        closed: () => {},
      });
      ends.push(layered);
      layered.attach(await host.network.bindDatagrams(local, layered.lower));
      return layered;
    };
    const passed: Uint8Array[] = [];
    link.script((packet) => {
      passed.push(packet.bytes.slice());
      return undefined;
    });
    /** Everything that has passed, with one bit changed, to both ends; and bytes without meaning behind every first byte. */
    const disturb = (): void => {
      let state = seed;
      const random = (below: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 1;
        return state % below;
      };
      for (const { lower } of ends) {
        for (const bytes of passed.slice(-40)) {
          const changed = bytes.slice();
          // A handshake message in the clear that lies is a peer that lies, and may end the handshake: those are left alone.
          if (demultiplex(changed) === "dtls" && changed[0] !== 23 && (changed[0]! & 0xe0) !== 0x20) continue;
          changed[1 + random(changed.length - 1)]! ^= 1 << random(8);
          lower.datagrams(changed, near, changed.length, 0);
        }
        for (let first = 0; first < 256; first += 3) {
          const noise = Uint8Array.from({ length: 1 + random(60) }, () => random(256));
          noise[0] = first >= 20 && first < 23 ? 24 : first;
          lower.datagrams(noise, near, noise.length, 0);
        }
      }
    };
    const b = await put(server, "server", 1);
    disturb();
    const a = await put(client, "client", 0);
    for (let i = 0; i < 40 && a.session.profile === undefined; i++) {
      disturb();
      await world.run(5);
    }
    await world.until(() => a.session.profile !== undefined && b.session.profile !== undefined, 30_000);
    assert.ok(b.session.early > 0, "media before the keys were dropped, and counted");
    for (let i = 0; i < 50; i++) {
      a.session.send(media(i));
      if (i % 10 === 0) disturb();
      await world.run(5);
    }
    await world.run(50);
    const expected = Array.from({ length: 50 }, (_, i) => toHex(media(i)));
    assert.deepEqual(delivered, expected);
    // All that ever passed, once more.
    for (const bytes of passed) b.lower.datagrams(bytes.slice(), near, bytes.length, 0);
    await world.run(100);
    assert.deepEqual(delivered, expected);
    assert.ok(b.session.srtp!.receiveDrops.replayed >= 50);
    a.session.abort();
    b.session.abort();
  },
);
