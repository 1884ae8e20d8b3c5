import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/bytes/index.js";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  type ControllerName,
  CurveCpEndpoint,
  type CurveCpEvent,
  type CurveCpInput,
  controllerNames,
} from "../../src/protocols/curvecp/index.js";
import { magic } from "../../src/protocols/curvecp/messages/packets.js";
import { clientAddress, clientIdentity, serverAddress, serverIdentity } from "../support/curvecp-pair.js";
import { provider as crypto } from "../support/provider.js";
import { bytesOf, type End, type MachineSubject, machineLaws, sameBytes } from "./machine.js";

const addresses: Readonly<Record<End, SocketAddress>> = { a: clientAddress, b: serverAddress };

const arriving = (bytes: Uint8Array, from: End, segmentSize = bytes.length): CurveCpInput => ({
  kind: "datagrams",
  bytes,
  from: addresses[from],
  to: addresses[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

/** Packets of the right names and sizes, with anything in them. */
const sizes = { hello: 224, cookie: 200, initiate: 736, "client-message": 288, "server-message": 256 } as const;
const shaped = fc
  .tuple(fc.constantFrom(...(Object.keys(sizes) as (keyof typeof sizes)[])), fc.uint8Array({ maxLength: 120 }))
  .map(([type, rest]) => {
    const bytes = new Uint8Array(sizes[type]);
    bytes.set(rest, 40);
    bytes.set(magic[type]);
    return arriving(bytes, type.startsWith("server") || type === "cookie" ? "b" : "a");
  });

const long = new Uint8Array(30_000).fill(7);

const subject = (congestionControl: ControllerName): MachineSubject<CurveCpInput, CurveCpEvent> => ({
  make: (seed) => ({
    a: new CurveCpEndpoint({ crypto, entropy: seededEntropy(`client ${seed}`) }),
    b: new CurveCpEndpoint(
      { crypto, entropy: seededEntropy(`server ${seed}`) },
      { identity: serverIdentity, clients: [clientIdentity.publicKey], congestionControl },
    ),
  }),
  opening: [
    ["b", { kind: "opened" }],
    ["a", { kind: "opened" }],
    [
      "a",
      {
        kind: "connect",
        connection: 1,
        remote: serverAddress,
        options: { serverKey: serverIdentity.publicKey, identity: clientIdentity, congestionControl },
      },
    ],
  ],
  afterwards: [
    ["a", { kind: "send", connection: 1, bytes: utf8("one") }],
    ["a", { kind: "send", connection: 1, bytes: long }],
    ["b", { kind: "send", connection: 2, bytes: utf8("two") }],
    ["b", { kind: "pause", connection: 2 }],
    ["b", { kind: "resume", connection: 2 }],
    ["a", { kind: "moved", connection: 1 }],
    ["a", { kind: "finish", connection: 1 }],
    ["b", { kind: "finish", connection: 2 }],
  ],
  arrive: arriving,
  answer: () => true,
  isFailure: () => false, // an endpoint has many connections, and none of them ends it
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "a")),
    shaped,
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(8), answer: fc.anything() }),
    fc.record({
      kind: fc.constantFrom("finish" as const, "abort" as const, "pause" as const, "resume" as const, "moved" as const),
      connection: fc.nat(4),
    }),
    fc.record({ kind: fc.constant("send" as const), connection: fc.nat(4), bytes: fc.uint8Array({ maxLength: 90 }) }),
  ),
  succeeded: ({ a, b }) => {
    for (const events of [a, b]) {
      const kinds = events.map(({ kind }) => kind);
      for (const kind of ["confirmed", "data", "released", "ended", "over", "gone"] as const) {
        assert.ok(kinds.includes(kind), `${kind}: ${kinds}`);
      }
    }
    sameBytes(bytesOf(a, "data"), utf8("two"));
    assert.equal(bytesOf(b, "data").length, 3 + long.length);
  },
  quietMs: 5_000,
  runs: 60,
});

for (const name of controllerNames) machineLaws(`CurveCP with ${name}`, subject(name));
