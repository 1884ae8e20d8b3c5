import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, type DatagramInput, Secret } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  type ControlKey,
  type OpenVpnClientEvent,
  type OpenVpnClientInput,
  type OpenVpnServerEvent,
  type OpenVpnServerInput,
  type ServerControlKey,
  timestampMetadata,
  wrapClientKey,
} from "../../src/protocols/openvpn/index.js";
import { answerOf, arriving, ends, inner, makeClient, makeServer } from "../support/openvpn-pair.js";
import { provider as crypto } from "../support/provider.js";
import { ipPacket } from "../unit/wireguard/pair.js";
import { type MachineSubject, machineLaws } from "./machine.js";

type Input = OpenVpnClientInput | OpenVpnServerInput | DatagramInput | Answer;
type Event = OpenVpnClientEvent | OpenVpnServerEvent;

const key = (name: string, size: number): Secret => new Secret(seededEntropy(name).fill(new Uint8Array(size)));

/** Each way of wrapping the control channel, as each side has it. */
const wrappings: Readonly<Record<string, () => { readonly a: ControlKey; readonly b: ServerControlKey }>> = {
  "bare TLS": () => ({ a: { kind: "none" }, b: { kind: "none" } }),
  "tls-auth": () => ({
    a: { kind: "tls-auth", key: key("static", 256), direction: 1, hash: "SHA-256" },
    b: { kind: "tls-auth", key: key("static", 256), direction: 0, hash: "SHA-256" },
  }),
  "tls-crypt": () => ({
    a: { kind: "tls-crypt", key: key("static", 256) },
    b: { kind: "tls-crypt", key: key("static", 256) },
  }),
  "tls-crypt-v2": () => {
    const [serverKey, client] = [key("server", 128), key("client", 256)];
    const wrapped = wrapClientKey(crypto, serverKey, client, timestampMetadata(0));
    return { a: { kind: "tls-crypt-v2", key: client, wrapped }, b: { kind: "tls-crypt-v2", serverKey } };
  },
};

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
