import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { meet, speaks } from "./conversation.js";
import type { StrangerName } from "./peers/index.js";

const who: readonly StrangerName[] = ["OpenSSL 3.0", "OpenSSL 3.5", "GnuTLS 3.7", "GnuTLS 3.8", "node:tls"];
const both = { version: "1.3" } as const;

describe("our end updates its keys in the middle of talk", { concurrency: 2 }, () => {
  for (const name of who) {
    for (const seat of ["client", "server"] as const) {
      for (const requestPeer of [false, true]) {
        test(`in the ${seat}'s seat with ${name}${requestPeer ? ", and asks for the same" : ""}`, () =>
          meet(name, seat, { both }, async (ours, theirs) => {
            const canSpeak = seat === "server" || speaks(name);
            await ours.say("line 0");
            await theirs.hears("line 0");
            for (let round = 1; round <= 3; round++) {
              await ours.updateKeys(requestPeer);
              await ours.say(`line ${round}`);
              await theirs.hears(`line ${round}`);
              if (canSpeak) await theirs.say(`answer ${round}`);
              await ours.hears(canSpeak ? `answer ${round}` : `line ${round}`);
            }
            const { keyGenerationSent, keyGenerationReceived } = ours.session.statistics;
            assert.equal(keyGenerationSent, 3);
            assert.equal(keyGenerationReceived, requestPeer ? 3 : 0);
          }));
      }
    }
  }
});

describe("a stranger updates its keys in the middle of talk", { concurrency: 2 }, () => {
  const updaters: readonly (readonly [StrangerName, "client" | "server"])[] = [
    ["OpenSSL 3.0", "client"],
    ["OpenSSL 3.5", "client"],
    ["OpenSSL 3.0", "server"],
    ["OpenSSL 3.5", "server"],
    ["GnuTLS 3.7", "server"],
    ["GnuTLS 3.8", "server"],
  ];
  for (const [name, seat] of updaters) {
    for (const requestPeer of [false, true]) {
      test(`${name} with our ${seat}${requestPeer ? ", and wants the same of us" : ""}`, () =>
        meet(name, seat, { both }, async (ours, theirs) => {
          await ours.outcome();
          await theirs.say("line 0");
          await ours.hears("line 0");
          for (let round = 1; round <= 3; round++) {
            await theirs.updateKeys(requestPeer);
            await ours.tells("keyUpdated read by peer", round);
            await theirs.say(`line ${round}`);
            await ours.hears(`line ${round}`);
            await ours.say(`answer ${round}`);
            await theirs.hears(`answer ${round}`);
          }
          const { keyGenerationSent, keyGenerationReceived } = ours.session.statistics;
          assert.equal(keyGenerationReceived, 3);
          assert.equal(keyGenerationSent, requestPeer ? 3 : 0);
        }));
    }
  }
});
