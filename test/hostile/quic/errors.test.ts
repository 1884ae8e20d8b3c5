import assert from "node:assert/strict";
import { test } from "node:test";
import { transportErrors } from "../../../src/protocols/quic/failure.js";
import { Duel, type Role } from "./duel.js";
import { offences } from "./errors.js";
import { Forger } from "./forger.js";

for (const offence of offences) {
  const roles: readonly Role[] = offence.by === undefined ? ["client", "server"] : [offence.by];
  for (const by of roles) {
    test(`a ${by} sends: ${offence.name}`, async () => {
      const duel = await Duel.confirmed();
      const forger = new Forger(duel, by);
      const made = offence.frames(by);
      // All before the victim answers: its honest peer would object to acknowledgements of what it never sent.
      for (const frames of made instanceof Uint8Array ? [made] : made) {
        duel.end(forger.victim).hear(forger.packet(offence.level ?? "1-rtt", frames, offence.options), duel.now);
      }
      await duel.settle();
      const { failure } = duel.end(forger.victim);
      assert.equal(failure?.reason, offence.reason, failure?.message);
      assert.equal(failure?.byPeer, false);
      const code = typeof offence.code === "number" ? offence.code : transportErrors[offence.code];
      assert.equal(failure?.code, code);
      if (offence.isUnheard) return;
      const told = duel.end(by).failure;
      assert.equal(told?.code, code, "what the peer was told");
      assert.equal(told?.byPeer, true);
    });
  }
}
