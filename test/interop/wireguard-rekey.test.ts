import assert from "node:assert/strict";
import { test } from "node:test";
import { WireGuardGo } from "./peers/wireguard-go.js";
import { host, newKey, open, publicKeyOf } from "./wireguard-ends.js";

const everyS = 0.2;
/** The paper's Rekey-After-Time is 120 seconds (§6.1); the echoes go on for a while after it. */
const echoes = 128 / everyS;

test("wireguard-go, which opened the session, renews its keys after two minutes of a trickle, and nothing is lost", async () => {
  const key = newKey();
  const publicKey = publicKeyOf(key);
  await using peer = await WireGuardGo.start({ peerPublicKey: publicKey });
  const sessions: { readonly at: number; readonly initiator: boolean }[] = [];
  const { tunnel } = await open(peer, key, {
    on: (event) => {
      if (event.kind === "session") sessions.push({ at: host.now(), initiator: event.initiator });
    },
  });
  peer.set("peer", publicKey, "endpoint", `127.0.0.1:${tunnel.local.port}`);
  // With a deadline it goes on until it has had so many answers: one that is lost leaves a gap in their numbers.
  const ping = peer.inside("ping", "ping", "-c", `${echoes}`, "-i", `${everyS}`, "-w", "200", "10.99.0.2");
  while (ping.status === undefined) await new Promise((next) => setTimeout(next, 100));
  assert.equal(ping.status, "exited with 0", ping.said);
  const answered = new Set([...ping.said.matchAll(/icmp_seq=(\d+)/g)].map(([, number]) => Number(number)));
  for (let number = 1; number <= echoes; number++) assert.ok(answered.has(number), `echo ${number} was not answered`);
  assert.equal(sessions.length, 2, peer.said);
  const [first, second] = sessions;
  assert.equal(first!.initiator || second!.initiator, false, "we only answered");
  const after = second!.at - first!.at;
  assert.ok(after >= 119_000 && after < 165_000, `${after} ms`);
  tunnel.close();
});
