import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../src/bytes/index.js";
import type { AskOf, SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { QuicEndpoint } from "../../src/protocols/quic/endpoint/endpoint.js";
import { versions } from "../../src/protocols/quic/protection/versions.js";
import type { QuicEvent, QuicInput } from "../../src/protocols/quic/vocabulary.js";
import { versionNegotiationPacket } from "../../src/protocols/quic/wire/header.js";
import type { TlsAsks } from "../../src/protocols/tls/index.js";
import { provider as crypto } from "../support/provider.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";
import { type End, type MachineSubject, machineLaws } from "./machine.js";

const addresses: Readonly<Record<End, SocketAddress>> = {
  a: { address: "192.0.2.1", port: 50_000 },
  b: { address: "192.0.2.2", port: 443 },
};

const arriving = (bytes: Uint8Array, from: End, segmentSize = bytes.length): QuicInput => ({
  kind: "datagrams",
  bytes,
  from: addresses[from],
  to: addresses[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

const identity = identityFor("Ed25519");
const shared = { alpn: ["test"], verify: trusting, datagramFrameMax: 1_200, groups: ["x25519"] } as const;

/** Long headers of both versions and of others, with anything behind. */
const packets = fc
  .record({
    code: fc.constantFrom(versions["1"].code, versions["2"].code, 0, 0x1a2a3a4a),
    type: fc.nat(3),
    ids: fc.tuple(fc.uint8Array({ maxLength: 22 }), fc.uint8Array({ maxLength: 22 })),
    body: fc.uint8Array({ maxLength: 80 }),
    size: fc.constantFrom(0, 1_200),
  })
  .map(({ code, type, ids: [dcid, scid], body, size }) => {
    const head = Uint8Array.of(0xc0 | (type << 4), code >>> 24, code >>> 16, code >>> 8, code, dcid.length);
    const packet = concat(head, dcid, Uint8Array.of(scid.length), scid, body);
    return concat(packet, new Uint8Array(Math.max(0, size - packet.length)));
  });

const subject: MachineSubject<QuicInput, QuicEvent> = {
  make: (seed) => ({
    a: QuicEndpoint.client(
      { crypto, entropy: seededEntropy(`a ${seed}`) },
      { ...shared, serverName: "server.test" },
      startOfTime,
    ),
    b: QuicEndpoint.server({ crypto, entropy: seededEntropy(`b ${seed}`) }, { ...shared, identity }, startOfTime),
  }),
  opening: [
    ["a", { kind: "opened" }],
    ["b", { kind: "opened" }],
    ["a", { kind: "connect", connection: 1, local: addresses.a, remote: addresses.b }],
    ["a", { kind: "open-stream", connection: 1, direction: "bidirectional", priority: 100, early: false }],
    ["a", { kind: "stream-write", connection: 1, stream: 0, bytes: utf8("hello") }],
    ["a", { kind: "stream-finish", connection: 1, stream: 0 }],
  ],
  afterwards: [
    ["b", { kind: "stream-write", connection: 1, stream: 0, bytes: new Uint8Array(5_000).fill(7) }],
    ["b", { kind: "stream-finish", connection: 1, stream: 0 }],
    ["a", { kind: "update-keys", connection: 1 }],
    ["a", { kind: "send-datagram", connection: 1, bytes: utf8("datagram") }],
    ["a", { kind: "close", connection: 1, code: 0, reason: "" }],
  ],
  arrive: (bytes, from, segmentSize) => arriving(bytes, from, segmentSize),
  answer: (question: AskOf<QuicEvent>, end) => answers(question, end),
  // An endpoint outlives its connections: it has nothing that ends it.
  isFailure: () => false,
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "b")),
    packets.map((bytes) => arriving(bytes, "a")),
    packets.map((bytes) => arriving(bytes, "b")),
    fc
      .tuple(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }))
      .map(([dcid, scid]) => arriving(versionNegotiationPacket(dcid, scid, [0x0a0a0a0a], 0), "b")),
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(70_000), answer: fc.anything() }),
    fc
      .record({ connection: fc.nat(2), stream: fc.nat(9), code: fc.nat(9) })
      .map((each): QuicInput => ({ kind: "stream-reset", ...each })),
    fc
      .record({ connection: fc.nat(2), stream: fc.nat(9), code: fc.nat(9) })
      .map((each): QuicInput => ({ kind: "stream-stop", ...each })),
    fc.constantFrom<QuicInput>(
      { kind: "migrate", connection: 1, local: { address: "192.0.2.1", port: 50_001 } },
      { kind: "abort", connection: 1 },
      { kind: "ping", connection: 1 },
      { kind: "stop" },
      { kind: "update-keys", connection: 1 },
      { kind: "connect", connection: 2, local: addresses.a, remote: addresses.b },
    ),
  ),
  succeeded: ({ a, b }) => {
    const kinds = (events: readonly QuicEvent[]) => events.map(({ kind }) => kind);
    assert.ok(kinds(a).includes("confirmed") && kinds(b).includes("confirmed"));
    const received = (events: readonly QuicEvent[]) =>
      events.reduce(
        (size, each) => size + (each.kind === "stream" && each.event.kind === "bytes" ? each.event.bytes.length : 0),
        0,
      );
    assert.equal(received(b), 5);
    assert.equal(received(a), 5_000);
    assert.ok(b.some((each) => each.kind === "datagram"));
    assert.ok(b.some((each) => each.kind === "key-updated" && each.byPeer));
    assert.ok(kinds(a).includes("gone") && kinds(b).includes("gone"));
  },
  runs: 60,
};

function answers(question: AskOf<QuicEvent>, _end: End): unknown {
  switch (question.kind) {
    case "verify-peer":
      return trusting(question as TlsAsks["verify-peer"]["ask"]);
    case "select-identity":
      return identity;
    case "sign": {
      const { algorithm, message } = question;
      return identity.sign(algorithm, message);
    }
    default:
      return undefined;
  }
}

machineLaws("QUIC", subject);
