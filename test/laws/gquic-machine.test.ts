import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex, utf8 } from "../../src/bytes/index.js";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { nobleCrypto } from "../../src/crypto/noble/index.js";
import { zlib } from "../../src/hosts/zlib.js";
import { GquicEndpoint, type GquicEvent, type GquicInput, type GquicVersion } from "../../src/protocols/gquic/index.js";
import { versions } from "../../src/protocols/gquic/wire/versions.js";
import { trustingServer } from "../support/gquic-pair.js";
import { provider as crypto } from "../support/provider.js";
import { identityFor, startOfTime } from "../support/tls-pair.js";
import { type End, type MachineSubject, machineLaws } from "./machine.js";

const addresses: Readonly<Record<End, SocketAddress>> = {
  a: { address: "192.0.2.1", port: 50_000 },
  b: { address: "192.0.2.2", port: 443 },
};

const arriving = (bytes: Uint8Array, from: End, segmentSize = bytes.length): GquicInput => ({
  kind: "datagrams",
  bytes,
  from: addresses[from],
  to: addresses[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

/** Signatures of noble's are the same each time. */
const identity = identityFor("P-256", nobleCrypto);
const long = new Uint8Array(30_000).fill(7);

/** Headers of every version, with anything behind, as long as a hello or not. */
const packets = fc
  .record({
    first: fc.constantFrom(0x09, 0x08, 0x0a, 0x0c, 0x01, 0x40, 0x43, 0xc3, 0xe3, 0xd3, 0xff, 0xfc, 0xc0, 0xd0, 0x31),
    code: fc.constantFrom(...Object.values(versions).map(({ code }) => code), 0, 0x1a2a3a4a),
    isLong: fc.boolean(),
    body: fc.uint8Array({ maxLength: 80 }),
    size: fc.constantFrom(0, 1_350),
    from: fc.constantFrom<End>("a", "b"),
  })
  .map(({ first, code, isLong, body, size, from }) => {
    const version = Uint8Array.of(code >>> 24, code >>> 16, code >>> 8, code);
    const cid = fromHex("0102030405060708");
    const head = isLong ? [version, Uint8Array.of(first >= 0xd0 ? 0x50 : 8), cid] : [cid, version];
    const packet = concat(Uint8Array.of(first), ...head, body);
    return arriving(concat(packet, new Uint8Array(Math.max(0, size - packet.length))), from);
  });

const subject = (version: GquicVersion): MachineSubject<GquicInput, GquicEvent> => ({
  make: (seed) => ({
    a: GquicEndpoint.client(
      { crypto, zlib, entropy: seededEntropy(`a ${seed}`) },
      { versions: [version], serverName: "server.test" },
      startOfTime,
    ),
    b: GquicEndpoint.server(
      { crypto, zlib, entropy: seededEntropy(`b ${seed}`) },
      { versions: [version], identity },
      startOfTime,
    ),
  }),
  opening: [
    ["a", { kind: "opened" }],
    ["b", { kind: "opened" }],
    ["a", { kind: "connect", local: addresses.a, remote: addresses.b }],
    ["a", { kind: "open-stream", connection: 1, priority: 100, early: true }],
    ["a", { kind: "stream-write", connection: 1, stream: 3, bytes: utf8("hello") }],
  ],
  afterwards: [
    ["a", { kind: "stream-write", connection: 1, stream: 3, bytes: long }],
    ["a", { kind: "stream-finish", connection: 1, stream: 3 }],
    ["b", { kind: "stream-pause", connection: 1, stream: 3 }],
    ["b", { kind: "stream-resume", connection: 1, stream: 3 }],
    ["b", { kind: "stream-write", connection: 1, stream: 3, bytes: utf8("answer") }],
    ["b", { kind: "stream-finish", connection: 1, stream: 3 }],
    ["b", { kind: "open-stream", connection: 1, priority: 1, early: false }],
    ["b", { kind: "stream-write", connection: 1, stream: 2, bytes: long }],
    ["a", { kind: "stream-stop", connection: 1, stream: 2, code: 6 }],
    ["a", { kind: "send-datagram", connection: 1, bytes: utf8("message") }],
    ["a", { kind: "ping", connection: 1 }],
    ["a", { kind: "close", connection: 1, code: 0, reason: "done" }],
  ],
  arrive: arriving,
  answer: (question: {
    readonly kind: string;
    readonly algorithm: "ECDSA-P-256-SHA-256";
    readonly message: Uint8Array;
    readonly chain: readonly Uint8Array[];
  }) =>
    question.kind === "sign-proof"
      ? identity.sign(question.algorithm, question.message)
      : trustingServer({ chain: question.chain, serverName: undefined, at: 0 }),
  isFailure: () => false, // an endpoint has many connections, and none of them ends it
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "a")),
    packets,
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(200_000), answer: fc.anything() }),
    fc.record({
      kind: fc.constantFrom("stream-finish" as const, "stream-pause" as const, "stream-resume" as const),
      connection: fc.nat(3),
      stream: fc.nat(6),
    }),
    fc.record({
      kind: fc.constantFrom("stream-reset" as const, "stream-stop" as const),
      connection: fc.nat(3),
      stream: fc.nat(6),
      code: fc.nat(9),
    }),
    fc.record({ kind: fc.constantFrom("abort" as const, "ping" as const), connection: fc.nat(3) }),
    fc.record({ kind: fc.constant("migrate" as const), connection: fc.nat(3), local: fc.constant(addresses.b) }),
    fc.record({
      kind: fc.constant("stream-write" as const),
      connection: fc.nat(3),
      stream: fc.nat(6),
      bytes: fc.uint8Array({ maxLength: 90 }),
    }),
  ),
  succeeded: ({ a, b }) => {
    for (const events of [a, b]) {
      const kinds: string[] = events.map(({ kind }) => kind);
      for (const kind of ["confirmed", "stream", "closed", "gone"])
        assert.ok(kinds.includes(kind), `${kind}: ${kinds}`);
    }
    const size = (events: readonly GquicEvent[], id: number): number => {
      let sum = 0;
      for (const event of events) {
        if (event.kind === "stream" && event.event.kind === "bytes" && event.event.id === id)
          sum += event.event.bytes.length;
      }
      return sum;
    };
    assert.equal(size(b, 3), 5 + long.length);
    assert.equal(size(a, 3), 6);
  },
  quietMs: 4_000,
  runs: 40,
});

for (const version of ["Q043", "Q046", "Q050"] as const) machineLaws(`Google QUIC ${version}`, subject(version));
