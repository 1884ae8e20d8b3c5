import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, fromUtf8, toHex, utf8 } from "../../src/bytes/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  type EnoOption,
  type EnoOutcome,
  readEnoOption,
  type TcpcryptEvent,
  type TcpcryptInput,
  TcpcryptMachine,
  type TepName,
  tcpcryptConfig,
  teps,
  writeEnoOption,
} from "../../src/protocols/tcpcrypt/index.js";
import { provider as crypto } from "../support/provider.js";
import { bytesOf, type MachineSubject, machineLaws } from "./machine.js";

const subject = (name: TepName): MachineSubject<TcpcryptInput, TcpcryptEvent> => ({
  make: (seed) => {
    const tep = teps.find((each) => each.name === name)!;
    const outcome = { kind: "encrypted", tep, tepByte: tep.id, peerAware: false, resumed: undefined } as const;
    const transcript = concat(
      writeEnoOption({ a: false, b: false, teps: [{ id: tep.id, data: undefined }] }),
      writeEnoOption({ a: false, b: true, teps: [{ id: tep.id, data: undefined }] }),
    );
    const make = (role: "A" | "B") => {
      const ground = { crypto, entropy: seededEntropy(`${role} ${seed}`) };
      const options = { authenticate: () => true, framesPerKeyMax: 2 };
      const eno: EnoOutcome = { ...outcome, role, transcript };
      return new TcpcryptMachine(tcpcryptConfig(ground, role === "A" ? "active" : "passive", options), {
        outcome: eno,
      });
    };
    return { a: make("A"), b: make("B") };
  },
  opening: [
    ["b", { kind: "opened" }],
    ["a", { kind: "opened" }],
  ],
  afterwards: [
    ["a", { kind: "send", bytes: utf8("question") }],
    ["b", { kind: "send", bytes: utf8("answer") }],
    ["a", { kind: "update-keys" }],
    ["a", { kind: "send-urgent", bytes: utf8(" and another") }],
    ["b", { kind: "update-keys" }],
    ["a", { kind: "close" }],
    ["b", { kind: "close" }],
  ],
  arrive: (bytes) => ({ kind: "bytes", bytes }),
  answer: () => true,
  hostile: fc.oneof(
    fc.record({ kind: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 200 }) }),
    // An Init of any size with any body.
    fc
      .tuple(fc.constantFrom([0x15, 0x10, 0x1a, 0x0e], [0x09, 0x71, 0x05, 0xe0]), fc.uint8Array({ maxLength: 120 }))
      .map(([magic, body]) => ({
        kind: "bytes" as const,
        bytes: Uint8Array.of(...magic, 0, 0, 0, 8 + body.length, ...body),
      })),
    // A frame of any size with any body.
    fc
      .tuple(fc.nat(255), fc.uint8Array({ maxLength: 100 }))
      .map(([control, body]) => ({ kind: "bytes" as const, bytes: Uint8Array.of(control, 0, body.length, ...body) })),
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(4), answer: fc.anything() }),
    fc.record({ kind: fc.constant("send" as const), bytes: fc.uint8Array({ maxLength: 50 }) }),
    fc.record({ kind: fc.constant("keep-alive" as const), ms: fc.nat(10_000) }),
    fc.constantFrom<TcpcryptInput>(
      { kind: "end" },
      { kind: "close" },
      { kind: "opened" },
      { kind: "update-keys" },
      { kind: "closed" },
    ),
  ),
  succeeded: ({ a, b }) => {
    const text = (events: readonly TcpcryptEvent[]): string | undefined => fromUtf8(bytesOf(events, "data"));
    const id = (events: readonly TcpcryptEvent[]): string | undefined => {
      const confirmed = events.find((event) => event.kind === "confirmed");
      return confirmed?.kind === "confirmed" && confirmed.outcome.encrypted
        ? toHex(confirmed.outcome.sessionId)
        : undefined;
    };
    assert.equal(text(b), "question and another");
    assert.equal(text(a), "answer");
    assert.ok(id(a) !== undefined && id(a) === id(b));
    for (const events of [a, b]) {
      assert.ok(events.some(({ kind }) => kind === "ended") && events.some(({ kind }) => kind === "finished"));
    }
  },
});

// The two shapes of a public key; the other TEPs differ in sizes alone.
for (const name of ["TCPCRYPT_ECDHE_Curve25519", "TCPCRYPT_ECDHE_P256"] as const) {
  machineLaws(`tcpcrypt with ${name}`, subject(name));
}

const plain = { noNullPrototype: true };
const suboption = fc.record(
  {
    id: fc.integer({ min: 0x20, max: 0x7f }),
    data: fc.option(fc.uint8Array({ minLength: 1, maxLength: 32 }), { nil: undefined }),
  },
  plain,
);
const option: fc.Arbitrary<EnoOption> = fc.record(
  { a: fc.boolean(), b: fc.boolean(), teps: fc.array(suboption, { maxLength: 5 }) },
  plain,
);

test("an ENO option that is written is read again", () => {
  fc.assert(
    fc.property(option, (value) => assert.deepEqual(readEnoOption(writeEnoOption(value).subarray(2)), value)),
    { seed: 1 },
  );
});

test("no option's content throws, and none is longer than it is", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 38 }), (content) => {
      const read = readEnoOption(content);
      const size = read?.teps.reduce((total, { data }) => total + 1 + (data?.length ?? 0), 0) ?? 0;
      assert.ok(size <= content.length);
    }),
    { seed: 2, numRuns: 5_000 },
  );
});
