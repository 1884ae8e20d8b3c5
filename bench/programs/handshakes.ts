import { createSocket } from "node:dgram";
import { fromBase64, parsePrefix, toBase64 } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { CookieKeeper } from "../../src/protocols/wireguard/cookies.js";
import { SentInitiation } from "../../src/protocols/wireguard/handshake.js";
import { WireGuard } from "../../src/protocols/wireguard/index.js";
import { Suite } from "../../src/protocols/wireguard/noise.js";
import { tai64n } from "../../src/protocols/wireguard/timestamp.js";
import { WireGuardGo } from "../../test/interop/peers/wireguard-go.js";
import { cpuOf } from "./tunnel-ends.js";

const host = nodeHost();
const suite = new Suite(host.crypto);
const [initiators, rounds] = [400, 4];
/** Few enough on their way that nobody is under load (§5.3). */
const outstandingMax = 32;

/** Initiations of many peers, made before anything is timed: each is one handshake for whoever answers it. */
function initiations(responder: Uint8Array) {
  const peers = Array.from({ length: initiators }, () => suite.newKeyPair(host.entropy));
  const toThem = { publicKey: responder, preSharedKey: undefined };
  const cookies = new CookieKeeper(suite, responder);
  const messages: Uint8Array[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const own of peers) {
      const ephemeral = suite.newKeyPair(host.entropy);
      const made = SentInitiation.create(
        suite,
        own,
        toThem,
        ephemeral,
        messages.length,
        tai64n(host.now() + round * 1_000),
      );
      cookies.sign(made!.message, host.now());
      messages.push(made!.message);
    }
  }
  return { publicKeys: peers.map(({ publicKey }) => publicKey), messages };
}

/** Handshakes that our machine answers for each second of CPU; no socket is between. */
export function oursAnswered(): number {
  const { crypto, entropy } = host;
  const key = entropy.fill(new Uint8Array(32));
  let now = host.now();
  const machine = new WireGuard({ crypto, entropy, privateKey: Secret.copy(key) }, now);
  const { publicKeys, messages } = initiations(machine.publicKey);
  for (const [i, publicKey] of publicKeys.entries()) {
    machine.handle(
      { kind: "add-peer", peer: { publicKey, allowedIps: [parsePrefix(`10.0.${i >> 8}.${i & 255}/32`)!] } },
      now,
    );
  }
  const into = new Uint8Array(65_536);
  const from = { address: "192.0.2.1", port: 1 };
  let answered = 0;
  const before = process.cpuUsage();
  for (const bytes of messages) {
    // Slowly enough, in its time, that it is not under load.
    now += 10;
    machine.handle({ kind: "datagrams", bytes, from, to: from, segmentSize: bytes.length, ecn: 0 }, now);
    while (machine.transmit(into, now)) answered++;
  }
  const { user, system } = process.cpuUsage(before);
  return answered / ((user + system) / 1e6);
}

/** Handshakes that wireguard-go answers for each second of its CPU, over loopback. */
export async function theirsAnswered(): Promise<number> {
  await using peer = await WireGuardGo.start({ peerPublicKey: toBase64(host.entropy.fill(new Uint8Array(32))) });
  const { publicKeys, messages } = initiations(fromBase64(peer.publicKey)!);
  const known = publicKeys.map((publicKey, i) => [
    "peer",
    toBase64(publicKey),
    "allowed-ips",
    `10.0.${i >> 8}.${i & 255}/32`,
  ]);
  for (let i = 0; i < known.length; i += 20) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    peer.set(...known.slice(i, i + 20).flat());
  }
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const before = cpuOf(peer.pid);
  let [sent, answered, quietSince] = [0, 0, performance.now()];
  const fill = (): void => {
    for (; sent < messages.length && sent - answered < outstandingMax; sent++)
      socket.send(messages[sent]!, peer.port, "127.0.0.1");
  };
  socket.on("message", (message) => {
    if (message[0] !== 2) return;
    answered++;
    quietSince = performance.now();
    fill();
  });
  fill();
  while (answered < messages.length && performance.now() - quietSince < 500)
    await new Promise((resolve) => setTimeout(resolve, 20));
  socket.close();
  return answered / (cpuOf(peer.pid) - before);
}
