import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePrefix } from "../../src/bytes/index.js";
import { type Answer, type DatagramInput, Secret, type SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import type { WireGuardEvent, WireGuardInput } from "../../src/protocols/wireguard/interfaces.js";
import { WireGuard } from "../../src/protocols/wireguard/machine.js";
import { provider as crypto } from "../support/provider.js";
import { ipPacket } from "../unit/wireguard/pair.js";
import { type End, type MachineSubject, machineLaws } from "./machine.js";

type Input = WireGuardInput | DatagramInput | Answer;

const start = Date.UTC(2026, 0, 1);
const addresses: Readonly<Record<End, SocketAddress>> = {
  a: { address: "192.0.2.1", port: 51_820 },
  b: { address: "192.0.2.2", port: 51_820 },
};
const inner = { a: "10.0.0.1", b: "10.0.0.2" } as const;

const endpoint = (seed: number, end: End): WireGuard => {
  const other = end === "a" ? "b" : "a";
  const key = (of: End): Secret => new Secret(seededEntropy(`key ${of}`).fill(new Uint8Array(32)));
  const entropy = seededEntropy(`${end} ${seed}`);
  const { publicKey } = new WireGuard({ crypto, entropy: seededEntropy("throwaway"), privateKey: key(other) }, start);
  const allowedIps = [parsePrefix(`${inner[other]}/32`)!];
  const peers = [{ publicKey, allowedIps, endpoint: addresses[other] }];
  return new WireGuard({ crypto, entropy, privateKey: key(end), peers }, start);
};

const arriving = (bytes: Uint8Array, from: End, segmentSize = bytes.length): Input => ({
  kind: "datagrams",
  bytes,
  from: addresses[from],
  to: addresses[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

const subject: MachineSubject<Input, WireGuardEvent> = {
  make: (seed) => ({ a: endpoint(seed, "a"), b: endpoint(seed, "b") }),
  opening: [["a", { kind: "packet", bytes: ipPacket(inner.a, inner.b, 60, 1) }]],
  afterwards: [
    ["b", { kind: "packet", bytes: ipPacket(inner.b, inner.a, 1200, 2) }],
    ["a", { kind: "packet", bytes: ipPacket(inner.a, inner.b, 40, 3) }],
  ],
  arrive: arriving,
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "b")),
    // The sizes and types of real messages, with anything in them.
    fc
      .tuple(
        fc.constantFrom([1, 148], [2, 92], [3, 64], [4, 32], [4, 96]),
        fc.uint8Array({ minLength: 148, maxLength: 148 }),
      )
      .map(([[type, size], body]) => arriving(Uint8Array.of(type!, 0, 0, 0, ...body.subarray(4, size)), "b")),
    fc.uint8Array({ maxLength: 80 }).map((bytes): Input => ({ kind: "packet", bytes })),
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(8), answer: fc.anything() }),
  ),
  succeeded: ({ a, b }) => {
    for (const events of [a, b]) {
      assert.ok(events.some(({ kind }) => kind === "session"));
      assert.ok(events.some(({ kind }) => kind === "packets"));
    }
  },
  quietMs: 20_000,
  runs: 100,
};

machineLaws("WireGuard", subject);
