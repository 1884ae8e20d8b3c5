import assert from "node:assert/strict";
import { test } from "node:test";
import { espProposal, ikeProposal, selector } from "../../../src/protocols/ikev2/index.js";
import { IkePair, meet } from "../../support/ike-pair.js";

test("two ends agree on an IKE SA and a child by a pre-shared key", () => {
  const pair = new IkePair().connect().run();
  for (const side of ["initiator", "responder"] as const) {
    assert.equal(pair.of(side, "established").length, 1, JSON.stringify(pair.events[side]));
    assert.equal(pair.pairs(side).length, 1);
  }
  assert.ok(meet(pair.pairs("initiator")[0]!, pair.pairs("responder")[0]!));
});

for (const ike of [
  "aes128-sha1-modp2048",
  "aes256-sha256-x25519",
  "aes192-sha384-ecp384",
  "aes256-sha512-ecp521",
  "aes128gcm16-prfsha256-ecp256",
  "aes192gcm16-prfsha384-x448",
  "aes256gcm16-prfsha512-modp3072",
  "chacha20poly1305-prfsha256-x25519",
  "aes256gcm16-prfsha384-x25519-ke1_mlkem768",
]) {
  test(`an IKE SA of ${ike}, and children of all sorts`, () => {
    const proposals = [ikeProposal(ike)];
    for (const esp of ["aes128gcm16", "aes256-sha256-esn", "chacha20poly1305-noesn-x25519", "null-sha256"]) {
      const children = (own: string, theirs: string) => [
        { name: "lan", proposals: [espProposal(esp)], local: [selector(own)], remote: [selector(theirs)] },
      ];
      const pair = new IkePair({
        initiator: { proposals, children: children("10.1.0.0/16", "10.2.0.0/16") },
        responder: { proposals, children: children("10.2.3.0/24", "10.1.0.0/24") },
      })
        .connect()
        .run();
      const [ours] = pair.pairs("initiator");
      const [theirs] = pair.pairs("responder");
      assert.ok(ours && theirs && meet(ours, theirs), JSON.stringify(pair.events));
      assert.deepEqual([...ours.local[0]!.end], [10, 1, 0, 255]);
      pair.give("initiator", { kind: "rekey-child", spiIn: ours.spiIn }).run();
      const renewed = pair.pairs("initiator")[1]!;
      assert.ok(meet(renewed, pair.pairs("responder")[1]!));
      assert.equal(renewed.replaces, ours.spiIn);
      assert.ok(!renewed.keysIn.encryption.equals(ours.keysIn.encryption) || esp === "null-sha256");
      for (const side of ["initiator", "responder"] as const) assert.equal(pair.of(side, "child-deleted").length, 1);
    }
  });
}
