import assert from "node:assert/strict";
import fc from "fast-check";
import { Secret } from "../../src/contract/index.js";
import type { RetainedSecrets } from "../../src/protocols/zrtp/cache.js";
import type { ZrtpEvent } from "../../src/protocols/zrtp/events.js";
import { frame, messageTypes } from "../../src/protocols/zrtp/messages/frame.js";
import { putPacket } from "../../src/protocols/zrtp/messages/packet.js";
import { arriving, type PairOptions, type ZrtpAnyInput, zrtpEnd } from "../support/zrtp-pair.js";
import { type MachineSubject, machineLaws } from "./machine.js";

const fixed = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte));

/** A right header and CRC around anything. */
function packetOf(type: (typeof messageTypes)[number], body: Uint8Array, ssrc: number): Uint8Array {
  const message = frame(type, (writer) => writer.put(body));
  const bytes = new Uint8Array(message.length + 16);
  putPacket(bytes, 1, ssrc, message);
  return bytes;
}

const subject = (options: PairOptions, retained?: RetainedSecrets): MachineSubject<ZrtpAnyInput, ZrtpEvent> => ({
  make: (seed) => ({ a: zrtpEnd(seed, "a", options), b: zrtpEnd(seed, "b", options) }),
  opening: [
    ["a", { kind: "opened" }],
    ["b", { kind: "opened" }],
  ],
  afterwards: [
    ["a", { kind: "compared", same: true }],
    ["b", { kind: "enroll" }],
    ["b", { kind: "close" }],
  ],
  arrive: (bytes, from) => arriving(bytes, from),
  answer: ((question: { readonly kind: string }) => (question.kind === "secrets" ? retained : true)) as never,
  hostile: fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "b")),
    // The type and source of real messages, with anything in them.
    fc
      .tuple(
        fc.constantFrom(...messageTypes),
        fc.uint8Array({ maxLength: 128 }),
        fc.constantFrom("a", "b"),
        fc.nat(0xffff_ffff),
      )
      .map(([type, body, from, ssrc]) =>
        arriving(packetOf(type, body.subarray(0, body.length & ~3), ssrc), from as "a" | "b"),
      ),
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(4), answer: fc.anything() }),
    fc.constantFrom<ZrtpAnyInput>({ kind: "media" }, { kind: "compared", same: true }, { kind: "enroll" }),
  ),
  succeeded: ({ a, b }) => {
    for (const events of [a, b]) assert.ok(events.some(({ kind }) => kind === "confirmed"));
  },
  quietMs: 20_000,
  runs: 60,
});

machineLaws("ZRTP", subject({ cached: true, asksWords: true, algorithms: { keyAgreements: ["X255"] } }));
machineLaws(
  "ZRTP, Preshared",
  subject(
    { cached: true, algorithms: { keyAgreements: ["X255", "Prsh"] } },
    { rs1: fixed(1), rs2: fixed(2), pbx: undefined, verified: true, expiresAt: undefined },
  ),
);
