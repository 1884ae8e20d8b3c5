import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { choiceFrom, play } from "../../src/explorer/index.js";
import { provider } from "../support/provider.js";
import { peer, scratch } from "./peers/index.js";

/** What Wireshark finds in a scene's capture with nothing but the secrets that are in it. */
const found: Readonly<Record<string, readonly [decodeAs: string, filter: string]>> = {
  tls13: [
    "tcp.port==4433,tls",
    'tls.app_data or frame contains "abcdefghijkl" or data.data contains 61:62:63:64:65:66',
  ],
  dtls12: ["udp.port==4433,dtls", "dtls.app_data"],
  quic1: ["udp.port==4433,quic", "quic.stream_data contains 61:62:63:64:65:66"],
  wireguard: ["udp.port==51820,wg", "tcp contains 61:62:63:64:65:66"],
};

for (const [name, [decodeAs, filter]] of Object.entries(found)) {
  test(`tshark reads the payload of ${name} in the explorer's capture`, async () => {
    const { scene, conditions } = choiceFrom((each) => ({ scene: name, bytes: "500" })[each]);
    const { capture, failure } = await play(scene, conditions, provider);
    assert.equal(failure, undefined);
    const file = join(scratch(), `${name}.pcapng`);
    writeFileSync(file, capture);
    const said = execFileSync(peer("tshark").command, ["-r", file, "-d", decodeAs, "-Y", filter], { encoding: "utf8" });
    assert.ok(said.trim().split("\n").filter(Boolean).length >= 2, said);
  });
}
