import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { toBase64 } from "../../src/bytes/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { publicKeyOf } from "../../src/protocols/wireguard/index.js";
import { scratch } from "../interop/peers/certificates.js";
import { Program } from "../interop/peers/program.js";
import { freePort } from "../support/free-port.js";
import { program, sealport } from "./sealport.js";

const host = nodeHost();
const inside = ["10.68.0.1", "10.68.0.2"] as const;

/** Two wg-quick files of a tunnel over loopback. */
async function tunnelFiles(): Promise<readonly [string, string]> {
  const keys = [0, 1].map(() => host.entropy.fill(new Uint8Array(32)));
  const publicKeys = keys.map((key) => publicKeyOf(host.crypto, key));
  const ports = [await freePort(), await freePort()];
  return [0, 1].map((own) => {
    const path = join(scratch(), `tcpcrypt${own}.conf`);
    writeFileSync(
      path,
      `[Interface]\nPrivateKey = ${toBase64(keys[own]!)}\nAddress = ${inside[own]}/24\nListenPort = ${ports[own]}
       [Peer]\nPublicKey = ${toBase64(publicKeys[1 - own]!)}\nAllowedIPs = ${inside[1 - own]}/32
       Endpoint = 127.0.0.1:${ports[1 - own]}\n`,
      { mode: 0o600 },
    );
    return path;
  }) as [string, string];
}

const eventsOf = (out: string): readonly Readonly<Record<string, unknown>>[] =>
  out.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Record<string, unknown>] : []));

test("connect and listen speak tcpcrypt: inside a tunnel, and both print the same session ID", async () => {
  const files = await tunnelFiles();
  const url = `tcpcrypt://${inside[1]}:7000`;
  const listening = ["listen", url, "--tunnel", files[1], "--echo", "--once", "--json"];
  await using server = new Program("sealport listen", process.execPath, [program, ...listening]);
  await server.says(/"event":"listening"/);
  const asked = `${url}?teps=P256&ciphers=CHACHA20_POLY1305&aware=offer`;
  const ran = await sealport(["connect", asked, "--tunnel", files[0], "--json"], { input: "hello\n" });
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.out, new RegExp(Buffer.from("hello\n").toString("base64")));
  await server.ends();
  const [connected, accepted] = [eventsOf(ran.out), eventsOf(server.said)].map((events) =>
    events.find(({ event }) => event === "connected" || event === "accepted"),
  );
  assert.ok(connected !== undefined && accepted !== undefined);
  const { protocol, tep, cipher, role, sessionId } = connected;
  assert.deepEqual([protocol, tep, cipher, role], ["tcpcrypt", "TCPCRYPT_ECDHE_P256", "AEAD_CHACHA20_POLY1305", "A"]);
  assert.deepEqual([accepted["role"], accepted["peerAware"], accepted["sessionId"]], ["B", true, sessionId]);
});

test("tcpcrypt: says that it needs a tunnel, and what it does not know", async () => {
  const bare = await sealport(["connect", "tcpcrypt://127.0.0.1:1"]);
  assert.equal(bare.code, 2);
  assert.match(bare.err, /--tunnel/);
  const [file] = await tunnelFiles();
  const wrong = await sealport(["connect", "tcpcrypt://10.68.0.2:1?teps=P384", "--tunnel", file]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /P384 is not known/);
});
