import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAddress } from "../../src/bytes/index.js";
import type { Answer, DatagramInput } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  Encryption,
  Esp,
  type EspAlgorithms,
  type EspEvent,
  type EspInput,
  Integrity,
} from "../../src/protocols/esp/index.js";
import { gcm, inside, outside, pairOf, udpPacket } from "../support/esp-pair.js";
import { provider as crypto } from "../support/provider.js";
import { type End, type MachineSubject, machineLaws } from "./machine.js";

type Input = EspInput | DatagramInput | Answer;

const arriving = (bytes: Uint8Array, from: End, segmentSize = bytes.length): Input => ({
  kind: "datagrams",
  bytes,
  from: outside[from],
  to: outside[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

const packet = (from: End, size: number, family = 0): Input => ({
  kind: "packet",
  bytes: udpPacket(inside[from][family]!, inside[from === "a" ? "b" : "a"][family]!, size),
});

/** The laws of a suite and mode. */
function subject(algorithms: EspAlgorithms, mode: "tunnel" | "transport"): MachineSubject<Input, EspEvent> {
  const ends = (end: End) => ({
    local: parseAddress(inside[end][0])!,
    remote: parseAddress(inside[end === "a" ? "b" : "a"][0])!,
  });
  const install = (end: End, generation = 0): readonly [End, Input] => {
    const lifetime = { soft: { packets: 2, seconds: 5 }, hard: { seconds: 60 } };
    const replaces = generation > 0 ? pairOf(end).spiIn : undefined;
    const begins = generation > 0 && end === "b" ? "when-received" : "at-once";
    const options = { algorithms, mode, ends: ends(end), lifetime, generation, replaces, begins } as const;
    // Made anew each time: who installs a pair wipes its keys.
    return [
      end,
      {
        kind: "install",
        get pair() {
          return pairOf(end, options);
        },
      },
    ];
  };
  return {
    make: (seed) => {
      const machine = (end: End): Esp => new Esp({ crypto, entropy: seededEntropy(`${end} ${seed}`) });
      return { a: machine("a"), b: machine("b") };
    },
    opening: [install("a"), install("b"), ["a", packet("a", 60)]],
    afterwards: [
      ["b", packet("b", 1_200)],
      ["a", packet("a", 1)],
      ["a", packet("a", 2, 1)],
      install("b", 1),
      install("a", 1),
      ["a", packet("a", 7)],
      ["b", { kind: "remove", spiIn: pairOf("b").spiIn, gently: true }],
      ["a", { kind: "remove", spiIn: pairOf("a").spiIn }],
      ["b", packet("b", 8)],
    ],
    arrive: arriving,
    hostile: fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => arriving(bytes, "b")),
      // An SPI that is there, and anything behind it; alone, or in a batch that is cut anywhere.
      fc
        .tuple(fc.uint8Array({ minLength: 4, maxLength: 300 }), fc.nat(80))
        .map(([body, segment]) => arriving(Uint8Array.of(0xa0, 0, 0, 0, ...body), "b", segment)),
      fc.uint8Array({ maxLength: 80 }).map((bytes): Input => ({ kind: "packet", bytes })),
      fc
        .nat(2)
        .map((generation): Input => ({ kind: "move", spiIn: pairOf("a", { generation }).spiIn, peer: outside.b })),
      fc
        .nat(2)
        .map((generation): Input => ({ kind: "remove", spiIn: pairOf("a", { generation }).spiIn, gently: true })),
      fc.nat(2).map((generation): Input => ({ kind: "install", pair: pairOf("a", { generation, algorithms }) })),
      fc.record({ kind: fc.constant("answer" as const), id: fc.nat(8), answer: fc.anything() }),
    ),
    succeeded: ({ a, b }) => {
      assert.ok(a.some(({ kind }) => kind === "packets"));
      for (const kind of ["packets", "expiring", "began"])
        assert.ok(
          b.some((event) => event.kind === kind),
          kind,
        );
    },
    quietMs: 10_000,
    runs: 100,
  };
}

const cbc = { encryption: Encryption.aesCbc, keyBits: 128, integrity: Integrity.hmacSha256, isExtended: true };

machineLaws("ESP, AES-GCM, tunnel mode", subject(gcm, "tunnel"));
machineLaws("ESP, AES-CBC with HMAC and extended numbers, transport mode", subject(cbc, "transport"));
