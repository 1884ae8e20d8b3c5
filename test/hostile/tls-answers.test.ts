import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Answer } from "../../src/contract/index.js";
import { shake } from "../support/tls-pair.js";

const again: Readonly<Record<string, (answer: Answer) => readonly Answer[]>> = {
  "comes twice": (answer) => [answer, answer],
  "is taken back at once": (answer) => [answer, { ...answer, answer: undefined }],
  "comes after answers to questions that nobody asked": (answer) => [
    { ...answer, id: answer.id + 1000 },
    { ...answer, id: -1 },
    answer,
  ],
};

describe("an answer of the application's", () => {
  for (const [what, onAnswer] of Object.entries(again)) {
    for (const version of ["1.3", "1.2"] as const) {
      test(`that ${what} counts once, in TLS ${version}`, async () => {
        const versions = [version];
        const pair = await shake({ onAnswer, client: { versions }, server: { versions } });
        assert.equal(pair.client.outcome?.version, version);
        assert.equal(pair.server.outcome?.version, version);
        await pair.send("client", "up");
        await pair.send("server", "down");
        assert.equal(pair.server.text, "up");
        assert.equal(pair.client.text, "down");
        assert.equal(pair.client.told.filter((kind) => kind === "confirmed").length, 1);
      });
    }
  }

  for (const version of ["1.3", "1.2"] as const) {
    test(`of a wrong shape ends the TLS ${version} handshake and hurts nothing else`, async () => {
      for (const wrong of [null, 7, "yes", {}, [], { trusted: "perhaps" }]) {
        const versions = [version];
        const pair = await shake({
          onAnswer: (answer) => [{ ...answer, answer: wrong }],
          client: { versions },
          server: { versions },
        });
        assert.equal(pair.client.outcome, undefined, `${JSON.stringify(wrong)}`);
        assert.ok(pair.client.failure ?? pair.server.failure);
      }
    });
  }
});
