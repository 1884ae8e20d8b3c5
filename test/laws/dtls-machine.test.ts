import assert from "node:assert/strict";
import fc from "fast-check";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { DtlsEndpoint, type DtlsEvent, type DtlsInput } from "../../src/protocols/dtls/index.js";
import type { TlsVersion } from "../../src/protocols/tls/index.js";
import { batchOf } from "../support/dtls-pair.js";
import { provider as crypto } from "../support/provider.js";
import { identityFor, trusting } from "../support/tls-pair.js";
import { type End, type MachineSubject, machineLaws } from "./machine.js";

const addresses: Readonly<Record<End, SocketAddress>> = {
  a: { address: "192.0.2.1", port: 5_000 },
  b: { address: "192.0.2.2", port: 4_433 },
};
const identity = identityFor("Ed25519");

const arriving = (bytes: Uint8Array, from: End, segmentSize = bytes.length): DtlsInput => ({
  kind: "datagrams",
  bytes,
  from: addresses[from],
  to: addresses[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

/** Every kind of first byte, so that each parser gets its share. */
const firstBytes = fc.constantFrom(20, 21, 22, 23, 25, 26, 0x2c, 0x2d, 0x2e, 0x2f, 0x3f, 0x20);

const subject = (version: TlsVersion): MachineSubject<DtlsInput, DtlsEvent> => ({
  make: (seed) => ({
    a: new DtlsEndpoint({ crypto, entropy: seededEntropy(`client ${seed}`) }, { connectionIdSize: 4 }),
    b: new DtlsEndpoint(
      { crypto, entropy: seededEntropy(`server ${seed}`) },
      { server: { identity, versions: [version], connectionIdSize: 6 } },
    ),
  }),
  opening: [
    ["b", { kind: "opened" }],
    ["a", { kind: "opened" }],
    [
      "a",
      {
        kind: "connect",
        association: 1,
        remote: addresses.b,
        options: { versions: [version], serverName: "server.test", connectionIdSize: 4 },
      },
    ],
  ],
  afterwards: [
    ["a", { kind: "send", association: 1, batch: batchOf(["one", "two", "three is longer"]) }],
    ["b", { kind: "send", association: 2, batch: batchOf(["four"]) }],
    ...(version === "1.3"
      ? ([
          ["a", { kind: "update-keys", association: 1, requestPeer: true }],
          ["b", { kind: "renew-connection-id", association: 2, immediate: true }],
          ["a", { kind: "send", association: 1, batch: batchOf(["five"]) }],
        ] as const)
      : []),
    ["a", { kind: "close", association: 1 }],
  ],
  arrive: arriving,
  answer: (question: (DtlsEvent & { kind: "question" })["question"]) => {
    if (question.kind === "verify-peer") {
      try {
        return trusting(question);
      } catch {
        return undefined; // it does not parse
      }
    }
    if (question.kind === "select-identity") return identity;
    return question.kind === "sign" ? identity.sign(question.algorithm, question.message) : undefined;
  },
  isFailure: () => false, // an endpoint has many sessions, and none of them ends it
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "a")),
    fc
      .tuple(firstBytes, fc.nat(2), fc.uint8Array({ maxLength: 120 }))
      .map(([type, epoch, body]) =>
        arriving(Uint8Array.of(type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, 0, body.length & 255, ...body), "b"),
      ),
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(8), answer: fc.anything() }),
    fc.record({ kind: fc.constantFrom("close" as const, "abort" as const), association: fc.nat(4) }),
    fc.record({ kind: fc.constant("update-keys" as const), association: fc.nat(4), requestPeer: fc.boolean() }),
    fc.record({ kind: fc.constant("request-connection-ids" as const), association: fc.nat(4), count: fc.nat(300) }),
  ),
  succeeded: ({ a, b }) => {
    for (const events of [a, b]) {
      const kinds = events.map(({ kind }) => kind);
      for (const kind of ["confirmed", "data", "ended"] as const) assert.ok(kinds.includes(kind), `${kind}: ${kinds}`);
    }
  },
  quietMs: 20_000,
  runs: 60,
});

for (const version of ["1.2", "1.3"] as const) machineLaws(`DTLS ${version}`, subject(version));
