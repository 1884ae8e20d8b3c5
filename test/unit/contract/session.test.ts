import assert from "node:assert/strict";
import { test } from "node:test";
import type { Profile, SessionOf } from "../../../src/contract/index.js";

const closes = {
  protocol: "TLS",
  section: "3.1.1",
  group: "payload",
  interfaces: ["IPK", "IV", "CT", "KU"],
  beyond: {},
  needs: ["byte-stream"],
  offers: "byte-stream",
} as const satisfies Profile;

test("a session has the methods of its profile's filled cells, and no others", () => {
  let called = "";
  const session: SessionOf<typeof closes> = {
    protocol: "TLS",
    peer: undefined,
    close: () => {
      called += "close ";
    },
    updateKeys: () => {
      called += "updateKeys";
    },
  };
  session.close();
  session.updateKeys({ requestPeer: true });
  assert.equal(called, "close updateKeys");
  // @ts-expect-error: PSKE is not among the interfaces, so asking for a key does not compile.
  assert.equal(session.exportKey, undefined);
  // @ts-expect-error: nor is ME.
  assert.equal(session.onMoved, undefined);
});
