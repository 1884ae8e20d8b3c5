import assert from "node:assert/strict";
import fc from "fast-check";
import type { Answer, DatagramInput } from "../../src/contract/index.js";
import type {
  OpenVpnClientEvent,
  OpenVpnClientInput,
  OpenVpnServerEvent,
  OpenVpnServerInput,
} from "../../src/protocols/openvpn/index.js";
import { answerOf, arriving, ends, inner, makeClient, makeServer, wrappings } from "../support/openvpn-pair.js";
import { ipPacket } from "../unit/wireguard/pair.js";
import { type MachineSubject, machineLaws } from "./machine.js";

type Input = OpenVpnClientInput | OpenVpnServerInput | DatagramInput | Answer;
type Event = OpenVpnClientEvent | OpenVpnServerEvent;

/** First bytes of every opcode, with every key ID, so that each parser gets its share. */
const firstByte = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.nat(7)).map(([opcode, id]) => (opcode << 3) | id);

function subject(wrapping: string): MachineSubject<Input, Event> {
  return {
    make: (seed) => {
      const { a, b } = wrappings[wrapping]!();
      return { a: makeClient(seed, { control: a }), b: makeServer(seed, { control: b }) } as never;
    },
    opening: [
      ["b", { kind: "opened" }],
      ["a", { kind: "opened" }],
      ["a", { kind: "connected", to: ends.b, transport: "udp" }],
    ],
    afterwards: [
      ["a", { kind: "packet", bytes: ipPacket(inner.a, inner.b, 60, 1) }],
      ["b", { kind: "packet", bytes: ipPacket(inner.b, inner.a, 1200, 2) }],
      ["a", { kind: "renegotiate" }],
      ["b", { kind: "packet", bytes: ipPacket(inner.b, inner.a, 400, 3) }],
      ["b", { kind: "renegotiate" }],
      ["a", { kind: "packet", bytes: ipPacket(inner.a, inner.b, 40, 4) }],
      ["a", { kind: "close" }],
    ],
    arrive: arriving,
    answer: answerOf as (question: never) => unknown,
    hostile: fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes): Input => arriving(bytes, "a")),
      fc.uint8Array({ maxLength: 200 }).map((bytes): Input => arriving(bytes, "b")),
      fc
        .tuple(firstByte, fc.uint8Array({ maxLength: 120 }), fc.constantFrom("a" as const, "b" as const))
        .map(([first, body, from]): Input => arriving(Uint8Array.of(first, ...body), from)),
      fc.uint8Array({ maxLength: 80 }).map((bytes): Input => ({ kind: "packet", bytes })),
      fc.record({ kind: fc.constant("answer" as const), id: fc.nat(8), answer: fc.anything() }),
    ),
    succeeded: ({ a, b }) => {
      const of = (events: readonly Event[], kind: Event["kind"]) =>
        events.filter((event) => event.kind === kind).length;
      assert.equal(of(a, "up"), 1);
      assert.equal(of(b, "joined"), 1);
      assert.equal(of(a, "renewed"), 2);
      assert.equal(of(b, "renewed"), 2);
      assert.equal(of(a, "packets"), 2);
      assert.equal(of(b, "packets"), 2);
      assert.equal(of(b, "left"), 1);
    },
    runs: 15,
  };
}

for (const wrapping of Object.keys(wrappings)) machineLaws(`OpenVPN, ${wrapping}`, subject(wrapping));
