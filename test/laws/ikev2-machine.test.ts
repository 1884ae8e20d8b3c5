import assert from "node:assert/strict";
import fc from "fast-check";
import type { Answer, DatagramInput, Wake } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { Ike, type IkeEvent, type IkeInput, ikeProposal } from "../../src/protocols/ikev2/index.js";
import { addresses, connectionOf, marked, type PairOptions } from "../support/ike-pair.js";
import { provider as crypto } from "../support/provider.js";
import { type MachineSubject, machineLaws } from "./machine.js";

type Input = IkeInput | DatagramInput | Answer | Wake;

const arriving = (bytes: Uint8Array, from: "a" | "b"): Input => {
  const [own, theirs] =
    from === "a" ? [addresses.initiator, addresses.responder] : [addresses.responder, addresses.initiator];
  return { kind: "datagrams", bytes, from: own, to: theirs, segmentSize: bytes.length, ecn: 0 };
};

/** A header of IKEv2 around anything, in front of it perhaps the marker. */
const messages = fc
  .tuple(
    fc.constantFrom(34, 35, 36, 37, 43, 99),
    fc.constantFrom(0x08, 0x20, 0x28, 0x00),
    fc.constantFrom(33, 34, 40, 41, 46, 53, 200),
    fc.nat(2),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.uint8Array({ maxLength: 120 }),
    fc.boolean(),
  )
  .map(([exchange, flags, next, id, spis, body, isMarked]) => {
    const bytes = new Uint8Array(28 + body.length);
    bytes.set(spis);
    bytes.set([next, 0x20, exchange, flags], 16);
    new DataView(bytes.buffer).setUint32(20, id);
    new DataView(bytes.buffer).setUint32(24, bytes.length);
    bytes.set(body, 28);
    return arriving(isMarked ? marked(bytes) : bytes, "b");
  });

const subject = (options: PairOptions): MachineSubject<Input, IkeEvent> => ({
  make: (seed) => ({
    a: new Ike({
      crypto,
      entropy: seededEntropy(`a ${seed}`),
      connections: [connectionOf("initiator", options.initiator)],
    }),
    b: new Ike({
      crypto,
      entropy: seededEntropy(`b ${seed}`),
      connections: [connectionOf("responder", options.responder)],
      ...options.config?.responder,
    }),
  }),
  opening: [
    ["a", { kind: "opened" }],
    ["b", { kind: "opened" }],
    ["a", { kind: "connect", connection: "net" }],
  ],
  afterwards: [
    ["a", { kind: "acquire", ike: 1, child: "lan" }],
    ["b", { kind: "rekey", ike: 1 }],
    ["a", { kind: "rekey", ike: 1 }],
    ["b", { kind: "probe", ike: 1 }],
    ["a", { kind: "disconnect", ike: 1 }],
  ],
  arrive: (bytes, from) => arriving(bytes, from),
  isFailure: () => false,
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "b")),
    messages,
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(4), answer: fc.anything() }),
    fc.constantFrom<Input>(
      { kind: "connect", connection: "nobody" },
      { kind: "rekey", ike: 1 },
      { kind: "rekey-child", spiIn: 7 },
      { kind: "delete-child", spiIn: 7 },
      { kind: "move", ike: 1, remote: addresses.initiator },
      { kind: "disconnect", ike: 2 },
    ),
  ),
  succeeded: ({ a, b }) => {
    for (const events of [a, b]) {
      for (const kind of ["established", "child", "rekeyed", "closed"]) {
        assert.ok(
          events.some((event) => event.kind === kind),
          kind,
        );
      }
    }
  },
  quietMs: 40_000,
  runs: 60,
});

machineLaws("IKEv2", subject({}));
machineLaws(
  "IKEv2 with cookies, additional key exchanges and fragments",
  subject({
    initiator: { proposals: [ikeProposal("aes256-sha256-x25519-ke1_mlkem512")], fragmentSize: 300 },
    responder: { proposals: [ikeProposal("aes256-sha256-x25519-ke1_mlkem512")], fragmentSize: 300 },
    config: { responder: { cookies: "always" } },
  }),
);
