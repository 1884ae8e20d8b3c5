import assert from "node:assert/strict";
import { toHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import type { LinkOptions, World } from "../../src/hosts/simulator/index.js";
import {
  bind,
  type MasterKey,
  profiles,
  type SrtpOptions,
  type SrtpProfileName,
  type SrtpSession,
} from "../../src/protocols/srtp/index.js";
import { rtcpPacket, rtpPacket } from "../support/rtp.js";
import { scenario } from "../support/scenario.js";

const key = (profile: SrtpProfileName, seed: number, more: Partial<MasterKey> = {}): MasterKey => ({
  key: new Secret(new Uint8Array(profiles[profile].keySize).fill(seed)),
  salt: new Uint8Array(profiles[profile].saltSize).fill(seed),
  ...more,
});
const address = { sender: { address: "192.0.2.1", port: 5004 }, receiver: { address: "198.51.100.1", port: 5004 } };

interface Pair {
  readonly sender: SrtpSession;
  readonly receiver: SrtpSession;
  /** Packets that were delivered, in hex. */
  readonly delivered: string[];
}

async function pair(world: World, link: LinkOptions, sends: SrtpOptions, receives: SrtpOptions): Promise<Pair> {
  const near = world.host("sender", { addresses: [address.sender.address] });
  const far = world.host("receiver", { addresses: [address.receiver.address] });
  world.link(near, far, link);
  const delivered: string[] = [];
  const sink = { datagrams: (bytes: Uint8Array) => void delivered.push(toHex(bytes)), closed: () => {} };
  const receiver = await bind(far, { local: address.receiver }, receives, sink);
  const quiet = { datagrams: () => {}, closed: () => {} };
  const sender = await bind(near, { local: address.sender, remote: address.receiver }, sends, quiet);
  return { sender, receiver, delivered };
}

const both = (profile: SrtpProfileName, more: Partial<SrtpOptions> = {}): readonly [SrtpOptions, SrtpOptions] => [
  { profile, sendKey: key(profile, 1), receiveKey: key(profile, 2), ...more },
  { profile, sendKey: key(profile, 2), receiveKey: key(profile, 1), ...more },
];

const media = (i: number): Uint8Array =>
  rtpPacket({ sequence: (65_300 + i) & 0xffff, ssrc: 1 + (i % 2), payload: `frame ${i}` });

for (const profile of ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"] as const) {
  scenario(
    `${profile}: loss, repetition and reordering across the roll-over: what comes, comes once and unchanged`,
    5,
    async (world) => {
      const bad = {
        delayMs: 20,
        jitterMs: 5,
        loss: { in: 1, of: 10 },
        duplication: { in: 1, of: 8 },
        reordering: { in: 1, of: 5 },
        reorderMs: 60,
      };
      const { sender, receiver, delivered } = await pair(world, bad, ...both(profile));
      const sent = new Set<string>();
      for (let i = 0; i < 600; i++) {
        const packet = i % 25 === 24 ? rtcpPacket({ ssrc: 1, words: 6 + i }) : media(i);
        sent.add(toHex(packet));
        sender.send(packet);
        await world.run(2);
      }
      await world.run(1_000);
      assert.equal(new Set(delivered).size, delivered.length, "nothing comes twice");
      assert.ok(
        delivered.every((packet) => sent.has(packet)),
        "nothing comes changed",
      );
      assert.ok(delivered.length > 480, `${delivered.length} of 600 came`);
      assert.ok(receiver.receiveDrops.replayed > 20, "and copies were seen as copies");
      assert.equal(receiver.receiveDrops["bad-tag"], 0, "the index was never guessed wrong");
    },
  );
}

scenario("a network that changes bits changes no packet that is delivered", 3, async (world) => {
  const { sender, receiver, delivered } = await pair(
    world,
    { delayMs: 5, corruption: { in: 1, of: 3 } },
    ...both("AES_CM_128_HMAC_SHA1_32"),
  );
  const sent = new Set<string>();
  for (let i = 0; i < 300; i++) {
    sent.add(toHex(media(i)));
    sender.send(media(i));
    await world.run(2);
  }
  await world.run(100);
  assert.ok(delivered.every((packet) => sent.has(packet)));
  const { receiveDrops: drops } = receiver;
  assert.equal(delivered.length + Object.values(drops).reduce((sum, count) => sum + count, 0), 300);
  assert.ok(delivered.length > 150 && drops["bad-tag"] > 40);
});

scenario(
  "KE and KU: a key that comes to its end is told, and the next one takes over while packets are on the way",
  3,
  async (world) => {
    const profile = "AEAD_AES_256_GCM";
    const first = { lifetime: 100 };
    const { sender, receiver, delivered } = await pair(
      world,
      { delayMs: 30, reordering: { in: 1, of: 3 }, reorderMs: 40 },
      { profile, sendKey: key(profile, 1, first), receiveKey: key(profile, 2) },
      { profile, sendKey: key(profile, 2), receiveKey: key(profile, 1, first) },
    );
    let told = 0;
    sender.onKeyExpiring((why, direction) => {
      assert.equal(`${why} ${direction} ${told++}`, "packets send 0");
      // Both know the next key; the receiver first.
      receiver.rekey({ receive: key(profile, 3) });
      sender.rekey({ send: key(profile, 3) });
    });
    for (let i = 0; i < 300; i++) {
      sender.send(media(i));
      await world.run(3);
    }
    await world.run(500);
    assert.equal(told, 1);
    assert.equal(delivered.length, 300);
  },
);

scenario("a sender that moves is followed by what is authentic alone", 2, async (world) => {
  const [sends, receives] = both("AES_CM_128_HMAC_SHA1_80");
  const { sender, receiver } = await pair(world, { delayMs: 5 }, sends, receives);
  sender.send(media(0));
  await world.run(50);
  assert.deepEqual(receiver.remote, address.sender);
  const near = world.host("attacker", { addresses: ["203.0.113.9"] });
  world.link(near, world.host("sink", { addresses: ["203.0.113.10"] }), {});
  const forged = { ...sends, sendKey: key("AES_CM_128_HMAC_SHA1_80", 9) };
  const other = await bind(near, { local: { address: "203.0.113.9", port: 1 }, remote: address.receiver }, forged, {
    datagrams() {},
    closed() {},
  });
  other.send(media(2));
  await world.run(50);
  assert.deepEqual(receiver.remote, address.sender);
  sender.close();
  receiver.close();
  sender.send(media(4));
  await world.run(50);
});
