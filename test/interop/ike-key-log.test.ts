import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { concat } from "../../src/bytes/index.js";
import { Pcapng, udpPacket } from "../../src/mechanisms/capture/index.js";
import { ikeProposal } from "../../src/protocols/ikev2/index.js";
import { IkePair } from "../support/ike-pair.js";
import { scratch } from "./peers/certificates.js";
import { peer } from "./peers/find.js";

const fields = ["isakmp.typepayload", "isakmp.id.data.fqdn"].flatMap((each) => ["-e", each]);

// ChaCha20-Poly1305 has no name in this table.
for (const ike of [
  "aes128gcm16-prfsha256-x25519",
  "aes256gcm16-prfsha384-ecp256",
  "aes128-sha1-modp2048",
  "aes256-sha512-x448",
]) {
  test(`tshark reads IKEv2 under ${ike} with our key log, across a renewal`, () => {
    const lines: string[] = [];
    const proposals = [ikeProposal(ike)];
    const pair = new IkePair({
      initiator: { proposals },
      responder: { proposals },
      config: { initiator: { keyLog: (line) => void lines.push(line) } },
    });
    pair
      .connect()
      .run()
      .give("initiator", { kind: "rekey", ike: 1 })
      .run()
      .give("responder", { kind: "disconnect", ike: 1 })
      .run();
    const blocks: Uint8Array[] = [];
    const capture = new Pcapng((block) => void blocks.push(block.slice()), [{ name: "wire", link: "ip" }]);
    for (const { source, to, bytes } of pair.sent)
      capture.packet({ at: pair.now, bytes: udpPacket(source, to, bytes) });
    const path = join(scratch(), "ike.pcapng");
    writeFileSync(path, concat(...blocks));
    assert.equal(lines.length, 2);
    const options = lines.flatMap((line) => ["-o", `uat:ikev2_decryption_table:${line}`]);
    const { command } = peer("tshark");
    const said = execFileSync(command, ["-r", path, ...options, "-Y", "isakmp", "-T", "fields", ...fields], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    assert.ok(said.includes("client.test") && said.includes("server.test"), said);
    // Payload types of the goodbye, under the keys of the second IKE SA: 46 around 42.
    assert.match(said, /46,42/);
  });
}
