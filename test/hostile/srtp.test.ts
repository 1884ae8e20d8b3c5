import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Secret } from "../../src/contract/index.js";
import {
  type MasterKey,
  profiles,
  type SrtpProfileName,
  SrtpReceiver,
  SrtpSender,
} from "../../src/protocols/srtp/index.js";
import { provider as crypto } from "../support/provider.js";
import { opened, rtcpPacket, rtpPacket, sealed } from "../support/rtp.js";

const names = Object.keys(profiles) as SrtpProfileName[];
const keyFor = (profile: SrtpProfileName, mki?: Uint8Array): MasterKey => ({
  key: new Secret(new Uint8Array(profiles[profile].keySize).fill(3)),
  salt: new Uint8Array(profiles[profile].saltSize).fill(4),
  ...(mki && { mki }),
});
const pair = (profile: SrtpProfileName, mki?: Uint8Array, sourcesMax?: number) => {
  const options = { crypto, profile, key: keyFor(profile, mki), ...(sourcesMax && { sourcesMax }) };
  return {
    sender: new SrtpSender({ crypto, profile, key: options.key, sourcesMax: 65_536 }),
    receiver: new SrtpReceiver(options),
  };
};
const packet = (sequence: number, ssrc = 7): Uint8Array => rtpPacket({ sequence, ssrc, payload: `number ${sequence}` });

for (const profile of names) {
  for (const kind of ["rtp", "rtcp"] as const) {
    const plain =
      kind === "rtp"
        ? rtpPacket({ sequence: 500, ssrc: 7, csrcs: [9], payload: "flip me" })
        : rtcpPacket({ ssrc: 7, words: 4 });
    const receive = (receiver: SrtpReceiver, bytes: Uint8Array) =>
      kind === "rtp" ? receiver.unprotect(bytes, 0, bytes.length) : receiver.unprotectRtcp(bytes, 0, bytes.length);

    test(`${profile}, ${kind}: no bit may be another, no byte may be missing; then the packet itself comes, once`, () => {
      for (const mki of [undefined, Uint8Array.of(1, 2, 3, 4)]) {
        const { sender, receiver } = pair(profile, mki);
        const bytes = sealed(sender, plain, kind);
        for (let bit = 0; bit < 8 * bytes.length; bit++) {
          const changed = bytes.slice();
          changed[bit >> 3]! ^= 1 << (bit & 7);
          assert.equal(typeof receive(receiver, changed), "string", `bit ${bit}`);
        }
        for (let size = 0; size < bytes.length; size++) {
          assert.equal(typeof receive(receiver, bytes.slice(0, size)), "string", `${size} bytes`);
        }
        assert.equal(typeof receive(receiver, Uint8Array.of(...bytes, 0)), "string");
        assert.equal(receiver.sources, 0, "nothing forged leaves a trace");
        assert.deepEqual(opened(receiver, bytes.slice(), kind), plain);
        assert.equal(receive(receiver, bytes.slice()), "replayed");
      }
    });
  }

  test(`${profile}: every packet comes once, in whatever order, and none a second time`, () => {
    const { sender, receiver } = pair(profile);
    const all = Array.from({ length: 300 }, (_, i) => sealed(sender, packet((65_400 + i) & 0xffff)).slice());
    const reports = Array.from({ length: 60 }, () => sealed(sender, rtcpPacket({ ssrc: 7 }), "rtcp").slice());
    // The first packet sets the scene; of the others, the later of each pair comes first.
    const order = all.map((_, i) =>
      i === 0 ? 0 : i % 2 === 1 && i + 1 < all.length ? i + 1 : i % 2 === 0 ? i - 1 : i,
    );
    for (const i of order)
      assert.equal(typeof receiver.unprotect(all[i]!.slice(), 0, all[i]!.length), "number", `${i}`);
    for (const bytes of all) assert.equal(receiver.unprotect(bytes.slice(), 0, bytes.length), "replayed");
    for (const bytes of reports) assert.equal(receiver.unprotectRtcp(bytes.slice(), 0, bytes.length), 28);
    for (const bytes of reports) assert.equal(receiver.unprotectRtcp(bytes.slice(), 0, bytes.length), "replayed");
  });
}

test("forged packets neither move the rollover counter nor the window", () => {
  const { sender, receiver } = pair("AES_CM_128_HMAC_SHA1_80");
  const all = Array.from({ length: 100 }, (_, i) => sealed(sender, packet(i)).slice());
  assert.deepEqual(opened(receiver, all[0]!.slice()), packet(0));
  for (let sequence = 0; sequence < 0x1_0000; sequence += 97) {
    const forged = all[50]!.slice();
    forged[2] = sequence >>> 8;
    forged[3] = sequence;
    if (sequence !== 50) assert.equal(typeof receiver.unprotect(forged, 0, forged.length), "string");
  }
  for (let i = 1; i < 100; i++) assert.deepEqual(opened(receiver, all[i]!.slice()), packet(i));
});

test("what stays away for half the sequence numbers is out of step, says so, and comes back when told the counter", () => {
  const { sender, receiver } = pair("AES_CM_128_HMAC_SHA1_80");
  assert.deepEqual(opened(receiver, sealed(sender, packet(0))), packet(0));
  for (const sequence of [30_000, 60_000, 20_000, 40_000]) sealed(sender, packet(sequence));
  const late = sealed(sender, packet(50_000));
  assert.equal(typeof receiver.unprotect(late.slice(), 0, late.length), "string");
  receiver.tellRollover(7, 1);
  assert.deepEqual(opened(receiver, late.slice()), packet(50_000));
  assert.equal(receiver.unprotect(late.slice(), 0, late.length), "replayed");
  // A counter told too low never takes a source back.
  receiver.tellRollover(7, 0);
  assert.equal(receiver.unprotect(late, 0, late.length), "replayed");
});

test("a window's edge: just inside comes, just outside is too old", () => {
  const { sender, receiver } = pair("AEAD_AES_128_GCM");
  const all = Array.from({ length: 1_200 }, (_, i) => sealed(sender, packet(i)).slice());
  assert.deepEqual(opened(receiver, all[1_199]!.slice()), packet(1_199));
  assert.deepEqual(opened(receiver, all[1_199 - 991]!.slice()), packet(1_199 - 991));
  assert.equal(receiver.unprotect(all[1_199 - 992]!, 0, all[0]!.length), "too-old");
});

test("100,000 forged sources leave nothing behind; as many authentic ones fill the table and no more", () => {
  const { sender, receiver } = pair("AES_CM_128_HMAC_SHA1_80", undefined, 64);
  const forged = sealed(sender, packet(1)).slice();
  for (let i = 0; i < 100_000; i++) {
    const bytes = forged.slice();
    bytes.set([i >>> 24, i >>> 16, i >>> 8, i], 8);
    if (i !== 7) assert.equal(receiver.unprotect(bytes, 0, bytes.length), "bad-tag");
  }
  assert.equal(receiver.sources, 0);
  for (let ssrc = 100; ssrc < 1_100; ssrc++) {
    const bytes = sealed(sender, packet(1, ssrc));
    const got = receiver.unprotect(bytes, 0, bytes.length);
    if (ssrc < 164) assert.equal(typeof got, "number");
    else assert.equal(got, "too-many-sources");
  }
  assert.equal(receiver.sources, 64);
  assert.equal(receiver.drops["too-many-sources"], 936);
  // Those that are known go on.
  assert.deepEqual(opened(receiver, sealed(sender, packet(2, 100))), packet(2, 100));
});

test("no bytes make a receiver or a sender throw, with every option on", () => {
  const header = fc.constantFrom(0x80, 0x90, 0x9f, 0x8f, 0xa0, 0x00, 0xff);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc.tuple(header, fc.uint8Array({ maxLength: 120 })).map(([first, rest]) => Uint8Array.of(first, ...rest)),
    // Headers with extensions that lie about their lengths.
    fc
      .tuple(
        fc.constantFrom(0xbe, 0x10, 0xc0, 0xc2),
        fc.constantFrom(0xde, 0x00, 0x0f),
        fc.uint8Array({ minLength: 40, maxLength: 90 }),
      )
      .map(([high, low, rest]) =>
        Uint8Array.of(0x90, 96, 0, 1, ...rest.subarray(0, 8), high, low, 0, rest[9]! & 15, ...rest.subarray(10)),
      ),
  );
  for (const profile of names) {
    const options = {
      crypto,
      profile,
      key: keyFor(profile),
      cryptex: "on",
      encryptedExtensions: [1, 2, 3, 4, 200],
      keyDerivationRate: 1,
    } as const;
    const sender = new SrtpSender(options);
    const receiver = new SrtpReceiver(options);
    fc.assert(
      fc.property(bytes, (input) => {
        receiver.unprotect(input.slice(), 0, input.length);
        receiver.unprotectRtcp(input.slice(), 0, input.length);
        const room = new Uint8Array(input.length + sender.overhead);
        room.set(input);
        const size = sender.protect(room, 0, input.length);
        if (typeof size === "number") assert.equal(typeof receiver.unprotect(room, 0, size), "number");
        room.set(input);
        sender.protectRtcp(room, 0, input.length);
      }),
      { numRuns: 300 },
    );
  }
});
