import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { espProposal, ikeProposal, selector } from "../../src/protocols/ikev2/index.js";
import { Ours } from "./ike-ours.js";
import { StrongSwan } from "./peers/strongswan.js";

const conf = `
connections {
  t {
    version = 2
    local_addrs = LOCAL
    remote_addrs = REMOTE
    encap = yes
    proposals = aes128gcm16-prfsha256-x25519,aes256-sha256-modp2048,chacha20poly1305-prfsha512-ecp384
    local { auth = psk
      id = server.taps.test }
    remote { auth = psk
      id = client.taps.test }
    children { c { local_ts = 10.2.0.0/24
      remote_ts = 10.1.0.0/24
      esp_proposals = aes128gcm16-x25519,aes256-sha256,chacha20poly1305 } }
  }
}
secrets { ike { id-1 = client.taps.test
  id-2 = server.taps.test
  secret = "test-psk-not-secret" } }
`;

let peer: StrongSwan;
before(async () => {
  peer = await StrongSwan.start({ conf });
});
after(() => peer[Symbol.asyncDispose]());

for (const [ike, esp] of [
  ["aes128gcm16-prfsha256-x25519", "aes128gcm16"],
  ["aes256-sha256-modp2048", "aes256-sha256"],
  ["chacha20poly1305-prfsha512-ecp384", "chacha20poly1305"],
] as const) {
  test(`strongSwan answers ${ike} and ${esp} by a pre-shared key`, async () => {
    using ours = await Ours.open(peer, {
      connection: {
        proposals: [ikeProposal(ike)],
        children: [
          {
            name: "c",
            proposals: [espProposal(esp)],
            local: [selector("10.1.0.0/24")],
            remote: [selector("10.2.0.0/24")],
          },
        ],
      },
    });
    const { pair } = await ours.connect().tells("child");
    const spi = (value: number): string => value.toString(16).padStart(8, "0");
    assert.match(
      peer.swanctl("--list-sas", "--raw"),
      new RegExp(`spi-in=${spi(pair.spiOut)}.*spi-out=${spi(pair.spiIn)}`),
    );
  });
}
