import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../../../../src/bytes/index.js";
import { Failure, Secret } from "../../../../src/contract/index.js";
import {
  defaultProfiles,
  type MasterKey,
  profileById,
  profiles,
  type SrtpContextOptions,
  type SrtpProfileName,
  SrtpReceiver,
  SrtpSender,
  type SrtpSenderOptions,
} from "../../../../src/protocols/srtp/index.js";
import { provider as crypto } from "../../../support/provider.js";
import { opened, rtcpPacket, rtpPacket, sealed } from "../../../support/rtp.js";

const names = Object.keys(profiles) as SrtpProfileName[];
const keyFor = (profile: SrtpProfileName, seed = 1, more: Partial<MasterKey> = {}): MasterKey => ({
  key: new Secret(new Uint8Array(profiles[profile].keySize).fill(seed)),
  salt: new Uint8Array(profiles[profile].saltSize).fill(seed + 1),
  ...more,
});
const pair = (profile: SrtpProfileName, more: Partial<SrtpContextOptions> & Partial<SrtpSenderOptions> = {}) => {
  const options = { crypto, profile, key: keyFor(profile), ...more };
  return { sender: new SrtpSender(options), receiver: new SrtpReceiver(options) };
};
const packet = (sequence: number, ssrc = 7): Uint8Array => rtpPacket({ sequence, ssrc, payload: `number ${sequence}` });

for (const profile of names) {
  test(`${profile}: RTP and RTCP come back as they were, from many sources, across the roll-over`, () => {
    const { sender, receiver } = pair(profile);
    for (let i = 0; i < 200; i++) {
      for (let ssrc = 0; ssrc < 3; ssrc++) {
        const plain = packet((65_500 + i) & 0xffff, ssrc);
        const bytes = sealed(sender, plain);
        assert.equal(bytes.length, plain.length + profiles[profile].rtpTagSize);
        assert.deepEqual(opened(receiver, bytes), plain);
      }
      const report = rtcpPacket({ ssrc: 1, words: 2 + (i % 5) });
      const bytes = sealed(sender, report, "rtcp");
      assert.equal(bytes.length, report.length + profiles[profile].rtcpTagSize + 4);
      assert.deepEqual(opened(receiver, bytes, "rtcp"), report);
    }
    assert.equal(receiver.sources, 3);
  });

  test(`${profile}: payloads of every small size, none included, at any place of a buffer`, () => {
    const { sender, receiver } = pair(profile);
    for (let size = 0; size < 40; size++) {
      const plain = rtpPacket({ sequence: size, ssrc: 1, payload: new Uint8Array(size).fill(size), csrcs: [1, 2] });
      const bytes = new Uint8Array(200).fill(0xee);
      bytes.set(plain, 5 + size);
      const end = sender.protect(bytes, 5 + size, plain.length);
      assert.ok(typeof end === "number");
      assert.ok(
        bytes.subarray(5 + size + end).every((byte) => byte === 0xee),
        "nothing behind the packet is touched",
      );
      assert.ok(
        bytes.subarray(0, 5 + size).every((byte) => byte === 0xee),
        "nor before it",
      );
      assert.equal(receiver.unprotect(bytes, 5 + size, end), plain.length);
      assert.deepEqual(bytes.slice(5 + size, 5 + size + plain.length), plain);
    }
  });
}

test("the numbers of use_srtp name the profiles that have one, and nothing chooses a NULL cipher", () => {
  assert.deepEqual([1, 2, 5, 6, 7, 8].map(profileById), [
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "NULL_HMAC_SHA1_80",
    "NULL_HMAC_SHA1_32",
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
  ]);
  assert.equal(profileById(3), undefined);
  assert.ok(defaultProfiles.length >= 6 && defaultProfiles.every((name) => profiles[name].kind !== "null"));
});

test("KE: a key's end is told before it comes, holds for both directions, and KU takes over without a gap", () => {
  const profile = "AEAD_AES_128_GCM";
  const { sender, receiver } = pair(profile, { key: keyFor(profile, 1, { lifetime: 10 }) });
  const states: string[] = [];
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(opened(receiver, sealed(sender, packet(i))), packet(i));
    states.push(`${sender.keyState} ${receiver.keyState}`);
  }
  assert.deepEqual(states.slice(7), ["good good", "expiring expiring", "expired expired"]);
  assert.equal(sender.protect(new Uint8Array(100).fill(0x80, 0, 1), 0, 20), "expired-keys");
  assert.equal(sender.drops["expired-keys"], 1);
  receiver.rekey(keyFor(profile, 5));
  sender.rekey(keyFor(profile, 5));
  assert.deepEqual(opened(receiver, sealed(sender, packet(11))), packet(11));
  assert.equal(`${sender.keyState} ${receiver.keyState}`, "good good");
});

for (const profile of ["AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"] as const) {
  test(`${profile}: without identifiers a receiver opens packets of the old and of the new key as they come`, () => {
    const { sender, receiver } = pair(profile);
    const old = sealed(sender, packet(1)).slice();
    const oldReport = sealed(sender, rtcpPacket({ ssrc: 7 }), "rtcp").slice();
    const first = sealed(sender, packet(0)).slice();
    assert.deepEqual(opened(receiver, first), packet(0));
    receiver.rekey(keyFor(profile, 9));
    sender.rekey(keyFor(profile, 9));
    assert.deepEqual(opened(receiver, sealed(sender, packet(2))), packet(2));
    assert.deepEqual(opened(receiver, old), packet(1));
    assert.deepEqual(opened(receiver, oldReport, "rtcp"), rtcpPacket({ ssrc: 7 }));
    assert.deepEqual(opened(receiver, sealed(sender, packet(3))), packet(3));
    // A third key: of the two, the one that was right last stays.
    receiver.rekey(keyFor(profile, 20));
    assert.deepEqual(opened(receiver, sealed(sender, packet(4))), packet(4));
  });
}

test("an identifier says which of many keys it is; one that nobody knows is counted", () => {
  const profile = "AES_CM_128_HMAC_SHA1_32";
  const at = (seed: number): MasterKey => keyFor(profile, seed, { mki: Uint8Array.of(0, seed) });
  const receiver = new SrtpReceiver({ crypto, profile, key: at(0) });
  for (let i = 1; i < 16; i++) receiver.rekey(at(i));
  for (let i = 0; i < 16; i++) {
    const sender = new SrtpSender({ crypto, profile, key: at(i) });
    assert.deepEqual(opened(receiver, sealed(sender, packet(i))), packet(i));
  }
  const stranger = sealed(new SrtpSender({ crypto, profile, key: at(77) }), packet(50));
  assert.equal(receiver.unprotect(stranger, 0, stranger.length), "unknown-key");
  assert.throws(() => receiver.rekey(at(3)), /this MKI already/);
  assert.throws(() => receiver.rekey(keyFor(profile)), /MKIs of the same size/);
});

for (const profile of ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "F8_128_HMAC_SHA1_80"] as const) {
  test(`${profile}: session keys are derived anew at the rate, and packets of both sides of the change mix`, () => {
    const { sender, receiver } = pair(profile, { keyDerivationRate: 4 });
    const plain = new SrtpSender({ crypto, profile, key: keyFor(profile) });
    const bytes = Array.from({ length: 40 }, (_, i) => sealed(sender, packet(i)).slice());
    const same = bytes.map((each, i) => toHex(each) === toHex(sealed(plain, packet(i))));
    assert.deepEqual(
      same,
      Array.from({ length: 40 }, (_, i) => i < 4),
    );
    for (let i = 0; i < 40; i += 2) {
      assert.deepEqual(opened(receiver, bytes[i + 1]!), packet(i + 1));
      assert.deepEqual(opened(receiver, bytes[i]!), packet(i));
    }
    const reports = Array.from({ length: 10 }, () => sealed(sender, rtcpPacket({ ssrc: 7 }), "rtcp").slice());
    for (const report of reports) assert.deepEqual(opened(receiver, report, "rtcp"), rtcpPacket({ ssrc: 7 }));
  });
}

test("a sender never uses an index twice, whatever it is given", () => {
  const { sender } = pair("AEAD_AES_128_GCM");
  sealed(sender, packet(65_535));
  sealed(sender, packet(3));
  for (const [sequence, why] of [
    [65_535, "replayed"],
    [3, "replayed"],
    [40_000, "too-old"],
  ] as const) {
    const bytes = new Uint8Array(100);
    bytes.set(packet(sequence));
    const before = toHex(bytes);
    const got = sender.protect(bytes, 0, 20);
    assert.ok(got === why || (why === "too-old" && got === "replayed"), `${sequence}: ${got}`);
    assert.equal(toHex(bytes), before, "and leaves the packet alone");
  }
});

test("clear text only by name: RTCP without E, RTP without encryption, both still authentic", () => {
  const profile = "AES_CM_128_HMAC_SHA1_80";
  const { sender, receiver } = pair(profile, { unencryptedRtcp: true, unencryptedRtp: true });
  const bytes = sealed(sender, packet(1));
  assert.equal(toHex(bytes.subarray(0, packet(1).length)), toHex(packet(1)));
  assert.deepEqual(opened(receiver, bytes.slice()), packet(1));
  const report = sealed(sender, rtcpPacket({ ssrc: 7 }), "rtcp");
  assert.equal(toHex(report.subarray(0, 28)), toHex(rtcpPacket({ ssrc: 7 })));
  report[20]! ^= 1;
  assert.equal(receiver.unprotectRtcp(report, 0, report.length), "bad-tag");
  const gcm = pair("AEAD_AES_128_GCM", { unencryptedRtcp: true });
  const tagged = sealed(gcm.sender, rtcpPacket({ ssrc: 7 }), "rtcp");
  assert.equal(toHex(tagged.subarray(0, 28)), toHex(rtcpPacket({ ssrc: 7 })));
  assert.deepEqual(opened(gcm.receiver, tagged, "rtcp"), rtcpPacket({ ssrc: 7 }));
});

test("Cryptex hides CSRCs and extensions, leaves what it may not touch, and can be insisted on", () => {
  const { sender, receiver } = pair("AEAD_AES_128_GCM", { cryptex: "on" });
  const plain = rtpPacket({ sequence: 1, ssrc: 7, csrcs: [0xaaaaaaaa], payload: "mixed" });
  const bytes = sealed(sender, plain);
  assert.ok(!toHex(bytes).includes("aaaaaaaa"));
  // RFC 9335 §5.1: the empty extension that was added stays.
  assert.equal(
    toHex(opened(receiver, bytes)),
    toHex(rtpPacket({ sequence: 1, ssrc: 7, csrcs: [0xaaaaaaaa], extension: fromHex("bede0000"), payload: "mixed" })),
  );
  const foreign = rtpPacket({ sequence: 2, ssrc: 7, extension: fromHex("123400010badcafe"), payload: "other" });
  const kept = sealed(sender, foreign);
  assert.ok(toHex(kept).includes("123400010badcafe"));
  assert.deepEqual(opened(receiver, kept.slice()), foreign);
  const strict = new SrtpReceiver({
    crypto,
    profile: "AEAD_AES_128_GCM",
    key: keyFor("AEAD_AES_128_GCM"),
    cryptex: "required",
  });
  assert.equal(strict.unprotect(kept, 0, kept.length), "not-cryptex");
  assert.deepEqual(opened(strict, sealed(sender, packet(3))), packet(3));
});

test("a wrong configuration is refused in words, before any packet", () => {
  const profile = "AEAD_AES_128_GCM";
  const good = { crypto, profile, key: keyFor(profile) } as const;
  const wrong: readonly [Partial<SrtpContextOptions>, string][] = [
    [{ profile: "nothing" as SrtpProfileName }, "bad-configuration"],
    [{ key: keyFor("AEAD_AES_256_GCM") }, "bad-key"],
    [{ key: { ...keyFor(profile), salt: new Uint8Array(14) } }, "bad-key"],
    [{ key: keyFor(profile, 1, { lifetime: 0 }) }, "bad-key"],
    [{ keyDerivationRate: 3 }, "bad-configuration"],
    [{ windowBits: 100 }, "bad-configuration"],
    [{ unencryptedRtp: true }, "bad-configuration"],
    [
      {
        profile: "AES_CM_128_HMAC_SHA1_80",
        key: keyFor("AES_CM_128_HMAC_SHA1_80"),
        unencryptedRtp: true,
        cryptex: "on",
      },
      "bad-configuration",
    ],
  ];
  for (const [more, reason] of wrong) {
    assert.throws(
      () => new SrtpReceiver({ ...good, ...more }),
      (error) => error instanceof Failure && error.fault === "misuse" && error.reason === reason,
    );
  }
});
