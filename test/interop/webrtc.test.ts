import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type EchoOptions, serveEcho } from "../../examples/webrtc-echo.js";
import type { DtlsSrtpSession } from "../../src/protocols/dtls-srtp/index.js";
import { scratch } from "./peers/certificates.js";
import { Chromium } from "./peers/chromium.js";

interface Facts {
  readonly state: string;
  readonly tlsVersion: string;
  readonly dtlsRole: string;
  readonly srtpCipher: string;
  readonly framesDecoded: number;
  readonly audioEnergy: number;
  readonly width: number;
}

const cases: readonly [EchoOptions["setup"], "1.3" | "1.2"][] = [
  ["active", "1.3"],
  ["passive", "1.3"],
  ["active", "1.2"],
  ["passive", "1.2"],
];

for (const [setup, version] of cases) {
  test(`Chromium sends camera and microphone and gets them back: we are ${setup}, DTLS ${version}`, async () => {
    const sessions: DtlsSrtpSession[] = [];
    const failures: unknown[] = [];
    const echo = await serveEcho({
      ...(setup && { setup }),
      // 1.3 is what it offers by itself.
      ...(version === "1.2" && { versions: ["1.2"] }),
      confirmed: (session) => void sessions.push(session),
      failed: (failure) => void failures.push(failure),
    });
    try {
      await using browser = await Chromium.open(echo.url);
      let facts: Facts | undefined;
      const deadline = Date.now() + 30_000;
      const isPlaying = () => facts !== undefined && facts.framesDecoded >= 30 && facts.audioEnergy > 0.001;
      while (!isPlaying()) {
        assert.deepEqual(failures, []);
        assert.ok(
          Date.now() < deadline,
          `it does not play: ${JSON.stringify(facts)}, ${JSON.stringify(sessions[0]?.srtp?.receiveDrops)}`,
        );
        await new Promise((later) => setTimeout(later, 250));
        facts = await browser.evaluate<Facts | undefined>("window.facts?.()");
      }
      const picture = await browser.screenshot();
      assert.equal(facts!.state, "connected");
      assert.equal(facts!.width, 320);
      assert.equal(facts!.tlsVersion, version === "1.3" ? "FEFC" : "FEFD");
      assert.equal(facts!.dtlsRole, setup === "active" ? "server" : "client");
      const [session] = sessions;
      assert.equal(sessions.length, 1);
      assert.equal(session!.dtls.outcome!.version, version);
      // The DTLS server chooses: Chromium the oldest profile, we the first of ours.
      const [ours, theirs] =
        setup === "active"
          ? ["AES_CM_128_HMAC_SHA1_80", "SRTP_AES128_CM_HMAC_SHA1_80"]
          : ["AEAD_AES_128_GCM", "SRTP_AEAD_AES_128_GCM"];
      assert.equal(session!.profile, ours);
      assert.equal(facts!.srtpCipher, theirs);
      // Keys are equal on both sides: each opened the other's packets, and no tag was wrong.
      assert.equal(session!.srtp!.receiveDrops["bad-tag"], 0);
      assert.deepEqual([...picture.subarray(1, 4)], [0x50, 0x4e, 0x47]);
      assert.ok(picture.length > 5_000, "the page is not empty");
      const file = process.env["SEALPORT_SCREENSHOT"] ?? join(scratch(), "echo.png");
      writeFileSync(file, picture);
    } finally {
      echo.close();
    }
  });
}
