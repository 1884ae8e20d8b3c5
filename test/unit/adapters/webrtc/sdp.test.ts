import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseOffer, payloadTypeOf, writeAnswer } from "../../../../src/adapters/webrtc/index.js";
import { Failure } from "../../../../src/contract/index.js";

const print = `sha-256 ${Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, "0").toUpperCase()).join(":")}`;
const transport = ["a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", `a=fingerprint:${print}`, "a=setup:actpass"];
const offerLines = [
  "v=0",
  "o=- 1 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
  "a=mid:0",
  ...transport,
  "a=rtcp-mux",
  "a=rtpmap:111 opus/48000/2",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=rtpmap:0 PCMU/8000",
  "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
  "a=mid:1",
  "a=rtcp-mux",
  "a=sendonly",
  "a=rtpmap:96 VP8/90000",
  "a=rtpmap:97 rtx/90000",
  "a=fmtp:97 apt=96",
];
const offer = (lines: readonly string[] = offerLines): string => `${lines.join("\r\n")}\r\n`;
const without = (start: string): string => offer(offerLines.filter((line) => !line.startsWith(start)));

test("a browser's offer gives its credentials, its fingerprint, its role and its media", () => {
  const { ufrag, password, setup, fingerprints, media } = parseOffer(offer());
  assert.deepEqual(
    [ufrag, password, setup, fingerprints[0]!.digest[31]],
    ["abcd", "0123456789012345678901", "actpass", 31],
  );
  assert.deepEqual(
    media.map(({ kind, mid, direction }) => `${kind} ${mid} ${direction}`),
    ["audio 0 sendrecv", "video 1 sendonly"],
  );
  assert.equal(payloadTypeOf(media[1]!, "vp8"), 96);
  assert.equal(payloadTypeOf(media[1]!, "av1"), undefined);
});

test("the answer is lite, has one codec of each kind, our role and our one candidate, and refuses what it does not have", () => {
  const parsed = parseOffer(offer());
  const answer = writeAnswer({
    offer: parsed,
    ufrag: "ours",
    password: "secret",
    setup: "passive",
    fingerprint: parsed.fingerprints[0]!,
    candidate: { address: "192.0.2.1", port: 5004 },
    codecs: { audio: "opus", video: "av1" },
    sessionId: 7,
  });
  const lines = answer.split("\r\n");
  for (const line of [
    "a=ice-lite",
    "a=group:BUNDLE 0",
    "m=audio 5004 UDP/TLS/RTP/SAVPF 111",
    "a=setup:passive",
    `a=fingerprint:${print}`,
    "a=candidate:1 1 udp 2130706431 192.0.2.1 5004 typ host",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "m=video 0 UDP/TLS/RTP/SAVPF 96",
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

for (const [text, at] of [
  ["", "m="],
  [without("a=ice-ufrag"), "ice-ufrag"],
  [without("a=ice-pwd"), "ice-pwd"],
  [without("a=fingerprint"), "fingerprint"],
  [without("a=setup"), "setup"],
  [without("a=rtcp-mux"), "rtcp-mux"],
  [offer().replace("a=setup:actpass", "a=setup:holdconn"), "setup"],
  ["x".repeat(100_000), "v="],
] as const) {
  test(`an offer that lacks what we need says so at ${at}`, () => {
    assert.throws(
      () => parseOffer(text),
      (error) => error instanceof Failure && error.reason === "bad-sdp" && error.at === at,
    );
  });
}

test("no text makes it throw anything but a failure", () => {
  const line = fc.constantFrom(...offerLines, "m=", "m=audio", "a=", "a=rtpmap:x", "");
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 30 }), (lines) => {
      try {
        parseOffer(offer(lines));
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    }),
  );
});
