import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/bytes/index.js";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { MinimaltEndpoint, type MinimaltEvent, type MinimaltInput } from "../../src/protocols/minimalt/index.js";
import { approachOf, clientAddress, serverAddress, serverIdentity, userIdentity } from "../support/minimalt-pair.js";
import { provider as crypto } from "../support/provider.js";
import { startOfTime } from "../support/tls-pair.js";
import { bytesOf, type End, type MachineSubject, machineLaws, sameBytes } from "./machine.js";

const addresses: Readonly<Record<End, SocketAddress>> = { a: clientAddress, b: serverAddress };

const arriving = (bytes: Uint8Array, from: End, segmentSize = bytes.length): MinimaltInput => ({
  kind: "datagrams",
  bytes,
  from: addresses[from],
  to: addresses[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

/** Packets of the right shape, with anything in them: begun tunnels, puzzles, solutions, later packets. */
const shaped = fc
  .tuple(fc.constantFrom(0x80, 0x40, 0xc0, 0), fc.nat(1), fc.uint8Array({ maxLength: 200 }))
  .map(([flags, parity, rest]) => {
    const bytes = new Uint8Array(flags === 0x40 ? 164 : flags === 0 ? 90 : 1_024);
    bytes.set(rest.subarray(0, bytes.length - 16), 16);
    bytes.set([flags, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, parity]);
    return arriving(bytes, parity === 1 ? "a" : "b");
  });

const long = new Uint8Array(30_000).fill(7);

/** A client needs the record of its server, which a server with the same entropy tells. */
function approach() {
  const twin = new MinimaltEndpoint({ crypto, entropy: seededEntropy("server 1") }, { identity: serverIdentity });
  twin.handle({ kind: "serve", at: serverAddress }, startOfTime);
  return approachOf(twin, { user: userIdentity }, startOfTime);
}

const subject: MachineSubject<MinimaltInput, MinimaltEvent> = {
  make: () => ({
    a: new MinimaltEndpoint({ crypto, entropy: seededEntropy("client 1") }),
    b: new MinimaltEndpoint(
      { crypto, entropy: seededEntropy("server 1") },
      { identity: serverIdentity, users: [userIdentity.publicKey] },
    ),
  }),
  opening: [
    ["b", { kind: "opened" }],
    ["b", { kind: "serve", at: serverAddress }],
    ["a", { kind: "opened" }],
    ["a", { kind: "connect", tunnel: 1, approach: approach() }],
    ["a", { kind: "create", tunnel: 1, connection: 1, service: "law", priority: 100 }],
  ],
  afterwards: [
    ["a", { kind: "write", tunnel: 1, connection: 1, bytes: utf8("one"), released: undefined }],
    ["a", { kind: "write", tunnel: 1, connection: 1, bytes: long, released: () => undefined }],
    ["b", { kind: "write", tunnel: 2, connection: 1, bytes: utf8("two"), released: undefined }],
    ["b", { kind: "pause", tunnel: 2, connection: 1 }],
    ["b", { kind: "resume", tunnel: 2, connection: 1 }],
    ["a", { kind: "update-keys", tunnel: 1 }],
    ["b", { kind: "update-keys", tunnel: 2 }],
    ["a", { kind: "moved", tunnel: 1 }],
    ["a", { kind: "finish", tunnel: 1, connection: 1 }],
    ["b", { kind: "finish", tunnel: 2, connection: 1 }],
    ["a", { kind: "close", tunnel: 1 }],
  ],
  arrive: arriving,
  answer: () => true,
  isFailure: () => false, // an endpoint has many tunnels, and none of them ends it
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "a")),
    shaped,
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(8), answer: fc.anything() }),
    fc.record({
      kind: fc.constantFrom("finish" as const, "refuse" as const, "stop" as const, "pause" as const, "resume" as const),
      tunnel: fc.nat(4),
      connection: fc.nat(4),
    }),
    fc.record({
      kind: fc.constantFrom("close" as const, "abort" as const, "update-keys" as const, "moved" as const),
      tunnel: fc.nat(4),
    }),
    fc.record({
      kind: fc.constant("write" as const),
      tunnel: fc.nat(4),
      connection: fc.nat(4),
      bytes: fc.uint8Array({ maxLength: 90 }),
      released: fc.constant(undefined),
    }),
  ),
  succeeded: ({ a, b }) => {
    for (const events of [a, b]) {
      const kinds = events.map(({ kind }) => kind);
      for (const kind of ["confirmed", "data", "ended", "key-updated", "connection-over", "over", "gone"] as const) {
        assert.ok(kinds.includes(kind), `${kind}: ${kinds}`);
      }
    }
    sameBytes(bytesOf(a, "data"), utf8("two"));
    assert.equal(bytesOf(b, "data").length, 3 + long.length);
  },
  quietMs: 5_000,
  runs: 60,
};
machineLaws("MinimaLT", subject);
